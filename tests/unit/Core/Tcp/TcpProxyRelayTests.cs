// One proxied connection that relays, and how it ends: clients and backends that leave in each
// phase, half-closes in both orders, short reads and writes, back-pressure both ways, and time.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class TcpProxyRelayTests
{
    [Fact]
    public void BackendFailsAfterItsAnswerEnded_ClientKeepsTheWholeAnswer()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough("x"u8);
        var session = s.LastTcp();
        var answer = ProxyScenario.Pattern(48_000);
        session.Send(answer);
        session.Close();
        s.Settle();
        // The answer is with the client's kernel, unread, and so is its end. One more byte from
        // the client finds the backend gone.
        client.Send([1]);
        s.Settle();

        Assert.Equal(answer, s.ReceiveAll(client, answer.Length));
        Assert.True(client.IsAtEnd);
        client.Close();
        s.Settle();
        s.AssertEnded(Counter.ConnectionsFailedByBackend);
        Assert.Equal(0, s.Kernel.Calls[SimCall.Abort]);
        s.AssertNothingLeft();
    }

    [Fact]
    public void BackendClosesBehindALargeAnswerWhileTheClientStillSends_ClientGetsAllOfIt()
    {
        var s = new ProxyScenario(
            before: kernel => kernel.BackendToBalancer = new PipeSize(2_000_000));
        var client = s.ConnectThrough();
        var session = s.LastTcp();
        var answer = ProxyScenario.Pattern(1_000_000);
        session.Send(answer);
        s.Settle();
        session.Close();
        client.Send([1]);
        s.Settle();
        client.Send(ProxyScenario.Pattern(200_000));
        s.Settle();

        Assert.Equal(answer, s.ReceiveAll(client, answer.Length));
        s.Run(1);
        Assert.True(client.IsAtEnd);
        client.Close();
        s.Settle();
        s.AssertEnded(Counter.ConnectionsFailedByBackend);
        s.AssertNothingLeft();
    }

    // ---- Answers that were cut short ----

    /// <summary>
    /// What the backend sends before it ends, of two queries; whether that is all.
    /// </summary>
    public static TheoryData<byte[], bool> Answers => new()
    {
        { [], false },
        { [0], false },
        { [0, 3, 7, 7], false },
        // The second question goes out when the first is answered, and nobody reads it.
        { [0, 3, 7, 7, 7], true },
        { [0, 3, 7, 7, 7, 0], false },
        { [0, 3, 7, 7, 7, 0, 1], false },
        { [0, 3, 7, 7, 7, 0, 1, 8], true },
        { [0, 3, 7, 7, 7, 0, 1, 8, 0, 0], true },
        { [0, 3, 7, 7, 7, 0, 1, 8, 0, 2, 9], false },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public void BackendEnds_ClientIsResetUnlessAllItsQueriesAreAnswered(byte[] answers, bool all)
    {
        var s = new ProxyScenario();
        s.Kernel.Faults.MaxReadBytes = 3;
        var client = s.ConnectThrough();
        client.Send([0, 12, .. new byte[12], 0, 13, .. new byte[13]]);
        s.Settle();
        s.LastTcp().Send(answers);
        s.LastTcp().Close();
        s.Settle();

        Assert.Equal(answers, client.Receive());
        Assert.Equal(!all, client.IsReset);
        Assert.True(client.IsAtEnd);
        if (all)
            return;
        s.AssertEnded(Counter.ConnectionsFailedByBackend);
        s.AssertNothingLeft();
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 0 })]
    [InlineData(new byte[] { 0, 2, 5 })]
    public void BackendEndsBeforeAWholeQuery_ClientSeesAPlainEnd(byte[] sent)
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        client.Send(sent);
        s.Settle();
        s.LastTcp().Close();
        s.Settle();

        Assert.True(client.IsAtEnd);
        Assert.False(client.IsReset);
    }

    // ---- Clients that leave ----

    [Fact]
    public void ClientResetsBeforeOk_EndsAtOnce()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        var client = s.Connect();
        client.Send("query"u8);
        s.Settle();
        client.Reset();
        s.Settle();

        s.AssertEnded(Counter.ConnectionsFailedByClient);
        s.AssertNothingLeft();
    }

    [Fact]
    public void ClientResetsBeforeItIsAccepted_LeavesNothing()
    {
        var s = new ProxyScenario();
        var client = s.Connect();
        client.Send("query"u8);
        client.Reset();
        s.Settle();

        s.AssertEnded(Counter.ConnectionsFailedByClient);
        s.AssertNothingLeft();
    }

    [Fact]
    public void ClientResetsAndOkComesInTheSameTurn_LeavesNothing()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        var client = s.Connect();
        s.Settle();
        s.LastTcp().SendTcpOk();
        client.Reset();
        s.Settle();

        s.AssertEnded(Counter.ConnectionsFailedByClient);
        s.AssertNothingLeft();
    }

    [Fact]
    public void ClientResetsWhileRelaying_BackendSeesAnEnd()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        client.Reset();
        s.Settle();

        Assert.True(s.LastTcp().HasEnded || s.LastTcp().HasFailed);
        s.AssertEnded(Counter.ConnectionsFailedByClient);
        s.AssertNothingLeft();
    }

    [Fact]
    public void ClientResetsWhileItsQueueIsFull_IsNoticedAtOnce()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.LastTcp().Send(ProxyScenario.Pattern(1_000_000));
        s.Settle();
        client.Reset();
        s.Settle();

        s.AssertEnded(Counter.ConnectionsFailedByClient);
        s.AssertNothingLeft();
    }

    [Fact]
    public void ClientResetsWhileTheBackendReadsNothing_IsNoticedAtOnce()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.Backend.Hang();
        client.Send(ProxyScenario.Pattern(1_000_000));
        s.Settle();
        client.Reset();
        s.Settle();

        s.AssertEnded(Counter.ConnectionsFailedByClient);
        s.AssertNothingLeft();
    }

    [Fact]
    public void ClientResetsAfterItsHalfClose_LeavesNothing()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        client.HalfClose();
        s.Settle();
        client.Reset();
        s.Settle();
        Assert.Equal(0, s.Core.ConnectionCount);

        s.AssertEnded(Counter.ConnectionsFailedByClient);
        s.AssertNothingLeft();
    }

    [Fact]
    public void ClientsKeepAliveFails_EndsWithItsCause()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.LastTcp().Stream.Fail(IoStatus.Reset);
        client.Fail(IoStatus.TimedOut);
        s.Settle();

        Assert.NotEqual(IoStatus.Ok, s.Log.Last<LogEvent.ConnectionClosed>().Why.Status);
        Assert.Equal(1, s.Counters.Sum(Counters.ConnectionEnds));
        s.AssertNothingLeft();
    }

    // ---- Backends that leave ----

    [Fact]
    public void BackendResetsWhileRelaying_ClientSeesAResetNotAnEnd()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.LastTcp().Reset();
        s.Settle();

        Assert.True(client.IsReset);
        s.AssertEnded(Counter.ConnectionsFailedByBackend);
        Assert.Equal(0, s.Log.Count<LogEvent.BackendFaulted>());
        s.AssertNothingLeft();
    }

    [Fact]
    public void BackendReadsNoMore_WhatTheClientSendsIsThrownAwayUntilItCloses()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.LastTcp().Close();
        s.Settle();
        client.Send("late"u8);
        s.Settle();
        Assert.True(client.IsAtEnd);
        Assert.Equal(1, s.Core.ConnectionCount);
        Assert.Equal(1, s.Kernel.OpenDescriptors - s.Backends.Count - 1);
        client.Close();
        s.Settle();

        s.AssertEnded(Counter.ConnectionsFailedByBackend);
        s.AssertNothingLeft();
    }

    // ---- Half-closes ----

    [Fact]
    public void ClientEndsFirst_AnswerStillComesThenBothEnd()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough("question"u8);
        client.HalfClose();
        s.Run(3);
        Assert.True(s.LastTcp().HasEnded);
        Assert.Equal(1, s.Core.ConnectionCount);

        s.LastTcp().Send("answer"u8);
        s.Settle();
        Assert.Equal("answer"u8, client.Receive());
        Assert.False(client.IsAtEnd);
        s.LastTcp().HalfClose();
        s.Settle();

        Assert.True(client.IsAtEnd);
        s.AssertEnded(Counter.ConnectionsFinished);
        s.AssertNothingLeft();
    }

    [Fact]
    public void BackendEndsFirst_ClientStillSendsThenBothEnd()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough("a"u8);
        s.LastTcp().Send("answer"u8);
        s.LastTcp().HalfClose();
        s.Run(3);
        Assert.Equal("answer"u8, client.Receive());
        Assert.True(client.IsAtEnd);
        Assert.Equal(1, s.Core.ConnectionCount);

        client.Send("fterwards"u8);
        client.HalfClose();
        s.Settle();

        Assert.Equal("afterwards"u8, [.. s.LastTcp().TcpBytes]);
        Assert.True(s.LastTcp().HasEnded);
        s.AssertEnded(Counter.ConnectionsFinished);
        s.AssertNothingLeft();
    }

    [Fact]
    public void BackendEndsWithBytesQueued_EndComesAfterTheLastByte()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough("x"u8);
        var answer = ProxyScenario.Pattern(600_000);
        s.LastTcp().Send(answer);
        s.LastTcp().HalfClose();
        s.Settle();
        Assert.False(client.IsAtEnd);

        Assert.Equal(answer, s.ReceiveAll(client, answer.Length));
        s.Settle();
        Assert.True(client.IsAtEnd);
        client.Close();
        s.Settle();
        s.AssertEnded(Counter.ConnectionsFinished);
        s.AssertNothingLeft();
    }

    [Fact]
    public void ClientEndsWithBytesQueued_EndComesAfterTheLastByte()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        var question = ProxyScenario.Pattern(600_000);
        s.Backend.ReadsTcp = false;
        client.Send(question);
        client.HalfClose();
        s.Run(0.1);
        Assert.False(s.LastTcp().HasEnded);

        s.Backend.ReadsTcp = true;
        s.Run(1);

        Assert.Equal(question, s.LastTcp().TcpBytes);
        Assert.True(s.LastTcp().HasEnded);
        s.LastTcp().Close();
        s.Settle();
        s.AssertEnded(Counter.ConnectionsFailedByBackend);
        s.AssertNothingLeft();
    }

    // ---- A byte at a time, and more than fits ----

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 4096)]
    [InlineData(4096, 1)]
    [InlineData(7, 3)]
    public void ReadsAndWritesAreShort_BothDirectionsArriveWhole(int read, int write)
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.Kernel.Faults.MaxReadBytes = read;
        s.Kernel.Faults.MaxWriteBytes = write;
        var (question, answer) = (ProxyScenario.Message(3000), ProxyScenario.Message(2500));
        client.Send(question);
        client.HalfClose();
        s.LastTcp().Send(answer);
        s.LastTcp().HalfClose();

        Assert.Equal(answer, s.ReceiveAll(client, answer.Length));
        s.Settle();
        Assert.Equal(question, s.LastTcp().TcpBytes);
        s.AssertEnded(Counter.ConnectionsFinished);
        s.AssertNothingLeft();
    }

    [Fact]
    public void ClientNeverReads_BackendIsSlowedDownAndNoByteIsLost()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        var answer = Enumerable.Range(0, 100)
            .SelectMany(n => ProxyScenario.Message(50_000, id: n)).ToArray();
        s.LastTcp().Send(answer);
        s.Run(10);

        var taken = s.LastTcp().Stream.BytesSent;
        Assert.InRange(taken, 1, PipeSize.UnixDefault.Bytes + PipeSize.TcpDefault.Bytes
            + Limits.TcpQueueBytes);
        var turns = s.Balancer.Turns;
        s.Run(20);
        Assert.Equal(taken, s.LastTcp().Stream.BytesSent);
        Assert.InRange(s.Balancer.Turns - turns, 0, 200);

        Assert.Equal(answer, s.ReceiveAll(client, answer.Length));
        s.Finish(client, s.LastTcp());
    }

    [Fact]
    public void BackendNeverReads_ClientIsSlowedDownAndNoByteIsLost()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        var question = Enumerable.Range(0, 76)
            .SelectMany(id => ProxyScenario.Message(65_537, id)).ToArray();
        s.Backend.ReadsTcp = false;
        client.Send(question);
        s.Run(0.1);

        var taken = client.BytesSent;
        Assert.InRange(taken, 1, PipeSize.UnixDefault.Bytes + PipeSize.TcpDefault.Bytes
            + Limits.TcpQueueBytes);
        s.Run(0.05);
        Assert.Equal(taken, client.BytesSent);

        s.Backend.ReadsTcp = true;
        s.Run(5);
        Assert.Equal(question, s.LastTcp().TcpBytes);
        client.Reset();
        s.Settle();
        s.AssertEnded(Counter.ConnectionsFailedByClient);
        s.AssertNothingLeft();
    }

    [Fact]
    public void BothDirectionsFlowAtOnce_ABlockedOneDoesNotHoldUpTheOther()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.LastTcp().Send(ProxyScenario.Pattern(2_000_000));
        s.Settle();
        client.Send("\0\u000cstill heard."u8);
        s.Settle();

        Assert.Equal("\0\u000cstill heard."u8, [.. s.LastTcp().TcpBytes]);
        client.Reset();
        s.Settle();
        s.AssertEnded(Counter.ConnectionsFailedByClient);
        s.AssertNothingLeft();
    }

    // ---- Its time ----

    [Fact]
    public void NothingIsSaidForTheIdleTime_BothSidesAreClosed()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.Run(100);
        client.Send(ProxyScenario.Message(14));
        s.Run(119);
        Assert.Equal(1, s.Core.ConnectionCount);

        s.Run(2);

        Assert.True(client.IsClosedByBalancer);
        Assert.Equal(0, s.Kernel.Calls[SimCall.Abort]);
        Assert.True(s.LastTcp().HasEnded);
        s.AssertEnded(Counter.ConnectionsIdle);
        s.AssertNothingLeft();
    }

    /// <summary>An empty message and one too short for a header ask nothing.</summary>
    [Theory]
    [InlineData(0, false)]
    [InlineData(11, false)]
    [InlineData(12, true)]
    public void MessageOfSoManyBytesJustInTime_IsActivityIfItCanAskSomething(
        int bytes, bool isActivity)
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.Run(119);
        client.Send(bytes == 0 ? [0, 0] : ProxyScenario.Message(2 + bytes));
        s.Run(2);

        Assert.Equal(isActivity ? 1 : 0, s.Core.ConnectionCount);
        Assert.Equal(isActivity ? 0 : 1, s.Counters[Counter.ConnectionsIdle]);
    }

    [Fact]
    public void MessageIsWholeWhenTheIdleTimeIsOver_ItsPartWasNoActivity()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.Run(119);
        client.Send(ProxyScenario.Message(40).AsSpan(0, 39));
        s.Run(2);

        s.AssertEnded(Counter.ConnectionsIdle);
        Assert.True(client.IsClosedByBalancer);
    }

    [Fact]
    public void AnswersByteIsTakenJustInTime_IsActivity()
    {
        var s = new ProxyScenario();
        s.ConnectThrough();
        s.Run(119);
        s.LastTcp().Send("\0"u8);
        s.Run(119);

        Assert.Equal(1, s.Core.ConnectionCount);
        s.Run(2);
        s.AssertEnded(Counter.ConnectionsIdle);
    }

    [Fact]
    public void AnswersByteIsNotTaken_IsNotActivity()
    {
        var s = new ProxyScenario(before: kernel => kernel.BalancerToClient = new PipeSize(1_000));
        s.ConnectThrough();
        s.LastTcp().Send(ProxyScenario.Pattern(2_000));
        s.Run(60);
        s.LastTcp().Send("y"u8);
        s.Run(61);

        s.AssertEnded(Counter.ConnectionsIdle);
    }


    [Fact]
    public void BackendKeepsTalking_IsNotIdle()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        for (var n = 0; n < 4; n++)
        {
            s.Run(100);
            s.LastTcp().Send(ProxyScenario.Message(14));
        }
        s.Settle();

        Assert.Equal(4 * 14, client.Receive().Length);
        s.Finish(client, s.LastTcp());
    }

    [Fact]
    public void ClientNeverReadsAndTheBackendWaits_IdleTimeEndsItWithAReset()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.LastTcp().Send(ProxyScenario.Pattern(1_000_000));
        s.Run(121);

        // Bytes are missing, so the client must not see a plain end behind those it has.
        Assert.True(client.IsReset);
        s.AssertEnded(Counter.ConnectionsIdle);
        s.AssertNothingLeft();
    }

    [Fact]
    public void LifetimeIsOver_EndsHoweverBusyItIs()
    {
        var s = new ProxyScenario(options: new BalancerOptions
        {
            TcpLifetime = Duration.FromSeconds(60),
        });
        var client = s.ConnectThrough();
        for (var n = 0; n < 59; n++)
        {
            client.Send([0, 0]);
            s.Run(1);
        }
        Assert.Equal(1, s.Core.ConnectionCount);

        client.Send([0, 0]);
        s.Run(1);

        Assert.True(client.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsTooOld);
        s.AssertNothingLeft();
    }
}
