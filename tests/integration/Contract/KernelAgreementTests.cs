// Owns the comparison of the two kernels, call by call: a script of calls on both ends of one
// stream is played on real sockets and on simulated ones at once, and each call must be answered
// alike and leave the stream ready for the same. The scripts are drawn from seeds, so that between
// them accepts, reads, writes, half-closes, closes and resets meet in every order on either family.
//
// What no script asks is how much a full buffer holds, which on Linux depends on the system's
// settings: a script moves some bytes at a time and far fewer than a buffer holds, so that every
// count must agree. NetworkContract has the full buffers.
//
// The real kernel delivers between its sockets at once, but for a busy system, where the last steps
// of TCP are left to another thread. So what Linux has not done yet is waited for, and only what it
// never does is a difference: readiness is asked again, a read that found less goes on, and a write
// is made again that was taken though its peer is gone. A process that this one starts holds every
// descriptor until it runs its own program; so a stream that is closed at that moment goes a little
// later, and a peer that was told of an end before, its own or the stream's, is told of the reset
// then. That too is waited for, and these tests run alone, while no other test starts anything.

using System;
using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;
using System.Threading;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;
using Tests.Integration.Linux;
using Xunit;

namespace Tests.Integration.Contract;

[SupportedOSPlatform("linux")]
[Collection(nameof(ProcessWide))]
public sealed class KernelAgreementTests : IDisposable
{
    private const int StepsPerScript = 16;
    private const int MostBytes = 40;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly LinuxWorld _linux = new(Ipv4.Loopback, forceFallbacks: false);
    private readonly SimWorld _sim = new(Ipv4.Loopback);

    public void Dispose()
    {
        _linux.Dispose();
        _sim.Dispose();
    }

    [Theory]
    [InlineData(StreamFamily.Unix, 1000)]
    [InlineData(StreamFamily.Tcp, 1000)]
    public void CallsOnBothEnds_InAnyOrder_AreAnsweredAlike(StreamFamily family, int scripts)
    {
        for (ulong seed = 1; seed <= (ulong)scripts; seed++)
        {
            using var linux = new Side(_linux, family);
            using var sim = new Side(_sim, family);
            new Script(linux, sim, family, seed).Play();
        }
    }

    /// <summary>One stream on each kernel, and what was called on both so far.</summary>
    private sealed class Script
    {
        private readonly SimRandom _random;
        private readonly StreamFamily _family;
        private readonly Side _linux;
        private readonly Side _sim;
        private readonly StringBuilder _played = new();
        private readonly byte[] _payload = new byte[MostBytes];

        internal Script(Side linux, Side sim, StreamFamily family, ulong seed)
        {
            _random = new SimRandom(seed);
            _family = family;
            _linux = linux;
            _sim = sim;
            _played.Append(family).Append(", seed ").Append(seed).Append(':');
            _random.Fill(_payload);
        }

        internal void Play()
        {
            // The kernel connects before anyone accepts: the end that connected may act at once.
            for (var early = _random.Next(4); early > 0; early--)
                Act();
            if (_family == StreamFamily.Unix && _random.Chance(1, 8))
                Do("the listener closes", side => side.Refuse());
            else
                Do("accept", side => side.Accept());
            for (var step = 0; step < StepsPerScript; step++)
                Act();
        }

        private void Act()
        {
            if (_sim.HasPeer && (!_sim.HasStream || _random.Chance(1, 2)))
                ActOnPeer();
            else if (_sim.HasStream)
                ActOnStream();
            if (!_sim.HasStream)
                return;
            CompareReady(Readiness.Read | Readiness.Write);
            CompareReady((Readiness)_random.Next(8));
        }

        private void ActOnStream()
        {
            var bytes = _random.Next(1, MostBytes);
            switch (_random.Next(12))
            {
                case < 4:
                    CompareRead("read", bytes, (side, into) => side.Read(into));
                    break;
                case < 8:
                    CompareWrite("write", bytes, (side, from) => side.Write(from));
                    break;
                case < 11:
                    Do("half-close", side => side.HalfClose());
                    break;
                default:
                    if (_random.Chance(1, 2))
                        Do("close", side => side.Close());
                    else
                        Do("abort", side => side.Abort());
                    break;
            }
        }

        private void ActOnPeer()
        {
            var bytes = _random.Next(1, MostBytes);
            switch (_random.Next(12))
            {
                case < 4:
                    CompareRead("peer reads", bytes, (side, into) => side.PeerRead(into));
                    break;
                case < 8:
                    CompareWrite("peer writes", bytes, (side, from) => side.PeerWrite(from));
                    break;
                case < 10:
                    Do("peer half-closes", side => side.PeerHalfClose());
                    break;
                default:
                    // There is no reset between AF_UNIX sockets but by unread bytes.
                    if (_family == StreamFamily.Unix || _random.Chance(1, 2))
                        Do("peer closes", side => side.PeerClose());
                    else
                        Do("peer resets", side => side.PeerReset());
                    break;
            }
        }

        private delegate IoResult ReadCall(Side side, Span<byte> into);

        private delegate IoResult WriteCall(Side side, ReadOnlySpan<byte> from);

        private void Do(string call, Action<Side> act)
        {
            _played.Append("\n  ").Append(call);
            act(_linux);
            act(_sim);
        }

        private void CompareReady(Readiness interest)
        {
            var simulated = _sim.Ready(interest);
            var real = Await(() => _linux.Ready(interest), ready => ready == simulated);
            Check($"ready, asked for {interest}", $"{simulated}", $"{real}");
        }

        private void CompareRead(string call, int bytes, ReadCall read)
        {
            var expected = new byte[bytes];
            var simulated = read(_sim, expected);
            var came = new byte[bytes];
            var count = 0;
            var real = Await(
                () =>
                {
                    var result = read(_linux, came.AsSpan(count));
                    count += result.Count;
                    return result;
                },
                result => count > 0 ? count >= simulated.Count : !MayFollow(simulated, result));
            Check($"{call} {bytes}", Told(simulated, expected.AsSpan(0, simulated.Count)),
                Told(count > 0 ? IoResult.Ok(count) : real, came.AsSpan(0, count)));
        }

        /// <summary>Whether Linux, which answered so, may still come to the other answer.</summary>
        private static bool MayFollow(IoResult simulated, IoResult real) =>
            real.Status != simulated.Status
            && (real.Status is IoStatus.WouldBlock
                || (real.Status is IoStatus.EndOfStream or IoStatus.BrokenPipe
                    && simulated.Status == IoStatus.Reset));

        private void CompareWrite(string call, int bytes, WriteCall write)
        {
            var simulated = write(_sim, _payload.AsSpan(0, bytes));
            var real = Await(() => write(_linux, _payload.AsSpan(0, bytes)),
                result => simulated.IsOk || (!result.IsOk && !MayFollow(simulated, result)));
            Check($"{call} {bytes}", Told(simulated, []), Told(real, []));
        }

        private void Check(string call, string simulated, string real)
        {
            _played.Append("\n  ").Append(call).Append(": ").Append(real);
            Assert.True(simulated == real,
                $"Linux: {real}, the simulated kernel: {simulated}\n{_played}");
        }

        private static string Told(IoResult result, ReadOnlySpan<byte> bytes) => result.IsOk
            ? $"{result} {Convert.ToHexString(bytes)}"
            : result.Status.ToString();

        private static T Await<T>(Func<T> call, Func<T, bool> isIt)
        {
            var since = Stopwatch.GetTimestamp();
            while (true)
            {
                var answer = call();
                if (isIt(answer) || Stopwatch.GetElapsedTime(since) > Patience)
                    return answer;
                Thread.Sleep(1);
            }
        }
    }

    /// <summary>One kernel's stream and the other end of it.</summary>
    private sealed class Side : IDisposable
    {
        private readonly NetworkWorld _world;
        private readonly IListenerPeer? _listener;
        private SocketHandle _stream;
        private IStreamPeer? _peer;

        internal Side(NetworkWorld world, StreamFamily family)
        {
            _world = world;
            if (family == StreamFamily.Tcp)
            {
                _peer = world.ConnectClient();
                return;
            }
            _listener = world.Listen("pair");
            _stream = world.Connect("pair");
        }

        internal bool HasStream => !_stream.IsNone;

        internal bool HasPeer => _peer != null;

        private INetwork Network => _world.Network;

        internal void Accept()
        {
            if (_listener != null)
                _peer = _listener.Accept();
            else
                _stream = _world.AcceptClient().Stream;
        }

        internal void Refuse() => _listener!.Dispose();

        internal Readiness Ready(Readiness interest)
        {
            Network.SetInterest(_stream, interest);
            var ready = Readiness.None;
            foreach (var came in _world.PollSockets())
            {
                if (came.Handle == _stream)
                    ready = came.Ready;
            }
            return ready;
        }

        internal IoResult Read(Span<byte> into) => Network.Read(_stream, into);

        internal IoResult Write(ReadOnlySpan<byte> from) => Network.Write(_stream, from);

        internal void HalfClose() => Network.HalfClose(_stream);

        internal void Close()
        {
            Network.Close(_stream);
            _stream = SocketHandle.None;
        }

        internal void Abort()
        {
            Network.Abort(_stream);
            _stream = SocketHandle.None;
        }

        internal IoResult PeerRead(Span<byte> into) => _peer!.TryRead(into);

        internal IoResult PeerWrite(ReadOnlySpan<byte> from) => _peer!.TryWrite(from);

        internal void PeerHalfClose() => _peer!.HalfClose();

        internal void PeerClose()
        {
            _peer!.Dispose();
            _peer = null;
        }

        internal void PeerReset()
        {
            _peer!.Reset();
            _peer = null;
        }

        public void Dispose()
        {
            if (HasStream)
                Close();
            _peer?.Dispose();
            _listener?.Dispose();
        }
    }
}
