// Runs with --no-backend servfail: who finds no healthy backend is answered at once, and so is who
// would else wait for one, because its session has ended or its answer was held. The checks hold in
// each, and coverage names the case.

using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;
using static Tests.Unit.Sim.RunningWorlds;

namespace Tests.Unit.Sim;

public sealed class NoBackendTests
{
    private readonly Witness _witness = new();

    [Fact]
    public void NoBackend_IsAnsweredAtOnceIfItIsToBe()
    {
        var nobody = Calm() with { Backends = [], TcpClients = [] };

        // Both clients ask in the same turn.
        Assert.Equal(50, Reached(Answering(nobody), "Servfail:Query"));
        Assert.Equal(100, _witness.Answers.Count);
        Assert.Equal(100, _witness.Sent.Count);
        Assert.Equal(0, Reached(nobody, "OwnAnswersSent"));
        Assert.Equal(100, _witness.Answers.Count);
    }

    /// <summary>It answers nothing, and dies with what it has.</summary>
    [Fact]
    public void SessionThatEnds_LeavesQueriesThatAreAnsweredOrWait()
    {
        var alone = Alone(
            new Misbehaviour { DropEvery = 1 }, Fault(FaultKind.BackendCrash, 6.5, 1, target: 0));

        Assert.Equal(1, Reached(Answering(alone), "Servfail:Lost"));
        Assert.Equal(0, Reached(Answering(alone), "ResendsAfterLoss"));
        Assert.Equal(0, Reached(alone, "OwnAnswersSent"));
        Assert.Equal(1, Reached(alone, "ResendsAfterLoss"));
    }

    /// <summary>It has just said hello, has no data, and dies before it is asked again.</summary>
    [Fact]
    public void QueryWhoseAnswerIsHeld_IsAnsweredOrWaits()
    {
        var cold = Alone(
            new Misbehaviour { ServfailForNs = 1_000_000_000 },
            Fault(FaultKind.BackendCrash, 3.05, 2, target: 0));
        cold = cold with { Backends = [cold.Backends[0] with { StartAt = At(2.9) }] };

        Assert.Equal(1, Reached(Answering(cold), "Servfail:Held"));
        Assert.Equal(0, Reached(cold, "Servfail:Held"));
    }

    private static Scenario Alone(Misbehaviour script, FaultPlan fault) => Calm(fault) with
    {
        Backends = [Backend(0, "5301", isCore: true, script)],
        UdpClients = [Client(0, 4) with { Retries = false }],
        TcpClients = [],
    };

    private static Scenario Answering(Scenario scenario) => scenario with
    {
        Kernel = new KernelPlan { AnswersWithoutBackend = true },
    };

    /// <summary>How often a run came to a reaction, which passes all checks.</summary>
    private long Reached(Scenario scenario, string reaction)
    {
        var coverage = new Coverage(scenario);
        Assert.Null(ScenarioRun.Execute(
            scenario, new CheckSet(scenario), coverage, _witness).Violation);
        return coverage.Reaction(Coverage.ReactionNames.IndexOf(reaction));
    }
}
