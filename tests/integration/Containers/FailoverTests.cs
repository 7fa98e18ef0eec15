// Binders in containers that appear, crash, hang, stop and return, before a balancer in a
// container and before one that is a process. What each of them is to the balancer: docker kill
// ends the stream and leaves the path, docker pause leaves everything and answers nothing, docker
// stop has the Binder unlink its path. Each class is a test, so that they run at the same time.

using System.Diagnostics;
using System.Linq;
using System.Threading.Tasks;
using DotNet.Testcontainers.Containers;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Containers;

public sealed class DiscoveredContainerTests
{
    [TheoryNeedingDocker]
    [InlineData(BalancerAs.Container)]
    [InlineData(BalancerAs.Process)]
    public async Task BindersThatAppear_AreFoundAndEachHostSticksToOne(BalancerAs balancer)
    {
        await using var cluster = await BinderCluster.StartAsync(balancer, binders: 3);

        var met = cluster.WhoMeetsWhom(2, 13);

        Assert.Equal([4, 4, 4], Cluster.Sizes(met));
        Assert.Equal(met, cluster.WhoMeetsWhom(2, 13));
        Assert.Equal(met, cluster.WhoMeetsWhomOverTcp(2, 13));
    }
}

public sealed class KilledContainerTests
{
    [TheoryNeedingDocker]
    [InlineData(BalancerAs.Container)]
    [InlineData(BalancerAs.Process)]
    public async Task BinderKilled_ItsHostsMoveOthersStayAndAllAreBackWhenItReturns(
        BalancerAs balancer)
    {
        await using var cluster = await BinderCluster.StartAsync(balancer, binders: 3);
        var before = cluster.WhoMeetsWhom(2, 13);
        var mark = await cluster.MarkAsync();

        await cluster[5302].KillAsync();
        var fault = await cluster.WaitForAsync(Log.Faulted, 5302, mark);
        var during = cluster.WhoMeetsWhom(2, 13);

        Assert.Equal("end_of_stream", fault.Text("fault"));
        Assert.Equal(137, await cluster[5302].GetExitCodeAsync());
        Assert.Equal(["5301", "5302", "5303"], cluster.Sockets);
        Assert.DoesNotContain("5302", during.Values);
        foreach (var (host, id) in before.Where(entry => entry.Value != "5302"))
            Assert.Equal(id, during[host]);

        await cluster[5302].StartAsync();
        await cluster.WaitForAsync(Log.Healthy, 5302, mark);

        Assert.Equal(before, cluster.WhoMeetsWhom(2, 13));
    }
}

public sealed class PausedContainerTests
{
    [TheoryNeedingDocker]
    [InlineData(BalancerAs.Container)]
    [InlineData(BalancerAs.Process)]
    public async Task BinderPaused_IsFoundByHeartbeatAndIsBackWhenItGoesOn(BalancerAs balancer)
    {
        await using var cluster = await BinderCluster.StartAsync(balancer, 0);
        var started = Stopwatch.StartNew();
        await cluster.StartBindersAsync(5301, 5302);
        var before = cluster.WhoMeetsWhom(2, 7);
        var mark = await cluster.MarkAsync();

        await cluster[5301].PauseAsync();
        var fault = await cluster.WaitForAsync(Log.Faulted, 5301, mark);

        Assert.Equal("heartbeat_timeout", fault.Text("fault"));
        // 5 s to the first heartbeat, and 15 s for its answer.
        Assert.True(started.Elapsed.TotalSeconds >= 5 + 15, "faulted too early");
        Assert.Equal(TestcontainersStates.Paused, cluster[5301].State);
        Assert.All(cluster.WhoMeetsWhom(2, 7).Values, id => Assert.Equal("5302", id));

        await cluster[5301].UnpauseAsync();
        await cluster.WaitForAsync(Log.Healthy, 5301, mark);

        Assert.Equal(before, cluster.WhoMeetsWhom(2, 7));
    }
}

public sealed class StoppedContainerTests
{
    [TheoryNeedingDocker]
    [InlineData(BalancerAs.Container)]
    [InlineData(BalancerAs.Process)]
    public async Task BinderStopped_LeavesNoPathLosesItsHostsAndIsTakenUpAgain(
        BalancerAs balancer)
    {
        await using var cluster = await BinderCluster.StartAsync(balancer, binders: 2);
        cluster.WhoMeetsWhom(2, 5);
        var mark = await cluster.MarkAsync();

        await cluster[5302].StopAsync();

        Assert.Equal(0, await cluster[5302].GetExitCodeAsync());
        Assert.Equal(["5301"], cluster.Sockets);
        await cluster.WaitForAsync(Log.Removed, 5302, mark);
        Assert.All(cluster.WhoMeetsWhom(2, 5).Values, id => Assert.Equal("5301", id));

        await cluster[5302].StartAsync();
        await cluster.WaitForAsync(Log.Healthy, 5302, mark);

        Assert.Equal(2, cluster.WhoMeetsWhom(6, 9).Values.Distinct().Count());
    }
}

public sealed class RestartedContainerTests
{
    [TheoryNeedingDocker]
    [InlineData(BalancerAs.Container)]
    [InlineData(BalancerAs.Process)]
    public async Task BinderRestartedAgainAndAgain_ServesEachTimeAndItsBackOffRestarts(
        BalancerAs balancer)
    {
        await using var cluster = await BinderCluster.StartAsync(balancer, binders: 1);
        using var host = new UdpHost();

        for (var restarts = 1; restarts <= 3; restarts++)
        {
            var mark = await cluster.MarkAsync();
            await cluster[5301].KillAsync();
            var fault = await cluster.WaitForAsync(Log.Faulted, 5301, mark);
            await cluster[5301].StartAsync();
            await cluster.WaitForAsync(Log.Healthy, 5301, mark);

            Assert.Equal(1.0, fault.Number("backoff_s"));
            Assert.Equal("5301", host.Who(cluster.Endpoint));
        }
    }
}
