// Relaying of one TCP connection: whatever both ends send, read, end and break off, in whatever
// order, cut by short reads and writes and squeezed through small buffers, what arrives is what was
// sent from its beginning; all of it, and then the end, if nothing was broken off.

using System;
using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Property.Core;

public enum RelayVerb
{
    ClientSends,
    BackendSends,

    /// <summary>The client reads some bytes; it never does by itself.</summary>
    ClientReads,
    ClientEnds,
    BackendEnds,
    BackendHangs,
    BackendResumes,

    /// <summary>Some milliseconds pass.</summary>
    Wait,
    ClientResets,
    BackendResets,
}

public sealed record RelayStep(RelayVerb Verb, int Count)
{
    public override string ToString() => $"{Verb} {Count}";
}

/// <summary>
/// What the path is like: bytes that a read and a write move at most, the size of every buffer, and
/// how late the backend takes the session, in milliseconds.
/// </summary>
public sealed record RelayPath(int Reads, int Writes, int Pipe, int OkDelay);

public static class RelayArbitraries
{
    private static readonly RelayPath Smooth = new(100_000, 100_000, 200_000, 0);

    public static Arbitrary<RelayPath> Paths() => Arb.From(
        from reads in Gen.Elements(1, 2, 3, 5, 100, 4096, 100_000)
        from writes in Gen.Elements(1, 2, 3, 5, 100, 4096, 100_000)
        from pipe in Gen.Elements(40, 1000, 5000, 200_000)
        from delay in Gen.Elements(0, 0, 1, 500)
        select new RelayPath(reads, writes, pipe, delay),
        path => new[]
        {
            path with { Reads = Smooth.Reads }, path with { Writes = Smooth.Writes },
            path with { Pipe = Smooth.Pipe }, path with { OkDelay = Smooth.OkDelay },
        }.Where(simpler => simpler != path));

    public static Arbitrary<Script<RelayStep>> Steps() => Scripts.Of(
        Gen.Frequency(
            (6, Of(RelayVerb.ClientSends, Bytes)), (6, Of(RelayVerb.BackendSends, Bytes)),
            (5, Of(RelayVerb.ClientReads, Bytes)), (5, Of(RelayVerb.Wait, Gen.Choose(0, 300))),
            (1, Of(RelayVerb.ClientEnds)), (1, Of(RelayVerb.BackendEnds)),
            (1, Of(RelayVerb.BackendHangs)), (1, Of(RelayVerb.BackendResumes))),
        step => Scripts.Towards(0, step.Count).Select(n => step with { Count = n }),
        min: 0, max: 40);

    public static Gen<RelayStep> Break { get; } =
        Gen.OneOf(Of(RelayVerb.ClientResets), Of(RelayVerb.BackendResets));

    private static Gen<int> Bytes { get; } =
        Gen.Frequency((8, Scripts.Sizes(3000, 1, 16_384)), (1, Gen.Choose(20_000, 60_000)));

    private static Gen<RelayStep> Of(RelayVerb verb, Gen<int>? count = null) =>
        (count ?? Gen.Constant(0)).Select(n => new RelayStep(verb, n));
}

/// <summary>A script with one reset in it.</summary>
public sealed record BrokenOff(Script<RelayStep> Before, RelayStep Break, Script<RelayStep> After);

public static class BrokenOffArbitraries
{
    public static Arbitrary<BrokenOff> Scripts() => Arb.From(
        from before in RelayArbitraries.Steps().Generator
        from broken in RelayArbitraries.Break
        from after in RelayArbitraries.Steps().Generator
        select new BrokenOff(before, broken, after),
        script => RelayArbitraries.Steps().Shrinker(script.After)
            .Select(after => script with { After = after })
            .Concat(RelayArbitraries.Steps().Shrinker(script.Before)
                .Select(before => script with { Before = before })));
}

public sealed class RelayTests
{
    [Property(Arbitrary = [typeof(RelayArbitraries)], MaxTest = 300)]
    public void AnyScript_BothEndsGetAllBytesAndThenTheEnd(
        RelayPath path, Script<RelayStep> script)
    {
        var relay = new Relay(path);
        foreach (var step in script.Steps)
            relay.Apply(step);
        relay.Finish();
    }

    [Property(Arbitrary = [typeof(RelayArbitraries), typeof(BrokenOffArbitraries)], MaxTest = 200)]
    public void BrokenOffAnywhere_WhatArrivedIsTheBeginning(RelayPath path, BrokenOff script)
    {
        var relay = new Relay(path);
        foreach (var step in script.Before.Steps)
            relay.Apply(step);
        relay.Apply(script.Break);
        foreach (var step in script.After.Steps)
            relay.Apply(step);
        relay.Collapse();
    }

    [Fact]
    public void BackendGoneAfterItsEnd_ConnectionEndsWhenIdle()
    {
        var relay = new Relay(new RelayPath(100_000, 100_000, Pipe: 40, OkDelay: 0));
        relay.Apply(new RelayStep(RelayVerb.Wait, 1));
        relay.Apply(new RelayStep(RelayVerb.BackendSends, 481));
        relay.Apply(new RelayStep(RelayVerb.BackendEnds, 0));
        relay.Apply(new RelayStep(RelayVerb.Wait, 1));
        relay.Apply(new RelayStep(RelayVerb.BackendResets, 0));
        relay.Collapse();
    }

    private sealed class Relay
    {
        private readonly SimBalancer _sim;
        private readonly SimBackend _backend;
        private readonly SimStream _client;
        private readonly int _most;
        private readonly byte[] _buffer = new byte[70_000];
        private int _sentByClient;
        private int _sentByBackend;
        private int _readByClient;
        private int _checkedAtBackend;
        private readonly int _descriptors;
        private bool _clientEnded;
        private bool _backendEnded;
        private bool _clientSawEnd;
        private bool _isBroken;

        public Relay(RelayPath path)
        {
            // Where a turn moves a byte, a hundred thousand of them are no test but a long wait.
            _most = (int)Math.Min(1_000_000, 5000L * Math.Min(path.Reads, path.Writes));
            var kernel = new SimKernel();
            kernel.Faults.MaxReadBytes = path.Reads;
            kernel.Faults.MaxWriteBytes = path.Writes;
            kernel.ClientToBalancer = kernel.BalancerToClient = new PipeSize(path.Pipe);
            _backend = new SimBackend(kernel, "5301")
            {
                TcpDelay = Duration.FromMilliseconds(path.OkDelay),
            };
            _sim = new SimBalancer(kernel);
            Assert.True(_sim.RunUntil(
                () => _sim.Log.Count<LogEvent.BackendHealthy>() > 0, Duration.FromSeconds(1L)));
            _descriptors = kernel.OpenDescriptors;
            kernel.BackendToBalancer = kernel.BalancerToBackend = new PipeSize(path.Pipe, 10);
            _client = kernel.ConnectClient(new Endpoint(Ipv4.From(10, 1, 0, 1), 4000));
            // A backend is looked for when its first byte has come.
            Apply(new RelayStep(RelayVerb.ClientSends, 1));
        }

        private SimBackendSession? Session => _backend.Sessions.FirstOrDefault(s => s.IsTcp);

        public void Apply(RelayStep step)
        {
            switch (step.Verb)
            {
                case RelayVerb.ClientSends when !_clientEnded && !_client.IsClosed:
                    Send(_client.Send, ref _sentByClient,
                        Math.Min(step.Count, ushort.MaxValue - _sentByClient));
                    break;
                case RelayVerb.BackendSends when !_backendEnded && IsTaken:
                    Send(Session!.Send, ref _sentByBackend, step.Count);
                    break;
                case RelayVerb.ClientReads when !_client.IsClosed:
                    Read(step.Count);
                    break;
                case RelayVerb.ClientEnds when !_clientEnded && !_client.IsClosed:
                    _clientEnded = true;
                    _client.HalfClose();
                    break;
                case RelayVerb.BackendEnds when !_backendEnded && IsTaken:
                    _backendEnded = true;
                    Session!.HalfClose();
                    break;
                case RelayVerb.ClientResets when !_client.IsClosed:
                    _isBroken = true;
                    _client.Reset();
                    break;
                case RelayVerb.BackendResets when IsTaken:
                    _isBroken = true;
                    Session!.Reset();
                    break;
                case RelayVerb.BackendHangs:
                    _backend.Hang();
                    break;
                case RelayVerb.BackendResumes:
                    _backend.Resume();
                    break;
                case RelayVerb.Wait:
                    _sim.Run(Duration.FromMilliseconds(step.Count));
                    break;
            }
            AssertPrefixes();
        }

        /// <summary>Both end, both read all, and nothing is left.</summary>
        public void Finish()
        {
            _backend.Resume();
            Assert.True(_sim.RunUntil(() => IsTaken, Duration.FromSeconds(2L)));
            Apply(new RelayStep(RelayVerb.ClientEnds, 0));
            Apply(new RelayStep(RelayVerb.BackendEnds, 0));
            for (var i = 0; i < 100_000 && !(_clientSawEnd && Session!.HasEnded); i++)
            {
                Read(int.MaxValue);
                _sim.Run(Duration.FromMilliseconds(1));
            }
            Assert.True(_clientSawEnd, "the client gets the backend's end");
            Assert.True(Session!.HasEnded, "the backend gets the client's end");
            AssertPrefixes();
            AssertGone(Counter.ConnectionsFinished);
        }

        /// <summary>After a reset the connection is gone before long.</summary>
        public void Collapse()
        {
            _backend.Resume();
            // A break that came before the backend had a session was passed over.
            if (!_isBroken)
                Apply(new RelayStep(RelayVerb.ClientResets, 0));
            // Nobody tells the balancer of a backend that goes after its end: that takes the time
            // of an idle connection, which begins when the client has read what was under way.
            var limit = Instant.Zero;
            do
            {
                var read = _readByClient;
                if (!_client.IsClosed)
                    Read(int.MaxValue);
                _sim.Run(Duration.FromMilliseconds(_readByClient > read ? 1 : 1000));
                if (_readByClient > read || limit == Instant.Zero)
                    limit = _sim.Now + Limits.TcpIdleTimeout + Limits.TcpHandshakeTimeout;
            }
            while (_sim.Now < limit && _sim.Core.ConnectionCount > 0);
            AssertPrefixes();
            AssertGone(null);
        }

        private bool IsTaken => Session is { Stream.IsClosed: false }
            && _sim.Log.Count<LogEvent.ConnectionRelaying>() > 0;

        /// <summary>
        /// What is sent depends on its place in the stream alone. The client's is part of one long
        /// query, so that nobody waits for an answer.
        /// </summary>
        private static byte ByteAt(int place) =>
            place < 2 ? byte.MaxValue : unchecked((byte)(place * 31 + (place >> 8)));

        private void Send(SendBytes send, ref int sent, int count)
        {
            var bytes = new byte[Math.Min(count, _most - sent)];
            for (var i = 0; i < bytes.Length; i++)
                bytes[i] = ByteAt(sent++);
            send(bytes);
        }

        private void Read(int most)
        {
            var result = _client.Read(_buffer.AsSpan(0, Math.Clamp(most, 1, _buffer.Length)));
            for (var i = 0; i < result.Count; i++)
                Assert.Equal(ByteAt(_readByClient++), _buffer[i]);
            Assert.True(_readByClient <= _sentByBackend, "nothing is invented");
            _clientSawEnd |= result.Status == IoStatus.EndOfStream;
        }

        private void AssertPrefixes()
        {
            var atBackend = Session?.TcpBytes ?? [];
            for (; _checkedAtBackend < atBackend.Count; _checkedAtBackend++)
                Assert.Equal(ByteAt(_checkedAtBackend), atBackend[_checkedAtBackend]);
            Assert.True(atBackend.Count <= _sentByClient, "nothing is invented");
            if (_isBroken)
                return;
            if (Session?.HasEnded == true)
            {
                Assert.True(_clientEnded);
                Assert.Equal(_sentByClient, atBackend.Count);
            }
            if (_clientSawEnd)
            {
                Assert.True(_backendEnded);
                Assert.Equal(_sentByBackend, _readByClient);
            }
        }

        private void AssertGone(Counter? how)
        {
            Assert.Equal(0, _sim.Core.ConnectionCount);
            // What is left is the control session; a backend that hung may have lost it.
            Assert.True(_sim.Kernel.OpenDescriptors <= _descriptors);
            Assert.Equal(1, _sim.Counters.Sum(Counters.ConnectionEnds));
            if (how is { } expected)
                Assert.Equal(1, _sim.Counters[expected]);
        }

        private delegate void SendBytes(ReadOnlySpan<byte> bytes);
    }
}
