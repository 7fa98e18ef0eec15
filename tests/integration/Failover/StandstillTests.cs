// Standstills of the balancer itself: it is stopped for longer than a backend may take to answer a
// heartbeat, alone or with its backends, and they go on in any order. Nobody is faulted by a clock
// that ran while the balancer did not; a backend that really hangs is found a few seconds after.
//
// Each test takes some twenty seconds, so each is a class, and they run at the same time.

using System.Diagnostics;
using System.Threading;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Failover;

public sealed class BalancerThawedFirstTests
{
    [Fact]
    public void BackendsGoOnAMomentLater_NobodyIsFaulted() =>
        Standstills.Run(balancerFirst: true);
}

public sealed class BackendsThawedFirstTests
{
    [Fact]
    public void BackendsGoOnAMomentBefore_NobodyIsFaulted() =>
        Standstills.Run(balancerFirst: false);
}

public sealed class HeartbeatAnsweredInAStandstillTests
{
    [Fact]
    public void OnlyTheBalancerStoodStill_TheAnswerThatLiesThereCounts()
    {
        using var cluster = new Cluster(1, ["-l", "trace"], ["--heartbeat-delay", "2s"]);
        cluster.Balancer.WaitFor(Log.HeartbeatSent, 5301);

        cluster.Balancer.Signal(Posix.SigStop);
        Thread.Sleep(17_000);
        cluster.Balancer.Signal(Posix.SigCont);
        cluster.Balancer.WaitFor(Log.HeartbeatSent, 5301, nth: 2);

        Assert.Empty(cluster.Balancer.All(Log.Faulted));
    }
}

public sealed class BackendThatHangsAfterAStandstillTests
{
    [Fact]
    public void OneBackendNeverGoesOn_IsFaultedShortlyAfter()
    {
        using var cluster = new Cluster(2, ["-l", "trace"]);
        Standstills.StopAllWithHeartbeatsOut(cluster);
        Thread.Sleep(16_000);
        var goesOn = Stopwatch.StartNew();
        cluster.Balancer.Signal(Posix.SigCont);
        cluster[5302].Signal(Posix.SigCont);

        var fault = cluster.Balancer.WaitFor(Log.Faulted, 5301);

        Assert.Equal("heartbeat_timeout", fault.Text("fault"));
        Assert.InRange(goesOn.Elapsed.TotalSeconds, 2, 10);
        Assert.Single(cluster.Balancer.All(Log.Faulted));
    }
}

internal static class Standstills
{
    public static void Run(bool balancerFirst)
    {
        using var cluster = new Cluster(2, ["-l", "trace"]);
        var before = cluster.WhoMeetsWhom(2, 7);
        StopAllWithHeartbeatsOut(cluster);
        Thread.Sleep(16_000);
        if (balancerFirst)
            cluster.Balancer.Signal(Posix.SigCont);
        else
            GoOn(cluster);
        Thread.Sleep(500);
        if (balancerFirst)
            GoOn(cluster);
        else
            cluster.Balancer.Signal(Posix.SigCont);

        Assert.Equal(before, cluster.WhoMeetsWhom(2, 7));
        // Whoever would be faulted is by the next heartbeat.
        cluster.Balancer.WaitFor(Log.HeartbeatSent, 5301, nth: 3);
        cluster.Balancer.WaitFor(Log.HeartbeatSent, 5302, nth: 3);
        Assert.Empty(cluster.Balancer.All(Log.Faulted));
    }

    /// <summary>Backends first, as when containers are frozen one after the other.</summary>
    public static void StopAllWithHeartbeatsOut(Cluster cluster)
    {
        cluster.Balancer.WaitFor(Log.HeartbeatAnswered, 5301);
        cluster.Balancer.WaitFor(Log.HeartbeatAnswered, 5302);
        cluster[5301].Signal(Posix.SigStop);
        cluster[5302].Signal(Posix.SigStop);
        cluster.Balancer.WaitFor(Log.HeartbeatSent, 5301, nth: 2);
        cluster.Balancer.WaitFor(Log.HeartbeatSent, 5302, nth: 2);
        cluster.Balancer.Signal(Posix.SigStop);
    }

    private static void GoOn(Cluster cluster)
    {
        cluster[5301].Signal(Posix.SigCont);
        cluster[5302].Signal(Posix.SigCont);
    }
}
