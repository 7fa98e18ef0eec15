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
        Opening.Ask(Kernel.ConnectClient(Client(99)));
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
    public void OutagesThatFollowEachOther_ShareARecord()
    {
        var backend = HealthyBackends("5301")[0];
        for (var n = 0; n < 100; n++)
        {
            backend.Crash();
            Run(0.05);
            Ask(n);
            backend.Rebind();
            Run(0.05);
        }
        Assert.InRange(Log.Count<LogEvent.OutageEnded>(), 2, 3);
        Run(5);

        var ended = Log.Of<LogEvent.OutageEnded>().ToList();
        Assert.InRange(ended.Count, 3, 4);
        Assert.Equal(100, ended.Sum(e => e.Suppressed + 1));
        Assert.Equal(100, ended.Sum(e => e.QueriesDropped));
        Assert.Equal(100, Count(Counter.QueriesWithoutBackend));
    }

    [Fact]
    public void BackendBecomesHealthyAndNobodyMissedOne_IsNotTheEndOfAnOutage()
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
        Assert.True(Remote(2)!.Value.IsEstablished);
        Assert.Equal(1, Snapshot("5301").Remotes);
        Assert.Equal(1, Count(Counter.RemotesExpired));
        Assert.Equal(Client(1).Address, Assert.Single(Log.Of<LogEvent.RemoteExpired>()).Remote);
    }

    [Fact]
    public void BackendJoins_RebalanceMovesTheSurplusOnceAndItChoosesTheEmptiest()
    {
        HealthyBackends("5301");
        Establish(Enumerable.Range(1, 100));
        var second = Backend("5302");
        Run(0.1);
        Run(15);
        var moved = Count(Counter.RemotesMoved);
        AskAll(100);

        // 100 and 0 are spread by 100 over 2: what 5301 has above 50 loses its backend.
        Assert.Equal(50, moved);
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
        Establish(1, 2, 3);
        Run(60);

        Assert.Equal(0, Count(Counter.RemotesMoved));
    }

    [Fact]
    public void Rebalance_TakesThoseBoundLastNotTheHighestAddresses()
    {
        HealthyBackends("5301");
        var order = Enumerable.Range(1, 50).Select(n => n * 37 % 51).ToList();
        Establish(order);
        Backend("5302");
        Run(16);

        var kept = Enumerable.Range(1, 50).Where(c => Remote(c)!.Value.Primary.Value == 5301);
        Assert.Equal(order.Take(25).Order(), kept.Order());
        order.Reverse();
        Assert.Equal(order.Take(25).Select(c => (Client(c).Address, new BackendId(5301))),
            Log.Of<LogEvent.RemoteMoved>().Select(moved => (moved.Remote, moved.From)));
    }

    [Fact]
    public void AskingAgainASecondAfterAnAnswer_Establishes()
    {
        HealthyBackends("5301");
        Ask(1);
        Assert.False(Remote(1)!.Value.IsEstablished);
        Assert.Equal(0, Snapshot("5301").Remotes);
        Run(0.9);
        Ask(1);
        Assert.False(Remote(1)!.Value.IsEstablished);
        Run(0.1);
        Ask(1);

        Assert.True(Remote(1)!.Value.IsEstablished);
        Assert.Equal(1, Snapshot("5301").Remotes);
        Assert.Equal(1, Count(Counter.RemotesEstablished));
    }

    [Fact]
    public void AskingAllTheTimeWithoutAnAnswer_DoesNot()
    {
        HealthyBackends("5301")[0].EchoesQueries = false;
        for (var n = 0; n < 30; n++)
        {
            Ask(1);
            Run(1);
        }

        Assert.False(Remote(1)!.Value.IsEstablished);
        Assert.Equal(0, Count(Counter.RemotesEstablished));
    }

    [Fact]
    public void ConnectingOverTcp_EstablishesAtOnce()
    {
        HealthyBackends("5301");
        Ask(1);
        Opening.Ask(Kernel.ConnectClient(Client(1)));
        Opening.Ask(Kernel.ConnectClient(Client(2)));
        Run(0.1);

        Assert.True(Remote(1)!.Value.IsEstablished);
        Assert.True(Remote(2)!.Value.IsEstablished);
        Assert.Equal(2, Snapshot("5301").Remotes);
    }

    [Fact]
    public void BackendCounts_AreOfTheEstablishedWhateverFloodsIn()
    {
        HealthyBackends("5301", "5302");
        Establish(1, 2, 3, 4);
        for (var client = 100; client < 1101; client++)
            Ask(client);
        Run(60);

        Assert.Equal((2, 2), (Snapshot("5301").Remotes, Snapshot("5302").Remotes));
        Assert.Equal(1005, Balancer.Core.RemoteCount);
        Assert.Equal(0, Count(Counter.RemotesMoved));
    }

    [Fact]
    public void FloodOfForgedAddresses_PushesOutNewcomersAloneAndInTheOrderOfTheirSilence()
    {
        var balancer = Small(100);
        for (var client = 1; client <= 75; client++)
            AskTwice(balancer, client);
        var before = Primaries(balancer);
        for (var client = 1000; client < 3000; client++)
            Ask(balancer, client, client);

        Assert.Equal(100, balancer.Core.RemoteCount);
        Assert.Equal(1975, balancer.Counters[Counter.RemotesEvicted]);
        Assert.All(before, one => Assert.Equal(one.Value, Primaries(balancer)[one.Key]));
        Assert.Equal(Enumerable.Range(2975, 25).Select(client => Client(client).Address),
            Primaries(balancer).Keys.Except(before.Keys).OrderBy(address => address.Value));
        Assert.Equal(75, balancer.Core.SnapshotBackends().Sum(backend => backend.Remotes));
        Assert.Equal(Enumerable.Range(1000, 1975).Select(client => Client(client).Address),
            balancer.Log.Of<LogEvent.RemoteEvicted>().Select(evicted => evicted.Remote));
        Assert.Equal(balancer.Core.RemoteCount, balancer.Counters[Counter.RemotesNew]
            - balancer.Counters[Counter.RemotesEvicted]);
    }

    [Fact]
    public void NewHostInAFlood_IsEstablishedIfItAsksAgainInTime()
    {
        var balancer = Small(100);
        for (var client = 1000; client < 2000; client++)
            Ask(balancer, client, client);
        AskTwice(balancer, 1);
        for (var client = 2000; client < 3000; client++)
            Ask(balancer, client, client);

        Assert.True(IsKnown(balancer, Client(1).Address));
        Assert.Equal(1, balancer.Counters[Counter.RemotesEstablished]);
    }

    [Fact]
    public void HostForgottenInAFlood_MeetsTheSameBackendAgain()
    {
        var balancer = Small(100);
        for (var client = 1000; client < 1100; client++)
            Ask(balancer, client, client);
        var first = new Dictionary<Ipv4, BackendId>();
        foreach (var _ in Enumerable.Range(0, 3))
        {
            for (var client = 1; client <= 60; client++)
            {
                Ask(balancer, client, client);
                var host = Client(client).Address;
                var primary = Primaries(balancer)[host];
                Assert.Equal(primary, first.GetValueOrDefault(host, primary));
                first[host] = primary;
            }
        }

        Assert.Equal(2, first.Values.Distinct().Count());
        Assert.InRange(first.Values.Count(id => id.Value == 5301), 15, 45);
    }

    [Fact]
    public void AsManyEstablishedAsMayBe_TheLongestUnheardMakesRoomForAnother()
    {
        var balancer = Small(16);
        for (var client = 1; client <= 12; client++)
            AskTwice(balancer, client);
        AskTwice(balancer, 1);
        AskTwice(balancer, 13);

        Assert.Equal(Client(2).Address,
            Assert.Single(balancer.Log.Of<LogEvent.RemoteEvicted>()).Remote);
        Assert.Equal(12, balancer.Core.SnapshotBackends().Sum(backend => backend.Remotes));
        Assert.True(IsKnown(balancer, Client(13).Address));
        Assert.True(IsKnown(balancer, Client(1).Address));
    }

    [Fact]
    public void ForgedAddressesSentTwice_EvictEachOtherAndNobodyWhoAsksForMinutes()
    {
        var balancer = Small(64);
        for (var client = 1; client <= 40; client++)
            AskTwice(balancer, client);
        for (var round = 0; round < 6; round++)
        {
            Ask(balancer, 1, 40);
            balancer.Run(Seconds(15));
        }
        var before = Primaries(balancer);
        for (var round = 0; round < 150; round++)
        {
            if (round % 15 == 14)
                Ask(balancer, 1, 40);
            Ask(balancer, 1000 + 10 * round, 1009 + 10 * round);
            balancer.Run(Seconds(1));
            Ask(balancer, 1000 + 10 * round, 1009 + 10 * round);
        }

        Assert.InRange(balancer.Counters[Counter.RemotesEvicted], 1400, 1600);
        var after = Primaries(balancer);
        Assert.All(before, one => Assert.Equal(one.Value, after[one.Key]));
        Assert.Equal(48, balancer.Core.SnapshotBackends().Sum(backend => backend.Remotes));
    }

    [Fact]
    public void AllAreKnownForLongAndStillAsk_AnotherStaysANewcomerUntilOneIsSilent()
    {
        var balancer = Small(16);
        for (var client = 1; client <= 12; client++)
            AskTwice(balancer, client);
        for (var round = 0; round < 6; round++)
        {
            Ask(balancer, 1, 12);
            balancer.Run(Seconds(15));
        }
        AskTwice(balancer, 13);
        Assert.Equal(0, balancer.Counters[Counter.RemotesEvicted]);
        Assert.Equal(12, balancer.Counters[Counter.RemotesEstablished]);
        for (var round = 0; round < 6; round++)
        {
            balancer.Run(Seconds(15));
            Ask(balancer, 2, 12);
        }
        Ask(balancer, 13, 13);

        Assert.Equal(Client(1).Address,
            Assert.Single(balancer.Log.Of<LogEvent.RemoteEvicted>()).Remote);
        Assert.Equal(13, balancer.Counters[Counter.RemotesEstablished]);
    }

    [Fact]
    public void MovedAndSilent_CountsForItsNextBackendSoThatNobodyElseIsMoved()
    {
        HealthyBackends("5301");
        Establish(Enumerable.Range(1, 100));
        Backend("5302");
        Run(55);

        Assert.Equal(50, Count(Counter.RemotesMoved));
        Assert.Equal((50, 50), (Snapshot("5301").Remotes, Snapshot("5302").Remotes));
    }

    [Fact]
    public void OneTurn_MovesNoMoreThanItsShare()
    {
        HealthyBackends("5301");
        Establish(Enumerable.Range(1, 1000));
        Backend("5302");
        long most = 0;
        while (Count(Counter.RemotesMoved) < 500)
        {
            var before = Count(Counter.RemotesMoved);
            Balancer.Turn();
            most = System.Math.Max(most, Count(Counter.RemotesMoved) - before);
        }

        Assert.Equal(TurnLimits.Standard.MovesPerTurn, most);
    }

    /// <summary>
    /// Expiry and rebalance are due at the same time, and take turns: the expiry reaches the index
    /// of the remote in its second slice, when the walk has come to it with its first.
    /// </summary>
    [Fact]
    public void NextOfAWalkExpires_TheWalkGoesOnBehindIt()
    {
        const int Remotes = 2200;
        HealthyBackends("5301");
        Establish(Enumerable.Range(1, Remotes));
        var others = Enumerable.Range(1, Remotes).Where(
            client => client != Remotes - TurnLimits.Standard.MovesPerTurn).ToList();
        foreach (var at in new[] { 150, 310 })
        {
            RunTo(at);
            others.ForEach(client => Ask(client));
        }
        RunTo(320);
        Backend("5302");
        RunTo(331);

        Assert.Equal(1, Count(Counter.RemotesExpired));
        Assert.Equal(Remotes / 2, Count(Counter.RemotesMoved));

        void RunTo(long seconds) =>
            Balancer.Run(Instant.Zero + Duration.FromSeconds(seconds) - Balancer.Now);
    }

    [Fact]
    public void NobodyWasAnsweredLately_NobodyIsMovedAndNothingIsLogged()
    {
        HealthyBackends("5301");
        Establish(Enumerable.Range(1, 100));
        Run(70);
        Backend("5302");
        Run(60);
        Assert.Equal(0, Count(Counter.RemotesMoved));
        Assert.Empty(Log.Of<LogEvent.Rebalancing>());
        AskAll(10);
        Run(15);

        Assert.Equal(10, Count(Counter.RemotesMoved));
        Assert.Equal(Enumerable.Range(1, 10).Reverse().Select(client => Client(client).Address),
            Log.Of<LogEvent.RemoteMoved>().Select(moved => moved.Remote));
    }

    [Fact]
    public void Moved_IsNotMovedAgainWithinAMinute()
    {
        var backends = HealthyBackends("5301");
        Establish(Enumerable.Range(1, 100));
        backends = [.. backends, Backend("5302")];
        var moved = new Dictionary<Ipv4, Instant>();
        var seen = 0;
        for (var n = 0; n < 100; n++)
        {
            // The others go each time, and all that were moved meet one alone.
            Run(4);
            backends[n / 4 % 2].Crash();
            AskAll(100);
            backends[n / 4 % 2].Rebind();
            foreach (var line in Log.Of<LogEvent.RemoteMoved>().Skip(seen))
            {
                Assert.True(!moved.TryGetValue(line.Remote, out var before)
                    || Kernel.Now - before > Seconds(56), $"{line.Remote} after {before}");
                moved[line.Remote] = Kernel.Now;
                seen++;
            }
        }

        Assert.InRange(seen, 50, 1000);
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

        Assert.InRange(most, 1, TurnLimits.Standard.RemotesPerTurn);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void TopChunkEmptiedBetweenTwoSlices_ExpiryGoesOn(int turns)
    {
        var newcomers = 2 * TurnLimits.Standard.RemotesPerTurn;
        var balancer = Small(4 * newcomers);
        balancer.Log.Records = false;
        AskTwice(balancer, 1);
        balancer.Run(Seconds(295));
        // The first chunk holds the established one and all newcomers but one, which is the first
        // to make room.
        foreach (var last in new[] { 1 + newcomers, newcomers })
        {
            for (var client = 2; client <= last; client++)
            {
                balancer.Kernel.InjectDatagram(Client(client), Query(client));
                if (client % 64 == 0)
                    balancer.Turn();
            }
            balancer.Run(Seconds(0.01));
        }
        Assert.Equal(1 + newcomers, balancer.Core.RemoteCount);
        Assert.True(balancer.RunUntil(
            () => balancer.Counters[Counter.RemotesExpired] == 1, Seconds(40)));
        for (; turns > 0; turns--)
            balancer.Turn();
        balancer.Kernel.InjectDatagram(Client(9999), Query(1));
        balancer.Run(Seconds(400));

        Assert.Equal(1, balancer.Counters[Counter.RemotesEvicted]);
        Assert.Equal(0, balancer.Core.RemoteCount);
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

    /// <summary>With two backends that answer.</summary>
    private static SimBalancer Small(int maxRemotes)
    {
        var balancer = new SimBalancer(options: NoWarmUp with { MaxRemotes = maxRemotes });
        _ = new SimBackend(balancer.Kernel, "5301") { EchoesQueries = true };
        _ = new SimBackend(balancer.Kernel, "5302") { EchoesQueries = true };
        balancer.Run(Seconds(0.1));
        return balancer;
    }

    private static void AskTwice(SimBalancer balancer, int client)
    {
        Ask(balancer, client, client);
        balancer.Run(Seconds(1));
        Ask(balancer, client, client);
    }

    private static Dictionary<Ipv4, BackendId> Primaries(SimBalancer balancer)
    {
        var primaries = new Dictionary<Ipv4, BackendId>();
        for (var index = 0; balancer.Core.TrySnapshotRemote(ref index, out var remote);)
            primaries.Add(remote.Address, remote.Primary);
        return primaries;
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
