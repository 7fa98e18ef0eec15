// The runner: a calm world is served, a run can be repeated, the first violation ends it, and each
// kind of fault does what it says.

using System;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Checking;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;
using static Tests.Unit.Sim.RunningWorlds;

namespace Tests.Unit.Sim;

public sealed class RunningTests
{
    private readonly Witness _witness = new();

    [Fact]
    public void CalmWorld_AnswersEveryQueryOnce()
    {
        var result = ScenarioRun.Execute(Calm(), _witness);
        Assert.Null(result.Violation);
        Assert.Equal(100, _witness.Answers.Count);
        Assert.Equal(100, _witness.Answers.Distinct().Count());
        Assert.Equal("answered", _witness.TcpEnds[2]);
        Assert.DoesNotContain(_witness.Log, logged => logged.Event is LogEvent.BackendFaulted);
        Assert.True(result.Time >= Duration.FromSeconds(60));
    }

    [Fact]
    public void SameScenario_SameHash()
    {
        var scenario = Calm(Fault(FaultKind.BackendCrash, 10, 5, target: 0));
        var (first, second) = (new RunHash(keepsSteps: true), new RunHash(keepsSteps: true));
        var one = ScenarioRun.Execute(scenario, first);
        var two = ScenarioRun.Execute(scenario, second);
        Assert.Equal(one.Hash, two.Hash);
        Assert.Equal(first.Steps, second.Steps);
        Assert.Equal(one.Events, first.Steps.Count);
        Assert.NotEqual(one.Hash, ScenarioRun.Execute(Calm()).Hash);
    }

    [Fact]
    public void ObserverThatThrows_EndsTheRunWithItsViolation()
    {
        var result = ScenarioRun.Execute(Calm(), new Thrower());
        Assert.Equal(("S2", 5), (result.Violation!.Check, result.Violation.Backend));
        Assert.Equal(result.Events, result.Violation.Event);
        Assert.False(result.Passed);
    }

    [Fact]
    public void ExceptionInATurn_IsAViolationOfS13()
    {
        var result = ScenarioRun.Execute(Calm(), new Breaker());
        Assert.Equal("S13", result.Violation!.Check);
        Assert.Contains("broken on purpose", result.Violation.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void ClientTakenAway_LeavesTheFatesOfTheOthers()
    {
        var scenario = Calm(Fault(FaultKind.UdpLoss, 0, 40, amount: 2));
        ScenarioRun.Execute(scenario, _witness);
        var without = new Witness();
        ScenarioRun.Execute(scenario with { UdpClients = [scenario.UdpClients[1]] }, without);
        Assert.Equal(
            _witness.Sent.Where(sent => sent.Client == 1).Select(sent => sent.At),
            without.Sent.Select(sent => sent.At));
        Assert.NotEqual(
            _witness.Sent.Where(sent => sent.Client == 1).Select(sent => sent.At),
            _witness.Sent.Where(sent => sent.Client == 0).Select(sent => sent.At));
    }

    [Theory]
    [InlineData(TcpManner.HalfClosesEarly, "eof")]
    [InlineData(TcpManner.HalfClosesLate, "eof")]
    [InlineData(TcpManner.Resets, "aborted")]
    [InlineData(TcpManner.Leaves, "closed")]
    public void TcpClient_EndsInItsManner(TcpManner manner, string how)
    {
        var scenario = Calm() with { TcpClients = [Tcp(2, manner, after: 2)] };
        Assert.Null(ScenarioRun.Execute(scenario, _witness).Violation);
        Assert.Equal(how, _witness.TcpEnds[2]);
    }

    [Theory]
    [InlineData(TcpManner.StaysOpen)]
    [InlineData(TcpManner.NeverReads)]
    public void TcpClientThatStays_IsCutByTheStop(TcpManner manner)
    {
        var scenario = Calm() with { TcpClients = [Tcp(2, manner)] };
        Assert.Null(ScenarioRun.Execute(scenario, _witness).Violation);
        var closed = Assert.Single(_witness.Logged<LogEvent.ConnectionClosed>());
        Assert.Equal(Counter.ConnectionsCutByStop, closed.Event.How);
    }

    [Fact]
    public void Script_MisbehavesAndHeals()
    {
        var silent = Misbehaviour.None with { NoHello = true };
        var scenario = Calm() with
        {
            Backends = [Backend(0, "5301", isCore: true, silent)],
        };
        ScenarioRun.Execute(scenario, _witness);
        var healthy = Assert.Single(_witness.Logged<LogEvent.BackendHealthy>());
        Assert.True(healthy.At >= At(40));
    }

    /// <summary>It answers heartbeats all the same.</summary>
    [Fact]
    public void BackendThatReadsNothing_IsAtFaultAfter15s()
    {
        var deaf = Misbehaviour.None with { DeafAfter = 3 };
        var scenario = Calm() with
        {
            // Alone: from another one's side its clients would leave it before its pipe is full.
            Backends = [Backend(0, "5302", isCore: true, deaf)],
            Kernel = new KernelPlan { UnixBufferBytes = 4096 },
        };

        Assert.Null(ScenarioRun.Execute(scenario, _witness, new CheckSet(scenario)).Violation);

        var fault = _witness.Logged<LogEvent.BackendFaulted>().First();
        var blocked = _witness.Failures.First(failure => failure.Why.Status == IoStatus.WouldBlock);
        Assert.Equal(FaultCause.ReadsNothing, fault.Event.Fault.Cause);
        Assert.Equal(blocked.At + Duration.FromSeconds(15L), fault.At);
        Assert.Contains(_witness.Logged<LogEvent.HeartbeatAnswered>(), answered =>
            answered.Event.Id == new BackendId(5302) && answered.At > blocked.At
            && answered.At < fault.At);
    }

    private sealed class Thrower : RunObserver
    {
        public override void OnHealed(Instant now) =>
            throw new ViolationException("S2", now, "for the test", backend: 5);
    }

    private sealed class Breaker : RunObserver
    {
        public override void OnSent(
            Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload) =>
            throw new InvalidOperationException("broken on purpose");
    }
}
