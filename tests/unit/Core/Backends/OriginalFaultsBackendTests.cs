// The faults of the original that concern backends, the clock and the log; see
// OriginalFaultsTests for the others.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class OriginalFaultsBackendTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(20)]
    public void Fault07_EndOfStreamInTheMiddleOfAFrame_IsSeenAtOnce(int bytesOfTheFrame)
    {
        var s = new ProxyScenario();
        var frame = new byte[16 + 100];
        frame[0] = 0xea;
        frame[1] = 0x03;
        frame[12] = 100;
        s.Backend.Send(frame.AsSpan(0, bytesOfTheFrame));
        s.Settle();
        Assert.Equal(0, s.Log.Count<LogEvent.BackendFaulted>());

        s.Backend.Control!.Close();
        s.Settle();

        var fault = Assert.Single(s.Log.Of<LogEvent.BackendFaulted>());
        Assert.Equal(FaultCause.EndOfStream, fault.Fault.Cause);
        Assert.NotEqual(BackendState.Healthy, s.Core.SnapshotBackends()[0].State);
        s.AssertNothingLeft();
    }

    [Fact]
    public void Fault07_EndOfStreamInASkippedPacket_IsSeenAtOnce()
    {
        var s = new ProxyScenario();
        s.Backend.Control!.SendOutbound(1, 1, 5000, new byte[700]);
        s.Settle();
        s.Backend.Control!.Close();
        s.Settle();

        Assert.Equal(FaultCause.EndOfStream, s.Log.Last<LogEvent.BackendFaulted>().Fault.Cause);
        s.AssertNothingLeft();
    }

    [Fact]
    public void Fault10_BackendIsBackBeforeAScanSawIt_ServesFromItsHelloOn()
    {
        var s = new ProxyScenario(before: k => k.Directory.TellsChanges = false);
        s.Backend.Crash();
        s.Run(2);
        s.Backend.Unlink();
        // The scan at 5 s finds the path missing; the connect at 6 s finds it back.
        s.Run(1.5);
        s.Backend.Rebind();
        s.Run(1);
        Assert.Equal(2, s.Log.Count<LogEvent.BackendHealthy>());

        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(1));
        s.ConnectThrough();
        Assert.Equal(1, s.Backend.QueryCount);
        Assert.Equal(BackendState.Healthy, s.Core.SnapshotBackends()[0].State);

        // Nor do later scans take it for another one and bounce it.
        s.Run(30);
        Assert.Equal(2, s.Log.Count<LogEvent.BackendConnected>());
        Assert.Equal(BackendState.Healthy, s.Core.SnapshotBackends()[0].State);
        s.AssertBooksBalance();
    }

    [Fact]
    public void Fault10_RemovedBackendIsSeenAgain_ServesFromItsHelloOn()
    {
        var s = new ProxyScenario();
        s.Backend.Stop();
        s.Run(3);
        Assert.Equal(BackendState.Removed, s.Core.SnapshotBackends()[0].State);
        s.Backend.Rebind();
        s.Run(0.1);

        s.ConnectThrough();

        Assert.Equal(BackendState.Healthy, s.Core.SnapshotBackends()[0].State);
        s.Run(30);
        Assert.Equal(1, s.Log.Count<LogEvent.BackendReturned>());
        s.AssertBooksBalance();
    }

    [Fact]
    public void Fault11_LoopSleptLongBeforeAHello_TimersCountFromTheHello()
    {
        var s = new ProxyScenario(backends: 0);
        s.Backends.Add(new SimBackend(s.Kernel, "5301")
        {
            HelloDelay = Duration.FromMilliseconds(2_700),
        });
        s.Run(20);

        var hello = Assert.Single(s.Log.TimesOf<LogEvent.BackendHealthy>());
        var beats = s.Backend.Control!.HeartbeatTimes;
        Assert.Equal(3, beats.Count);
        Assert.Equal(hello + Limits.HeartbeatInterval, beats[0]);
        Assert.Equal(beats[0] + Limits.HeartbeatInterval, beats[1]);
    }

    [Fact]
    public void Fault11_HeartbeatAnswersAreLate_EachIntervalCountsFromTheAnswer()
    {
        var s = new ProxyScenario();
        s.Backend.HeartbeatDelay = Duration.FromMilliseconds(3_300);
        s.Run(30);

        var sent = s.Log.TimesOf<LogEvent.HeartbeatSent>().ToArray();
        var answered = s.Log.TimesOf<LogEvent.HeartbeatAnswered>().ToArray();
        Assert.True(sent.Length >= 3);
        for (var n = 1; n < sent.Length; n++)
            Assert.Equal(answered[n - 1] + Limits.HeartbeatInterval, sent[n]);
    }

    [Fact]
    public void Fault11_NoAnswerToAHeartbeat_FaultComesToTheNanosecond()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersHeartbeats = false;
        s.Run(30);

        var sent = s.Log.TimesOf<LogEvent.HeartbeatSent>().First();
        var fault = s.Log.Of<LogEvent.BackendFaulted>().First();
        Assert.Equal(FaultCause.HeartbeatTimeout, fault.Fault.Cause);
        Assert.Equal(
            sent + Limits.HeartbeatTimeout, s.Log.TimesOf<LogEvent.BackendFaulted>().First());
    }

    [Fact]
    public void Fault13_ConnectFails_LogSaysWhy()
    {
        var s = new ProxyScenario();
        s.Backend.Crash();
        s.Run(1.5);

        var faults = s.Log.Of<LogEvent.BackendFaulted>().ToArray();
        Assert.Equal(FaultCause.EndOfStream, faults[0].Fault.Cause);
        Assert.Equal(FaultCause.ConnectFailed, faults[1].Fault.Cause);
        Assert.Equal(IoStatus.Refused, faults[1].Fault.Io.Status);
        Assert.NotEqual(0, faults[1].Fault.Io.Errno);
    }

    [Fact]
    public void Fault13_SessionIsReset_LogSaysWhy()
    {
        var s = new ProxyScenario();
        s.Backend.Control!.Reset();
        s.Settle();

        var fault = Assert.Single(s.Log.Of<LogEvent.BackendFaulted>()).Fault;
        Assert.Equal(FaultCause.EndOfStream, fault.Cause);
        Assert.Equal(IoStatus.Reset, fault.Io.Status);
        Assert.NotEqual(0, fault.Io.Errno);
    }

    [Fact]
    public void Fault13_WriteFails_LogSaysWhy()
    {
        var s = new ProxyScenario();
        s.Kernel.Faults.NextWrite(IoStatus.BrokenPipe);
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(1));
        s.Settle();

        var fault = Assert.Single(s.Log.Of<LogEvent.BackendFaulted>()).Fault;
        Assert.Equal(FaultCause.EndOfStream, fault.Cause);
        Assert.Equal(IoStatus.BrokenPipe, fault.Io.Status);
    }

    [Fact]
    public void Fault13_UnknownFrame_LogNamesIt()
    {
        var s = new ProxyScenario();
        s.Backend.Control!.SendType(77);
        s.Settle();

        var fault = Assert.Single(s.Log.Of<LogEvent.BackendFaulted>()).Fault;
        Assert.Equal(new Fault(FaultCause.UnknownFrame, Detail: 77), fault);
    }

    [Fact]
    public void Fault13_TcpIsRefusedOrFails_LogSaysWhy()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        client.Reset();
        s.Settle();
        s.Backend.Listener.Close();
        s.Connect(port: 4001);
        s.Run(11);

        Assert.Equal(IoStatus.Reset, s.Log.Of<LogEvent.ConnectionClosed>().First().Why.Status);
        var refused = s.Log.Of<LogEvent.ConnectionRefusedByBackend>().First();
        Assert.Equal(FaultCause.ConnectFailed, refused.Why.Cause);
        Assert.Equal(IoStatus.Refused, refused.Why.Io.Status);
        Assert.Equal(IoStatus.Refused, s.Log.Last<LogEvent.ConnectionClosed>().Why.Status);
    }

    [Fact]
    public void Fault13_TcpIsAnsweredWithAnotherFrame_LogSaysWhich()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        s.Connect(port: 4001);
        s.Settle();
        s.Backend.TcpSessions[0].SendHello();
        s.Settle();

        var refused = Assert.Single(s.Log.Of<LogEvent.ConnectionRefusedByBackend>());
        Assert.Equal(new Fault(FaultCause.NotTcpOk, Detail: 1001), refused.Why);
    }

    [Fact]
    public void Fault13_DirectoryCannotBeRead_LogSaysWhy()
    {
        var s = new ProxyScenario();
        s.Kernel.Directory.Readable = IoResult.Failed(IoStatus.AccessDenied, 13);
        s.Run(30);

        var line = Assert.Single(s.Log.Of<LogEvent.DirectoryUnreadable>());
        Assert.Equal(IoResult.Failed(IoStatus.AccessDenied, 13), line.Why);
        Assert.Equal(BackendState.Healthy, s.Core.SnapshotBackends()[0].State);
    }

    [Theory]
    [InlineData(SimEntryKind.File)]
    [InlineData(SimEntryKind.Folder)]
    public void Fault19_EntryIsNotASocket_TakesNoIdAndIsLoggedOnce(SimEntryKind kind)
    {
        var s = new ProxyScenario();
        s.Kernel.Directory.Create("README", kind);
        s.Kernel.Directory.Create("5303", kind);
        var connects = s.Kernel.Calls[SimCall.Connect];
        s.Run(60);
        Assert.Equal(connects, s.Kernel.Calls[SimCall.Connect]);
        Assert.Equal(2, s.Log.Count<LogEvent.EntryNotASocket>());

        s.Backends.Add(new SimBackend(s.Kernel, "5302"));
        s.Run(1);

        Assert.Equal([5301, 5302], s.Core.SnapshotBackends().Select(b => b.Id.Value));
        s.AssertNothingLeft();
    }

    [Fact]
    public void Fault19_SocketsComeAndGo_AreForgottenInTheEnd()
    {
        var s = new ProxyScenario();
        for (var n = 0; n < 100; n++)
        {
            var passing = new SimBackend(s.Kernel, $"passing{n}");
            s.Run(1);
            passing.Stop();
            s.Run(3);
        }
        Assert.InRange(s.Core.SnapshotBackends().Length, 2, 101);
        s.Run(400);

        Assert.Equal("/run/bbal/5301", Assert.Single(s.Core.SnapshotBackends()).Path);
        Assert.Equal(100, s.Log.Count<LogEvent.BackendForgotten>());
        s.AssertNothingLeft();
    }

    [Fact]
    public void Fault19_StaleSocketStays_IsRetriedWithBackOffAlone()
    {
        var s = new ProxyScenario();
        s.Kernel.Directory.Create("5302", SimEntryKind.Socket);
        s.Run(300);

        // 1 + 3 + 5 + … + 31 s make 256 s in 16 tries, then one every 32 s.
        var tries = s.Core.SnapshotBackends()[1].ConnectsStarted;
        // The first of them is told only after the quiet tries of a socket that is new.
        tries -= Limits.QuietTries;
        Assert.InRange(tries, 17, 19);
        Assert.Equal(tries, s.Log.Count<LogEvent.BackendFaulted>());
        s.AssertNothingLeft();
    }
}
