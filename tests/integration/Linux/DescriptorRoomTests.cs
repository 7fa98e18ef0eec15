// What a limit of open files leaves for TCP connections, and what for backends.

using Balancer.Core;
using Balancer.Linux;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Linux;

public sealed class DescriptorRoomTests
{
    [Theory]
    [InlineData(64, 13, 1, 12, 19)]
    [InlineData(1024, 14, 61, 237, 356)]
    [InlineData(65_536, 14, 256, Limits.MostReservedDescriptors, 32_373)]
    [InlineData(long.MaxValue, 14, 256, Limits.MostReservedDescriptors, int.MaxValue)]
    [InlineData(22, 14, 1, Limits.LeastFreeDescriptors, 1)]
    [InlineData(8, 14, 1, Limits.LeastFreeDescriptors, 1)]
    public void Limit_LeavesAReserveAndTwoForEachConnection(
        long limit, int open, int held, int reserve, int connections)
    {
        var room = DescriptorRoom.Of(limit, open, held);

        Assert.Equal(new DescriptorRoom(limit, connections, reserve), room);
    }

    /// <summary>An operator learns that he does not get what he asked for.</summary>
    [Theory]
    [InlineData("5000", 1)]
    [InlineData("1", 0)]
    public void MoreConnectionsAskedForThanTheLimitLeaves_IsAWarning(string asked, int warnings)
    {
        using var folder = new TestFolder();
        using var balancer = BalancerProcess.Start(folder.FullName,
            ["--tcp-connections", asked],
            by: ["bash", "-c", "ulimit -n 64; exec \"$@\"", "bash"]);
        balancer.WaitFor(Log.Started);
        Assert.Equal(0, balancer.Stop());

        Assert.Equal(warnings, balancer.All(Log.TcpConnectionsLowered).Count);
        foreach (var warning in balancer.All(Log.TcpConnectionsLowered))
        {
            Assert.Equal(40, warning.Level);
            Assert.Equal(balancer.WaitFor(Log.DescriptorLimit).Number("connections"),
                warning.Number("connections"));
        }
    }

    /// <summary>Clients hold all that they may, and backends that restart come back.</summary>
    [Fact]
    public void ClientsTakeAllThatTheyMay_BackendsThatRestartAreBackAtOnce()
    {
        using var folder = new TestFolder();
        var first = new FakeBinderProcess(folder["5301"]);
        using var second = new FakeBinderProcess(folder["5302"]);
        using var balancer = BalancerProcess.Start(folder.FullName,
            by: ["bash", "-c", "ulimit -n 64; exec \"$@\"", "bash"]);
        balancer.WaitHealthy(5301);
        balancer.WaitHealthy(5302);
        var said = balancer.WaitFor(Log.DescriptorLimit);
        var clients = new TcpHost[40];
        for (var n = 0; n < clients.Length; n++)
            clients[n] = new TcpHost(balancer.Endpoint, $"127.0.6.{n + 1}");
        Eventually.That(
            () => balancer.Status().Number("connections") == said.Number("connections"),
            "as many connections as there is room for are open");

        first.Dispose();
        using var again = new FakeBinderProcess(folder["5301"]);
        balancer.WaitFor(Log.Healthy, nth: 3);

        foreach (var client in clients)
            client.Dispose();
        Assert.Empty(balancer.All(Log.ConnectWithoutResources));
        Assert.Equal(0, balancer.Stop());
    }
}
