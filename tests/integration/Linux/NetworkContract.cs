// Owns what every INetwork must do with streams, waiting and handles, on real sockets and on
// simulated ones; datagrams are in DatagramContract, directories in DirectoryContract. The table
// "what Linux does" of the simulator's description is here, row by row.

using System;
using System.Linq;
using System.Text;
using Balancer.Core;
using Xunit;

namespace Tests.Integration.Linux;

public abstract class NetworkContract : IDisposable
{
    private readonly NetworkWorld _world;

    protected NetworkContract(NetworkWorld world) => _world = world;

    private INetwork Network => _world.Network;

    public void Dispose()
    {
        _world.Dispose();
        GC.SuppressFinalize(this);
    }

    // ---- Waiting ----

    [Fact]
    public void WaitUntilThePast_NothingReady_ReturnsAtOnce() =>
        Assert.Equal(0, Network.Wait(Instant.Zero, new NetworkEvent[4]));

    [Fact]
    public void Wait_NothingHappens_EndsAtTheInstantWithoutSpinning()
    {
        var until = _world.Clock.Now + Duration.FromMilliseconds(50);
        var turns = 0;
        while (_world.Clock.Now < until)
        {
            Assert.Equal(0, Network.Wait(until, new NetworkEvent[4]));
            turns++;
        }
        Assert.InRange(turns, 1, 20);
    }

    [Fact]
    public void NewStream_HasNoInterest_IsNotReported()
    {
        using var listener = _world.Listen("b");
        _world.Connect("b");
        Assert.Empty(_world.PollSockets());
    }

    [Fact]
    public void ReadableStream_NotRead_IsReportedAgain()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        using var backend = listener.Accept();
        backend.Send("x"u8);
        Network.SetInterest(stream, Readiness.Read);
        Assert.Equal(Readiness.Read, _world.AwaitReady(stream, Readiness.Read));
        Assert.Equal(Readiness.Read, _world.AwaitReady(stream, Readiness.Read));
        Network.SetInterest(stream, Readiness.None);
        Assert.Empty(_world.PollSockets());
    }

    [Fact]
    public void Interest_ChangedBack_IsWhatCounts()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        using var backend = listener.Accept();
        backend.Send("x"u8);
        Network.SetInterest(stream, Readiness.Write);
        Assert.Equal(Readiness.Write, _world.AwaitReady(stream, Readiness.Write));
        Network.SetInterest(stream, Readiness.Read | Readiness.Write);
        Assert.Equal(Readiness.Read | Readiness.Write,
            _world.AwaitReady(stream, Readiness.Read | Readiness.Write));
        Network.SetInterest(stream, Readiness.HangUp);
        Assert.Empty(_world.PollSockets());
    }

    [Fact]
    public void PeerGone_InterestInHangUpAlone_IsReportedAsHangUpAlone()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        Network.SetInterest(stream, Readiness.HangUp);
        listener.Accept().Dispose();
        Assert.Equal(Readiness.HangUp, _world.AwaitReady(stream, Readiness.HangUp));
    }

    [Fact]
    public void PeerGone_InterestInReading_IsReportedAsReadableToo()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        Network.SetInterest(stream, Readiness.Read);
        listener.Accept().Dispose();
        Assert.Equal(Readiness.Read | Readiness.HangUp,
            _world.AwaitReady(stream, Readiness.Read | Readiness.HangUp));
    }

    [Fact]
    public void PeerGone_NoInterest_IsNotReported()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        Network.SetInterest(stream, Readiness.HangUp);
        listener.Accept().Dispose();
        _world.AwaitReady(stream, Readiness.HangUp);
        Network.SetInterest(stream, Readiness.None);
        Assert.Empty(_world.PollSockets());
    }

    [Fact]
    public void MoreReadyThanRoom_TheRestComesWithTheNextWaits()
    {
        using var listener = _world.Listen("b");
        var streams = Enumerable.Range(0, 5).Select(_ => _world.Connect("b")).ToList();
        foreach (var stream in streams)
            Network.SetInterest(stream, Readiness.Write);
        var seen = Enumerable.Range(0, 20).SelectMany(_ => _world.PollSockets(room: 2)).ToList();
        Assert.Equal(streams.ToHashSet(), seen.Select(came => came.Handle).ToHashSet());
    }

    // ---- Handles ----

    [Fact]
    public void ClosedSlot_UsedAgain_HasAnotherGeneration()
    {
        using var listener = _world.Listen("b");
        var first = _world.Connect("b");
        Network.Close(first);
        var second = _world.Connect("b");
        Assert.NotEqual(first, second);
        Assert.NotEqual(0u, first.Generation);
        Assert.Equal(first.Slot, second.Slot);
        Assert.True(second.Generation > first.Generation);
    }

    [Fact]
    public void ClosedStream_Ready_IsNotReported()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        Network.SetInterest(stream, Readiness.Write);
        _world.AwaitReady(stream, Readiness.Write);
        Network.Close(stream);
        Assert.Empty(_world.PollSockets());
    }

    [Fact]
    public void ClosedHandle_Used_IsABug()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        Network.Close(stream);
        Assert.Throws<VerificationException>(() => Network.Close(stream));
        Assert.Throws<VerificationException>(() => Network.Read(stream, new byte[1]));
        Assert.Throws<VerificationException>(
            () => Network.SetInterest(stream, Readiness.Read));
        Assert.Throws<VerificationException>(() => Network.Close(SocketHandle.None));
    }

    // ---- Connecting to backends ----

    [Fact]
    public void Connect_AbsentPath_IsNotFound() => AssertConnect(IoStatus.NotFound, "absent");

    [Fact]
    public void Connect_BelowAPlainFile_IsNotFound()
    {
        _world.MakeFile("file");
        AssertConnect(IoStatus.NotFound, "file/below");
    }

    [Fact]
    public void Connect_PlainFile_IsRefused()
    {
        _world.MakeFile("file");
        AssertConnect(IoStatus.Refused, "file");
    }

    [Fact]
    public void Connect_Folder_IsRefused()
    {
        _world.MakeFolder("folder");
        AssertConnect(IoStatus.Refused, "folder");
    }

    [Fact]
    public void Connect_StaleSocket_IsRefused()
    {
        _world.Listen("stale").Dispose();
        AssertConnect(IoStatus.Refused, "stale");
    }

    [Fact]
    public void Connect_ToSocketThatWasStopped_IsNotFound()
    {
        _world.Listen("stopped").Retire();
        AssertConnect(IoStatus.NotFound, "stopped");
    }

    [Fact]
    public void Connect_BacklogFull_WouldBlock()
    {
        using var listener = _world.Listen("b", backlog: 1);
        var results = Enumerable.Range(0, 4)
            .Select(_ => Network.ConnectBackend(_world.PathOf("b"), out var _).Status).ToList();
        Assert.Equal(
            [IoStatus.Ok, IoStatus.Ok, IoStatus.WouldBlock, IoStatus.WouldBlock], results);
    }

    [Fact]
    public void Connect_NeverAccepted_SucceedsAndTakesBytes()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        Assert.Equal(IoResult.Ok(5), Network.Write(stream, "hello"u8));
        Assert.Equal(IoStatus.WouldBlock, Network.Read(stream, new byte[8]).Status);
    }

    [Fact]
    public void Connect_ByALinkAndANonAsciiName_Works()
    {
        using var listener = _world.Listen("säule");
        _world.MakeLink("link", "säule");
        _world.Connect("säule");
        _world.Connect("link");
    }

    [Fact]
    public void Connect_PathOf107Bytes_Works()
    {
        var room = Limits.MaxPathBytes - (_world.PathOf("n").Length - 1);
        var name = new string('n', room);
        Assert.Equal(107, _world.PathOf(name).Length);
        using var listener = _world.Listen(name);
        _world.Connect(name);
        listener.Accept().Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(108)]
    public void Connect_PathOutOfBounds_IsABug(int length) =>
        Assert.Throws<VerificationException>(() => Network.ConnectBackend(
            Encoding.ASCII.GetBytes(new string('n', length)), out var _));

    // ---- Streams to backends ----

    [Fact]
    public void Bytes_BothWays_Arrive()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        using var backend = listener.Accept();
        Assert.Equal(IoResult.Ok(4), Network.Write(stream, "ping"u8));
        Assert.Equal("ping"u8.ToArray(), backend.Receive(4));
        backend.Send("pong"u8);
        Assert.Equal("pong", ReadText(stream));
    }

    [Fact]
    public void PeerCloses_NothingUnread_IsTheEndAndABrokenPipe()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        using (var backend = listener.Accept())
            backend.Send("bye"u8);
        Assert.Equal("bye", ReadText(stream));
        Assert.Equal(IoStatus.EndOfStream, Network.Read(stream, new byte[8]).Status);
        Assert.Equal(IoStatus.BrokenPipe, Network.Write(stream, "x"u8).Status);
    }

    [Fact]
    public void PeerCloses_WithUnreadData_IsAResetAndABrokenPipe()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        Network.Write(stream, "unread"u8);
        listener.Accept().Dispose();
        Assert.Equal(IoStatus.Reset, Network.Read(stream, new byte[8]).Status);
        Assert.Equal(IoStatus.BrokenPipe, Network.Write(stream, "x"u8).Status);
    }

    [Fact]
    public void HalfClose_PeerSeesTheEnd_AndMayGoOnSending()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        using var backend = listener.Accept();
        Network.Write(stream, "last"u8);
        Network.HalfClose(stream);
        Assert.Equal("last"u8.ToArray(), backend.Receive(4));
        Assert.Equal(StreamEnd.EndOfStream, backend.ReceiveEnd());
        backend.Send("answer"u8);
        Assert.Equal("answer", ReadText(stream));
        Assert.Equal(IoStatus.BrokenPipe, Network.Write(stream, "x"u8).Status);
    }

    [Fact]
    public void HalfClose_PeerGone_IsNoError()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        listener.Accept().Dispose();
        Network.HalfClose(stream);
        Assert.Equal(IoStatus.EndOfStream, Network.Read(stream, new byte[8]).Status);
    }

    [Fact]
    public void FullStream_LargeWrites_AreShortThenWouldBlock_UntilThePeerReads()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        using var backend = listener.Accept();
        var large = new byte[4 * 1024 * 1024];
        var first = Network.Write(stream, large);
        Assert.InRange(first.Count, 1, large.Length - 1);
        Assert.Equal(IoStatus.WouldBlock, Network.Write(stream, large).Status);
        Network.SetInterest(stream, Readiness.Write);
        Assert.Empty(_world.PollSockets());
        backend.Receive(first.Count);
        _world.AwaitReady(stream, Readiness.Write);
        Assert.InRange(Network.Write(stream, large).Count, 1, large.Length - 1);
    }

    [Fact]
    public void FullStream_SmallWrites_WouldBlockAfterSomeHundreds()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        var written = 0;
        while (Network.Write(stream, new byte[16]).IsOk)
            written++;
        Assert.InRange(written, 100, 10_000);
    }

    [Fact]
    public void AbortedBackendStream_PeerSeesTheEnd()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        using var backend = listener.Accept();
        Network.Abort(stream);
        Assert.Equal(StreamEnd.EndOfStream, backend.ReceiveEnd());
    }

    // ---- Clients over TCP ----

    [Fact]
    public void Accept_NobodyWaits_WouldBlock() =>
        Assert.Equal(IoStatus.WouldBlock, Network.Accept(out _, out _).Status);

    [Fact]
    public void Accept_OneWaits_TellsItsAddressAndCarriesBytes()
    {
        using var client = _world.ConnectClient();
        var (stream, endpoint) = _world.AcceptClient();
        Assert.Equal(client.Endpoint, endpoint);
        client.Send("query"u8);
        Network.SetInterest(stream, Readiness.Read);
        _world.AwaitReady(stream, Readiness.Read);
        Assert.Equal("query", ReadText(stream));
        Assert.Equal(IoResult.Ok(5), Network.Write(stream, "reply"u8));
        Assert.Equal("reply"u8.ToArray(), client.Receive(5));
        Network.Close(stream);
        Assert.Equal(StreamEnd.EndOfStream, client.ReceiveEnd());
    }

    [Fact]
    public void ClientHalfCloses_ReadEndsAndWritingGoesOn()
    {
        using var client = _world.ConnectClient();
        var (stream, _) = _world.AcceptClient();
        client.HalfClose();
        Network.SetInterest(stream, Readiness.Read);
        Assert.Equal(Readiness.Read, _world.AwaitReady(stream, Readiness.Read));
        Assert.Equal(IoStatus.EndOfStream, Network.Read(stream, new byte[8]).Status);
        Assert.Equal(IoResult.Ok(5), Network.Write(stream, "reply"u8));
        Assert.Equal("reply"u8.ToArray(), client.Receive(5));
    }

    [Fact]
    public void ClientResets_ReaderIsWokenAndReadsReset()
    {
        using var client = _world.ConnectClient();
        var (stream, _) = _world.AcceptClient();
        Network.SetInterest(stream, Readiness.Read);
        client.Reset();
        _world.AwaitReady(stream, Readiness.Read | Readiness.HangUp);
        Assert.Equal(IoStatus.Reset, Network.Read(stream, new byte[8]).Status);
        Assert.Equal(IoStatus.BrokenPipe, Network.Write(stream, "x"u8).Status);
    }

    [Fact]
    public void ClientResets_BeforeItIsAccepted_IsAcceptedAndReadsReset()
    {
        _world.ConnectClient().Reset();
        var (stream, _) = _world.AcceptClient();
        Assert.Equal(IoStatus.Reset, Network.Read(stream, new byte[8]).Status);
    }

    [Fact]
    public void AbortedClient_SeesAReset()
    {
        using var client = _world.ConnectClient();
        var (stream, _) = _world.AcceptClient();
        Network.Abort(stream);
        Assert.Equal(StreamEnd.Reset, client.ReceiveEnd());
    }

    [Fact]
    public void ClosedListener_TakesNoMoreClients()
    {
        Network.SetInterest(Network.Listener, Readiness.Read);
        Network.Close(Network.Listener);
        Assert.ThrowsAny<Exception>(() => _world.ConnectClient());
        Assert.Empty(_world.PollSockets());
    }

    private void AssertConnect(IoStatus expected, string name)
    {
        Assert.Equal(expected, Network.ConnectBackend(_world.PathOf(name), out _).Status);
    }

    private string ReadText(SocketHandle stream)
    {
        var buffer = new byte[64];
        var result = Network.Read(stream, buffer);
        Assert.Equal(IoStatus.Ok, result.Status);
        return Encoding.ASCII.GetString(buffer, 0, result.Count);
    }
}
