// S17 alone: what a backend owes that ends or hangs and that nobody answers, because it is kept
// from the core or the other backend does not; what comes close to that and is in order; the
// excuses; and that seeds have what it judges.

using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Checking;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;
using static Tests.Unit.Sim.Checking.Suspect;

namespace Tests.Unit.Sim.Checking;

public sealed class NothingLostTests
{
    private const string Id = "S17";
    private const int PlanOfSecond = 1;

    /// <summary>The question that follows a header: a. A IN.</summary>
    private static readonly byte[] Question = [1, (byte)'a', 0, 0, 1, 0, 1];

    // ---- What is lost ----

    [Fact]
    public void QueryThatNobodyIsSent_Breaks() =>
        Breaks(Id, "should have been sent to backend 5301 alone", Hide);

    [Fact]
    public void QueryOfASessionThatEnds_NotSentAgain_Breaks() =>
        Breaks(Id, "whose session has ended, and then to nobody", static sim =>
        {
            Hide(sim);
            sim.First.CloseSessions();
        });

    [Fact]
    public void QueryThatTheSecondBackendDoesNotAnswer_Breaks() =>
        Breaks(Id, "and when that was suspect to backend 5302", static sim =>
        {
            Hang(sim.First);
            sim.Second.EchoesQueries = false;
            Ask(sim);
        });

    [Fact]
    public void AnswerAfter250Ms_Breaks() => Breaks(Id, static sim =>
    {
        Hide(sim);
        sim.Run(0.26);
        Answer(sim);
    });

    // ---- What is not ----

    [Fact]
    public void AnswerAfter240Ms_Passes() => Passes(Id, static sim =>
    {
        Hide(sim);
        sim.Run(0.24);
        Answer(sim);
    });

    [Fact]
    public void QueryOfABackendThatHangs_IsAnsweredByAnother() => Passes(Id, static sim =>
    {
        Hang(sim.First);
        Ask(sim);
        sim.Run(1);
        Assert.Equal(1, sim.Checks.NothingLost!.AnsweredAfterSilence);
    });

    [Fact]
    public void QueryOfABackendThatEnds_IsAnsweredByAnother() => Passes(Id, static sim =>
    {
        sim.First.EchoesQueries = false;
        Ask(sim);
        sim.Run(0.05);
        sim.First.CloseSessions();
        sim.Run(1);
        Assert.Equal(1, sim.Checks.NothingLost!.AnsweredAfterEnd);
    });

    // ---- Excuses ----

    [Fact]
    public void SecondBackendThatPausesToo_Passes() => Passes(Id, static sim =>
    {
        Hang(sim.First);
        sim.Second.EchoesQueries = false;
        sim.Observer.OnFault(sim.Now, PauseOfSecond(), began: true);
        Ask(sim);
    }, World());

    [Fact]
    public void SecondBackendThatPausedBefore_Breaks() => Breaks(Id, static sim =>
    {
        Hang(sim.First);
        sim.Second.EchoesQueries = false;
        sim.Observer.OnFault(sim.Now, PauseOfSecond(), began: true);
        sim.Run(1.5);
        Ask(sim);
    }, World());

    [Fact]
    public void SecondBackendWithAScript_Passes() => Passes(Id, static sim =>
    {
        Hang(sim.First);
        sim.Second.EchoesQueries = false;
        Ask(sim);
    }, World(new Misbehaviour { DropEvery = 1 }));

    [Fact]
    public void FirstBackendThatSpeaksAndDoesNotAnswer_Passes() => Passes(Id, static sim =>
    {
        sim.First.EchoesQueries = false;
        Ask(sim);
    }, World(first: new Misbehaviour { DropEvery = 1 }));

    [Fact]
    public void GoodBackendThatSpeaksAndDoesNotAnswer_Breaks() => Breaks(Id, static sim =>
    {
        sim.First.EchoesQueries = false;
        Ask(sim);
    });

    [Fact]
    public void NoOtherBackend_Passes() => Passes(Id, static sim =>
    {
        sim.Second.CloseSessions();
        sim.Second.Unlink();
        sim.Run(1);
        Hang(sim.First);
        Ask(sim);
    });

    [Fact]
    public void ReplyThatTheKernelRefuses_Passes() => Passes(Id, static sim =>
    {
        sim.Kernel.Faults.Next(
            SimCall.SendDatagrams, IoResult.Failed(IoStatus.AccessDenied, 1));
        Ask(sim);
    });

    [Fact]
    public void QueryThatIsNotAQuestion_Passes() => Passes(Id, static sim =>
        sim.Observer.OnReceived(sim.Now, Header(12), [0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]));

    [Fact]
    public void Stop_Passes() => Passes(Id, static sim =>
    {
        Hide(sim);
        sim.Kernel.RequestStop();
    });

    [Fact]
    public void ClockOfLongSteps_Passes() => Passes(Id, Hide, new Scenario
    {
        Kernel = new KernelPlan { ClockStep = Duration.FromMilliseconds(51L) },
    });

    // ---- Whether seeds have it ----

    [Fact]
    public void Seeds_OweWhatASecondBackendAnswers()
    {
        var checks = Enumerable.Range(99, 4).Select(seed =>
        {
            var scenario = Generator.FromSeed((ulong)seed, Profile.Swarm);
            var only = new CheckSet(scenario).Only([Id]);
            Assert.Null(ScenarioRun.Execute(scenario, only).Violation);
            return only.NothingLost!;
        }).ToList();

        Assert.InRange(checks.Sum(check => check.Answered), 1_000, long.MaxValue);
        Assert.InRange(checks.Sum(check => check.AnsweredAfterEnd), 10, long.MaxValue);
        Assert.InRange(checks.Sum(check => check.AnsweredAfterSilence), 10, long.MaxValue);
    }

    /// <summary>The checks see a query, and the core does not.</summary>
    private static void Hide(Suspect sim)
    {
        byte[] query = [0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, .. Question];
        sim.Observer.OnReceived(sim.Now, Header(query.Length), query);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    }

    private static void Answer(Suspect sim) => sim.Observer.OnSent(
        sim.Now, Header(12), [0, 9, 0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

    private static void Ask(Suspect sim) => sim.Kernel.InjectDatagram(
        new Endpoint(Asker, 1007), [0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, .. Question]);

    private static void Hang(Tests.Support.SimBackend backend)
    {
        backend.EchoesQueries = false;
        backend.AnswersHeartbeats = false;
    }

    private static FaultPlan PauseOfSecond() => new(
        1, Instant.Zero, Duration.FromSeconds(1L), FaultKind.BackendPause, PlanOfSecond);

    private static Scenario World(
        Misbehaviour? second = null, Misbehaviour? first = null) => new()
        {
            Backends =
        [
            new BackendPlan(0, "5301", Instant.Zero, true, first ?? Misbehaviour.None),
            new BackendPlan(
                PlanOfSecond, "5302", Instant.Zero, true, second ?? Misbehaviour.None),
        ],
        };

    private static DatagramHeader Header(int length) => new()
    {
        Peer = new Endpoint(Asker, 1007),
        Local = Ipv4.From(10, 99, 99, 1),
        Length = length,
    };
}
