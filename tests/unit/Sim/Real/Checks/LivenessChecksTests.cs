// What is claimed once chaos is over (L1, L2): answers and healthy backends, each in its time.

using Balancer.Core;
using Simulation.Real;
using Simulation.Real.Checks;
using Xunit;

namespace Tests.Unit.Sim.Real.Checks;

public sealed class LivenessChecksTests : RealCheckTest
{
    private const long Second = SeenRun.Second;

    [Theory]
    [InlineData(39, true)]
    [InlineData(41, false)]
    public void Answer_ComesInTime(long answered, bool passes)
    {
        var run = Probed(out var probe);
        probe.Answered = answered * Second + 1;

        Judge("L1", passes, run, LivenessChecks.Answers);
    }

    [Fact]
    public void NoAnswer_IsL1()
    {
        var run = Probed(out _);

        Assert.Equal("127.1.0.1:40000 asked 7 times from 10.000 s on and is unanswered; a core "
            + "backend is healthy since 1.000 s", Expect("L1", run, LivenessChecks.Answers));
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(1, false)]
    public void HostAtABackendThatNeverHeals_IsExcused(int backend, bool passes)
    {
        var run = Probed(out _);
        run.Session(backend, 11 * Second).Queries.Add(
            SeenRun.Frame(12 * Second, SeenRun.Question));

        Judge("L1", passes, run, LivenessChecks.Answers);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    public void AnswerOverTcp_IsOwedToo(int backend, bool passes)
    {
        var run = new SeenRun();
        run.Seen.SettledAt = 60 * Second;
        run.First.PeerEndedAt = run.Other.PeerEndedAt = 70 * Second;
        var host = Ipv4.From(127, 254, 0, 1);
        run.Seen.Probes.Add(new ObservedProbe(new Endpoint(host, 0), 10 * Second, overTcp: true));
        run.Session(backend, 11 * Second).Client = new Endpoint(host, 40_000);

        Judge("L1", passes, run, LivenessChecks.Answers);
    }

    [Fact]
    public void NoCoreBackendHealthy_OwesNoAnswer()
    {
        var run = Probed(out _);
        run.First.OverAt = run.Other.OverAt = 12 * Second;

        Assert.Null(LivenessChecks.Answers(run.Seen));
    }

    [Theory]
    [InlineData(84, false, true)]
    [InlineData(86, false, false)]
    [InlineData(86, true, true)]
    public void CoreBackend_IsHealthyInTime(long settled, bool healthy, bool passes)
    {
        var run = new SeenRun();
        run.Seen.SettledAt = settled * Second;
        run.Other.PeerEndedAt = 200 * Second;
        run.First.PeerEndedAt = healthy ? 200 * Second : 9 * Second;

        Judge("L2", passes, run, LivenessChecks.Recovery);
    }

    private static SeenRun Probed(out ObservedProbe probe)
    {
        var run = new SeenRun();
        run.Seen.SettledAt = 60 * Second;
        run.First.PeerEndedAt = run.Other.PeerEndedAt = 70 * Second;
        probe = new ObservedProbe(SeenRun.Client, 10 * Second) { Tries = 7 };
        run.Seen.Probes.Add(probe);
        return run;
    }
}
