// Remotes: who is bound to whom, for how long, and what a rebalance moves (docs/behaviour.md,
// section 4).

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class RemotesTests : CoreTest
{
    [Fact]
    public void NewRemotes_AreBoundRoundRobinInTheOrderOfIds()
    {
        HealthyBackends("5303", "5301", "5302");
        for (var client = 1; client <= 7; client++)
            Ask(client);

        Assert.Equal([5301, 5302, 5303, 5301, 5302, 5303, 5301],
            Enumerable.Range(1, 7).Select(c => Remote(c)!.Value.Primary.Value));
    }

    [Fact]
    public void SameHost_MeetsTheSameBackendWhateverItsPort()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        for (ushort port = 1000; port < 1050; port++)
        {
            Kernel.InjectDatagram(Client(5) with { Port = port }, Query(port));
            Run(0.001);
        }

        Assert.Equal([50, 0, 0], backends.Select(b => b.QueryCount));
    }

    [Fact]
    public void PrimaryDies_RemoteUsesOneBackupAndComesBack()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        Ask(1);
        backends[0].Crash();
        Run(0.1);
        for (var n = 0; n < 5; n++)
            Ask(1);
        Assert.Equal(5302, Remote(1)!.Value.Backup.Value);
        Assert.Equal([1, 5, 0], backends.Select(b => b.QueryCount));
        backends[0].Rebind();
        Run(0.1);
        Ask(1);

        Assert.Equal(5301, Remote(1)!.Value.Primary.Value);
        Assert.Equal(BackendId.None, Remote(1)!.Value.Backup);
        Assert.Equal([2, 5, 0], backends.Select(b => b.QueryCount));
    }

    [Fact]
    public void BackupDiesToo_NextOneStandsIn()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        Ask(1);
        backends[0].Crash();
        Run(0.1);
        Ask(1);
        backends[1].Crash();
        Run(0.1);
        Ask(1);

        Assert.Equal(5303, Remote(1)!.Value.Backup.Value);
        Assert.Equal(5301, Remote(1)!.Value.Primary.Value);
    }

    [Fact]
    public void PrimaryRemoved_RemoteForgetsBothAndChoosesAgain()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        Ask(1);
        backends[0].Stop();
        Run(0.1);
        Ask(1);
        Assert.Equal(5302, Remote(1)!.Value.Backup.Value);
        Run(1.5);
        Assert.Equal(BackendState.Removed, State("5301"));
        Ask(1);

        Assert.Equal(5303, Remote(1)!.Value.Primary.Value);
        Assert.Equal(BackendId.None, Remote(1)!.Value.Backup);
        Assert.Equal(0, Snapshot("5301").Remotes);
    }

    [Fact]
    public void NoHealthyBackend_DropsCountsAndSaysSoAtMostEveryFiveSeconds()
    {
        for (var n = 0; n < 100; n++)
        {
            Ask(n);
            Run(0.1);
        }

        Assert.Equal(100, Count(Counter.QueriesWithoutBackend));
        Assert.InRange(Log.Count<LogEvent.NoHealthyBackend>(), 2, 3);
        // The first line speaks of one; the next one of all that it left unsaid.
        Assert.Equal(1, Log.Of<LogEvent.NoHealthyBackend>().First().Dropped);
        Assert.InRange(Log.Of<LogEvent.NoHealthyBackend>().ElementAt(1).Dropped, 45, 51);
        Assert.Equal(0, Balancer.Core.RemoteCount);
        AssertCountersAddUp();
    }

    [Fact]
    public void BackendBecomesHealthy_EndsTheOutageWithWhatItCost()
    {
        var backend = HealthyBackends("5301")[0];
        backend.Crash();
        Run(0.1);
        Kernel.ConnectClient(Client(99));
        Run(0.1);
        for (var n = 0; n < 39; n++)
        {
            Ask(n);
            Run(0.1);
        }
        Assert.Equal(1, Log.Count<LogEvent.NoHealthyBackend>());
        backend.Rebind();
        Run(6);

        var ended = Assert.Single(Log.Of<LogEvent.OutageEnded>());
        Assert.Equal(39, ended.QueriesDropped);
        Assert.Equal(1, ended.ConnectionsDropped);
        Assert.InRange(ended.Lasted.TotalSeconds, 3.9, 4.2);
        Assert.Equal(Count(Counter.QueriesWithoutBackend), ended.QueriesDropped);
        // What it said of the end is not said again.
        Assert.Equal(1, Log.Count<LogEvent.NoHealthyBackend>());
    }

    [Fact]
    public void BackendBecomesHealthyAndNobodyMissedOne_IsNoEndOfAnOutage()
    {
        var backend = HealthyBackends("5301")[0];
        backend.Crash();
        Run(1);
        backend.Rebind();
        Run(2);

        Assert.Equal(2, Log.Count<LogEvent.BackendHealthy>());
        Assert.Empty(Log.Of<LogEvent.OutageEnded>());
    }

    [Fact]
    public void NobodyAsksAnyMore_WhatWasSuppressedIsLoggedAfterFiveSeconds()
    {
        for (var n = 0; n < 7; n++)
            Ask(n);
        Run(4.9);
        Assert.Equal(1, Log.Count<LogEvent.NoHealthyBackend>());
        Run(0.2);

        Assert.Equal([1, 6], Log.Of<LogEvent.NoHealthyBackend>().Select(e => e.Dropped));
    }

    [Fact]
    public void SilentForFiveMinutes_IsForgottenAtTheNextCheck()
    {
        HealthyBackends("5301");
        Ask(1);
        Ask(2);
        Run(290);
        Ask(2);
        Assert.Equal(2, Balancer.Core.RemoteCount);
        Run(45);

        Assert.Null(Remote(1));
        Assert.NotNull(Remote(2));
        Assert.Equal(1, Snapshot("5301").Remotes);
        Assert.Equal(1, Count(Counter.RemotesExpired));
        Assert.Equal(Client(1).Address, Assert.Single(Log.Of<LogEvent.RemoteExpired>()).Remote);
    }

    [Fact]
    public void BackendJoins_RebalanceMovesTheSurplusOnceAndItChoosesTheEmptiest()
    {
        HealthyBackends("5301");
        AskAll(100);
        var second = Backend("5302");
        Run(0.1);
        Run(15);
        var moved = Count(Counter.RemotesMoved);
        AskAll(100);

        // 100 and 0 are spread by 100 over 2: 98 lose their backend.
        Assert.Equal(98, moved);
        Assert.Equal(50, Snapshot("5301").Remotes);
        Assert.Equal(50, Snapshot("5302").Remotes);
        Run(60);
        Assert.Equal(moved, Count(Counter.RemotesMoved));
        Assert.Equal(1, Log.Count<LogEvent.Rebalancing>());
        Assert.Equal(50, second.QueryCount);
    }

    [Fact]
    public void SpreadOfNoMoreThanTheirNumber_MovesNobody()
    {
        HealthyBackends("5301", "5302");
        AskAll(3);
        Run(60);

        Assert.Equal(0, Count(Counter.RemotesMoved));
    }

    [Fact]
    public void Rebalance_TakesThoseBoundForLongestNotTheLowestAddresses()
    {
        HealthyBackends("5301");
        var order = Enumerable.Range(1, 50).Select(n => n * 37 % 51).ToList();
        foreach (var client in order)
            Ask(client);
        Backend("5302");
        Run(16);

        var kept = Enumerable.Range(1, 50).Where(c => Remote(c)!.Value.Primary != BackendId.None);
        Assert.Equal(order.TakeLast(2).Order(), kept.Order());
        Assert.Equal(order.Take(48).Select(c => (Client(c).Address, new BackendId(5301))),
            Log.Of<LogEvent.RemoteMoved>().Select(moved => (moved.Remote, moved.From)));
    }

    [Fact]
    public void FullTable_MakesRoomForANewRemote()
    {
        var balancer = new SimBalancer(options: NoWarmUp with { MaxRemotes = 100 });
        _ = new SimBackend(balancer.Kernel, "5301") { EchoesQueries = true };
        balancer.Run(Seconds(0.1));
        for (var client = 0; client < 1000; client++)
        {
            // One client keeps asking; all the others are forged and never come again.
            balancer.Kernel.InjectDatagram(Client(7_000_000), Query(1));
            balancer.Kernel.InjectDatagram(Client(client), Query(client));
            balancer.Run(Seconds(0.001));
        }

        Assert.Equal(100, balancer.Core.RemoteCount);
        Assert.Equal(901, balancer.Counters[Counter.RemotesEvicted]);
        Assert.Equal(901, balancer.Log.Count<LogEvent.RemoteEvicted>());
        Assert.Equal(2000, balancer.Counters[Counter.QueriesForwarded]);
        Assert.Equal(2000, balancer.Kernel.Datagrams.SentCount);
        Assert.Equal(100, balancer.Core.SnapshotBackends()[0].Remotes);
        Assert.True(IsKnown(balancer, Client(7_000_000).Address));
    }

    [Fact]
    public void TwoHundredThousandRemotes_ExpireInSlicesThatABusyLoopGetsThrough()
    {
        HealthyBackends("5301", "5302");
        Log.Records = false;
        Kernel.RecordDatagrams = false;
        for (var client = 0; client < 200_000; client++)
        {
            Kernel.InjectDatagram(Client(client), Query(client));
            if (client % 64 == 63)
                Balancer.Turn();
        }
        Run(0.1);
        Assert.Equal(200_000, Balancer.Core.RemoteCount);
        Run(340);

        Assert.Equal(0, Balancer.Core.RemoteCount);
        Assert.Equal(200_000, Count(Counter.RemotesExpired));
        Assert.Equal(0, Snapshot("5301").Remotes);
    }

    [Fact]
    public void OneTurn_ForgetsNoMoreThanItsShare()
    {
        HealthyBackends("5301");
        Log.Records = false;
        Kernel.RecordDatagrams = false;
        for (var client = 0; client < 20_000; client++)
        {
            Kernel.InjectDatagram(Client(client), Query(client));
            if (client % 64 == 63)
                Balancer.Turn();
        }
        long most = 0;
        while (Balancer.Core.RemoteCount > 0)
        {
            var before = Balancer.Core.RemoteCount;
            Balancer.Turn();
            most = System.Math.Max(most, before - Balancer.Core.RemoteCount);
        }

        Assert.InRange(most, 1, Limits.RemotesPerTurn);
    }

    [Fact]
    public void WarmingUp_GetsNobodyWhileAWarmOneIsHealthy()
    {
        var balancer = new SimBalancer();
        var first = new SimBackend(balancer.Kernel, "5301") { EchoesQueries = true };
        balancer.Run(Seconds(2));
        var second = new SimBackend(balancer.Kernel, "5302") { EchoesQueries = true };
        balancer.Run(Seconds(0.5));
        Ask(balancer, 1, 10);
        Assert.Equal(0, second.QueryCount);
        balancer.Run(Seconds(1));
        Ask(balancer, 11, 20);

        Assert.Equal(15, first.QueryCount);
        Assert.Equal(5, second.QueryCount);
    }

    [Fact]
    public void ReturningClients_WaitForTheirPrimaryToWarmUp()
    {
        var balancer = new SimBalancer();
        var first = new SimBackend(balancer.Kernel, "5301") { EchoesQueries = true };
        var second = new SimBackend(balancer.Kernel, "5302") { EchoesQueries = true };
        balancer.Run(Seconds(2));
        Ask(balancer, 1, 1);
        first.Crash();
        first.Rebind();
        balancer.Run(Seconds(0.5));
        Ask(balancer, 1, 1);
        Assert.Equal((1, 1), (first.QueryCount, second.QueryCount));
        balancer.Run(Seconds(2));
        Ask(balancer, 1, 1);

        Assert.Equal((2, 1), (first.QueryCount, second.QueryCount));
    }

    [Fact]
    public void NobodyIsWarm_ClientsAreServedAtOnce()
    {
        var balancer = new SimBalancer();
        var first = new SimBackend(balancer.Kernel, "5301") { EchoesQueries = true };
        balancer.Run(Seconds(0.01));
        Ask(balancer, 1, 3);

        Assert.Equal(3, first.QueryCount);
    }

    [Fact]
    public void CountsOfARemote_TellWhatBecameOfItsQueries()
    {
        var backend = HealthyBackends("5301")[0];
        Ask(1);
        Ask(1);
        backend.Crash();
        Run(0.1);
        Ask(1);

        var remote = Remote(1)!.Value;
        Assert.Equal((2u, 1u), (remote.UdpForwarded, remote.UdpDropped));
    }

    private void AskAll(int clients)
    {
        for (var client = 1; client <= clients; client++)
            Ask(client);
    }

    private static void Ask(SimBalancer balancer, int from, int to)
    {
        for (var client = from; client <= to; client++)
        {
            balancer.Kernel.InjectDatagram(Client(client), Query(client));
            balancer.Run(Seconds(0.001));
        }
    }

    private static bool IsKnown(SimBalancer balancer, Ipv4 address)
    {
        var known = new List<Ipv4>();
        for (var index = 0; balancer.Core.TrySnapshotRemote(ref index, out var remote);)
            known.Add(remote.Address);
        return known.Contains(address);
    }
}
