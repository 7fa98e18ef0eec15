// The answer to an operator who asks for the state of everything.

using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class StatusReportTests
{
    [Fact]
    public void Asked_TellsTotalsBackendsAndRemotesOnce()
    {
        var s = new ProxyScenario(backends: 2);
        foreach (var backend in s.Backends)
            backend.EchoesQueries = true;
        s.Backends[1].AnswersHeartbeats = false;
        for (var host = 1; host <= 3; host++)
            s.Kernel.InjectDatagram(ProxyScenario.Client(host), ProxyScenario.Query(host));
        s.ConnectThrough(host: 1);
        s.Run(6);
        s.Kernel.RequestStatus();
        s.Settle();

        var status = Assert.Single(s.Log.Of<LogEvent.Status>());
        Assert.Equal((2, 2, 3, 1, 1), (status.Backends, status.Healthy, status.Remotes,
            status.Established, status.Connections));
        Assert.Same(s.Counters, status.Counters);
        var backends = s.Log.Of<LogEvent.BackendStatus>().Select(e => e.Backend).ToArray();
        Assert.Equal([5301, 5302], backends.Select(b => b.Id.Value));
        Assert.Equal([1, 0], backends.Select(b => b.Remotes));
        Assert.Equal([2L, 1L], backends.Select(b => b.UdpQueries));
        Assert.Equal([1L, 0L], backends.Select(b => b.TcpSessions));
        Assert.Equal([false, true], backends.Select(b => b.HeartbeatOutstanding));
        Assert.Equal("/run/bbal/5301", backends[0].Path);
        var remotes = s.Log.Of<LogEvent.RemoteStatus>().Select(e => e.Remote).ToArray();
        Assert.Equal(3, remotes.Length);
        Assert.Equal(
            [5301, 5302, 5301], remotes.OrderBy(r => r.Address.Value).Select(r => r.Primary.Value));
        Assert.Equal(1u, remotes.MinBy(r => r.Address.Value).TcpForwarded);
    }

    [Fact]
    public void Cold_IsReportedUntilItsTime()
    {
        var balancer = new SimBalancer(options: new BalancerOptions());
        _ = new SimBackend(balancer.Kernel, "5301");
        balancer.Run(Duration.FromMilliseconds(100));
        balancer.Kernel.RequestStatus();
        balancer.Run(Duration.FromMilliseconds(1));

        var reported = balancer.Log.Last<LogEvent.BackendStatus>();
        Assert.Equal(BackendState.Healthy, reported.Backend.State);
        Assert.InRange((reported.Backend.ColdUntil - reported.Now).WholeMilliseconds,
            Limits.WarmUp.WholeMilliseconds - 110, Limits.WarmUp.WholeMilliseconds);
    }

    [Fact]
    public void NothingIsKnown_TellsTotalsAlone()
    {
        var s = new ProxyScenario(backends: 0);
        s.Kernel.RequestStatus();
        s.Run(1);

        Assert.Equal(1, s.Log.Count<LogEvent.Status>());
        Assert.Equal(0, s.Log.Count<LogEvent.BackendStatus>());
        Assert.Equal(0, s.Log.Count<LogEvent.RemoteStatus>());
    }

    [Theory]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(999)]
    [InlineData(1000)]
    [InlineData(1001)]
    [InlineData(3000)]
    public void ManyRemotes_TheFirstThousandAreLoggedAFewATurn(int remotes)
    {
        var s = new ProxyScenario();
        AddRemotes(s, remotes);
        s.Kernel.RequestStatus();
        var most = 0;
        for (var turn = 0; turn < 100; turn++)
        {
            var before = s.Log.Count<LogEvent.RemoteStatus>();
            s.Balancer.Turn();
            most = System.Math.Max(most, s.Log.Count<LogEvent.RemoteStatus>() - before);
        }

        var logged = s.Log.Of<LogEvent.RemoteStatus>().Select(e => e.Remote.Address).ToArray();
        Assert.Equal(System.Math.Min(remotes, Limits.StatusRemotes), logged.Length);
        Assert.Equal(logged.Length, logged.Distinct().Count());
        Assert.InRange(most, 1, TurnLimits.Standard.StatusRemotesPerTurn);
        Assert.Equal(remotes, s.Log.Last<LogEvent.Status>().Remotes);
    }

    [Fact]
    public void AskedAgainDuringAReport_NoSecondReportBegins()
    {
        var s = new ProxyScenario();
        AddRemotes(s, 500);
        s.Kernel.RequestStatus();
        s.Balancer.Turn();
        s.Kernel.RequestStatus();
        s.Run(1);

        Assert.Equal(1, s.Log.Count<LogEvent.Status>());
        Assert.Equal(500, s.Log.Count<LogEvent.RemoteStatus>());
    }

    [Fact]
    public void AskedAgainAfterwards_TellsAllAgain()
    {
        var s = new ProxyScenario();
        AddRemotes(s, 10);
        for (var n = 0; n < 2; n++)
        {
            s.Kernel.RequestStatus();
            s.Run(1);
        }

        Assert.Equal(2, s.Log.Count<LogEvent.Status>());
        Assert.Equal(20, s.Log.Count<LogEvent.RemoteStatus>());
    }

    [Fact]
    public void RemotesExpireDuringAReport_ReportStillEnds()
    {
        var s = new ProxyScenario();
        AddRemotes(s, 900);
        s.Run(329);
        s.Kernel.RequestStatus();
        s.Balancer.Turn();
        s.Run(30);
        Assert.Equal(0, s.Core.RemoteCount);
        var turns = s.Balancer.Turns;
        s.Run(30);

        Assert.InRange(s.Balancer.Turns - turns, 1, 200);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void RemotesThatComeAfterwards_AreNotLogged(int before)
    {
        var s = new ProxyScenario();
        AddRemotes(s, before);
        s.Kernel.RequestStatus();
        s.Run(1);
        Assert.Equal(before, s.Log.Count<LogEvent.RemoteStatus>());
        AddRemotes(s, 20);
        s.Run(1);

        Assert.Equal(before, s.Log.Count<LogEvent.RemoteStatus>());
    }

    private static void AddRemotes(ProxyScenario s, int count)
    {
        for (var n = 1; n <= count; n++)
        {
            s.Kernel.InjectDatagram(ProxyScenario.Client(n), ProxyScenario.Query(n));
            if (n % 256 == 0)
                s.Settle();
        }
        s.Settle();
        Assert.Equal(count, s.Core.RemoteCount);
    }
}
