// The balancer's own container: docker stop is an orderly stop, and what is started again serves
// again.

using System;
using System.Linq;
using System.Threading.Tasks;
using Balancer.Testing;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Containers;

public sealed class StoppedBalancerTests
{
    [FactNeedingDocker]
    public async Task BalancerStopped_AnswersWhatIsInFlightAndEndsWithZero()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets).Build();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets).Build();
        await Task.WhenAll(binder.StartAsync(), balancer.StartAsync());
        await balancer.WaitUntilHealthyAsync("5301");
        using var host = new UdpHost();
        host.Who(balancer.Endpoint);

        host.Send(balancer.Endpoint, DnsWire.Query(321, "delay-1500.example.com"));
        await Patience.UntilAsync(async () =>
        {
            await balancer.SignalAsync("SIGUSR1");
            return (await balancer.LinesAsync()).Any(
                line => line.Contains("\"queries_forwarded\":2", StringComparison.Ordinal));
        }, "the query is on its way");
        var stopped = balancer.StopAsync();

        Assert.Equal(321, DnsWire.Parse(host.Receive()!.Value.Payload).Id);
        await stopped;
        Assert.Equal(0, await balancer.GetExitCodeAsync());
        await balancer.WaitForLineAsync("\"msg\":\"stopped\"");
    }

    [FactNeedingDocker]
    public async Task BalancerStartedAgain_FindsItsBindersAgain()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets).Build();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets).Build();
        await Task.WhenAll(binder.StartAsync(), balancer.StartAsync());
        await balancer.WaitUntilHealthyAsync("5301");

        await balancer.KillAsync();
        await balancer.StartAsync();
        await balancer.WaitUntilHealthyAsync("5301");

        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(balancer.Endpoint));
    }

    [FactNeedingDocker]
    public async Task BalancerStartedAgain_IsNotTakenAtItsWordOfBefore()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets).Build();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets).Build();
        await Task.WhenAll(binder.StartAsync(), balancer.StartAsync());
        await balancer.WaitUntilHealthyAsync("5301");

        await balancer.KillAsync();
        await binder.StopAsync();
        await balancer.StartAsync();

        Assert.Empty(await balancer.HealthyAsync());
        await balancer.WaitUntilUnhealthyAsync("5301");
    }
}
