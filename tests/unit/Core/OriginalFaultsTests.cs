// The faults of the original that must not come back, by their numbers in docs/original-faults.md,
// as far as the core can have them. Each test fails if its fault is put back in. Here are those of
// the UDP path; OriginalFaultsTcpTests has those of TCP, OriginalFaultsBackendTests those of the
// backends and of the clock.
//
// Three cannot be in the core and are tested where they could be: 14, SO_REUSEADDR on the UDP
// socket, in tests/integration/StartUp; 16, a log reader that stalls or goes away, in
// tests/integration/Logging; 18, a port that is not a number, in tests/unit/Daemon.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class OriginalFaultsTests
{
    [Theory]
    [InlineData(IoStatus.AccessDenied, Counter.RepliesDenied)]
    [InlineData(IoStatus.InvalidArgument, Counter.RepliesInvalid)]
    [InlineData(IoStatus.NoBuffers, Counter.RepliesNoBuffers)]
    [InlineData(IoStatus.Unreachable, Counter.RepliesUnreachable)]
    [InlineData(IoStatus.MessageTooLong, Counter.RepliesFailed)]
    [InlineData(IoStatus.Refused, Counter.RepliesFailed)]
    [InlineData(IoStatus.Other, Counter.RepliesFailed)]
    public void Fault01_SendThatFails_CostsOneReplyAndNothingElse(IoStatus why, Counter counter)
    {
        var s = Echoing();
        s.Kernel.Faults.SendThenFail(2, why);
        Inject(s, queries: 5);

        Assert.Equal(4, s.Kernel.Datagrams.SentCount);
        Assert.Equal(1, s.Counters[counter]);
        // The kernel's trouble is a warning; what a forged source brings about is not.
        var logged = why is IoStatus.NoBuffers or IoStatus.Other
            ? s.Log.Last<LogEvent.SendFailed>().Why
            : s.Log.Last<LogEvent.ReplyUndeliverable>().Why;
        Assert.Equal(why, logged.Status);
        AssertStillServes(s);
    }

    [Fact]
    public void Fault01_SendBufferIsFull_CostsTheRepliesOfTheTurn()
    {
        var s = Echoing();
        s.Kernel.Datagrams.SendBlocked = true;
        Inject(s, queries: 5);
        Assert.Equal(5, s.Counters[Counter.RepliesWouldBlock]);

        s.Kernel.Datagrams.SendBlocked = false;

        AssertStillServes(s);
    }

    [Fact]
    public void Fault01_ReplyOfLengthZero_IsSentAsItIs()
    {
        var s = new ProxyScenario();
        Inject(s, queries: 1);
        s.Backend.Reply(ProxyScenario.Client(), []);
        s.Settle();

        Assert.Empty(Assert.Single(s.Kernel.Datagrams.Sent).Payload);
        s.AssertNothingLeft();
    }

    [Fact]
    public void Fault01_ReplyToBroadcastOrPortZero_IsDroppedAndCounted()
    {
        var s = Echoing();
        // The broadcast address of a net may ask, so that replies to it are tried.
        s.Kernel.Faults.Next(SimCall.SendDatagrams, IoStatus.AccessDenied);
        s.Kernel.InjectDatagram(
            new Endpoint(Ipv4.From(10, 255, 255, 255), 4000), ProxyScenario.Query(1));
        s.Settle();
        s.Backend.Control!.SendOutbound(ProxyScenario.Client().Address.Value, 0, 1, [1]);
        s.Settle();

        Assert.Equal(1, s.Counters[Counter.RepliesDenied]);
        Assert.Equal(1, s.Counters[Counter.RepliesToPortZero]);
        AssertStillServes(s);
    }

    public static TheoryData<IoStatus> ReceiveErrors()
    {
        var errors = new TheoryData<IoStatus>();
        foreach (var status in Enum.GetValues<IoStatus>())
        {
            if (status is not (IoStatus.Ok or IoStatus.WouldBlock))
                errors.Add(status);
        }
        return errors;
    }

    [Theory]
    [MemberData(nameof(ReceiveErrors))]
    public void Fault02_ReceiveFailsInAnyWay_GoesOnWithoutSpinning(IoStatus why)
    {
        var s = Echoing();
        s.Kernel.Faults.Standing(SimCall.ReceiveDatagrams, why);
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(1));
        var turns = s.Balancer.Turns;
        s.Run(2);
        Assert.InRange(s.Balancer.Turns - turns, 1, 1000);
        Assert.InRange(s.Log.Count<LogEvent.ReceiveFailed>(), 1, 2);

        s.Kernel.Faults.Heal(SimCall.ReceiveDatagrams);
        s.Run(0.1);

        Assert.Equal(1, s.Kernel.Datagrams.SentCount);
        AssertStillServes(s, suppressed: 1);
    }

    [Theory]
    [InlineData(65_536u)]
    [InlineData(65_536u + 4000)]
    [InlineData(uint.MaxValue)]
    public void Fault03_ReplyPortOver65535_IsDroppedNotCut(uint port)
    {
        var s = Echoing();
        Inject(s, queries: 1);
        var before = s.Kernel.Datagrams.Sent.Count;
        s.Backend.Control!.SendOutbound(ProxyScenario.Client().Address.Value, port, 1, [1]);
        s.Settle();

        Assert.Equal(before, s.Kernel.Datagrams.Sent.Count);
        Assert.Equal(1, s.Counters[Counter.RepliesToPortTooLarge]);
        AssertStillServes(s);
    }

    [Fact]
    public void Fault09_QueryThatCannotBeSent_IsInOneCounterAlone()
    {
        var s = new ProxyScenario();
        s.Backend.Hang();
        var query = ProxyScenario.Query(1, length: 1500);
        for (var n = 0; n < 1000; n++)
        {
            s.Kernel.InjectDatagram(ProxyScenario.Client(), query);
            s.Settle();
        }
        var dropped = s.Counters[Counter.QueriesToStuckBackend];
        Assert.InRange(dropped, 500, 999);
        Assert.Equal(1000 - dropped, s.Counters[Counter.QueriesForwarded]);
        Assert.Equal(1000 - dropped, s.Core.SnapshotBackends()[0].UdpQueries);

        s.Backend.EchoesQueries = true;
        s.Backend.Resume();
        s.Run(1);

        // What was counted as forwarded is what arrived.
        Assert.Equal(s.Counters[Counter.QueriesForwarded], s.Backend.QueryCount);
        var index = 0;
        Assert.True(s.Core.TrySnapshotRemote(ref index, out var remote));
        Assert.Equal((1000 - dropped, dropped), (remote.UdpForwarded, remote.UdpDropped));
        s.AssertNothingLeft();
    }

    [Theory]
    [InlineData(1501)]
    [InlineData(1600)]
    [InlineData(1601)]
    [InlineData(65_507)]
    public void Fault09_OversizedQuery_IsCounted(int length)
    {
        var s = Echoing();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(1, length));
        s.Settle();

        Assert.Equal(1, s.Counters[Counter.QueriesOversized]);
        Assert.Equal(0, s.Counters[Counter.QueriesForwarded]);
        AssertStillServes(s);
    }

    [Theory]
    [InlineData(1501)]
    [InlineData(1601)]
    public void Fault12_OversizedFromForgedSources_RemembersAndLogsNothing(int length)
    {
        var s = new ProxyScenario();
        var lines = s.Log.Events.Count;
        for (var n = 0; n < 1000; n++)
            s.Kernel.InjectDatagram(ProxyScenario.Client(n), ProxyScenario.Query(n, length));
        s.Run(0.5);

        Assert.Equal(1000, s.Counters[Counter.QueriesOversized]);
        Assert.Equal(0, s.Core.RemoteCount);
        Assert.Equal(lines, s.Log.Events.Count);
        s.AssertNothingLeft();
    }

    [Fact]
    public void Fault12_MoreForgedSourcesThanFit_TableStaysInItsBound()
    {
        var s = Echoing(new BalancerOptions { MaxRemotes = 500 });
        for (var n = 0; n < 5000; n++)
        {
            s.Kernel.InjectDatagram(ProxyScenario.Client(n + 10), ProxyScenario.Query(n));
            if (n % 100 == 0)
                s.Settle();
        }
        s.Settle();

        Assert.Equal(125, s.Core.RemoteCount);
        Assert.Equal(0, s.Core.SnapshotBackends()[0].Remotes);
        Assert.Equal(4875, s.Counters[Counter.RemotesEvicted]);
        AssertStillServes(s);
    }

    [Fact]
    public void Fault12_NoBackendWhileAFloodComes_OneLineEveryFiveSeconds()
    {
        var s = new ProxyScenario(backends: 0);
        for (var n = 0; n < 2000; n++)
        {
            s.Kernel.After(Duration.FromMilliseconds(5 * n), () =>
                s.Kernel.InjectDatagram(ProxyScenario.Client(n), ProxyScenario.Query(1)));
        }
        s.Run(11);

        Assert.Equal(2000, s.Counters[Counter.QueriesWithoutBackend]);
        Assert.InRange(s.Log.Count<LogEvent.NoHealthyBackend>(), 2, 3);
        Assert.Equal(0, s.Core.RemoteCount);
        s.AssertNothingLeft();
    }

    [Fact]
    public void Fault15_QueryFromPortZero_IsDroppedAndRemembersNothing()
    {
        var s = Echoing();
        s.Kernel.InjectDatagram(ProxyScenario.Client(port: 0), ProxyScenario.Query(1));
        s.Settle();

        Assert.Equal(1, s.Counters[Counter.QueriesFromPortZero]);
        Assert.Equal(0, s.Backend.QueryCount);
        Assert.Equal(0, s.Core.RemoteCount);
        AssertStillServes(s);
    }

    private static ProxyScenario Echoing(BalancerOptions? options = null)
    {
        var s = new ProxyScenario(options: options);
        s.Backend.EchoesQueries = true;
        return s;
    }

    private static void Inject(ProxyScenario s, int queries)
    {
        for (var n = 0; n < queries; n++)
            s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(n));
        s.Settle();
    }

    /// <summary>One more query is answered, by the session that has been there all along.</summary>
    private static void AssertStillServes(ProxyScenario s, int suppressed = 0)
    {
        var sent = s.Kernel.Datagrams.SentCount;
        Inject(s, queries: 1);
        Assert.Equal(sent + 1, s.Kernel.Datagrams.SentCount);
        Assert.Equal(0, s.Log.Count<LogEvent.BackendFaulted>());
        s.AssertNothingLeft(suppressed);
    }
}
