// An orderly stop against what is owed to those who are waiting: queries that were forwarded within
// the last seconds and are unanswered are waited for, up to 5 s and not longer than until the last
// answer; queries older than that are not; queries go on being taken while a connection is open,
// but not in the last second.
//
// A query that is 10 s old is forgotten, and a reply answers the oldest of those on a session that
// are alike. A backend may be replaced at its path: what its old session owes counts as well, as
// long as that session is kept, 15 s.

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

/// <summary>
/// After some time queries come, then answers, too many perhaps; or a new socket.
/// </summary>
public sealed record StopStep(int Tenths, int Queries, int Answers, bool IsRebind);

/// <summary>Tenths of a second from the stop to the last answers; 0 for none.</summary>
public sealed record LateAnswer(int Tenths);

public static class StopArbitraries
{
    public static Arbitrary<Script<StopStep>> Steps() => Scripts.Of(
        from tenths in Gen.OneOf(Gen.Choose(0, 10), Gen.Choose(0, 75))
        from queries in Gen.Choose(0, 3)
        from answers in Gen.Choose(0, 3)
        from isRebind in Gen.Frequency((9, Gen.Constant(false)), (1, Gen.Constant(true)))
        select new StopStep(tenths, queries, answers, isRebind),
        step => Scripts.Towards(0, step.Tenths).Select(n => step with { Tenths = n }),
        min: 0, max: 12);

    public static Arbitrary<LateAnswer> Answers() => Arb.From(
        Gen.OneOf(Gen.Constant(0), Gen.Choose(1, 60)).Select(n => new LateAnswer(n)));
}

public sealed class StopTests
{
    private static readonly byte[] Packet = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    private static readonly Endpoint Client = new(Ipv4.From(10, 1, 0, 1), 1024);
    private static readonly Duration Grace = Duration.FromSeconds(5L);
    private static readonly Duration Forgotten = Duration.FromSeconds(10L);

    /// <summary>Far more than a turn, far less than what a query more or less makes.</summary>
    private static readonly Duration Little = Duration.FromMilliseconds(60);

    [Property(Arbitrary = [typeof(StopArbitraries)], MaxTest = 200)]
    public void AnyUse_StopWaitsForWhatIsInFlight(Script<StopStep> steps, LateAnswer late)
    {
        var run = new StopRun();
        foreach (var step in steps.Steps)
            run.Apply(step);
        var owed = run.Owed();
        var longest = Grace;
        var sim = run.Sim;
        var askedAt = sim.Now;
        sim.Kernel.RequestStop();
        if (late.Tenths > 0)
        {
            var answered = Duration.FromMilliseconds(100L * late.Tenths);
            owed = Duration.Min(owed, answered);
            longest = Duration.Min(longest, answered);
            sim.Run(answered);
            if (!sim.HasStopped)
                run.AnswerAll();
        }
        sim.Run(Duration.FromSeconds(20L));

        Assert.True(sim.HasStopped);
        var took = Assert.Single(sim.Log.TimesOf<LogEvent.Stopped>()) - askedAt;
        // Nothing wakes it when a query becomes too old, so it may last as long as any stop.
        var most = owed == Duration.Zero ? owed : longest;
        Assert.InRange(took.TotalSeconds, owed.TotalSeconds, (most + Little).TotalSeconds);
        Assert.Equal(0, sim.Kernel.OpenDescriptors);
        Assert.Equal((0, 0), (sim.Core.TimerCount, sim.Core.ConnectionCount));
    }

    /// <summary>Queries all the time while a connection keeps the stop waiting.</summary>
    [Property(MaxTest = 20)]
    public void ConnectionThatStaysOpen_QueriesAreTakenUntilTheLastSecond(byte closes)
    {
        var run = new StopRun();
        var sim = run.Sim;
        var client = sim.Kernel.ConnectClient(new Endpoint(Client.Address, 2048));
        Opening.Ask(client);
        sim.Run(Little);
        sim.Kernel.RequestStop();
        var tenths = closes % 60;
        var asked = 0;
        for (var tenth = 0; tenth < 60 && !sim.HasStopped; tenth++)
        {
            if (tenth == tenths)
            {
                client.Close();
                run.CloseTcp();
            }
            sim.Run(Duration.FromMilliseconds(50));
            sim.Kernel.InjectDatagram(Client, Packet);
            asked++;
            sim.Run(Duration.FromMilliseconds(10));
            run.AnswerAll();
            sim.Run(Duration.FromMilliseconds(40));
        }

        Assert.True(sim.HasStopped);
        var taken = (int)sim.Kernel.Datagrams.Received;
        Assert.Equal(taken, sim.Counters[Counter.QueriesForwarded]);
        Assert.Equal(taken, sim.Counters[Counter.RepliesSent]);
        Assert.Equal(tenths < 50 ? 0 : 1, sim.Counters[Counter.ConnectionsCutByStop]);
        // One query in each tenth of the first four seconds, none after them or the connection.
        Assert.InRange(taken, Math.Min(tenths, 40) - 1, Math.Min(tenths + 1, 40));
        Assert.InRange(asked, Math.Min(tenths, 50), Math.Min(tenths, 50) + 1);
    }

    private sealed class StopRun
    {
        private static readonly Duration Kept = Duration.FromSeconds(15L);

        private readonly SimBackend _backend;
        private readonly Dictionary<SimBackendSession, Queue<Instant>> _unanswered = [];
        private readonly Dictionary<SimBackendSession, Instant> _retiredAt = [];
        private int _seen;

        public StopRun()
        {
            _backend = new SimBackend(Sim.Kernel, "5301");
            Sim.Run(Duration.FromSeconds(2L));
            // Anywhere but on the edge of a second.
            Sim.Run(Duration.FromMilliseconds(30));
        }

        public SimBalancer Sim { get; } = new();

        public void Apply(StopStep step)
        {
            Sim.Run(Duration.FromMilliseconds(100L * step.Tenths));
            if (step.IsRebind)
                Rebind();
            for (var n = 0; n < step.Queries; n++)
                Sim.Kernel.InjectDatagram(Client, Packet);
            Sim.Run(Little);
            Follow();
            foreach (var session in Live().Take(1 + step.Answers % 2).ToList())
                Answer(session, step.Answers);
            Sim.Run(Little);
        }

        /// <summary>Answers what is owed on every session, however long it is owed.</summary>
        public void AnswerAll()
        {
            Follow();
            foreach (var session in Live().ToList())
                Answer(session, _unanswered[session].Count);
        }

        /// <summary>Ends the backend's side of every connection.</summary>
        public void CloseTcp()
        {
            foreach (var session in _backend.TcpSessions)
                session.Close();
        }

        /// <summary>
        /// How long a stop that begins now waits at least; if for nothing, at most.
        /// </summary>
        public Duration Owed() => Live().SelectMany(session => _unanswered[session])
            .Select(at => Duration.Max(Grace - (Sim.Now - at), Duration.Zero))
            .Append(Duration.Zero).Max();

        /// <summary>
        /// Sessions that may still answer: those of now, and a replaced one for a while.
        /// </summary>
        private IEnumerable<SimBackendSession> Live() => _unanswered.Keys.Where(session =>
            !session.Stream.IsClosedByBalancer && (!_retiredAt.TryGetValue(session, out var at)
                || Sim.Now < at + Kept));

        private void Rebind()
        {
            var before = _backend.Control!;
            _backend.Rebind();
            Sim.Run(Duration.FromMilliseconds(200));
            _retiredAt[before] = Sim.Now;
            // The new session is not warm yet, and gets its queries all the same: it is alone.
        }

        private void Follow()
        {
            for (; _seen < _backend.Queries.Count; _seen++)
            {
                var query = _backend.Queries[_seen];
                if (!_unanswered.TryGetValue(query.Session, out var asked))
                    _unanswered[query.Session] = asked = [];
                asked.Enqueue(query.At);
            }
        }

        private void Answer(SimBackendSession session, int count)
        {
            for (var n = 0; n < count; n++)
                session.Reply(Client, Packet);
            var asked = _unanswered[session];
            while (asked.TryPeek(out var at) && Sim.Now - at >= Forgotten)
                asked.Dequeue();
            for (var n = 0; n < count && asked.Count > 0; n++)
                asked.Dequeue();
        }
    }
}
