// Who is let in over TCP, against a count of what is open: up to so many connections in all and so
// many of one address, the rest are closed at once, each in its counter; an accept that fails for
// want of descriptors is not tried again before 100 ms have passed, one that failed by itself is
// passed over at once; in the end nothing of anybody is left.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Property.Core;

public enum AdmissionVerb
{
    /// <summary>Count clients of host Which connect within one turn.</summary>
    Connect,

    /// <summary>The oldest open connection of host Which ends, on both sides.</summary>
    End,

    /// <summary>The next accept finds no descriptor left.</summary>
    NoDescriptor,

    /// <summary>The next connection is gone before it is accepted.</summary>
    Aborted,
}

public sealed record AdmissionStep(AdmissionVerb Verb, int Which, int Count);

/// <summary>Connections that are let in: in all, and of one address.</summary>
public sealed record Admitted(int All, int PerClient);

public static class AdmissionArbitraries
{
    public static Arbitrary<Admitted> Limits() => Arb.From(
        from all in Gen.Choose(1, 8)
        from one in Gen.Choose(1, 4)
        select new Admitted(all, one));

    public static Arbitrary<Script<AdmissionStep>> Steps() => Scripts.Of(
        from verb in Gen.Frequency((6, Gen.Constant(AdmissionVerb.Connect)),
            (5, Gen.Constant(AdmissionVerb.End)), (1, Gen.Constant(AdmissionVerb.NoDescriptor)),
            (1, Gen.Constant(AdmissionVerb.Aborted)))
        from which in Gen.Choose(0, 4)
        from count in Gen.Choose(1, 3)
        select new AdmissionStep(verb, which, count),
        min: 0, max: 40);
}

public sealed class AdmissionTests
{
    [Property(Arbitrary = [typeof(AdmissionArbitraries)], MaxTest = 100)]
    public void AnyConnections_AreLetInUpToTheLimits(Admitted limits, Script<AdmissionStep> steps)
    {
        var run = new AdmissionRun(limits);
        foreach (var step in steps.Steps)
            run.Apply(step);
        run.AssertCounted();
    }

    private sealed class AdmissionRun
    {
        private readonly Admitted _limits;
        private readonly SimBalancer _sim;
        private readonly SimBackend _backend;
        private readonly List<(int Host, Endpoint From, SimStream Stream)> _open = [];
        private ushort _port = 1024;
        private long _accepted;
        private long _over;
        private long _overOfOne;
        private long _ended;
        private long _failed;
        private long _gaveWay;

        public AdmissionRun(Admitted limits)
        {
            _limits = limits;
            _sim = new SimBalancer(options: new BalancerOptions
            {
                TcpConnections = limits.All,
                TcpConnectionsPerClient = limits.PerClient,
            });
            _backend = new SimBackend(_sim.Kernel, "5301");
            _sim.Run(Duration.FromSeconds(2L));
        }

        public void Apply(AdmissionStep step)
        {
            switch (step.Verb)
            {
                case AdmissionVerb.Connect:
                    Connect(step.Which, step.Count);
                    break;
                case AdmissionVerb.End:
                    End(step.Which);
                    break;
                case AdmissionVerb.NoDescriptor:
                    FailAccept(IoStatus.TooManyFiles, Duration.FromMilliseconds(100));
                    break;
                case AdmissionVerb.Aborted:
                    FailAccept(IoStatus.Aborted, Duration.Zero);
                    break;
            }
            Assert.Equal(_open.Count, _sim.Core.ConnectionCount);
            Assert.All(_open, open => Assert.False(open.Stream.IsClosedByBalancer));
        }

        public void AssertCounted()
        {
            var counters = _sim.Counters;
            Assert.Equal(_accepted, counters[Counter.ConnectionsAccepted]);
            Assert.Equal(_over, counters[Counter.ConnectionsOverLimit]);
            Assert.Equal(_overOfOne, counters[Counter.ConnectionsOverClientLimit]);
            Assert.Equal(_ended, counters[Counter.ConnectionsFinished]);
            Assert.Equal(_failed, counters[Counter.AcceptsFailed]);
            Assert.Equal(_gaveWay, counters[Counter.ConnectionsGaveWay]);
            // Each limit has its own lines, the first at once.
            Assert.Equal(_over > 0, _sim.Log.Count<LogEvent.ConnectionsOverLimit>() > 0);
            Assert.Equal(_overOfOne > 0, _sim.Log.Count<LogEvent.ClientOverLimit>() > 0);
        }

        private void Connect(int host, int count)
        {
            var came = new List<(Endpoint From, SimStream Stream)>();
            for (var n = 0; n < count; n++)
            {
                var from = new Endpoint(Ipv4.From(10, 1, 0, (byte)host), _port++);
                var client = _sim.Kernel.ConnectClient(from);
                Opening.Ask(client);
                came.Add((from, client));
            }
            _sim.Run(Duration.FromMilliseconds(5));
            foreach (var (from, stream) in came)
                Admit(host, from, stream);
        }

        /// <summary>
        /// The longest open connection of a host with the most, if that is two more than the host
        /// has that comes; which of several is the core's affair.
        /// </summary>
        private bool GivesWay(int host)
        {
            var counts = _open.CountBy(open => open.Host).ToDictionary();
            var most = counts.Values.Max();
            if (most < counts.GetValueOrDefault(host) + 2)
                return false;
            var first = _open.Where(open => counts[open.Host] == most).DistinctBy(o => o.Host);
            Assert.True(_open.Remove(first.First(open => open.Stream.IsClosedByBalancer)));
            _gaveWay++;
            return true;
        }

        private void Admit(int host, Endpoint from, SimStream stream)
        {
            _accepted++;
            var isOver = _open.Count >= _limits.All;
            // Nobody is idle for a second here, so a busy one gives way, and only to who has less.
            var isOverOfOne = _open.Count(open => open.Host == host) >= _limits.PerClient;
            if (isOver && GivesWay(host))
                isOver = false;
            Assert.Equal(isOver || isOverOfOne, stream.IsClosedByBalancer);
            if (isOver)
                _over++;
            else if (isOverOfOne)
                _overOfOne++;
            else
                _open.Add((host, from, stream));
        }

        private void End(int host)
        {
            var index = _open.FindIndex(open => open.Host == host);
            if (index < 0)
                return;
            var (_, from, stream) = _open[index];
            _open.RemoveAt(index);
            stream.Close();
            _backend.TcpSessions.Single(session => session.Source == from).Close();
            _sim.Run(Duration.FromMilliseconds(5));
            _ended++;
        }

        /// <summary>One more client comes, whose accept fails first.</summary>
        private void FailAccept(IoStatus why, Duration rest)
        {
            _sim.Kernel.Faults.NextAccept(why);
            var from = new Endpoint(Ipv4.From(10, 1, 0, 200), _port++);
            var stream = _sim.Kernel.ConnectClient(from);
            Opening.Ask(stream);
            _failed++;
            if (rest > Duration.Zero)
            {
                _sim.Run(rest - Duration.FromMilliseconds(1));
                Assert.Equal(_accepted, _sim.Counters[Counter.ConnectionsAccepted]);
            }
            _sim.Run(Duration.FromMilliseconds(5));
            Assert.Equal(_failed, _sim.Counters[Counter.AcceptsFailed]);
            Admit(200, from, stream);
        }
    }
}
