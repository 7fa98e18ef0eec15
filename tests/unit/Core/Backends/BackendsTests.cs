// Backends: who gets which id and slot, whose turn it is, and who has the fewest remotes.

using System.Linq;
using System.Text;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class BackendsTests : CoreTest
{
    [Theory]
    [InlineData("5300", 5300)]
    [InlineData("5399", 5399)]
    [InlineData("05301", 5301)]
    public void NameThatIsAPort_AsksForItsNumber(string name, int id) =>
        Assert.Equal(new BackendId(id), Backends.NamedId(Encoding.UTF8.GetBytes(name)));

    [Theory]
    [InlineData("")]
    [InlineData("5299")]
    [InlineData("5400")]
    [InlineData("53010")]
    [InlineData("5301a")]
    [InlineData("-5301")]
    [InlineData("99999999999999999999")]
    public void AnyOtherName_AsksForNone(string name) =>
        Assert.Null(Backends.NamedId(Encoding.UTF8.GetBytes(name)));

    [Fact]
    public void NamesThatAreNotPorts_GetTheHighestIdPlusOne()
    {
        HealthyBackends("zeta", "alpha", "5310");

        Assert.Equal([5310, 5311, 5312], Ids());
        Assert.Equal(5311, Snapshot("alpha").Id.Value);
        Assert.Equal(5312, Snapshot("zeta").Id.Value);
    }

    [Fact]
    public void NamesAlone_CountFromOne()
    {
        HealthyBackends("a", "b");

        Assert.Equal([1, 2], Ids());
    }

    [Fact]
    public void IdThatIsTaken_IsNotGivenTwice()
    {
        HealthyBackends("5398");
        HealthyBackends("x");
        HealthyBackends("5399");

        Assert.Equal(5399, Snapshot("x").Id.Value);
        Assert.Equal(5400, Snapshot("5399").Id.Value);
    }

    [Fact]
    public void Turn_GoesOnAfterTheLastChosenWhenABackendComesBetween()
    {
        HealthyBackends("5301", "5305");
        Ask(1);
        HealthyBackends("5303");
        Ask(2);
        Ask(3);
        Ask(4);

        Assert.Equal([5301, 5303, 5305, 5301], Primaries(4));
    }

    [Fact]
    public void BackendThatIsNotHealthy_IsPassedOverAndLosesItsTurn()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        Ask(1);
        backends[1].Crash();
        Run(0.1);
        Ask(2);
        Ask(3);

        Assert.Equal([5301, 5303, 5301], Primaries(3));
    }

    [Fact]
    public void AfterARebalance_TheMovedAreWithThoseThatHadTheFewest()
    {
        HealthyBackends("5301");
        Establish(Enumerable.Range(1, 60));
        HealthyBackends("5302", "5303");
        Run(Limits.RebalanceInterval.TotalSeconds + 1);

        Assert.Equal([20, 20, 20], Balancer.Core.SnapshotBackends().Select(b => b.Remotes));
    }

    [Fact]
    public void Spread_IsMeasuredFromTheFullestToTheEmptiestOfTheHealthy()
    {
        HealthyBackends("5301");
        Establish(Enumerable.Range(1, 60));
        HealthyBackends("5302", "5303", "5304")[2].Crash();
        Run(Limits.RebalanceInterval.TotalSeconds + 1);

        var measured = Log.Last<LogEvent.Rebalancing>();
        Assert.Equal((5301, 60), (measured.Fullest.Value, measured.Spread));
        Assert.Equal(Count(Counter.RemotesMoved), measured.ToMove);
    }

    [Fact]
    public void ForgottenBackend_LeavesItsSlotToTheNext()
    {
        var names = Enumerable.Range(0, Limits.MaxBackends).Select(i => $"b{i:000}").ToArray();
        var backends = HealthyBackends(names);
        backends[7].Stop();
        Run(Limits.ScanInterval.TotalSeconds * 3 + Limits.MaxBackOff.TotalSeconds);
        Assert.Equal(BackendState.Removed, State("b007"));
        HealthyBackends("next");

        Assert.Equal(Limits.MaxBackends, Ids().Length);
        Assert.DoesNotContain(Balancer.Core.SnapshotBackends(),
            b => b.Path.EndsWith("/b007", System.StringComparison.Ordinal));
        Assert.Equal(1, Log.Count<LogEvent.BackendForgotten>());
        Ask(1);
        Assert.NotEqual(BackendId.None, Remote(1)!.Value.Primary);
    }

    [Fact]
    public void Suspect_IsPassedOverByUdpAndTcpUntilItIsTrusted()
    {
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        BecomeSuspect(backends[0], client: 1);
        Ask(1);
        Assert.Equal(5302, Remote(1)!.Value.Backup.Value);
        Opening.Ask(Kernel.ConnectClient(Client(1)));
        Run(0.01);
        Assert.Empty(backends[0].TcpSessions);
        Assert.Single(backends[1].TcpSessions);
        for (var client = 2; client <= 5; client++)
            Ask(client);
        Assert.Equal([5302, 5302, 5302, 5302],
            Enumerable.Range(2, 4).Select(client => Remote(client)!.Value.Primary.Value));
        backends[0].AnswersHeartbeats = true;
        backends[0].Control!.SendHeartbeat();
        Run(0.01);
        Assert.False(Snapshot("5301").IsSuspect);
        var before = backends[0].QueryCount;
        Ask(1);

        Assert.Equal(before + 1, backends[0].QueryCount);
        Assert.Equal(BackendId.None, Remote(1)!.Value.Backup);
    }

    [Fact]
    public void AllAreSuspect_EachKeepsItsClients()
    {
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Ask(2);
        foreach (var backend in backends)
        {
            backend.AnswersHeartbeats = false;
            backend.EchoesQueries = false;
        }
        Ask(1);
        Ask(2);
        Run(0.25);
        Assert.True(Snapshot("5301").IsSuspect && Snapshot("5302").IsSuspect);
        var before = (backends[0].QueryCount, backends[1].QueryCount);
        Ask(1);
        Ask(2);

        Assert.Equal((before.Item1 + 1, before.Item2 + 1),
            (backends[0].QueryCount, backends[1].QueryCount));
    }

    [Fact]
    public void ColdOne_IsBetterThanASuspect()
    {
        var balancer = new SimBalancer(options: new BalancerOptions());
        var suspect = new SimBackend(balancer.Kernel, "5301") { AnswersHeartbeats = false };
        balancer.Run(Seconds(2));
        balancer.Kernel.InjectDatagram(Client(1), Query(1));
        balancer.Run(Seconds(0.25));
        var cold = new SimBackend(balancer.Kernel, "5302") { EchoesQueries = true };
        balancer.Run(Seconds(0.1));
        balancer.Kernel.InjectDatagram(Client(1), Query(2));
        balancer.Run(Seconds(0.001));

        // What the suspect one owed was sent to the other when that said hello.
        Assert.Equal((1, 2), (suspect.QueryCount, cold.QueryCount));
    }

    [Fact]
    public void WarmDraining_IsBetterThanAColdOneAndWorseThanAWarmOne()
    {
        var balancer = new SimBalancer(options: new BalancerOptions());
        var draining = new SimBackend(balancer.Kernel, "5301") { EchoesQueries = true };
        balancer.Run(Seconds(2));
        balancer.Kernel.InjectDatagram(Client(1), Query(1));
        balancer.Run(Seconds(0.001));
        draining.Unlink();
        var other = new SimBackend(balancer.Kernel, "5302") { EchoesQueries = true };
        balancer.Run(Seconds(0.1));
        balancer.Kernel.InjectDatagram(Client(1), Query(2));
        balancer.Run(Seconds(0.001));
        Assert.Equal((2, 0), (draining.QueryCount, other.QueryCount));
        balancer.Run(Seconds(1));
        balancer.Kernel.InjectDatagram(Client(1), Query(3));
        balancer.Run(Seconds(0.001));

        Assert.Equal((2, 1), (draining.QueryCount, other.QueryCount));
    }

    [Fact]
    public void SpreadAndRebalance_LeaveOutASuspect()
    {
        var backends = HealthyBackends("5301", "5302");
        for (var client = 1; client <= 20; client++)
            Ask(client);
        BecomeSuspect(backends[0], client: 1);
        for (var client = 21; client <= 60; client++)
            Ask(client);
        Run(12);
        Assert.True(Snapshot("5301").IsSuspect);
        Run(Limits.RebalanceInterval.TotalSeconds - 12);

        Assert.Equal(0, Count(Counter.RemotesMoved));
    }

    private void BecomeSuspect(SimBackend backend, int client)
    {
        backend.AnswersHeartbeats = false;
        backend.EchoesQueries = false;
        Ask(client);
        Run(0.25);
        Assert.True(Snapshot(backend.Name).IsSuspect);
    }

    private int[] Ids() => [.. Balancer.Core.SnapshotBackends().Select(b => b.Id.Value)];

    private int[] Primaries(int clients) =>
        [.. Enumerable.Range(1, clients).Select(client => Remote(client)!.Value.Primary.Value)];
}
