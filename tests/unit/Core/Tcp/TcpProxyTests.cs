// One proxied connection up to INBOUND_TCP_OK: the handshake, the second try, and which backend
// it goes to. What follows is in TcpProxyRelayTests, what lets connections in in TcpProxiesTests.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class TcpProxyTests
{
    private static readonly byte[] Ok = Frame(1003);

    // ---- The handshake ----

    [Fact]
    public void BackendTakesIt_TellsTheClientsAddressAndRelays()
    {
        var s = new ProxyScenario();
        var client = s.ConnectSilently(host: 7, port: 40_007);
        client.Send("\0\u000cthe question"u8);
        s.Settle();

        var session = s.LastTcp();
        Assert.Equal(ProxyScenario.Client(7, 40_007), session.Source);
        Assert.Equal("\0\u000cthe question"u8, [.. session.TcpBytes]);
        session.Send("\0\u000athe answer"u8);
        s.Settle();

        Assert.Equal("\0\u000athe answer"u8, client.Receive());
        Assert.Equal(1, s.Core.SnapshotBackends()[0].TcpSessions);
        s.Finish(client, session);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void OkCutAnywhereWithDataBehindIt_NoByteIsLostOrInvented(int firstPart)
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        var client = s.ConnectSilently();
        client.Send("x"u8);
        s.Settle();
        byte[] sent = [.. Ok, .. "data"u8];

        s.LastTcp().Send(sent.AsSpan(0, firstPart));
        s.Settle();
        Assert.Equal(firstPart >= 4 ? 1 : 0, s.Relayed);
        s.LastTcp().Send(sent.AsSpan(firstPart));
        s.Settle();

        Assert.Equal("data"u8, client.Receive());
        s.Finish(client, s.LastTcp());
    }

    [Fact]
    public void OkDataAndEndInOneGo_ClientGetsDataThenEnd()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        var client = s.ConnectSilently();
        client.Send(ProxyScenario.Message(14));
        s.Settle();
        s.LastTcp().Send([.. Ok, .. ProxyScenario.Message(20)]);
        s.LastTcp().HalfClose();
        s.Settle();

        Assert.Equal(ProxyScenario.Message(20), client.Receive());
        Assert.True(client.IsAtEnd);
        client.Close();
        s.Settle();
        s.AssertEnded(Counter.ConnectionsFinished);
        s.AssertNothingLeft();
    }

    [Fact]
    public void HandshakeWrittenByteByByte_ArrivesWhole()
    {
        var s = new ProxyScenario();
        s.Kernel.Faults.MaxWriteBytes = 1;
        s.Kernel.Faults.MaxReadBytes = 1;
        var client = s.ConnectThrough(host: 3);

        Assert.Equal(ProxyScenario.Client(3), s.LastTcp().Source);
        s.Finish(client, s.LastTcp());
    }

    [Fact]
    public void ClientSendsBeforeOk_ItsFirstBytesAreKeptAndTheRestWaitsInTheKernel()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        var client = s.ConnectSilently();
        client.Send("ear"u8);
        s.Settle();
        client.Send("ly"u8);
        client.HalfClose();
        s.Run(5);
        Assert.Equal(1, client.BalancerReads);
        Assert.Empty(s.LastTcp().TcpBytes);

        s.LastTcp().SendTcpOk();
        s.Settle();

        Assert.Equal("early"u8, [.. s.LastTcp().TcpBytes]);
        Assert.True(s.LastTcp().HasEnded);
        s.LastTcp().Close();
        s.Settle();
        s.AssertEnded(Counter.ConnectionsFinished);
        s.AssertNothingLeft();
    }

    // ---- Before its client has said anything ----

    [Fact]
    public void ClientSaysNothing_CostsNoBackendAnythingAndIsClosedAfterThirtySeconds()
    {
        var s = new ProxyScenario(backends: 2);
        var descriptors = s.Kernel.OpenDescriptors;
        var client = s.ConnectSilently();
        s.Run(29.9);
        Assert.Equal(1, s.Core.ConnectionCount);
        Assert.Equal(descriptors + 1, s.Kernel.OpenDescriptors);
        Assert.Equal(0, s.Core.RemoteCount);
        Assert.All(s.Backends, backend => Assert.Empty(backend.TcpSessions));
        s.Run(0.2);

        Assert.True(client.IsClosedByBalancer);
        Assert.False(client.IsReset);
        Assert.Equal(0, s.Log.Count<LogEvent.ConnectionOpened>());
        s.AssertEnded(Counter.ConnectionsSilent);
        s.AssertNothingLeft();
    }

    [Fact]
    public void ClientSaysSomethingJustInTime_HasTenSecondsForItsHandshakeFromThen()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        var client = s.ConnectSilently();
        s.Run(29.9);
        client.Send([0]);
        s.Run(9.9);
        Assert.Equal(1, s.Core.ConnectionCount);
        s.Run(0.2);

        Assert.True(client.IsReset);
        s.AssertEnded(Counter.ConnectionsHandshakeTimedOut);
        s.AssertNothingLeft();
    }

    [Fact]
    public void OperatorSaysHowLongItMaySayNothing_ThatCounts()
    {
        var s = new ProxyScenario(
            options: new BalancerOptions { TcpMessageTime = Duration.FromSeconds(3) });
        s.ConnectSilently();
        s.Run(2.9);
        Assert.Equal(1, s.Core.ConnectionCount);
        s.Run(0.2);

        s.AssertEnded(Counter.ConnectionsSilent);
    }

    [Fact]
    public void ClientEndsBeforeItSaysAnything_IsClosedAtOnceWithoutABackend()
    {
        var s = new ProxyScenario();
        var client = s.ConnectSilently();
        client.HalfClose();
        s.Settle();

        Assert.True(client.IsAtEnd);
        Assert.Empty(s.Backend.TcpSessions);
        s.AssertEnded(Counter.ConnectionsFinished);
        s.AssertNothingLeft();
    }

    [Fact]
    public void ClientResetsBeforeItSaysAnything_IsCountedAsItsFailure()
    {
        var s = new ProxyScenario();
        var client = s.ConnectSilently();
        s.Settle();
        client.Reset();
        s.Settle();

        s.AssertEnded(Counter.ConnectionsFailedByClient);
        s.AssertNothingLeft();
    }

    [Fact]
    public void NoBackendWhenItSpeaks_IsClosedThenAndNotBefore()
    {
        var s = new ProxyScenario(backends: 0);
        var client = s.ConnectSilently();
        s.Run(5);
        Assert.Equal(1, s.Core.ConnectionCount);
        client.Send([0]);
        s.Settle();

        Assert.True(client.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsWithoutBackend);
        s.AssertNothingLeft();
    }

    /// <summary>
    /// One who asks at once: no call more than when a backend was looked for at the accept, and as
    /// many waits.
    /// </summary>
    [Fact]
    public void QueryIsThereAtTheAccept_CostsNoCallMoreThanItMust()
    {
        var s = new ProxyScenario();
        s.Run(1);
        var calls = s.Kernel.Calls;
        var before = (calls[SimCall.Read], calls[SimCall.Write], s.Balancer.Turns);
        var client = s.ConnectSilently();
        client.Send(ProxyScenario.Message(40));
        while (!s.Backend.TcpSessions.Any(session => session.TcpBytes.Count > 0))
            s.Balancer.Turn();

        // Read: the query, and INBOUND_TCP_OK. Written: the handshake, and the query; and in the
        // last turn, after 0.1 s in which no answer comes, a heartbeat.
        Assert.Equal((before.Item1 + 2, before.Item2 + 3, before.Item3 + 4),
            (calls[SimCall.Read], calls[SimCall.Write], s.Balancer.Turns));
    }


    public static TheoryData<string> Refusals =>
        ["refused", "no path", "reset", "end", "wrong frame", "cut, then end"];

    /// <summary>Makes each backend named here refuse TCP in the given way.</summary>
    private static void MakeRefuse(ProxyScenario s, SimBackend backend, string how)
    {
        switch (how)
        {
            case "refused":
                backend.Listener.Close();
                break;
            case "no path":
                s.Kernel.Directory.TellsChanges = false;
                backend.Unlink();
                break;
            default:
                backend.AnswersTcp = false;
                s.Balancer.RunUntil(() => ProxyScenario.LastTcp(backend).IsTcp,
                    Duration.FromSeconds(1));
                Refuse(ProxyScenario.LastTcp(backend), how);
                break;
        }
    }

    private static void Refuse(SimBackendSession session, string how)
    {
        switch (how)
        {
            case "reset":
                session.Reset();
                break;
            case "end":
                session.Close();
                break;
            case "wrong frame":
                session.SendHello();
                break;
            default:
                session.Send(Ok.AsSpan(0, 3));
                session.Close();
                break;
        }
    }

    private static bool RefusesOnceConnected(string how) =>
        how is "reset" or "end" or "wrong frame" or "cut, then end";

    [Theory]
    [MemberData(nameof(Refusals))]
    public void FirstBackendRefuses_SecondOneTakesIt(string how)
    {
        var s = new ProxyScenario(backends: 2);
        // The first client host is bound to the first backend, whoever asks.
        var (first, second) = (s.Backends[0], s.Backends[1]);
        if (!RefusesOnceConnected(how))
            MakeRefuse(s, first, how);
        else
            first.AnswersTcp = false;
        var client = s.Connect();
        client.Send("\0\u000cthat is kept"u8);
        s.Settle();
        if (RefusesOnceConnected(how))
            Refuse(ProxyScenario.LastTcp(first), how);
        s.Settle();

        Assert.Equal("\0\u000cthat is kept"u8, [.. ProxyScenario.LastTcp(second).TcpBytes]);
        Assert.Equal(1, s.Counters[Counter.ConnectionsRetried]);
        Assert.Equal(0, s.Log.Count<LogEvent.BackendFaulted>());
        ProxyScenario.LastTcp(second).Send("\0\u0006answer"u8);
        s.Settle();
        s.Finish(client, ProxyScenario.LastTcp(second));
    }

    [Theory]
    [MemberData(nameof(Refusals))]
    public void TwoBackendsRefuse_TheThirdTakesIt(string how)
    {
        var s = new ProxyScenario(backends: 3);
        for (var i = 0; i < 2; i++)
        {
            if (!RefusesOnceConnected(how))
                MakeRefuse(s, s.Backends[i], how);
            else
                s.Backends[i].AnswersTcp = false;
        }
        var client = s.Connect();
        s.Settle();
        for (var i = 0; RefusesOnceConnected(how) && i < 2; i++)
        {
            Refuse(ProxyScenario.LastTcp(s.Backends[i]), how);
            s.Settle();
        }

        Assert.Equal(1, s.Relayed);
        Assert.Equal(2, s.Counters[Counter.ConnectionsRetried]);
        Assert.Equal(0, s.Log.Count<LogEvent.BackendFaulted>());
        s.Finish(client, ProxyScenario.LastTcp(s.Backends[2]));
    }

    [Fact]
    public void AllRefuse_EachIsAskedOnceAtOnceAndThenOneByOneMoreSlowly()
    {
        var s = new ProxyScenario(backends: 3);
        foreach (var backend in s.Backends)
            backend.Listener.Close();
        var start = s.Kernel.Now;
        var client = s.Connect();
        s.Run(0.2);

        Assert.Equal([0, 0, 0, 10, 30, 70, 150], s.Log.TimesOf<LogEvent.ConnectionOpened>()
            .Select(at => (at - start).Nanoseconds / 1_000_000));
        Assert.Equal([5301, 5302, 5303, 5301, 5302, 5303, 5301],
            s.Log.Of<LogEvent.ConnectionOpened>().Select(opened => opened.Backend.Value));
        Assert.Equal(7, s.Counters[Counter.ConnectionsRetried]);
        s.Run(9.79);
        Assert.False(client.IsClosedByBalancer);
        s.Run(0.02);

        Assert.True(client.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsRefusedByBackend);
        Assert.Equal(0, s.Log.Count<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void OnlyBackendRefusesForAWhile_TakesItThen()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        var client = s.Connect();
        s.Settle();
        s.LastTcp().Close();
        s.Settle();
        Assert.False(client.IsClosedByBalancer);
        s.Backend.AnswersTcp = true;
        s.Run(0.1);

        Assert.Equal(1, s.Counters[Counter.ConnectionsRetried]);
        s.Finish(client, s.LastTcp());
    }

    [Fact]
    public void BackendAnswersHeartbeatsAlone_AnotherIsAskedAfterASecond()
    {
        var s = new ProxyScenario(backends: 3);
        s.Backends[0].AnswersTcp = false;
        s.Backends[1].AnswersTcp = false;
        var client = s.Connect();
        s.Run(0.99);
        Assert.Single(s.Backends[0].TcpSessions);
        s.Run(0.02);
        Assert.Single(s.Backends[1].TcpSessions);
        s.Run(1);

        Assert.Equal(1, s.Relayed);
        Assert.Equal(2, s.Counters[Counter.ConnectionsMoved]);
        Assert.Equal(0, s.Counters[Counter.ConnectionsRetried]);
        Assert.Equal(0, s.Log.Count<LogEvent.BackendSuspected>());
        s.Finish(client, ProxyScenario.LastTcp(s.Backends[2]));
    }

    [Fact]
    public void NobodyTakesIt_StaysWithTheLastUntilAnotherIsThere()
    {
        var s = new ProxyScenario(backends: 2);
        s.Backends[0].AnswersTcp = false;
        s.Backends[1].AnswersTcp = false;
        s.Connect();
        s.Run(4);
        Assert.Equal(1, s.Counters[Counter.ConnectionsMoved]);
        Assert.False(ProxyScenario.LastTcp(s.Backends[1]).HasEnded);
        s.Backends.Add(new SimBackend(s.Kernel, "5303"));
        s.Run(2.2);

        Assert.Equal(1, s.Relayed);
        Assert.Single(s.Backends[2].TcpSessions);
    }

    [Fact]
    public void FirstOkHalfWayThenEnd_SecondBackendsOkIsReadFromItsStart()
    {
        var s = new ProxyScenario(backends: 2);
        s.Backends[0].AnswersTcp = false;
        s.Backends[1].AnswersTcp = false;
        var client = s.ConnectSilently();
        client.Send("x"u8);
        s.Settle();
        s.LastTcp().Send(Ok.AsSpan(0, 2));
        s.Settle();
        s.LastTcp().Close();
        s.Settle();

        ProxyScenario.LastTcp(s.Backends[1]).Send([.. Ok, 42]);
        s.Settle();

        Assert.Equal<byte>([42], client.Receive());
        s.Finish(client, ProxyScenario.LastTcp(s.Backends[1]));
    }

    [Fact]
    public void FirstBackendTookPartOfTheHandshake_SecondGetsAWholeOne()
    {
        var s = new ProxyScenario(backends: 2);
        s.Kernel.Faults.Next(SimCall.Write, IoResult.Ok(5));
        s.Kernel.Faults.NextWrite(IoStatus.BrokenPipe);
        var client = s.Connect(host: 3);
        s.Settle();

        var second = ProxyScenario.LastTcp(s.Backends[1]);
        Assert.Equal(ProxyScenario.Client(3), second.Source);
        Assert.Empty(second.TcpBytes);
        Assert.Equal(1, s.Counters[Counter.ConnectionsRetried]);
        s.Finish(client, second);
    }

    [Fact]
    public void NoOkWithinTenSeconds_ClientIsClosedAndTheBackendLeftAlone()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        var client = s.Connect();
        s.Run(9.99);
        Assert.False(client.IsClosedByBalancer);

        s.Run(0.02);

        Assert.True(client.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsHandshakeTimedOut);
        Assert.Equal(0, s.Log.Count<LogEvent.BackendFaulted>());
        Assert.Equal(BackendState.Healthy, s.Core.SnapshotBackends()[0].State);
        s.AssertNothingLeft();
    }

    [Fact]
    public void SecondTryIsSlow_TenSecondsAreForBoth()
    {
        var s = new ProxyScenario(backends: 2);
        s.Backends[0].AnswersTcp = false;
        s.Backends[1].AnswersTcp = false;
        var client = s.Connect();
        s.Run(0.9);
        s.LastTcp().Close();
        s.Run(9.09);
        Assert.Equal(1, s.Counters[Counter.ConnectionsRetried]);
        Assert.False(client.IsClosedByBalancer);

        s.Run(0.02);

        Assert.True(client.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsHandshakeTimedOut);
        s.AssertNothingLeft();
    }

    [Fact]
    public void HandshakeFails_ControlSessionGoesOnServing()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        s.Backend.EchoesQueries = true;
        s.Connect();
        s.Settle();
        s.LastTcp().Reset();
        s.Connect(port: 4001);
        s.Run(11);
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(1));
        s.Settle();

        Assert.Single(s.Kernel.Datagrams.Sent);
        Assert.Equal(1, s.Log.Count<LogEvent.BackendConnected>());
        s.AssertNothingLeft();
    }

    [Fact]
    public void NoDescriptorForTheBackend_ClientIsClosedAndTheCauseCounted()
    {
        var s = new ProxyScenario();
        s.Kernel.DescriptorLimit = s.Kernel.OpenDescriptors + 1;
        var client = s.Connect();
        s.Settle();

        Assert.True(client.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsWithoutResources);
        Assert.Equal(IoStatus.TooManyFiles,
            Assert.Single(s.Log.Of<LogEvent.ConnectionWithoutResources>()).Why.Status);
        s.AssertNothingLeft();
    }

    // ---- Which backend ----

    [Fact]
    public void HostIsKnownFromUdp_TcpMeetsTheSameBackend()
    {
        var s = new ProxyScenario(backends: 3);
        for (var host = 1; host <= 3; host++)
            s.Kernel.InjectDatagram(ProxyScenario.Client(host), ProxyScenario.Query(host));
        s.Settle();
        for (var host = 3; host >= 1; host--)
            s.ConnectThrough(host);

        for (var host = 1; host <= 3; host++)
        {
            Assert.Equal(ProxyScenario.Client(host), s.Backends[host - 1].Queries[0].Source);
            Assert.Equal(ProxyScenario.Client(host),
                ProxyScenario.LastTcp(s.Backends[host - 1]).Source);
        }
        s.AssertBooksBalance();
    }

    [Fact]
    public void BackendJustSaidHello_WarmOneTakesTheConnections()
    {
        var s = new ProxyScenario();
        var fresh = new SimBackend(s.Kernel, "5302");
        s.Run(0.1);
        Assert.NotNull(fresh.Control);
        for (var host = 1; host <= 4; host++)
            s.ConnectThrough(host);
        Assert.Equal(4, s.Backend.TcpSessions.Count);

        s.Run(1);
        s.ConnectThrough(host: 5);

        Assert.Single(fresh.TcpSessions);
        s.AssertBooksBalance();
    }

    [Fact]
    public void OwnBackendJustSaidHelloAgain_WarmOneStandsInUntilItIsWarm()
    {
        var s = new ProxyScenario(backends: 2);
        s.ConnectThrough();
        Assert.Single(s.Backend.TcpSessions);
        s.Backend.CloseSessions();
        s.Run(1.1);
        Assert.NotNull(s.Backend.Control);

        s.ConnectThrough(port: 4001);
        Assert.Single(s.Backends[1].TcpSessions);
        s.Run(1);
        s.ConnectThrough(port: 4002);

        Assert.Single(s.Backend.TcpSessions);
        s.AssertBooksBalance();
    }

    [Fact]
    public void OnlyBackendIsStillWarmingUp_TakesTheConnectionAllTheSame()
    {
        var s = new ProxyScenario(backends: 0);
        s.Backends.Add(new SimBackend(s.Kernel, "5301"));
        s.Run(0.1);

        var client = s.ConnectThrough();

        s.Finish(client, s.LastTcp());
    }

    [Fact]
    public void RunsOfConnections_RemoteCountsWhatBecameOfThem()
    {
        var s = new ProxyScenario();
        s.ConnectThrough(port: 1);
        s.ConnectThrough(port: 2);
        s.Backend.AnswersTcp = false;
        s.Connect(port: 3);
        s.Run(11);

        var index = 0;
        Assert.True(s.Core.TrySnapshotRemote(ref index, out var remote));
        Assert.Equal((2u, 1u), (remote.TcpForwarded, remote.TcpDropped));
        s.AssertBooksBalance();
    }

    private static byte[] Frame(uint type)
    {
        var frame = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, type);
        return frame;
    }
}
