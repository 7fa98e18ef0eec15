// Owns what every INetwork must do with waiting, handles and connects, on real sockets and on
// simulated ones; what a stream carries is in StreamContract, datagrams are in DatagramContract,
// directories in DirectoryContract. What Linux was measured to do, and the tests that hold both
// kernels to it, here unless another contract is named:
//
//   connect to an absent path: ENOENT         Connect_AbsentPath_…, _BelowAPlainFile_…,
//                                             _DanglingLink_…, _ToSocketThatWasStopped_…
//   to a file, a folder, a stale socket:      Connect_PlainFile_…, _Folder_…, _StaleSocket_…,
//     ECONNREFUSED                            _LinkToAFile_…
//   backlog full: EAGAIN at once              Connect_BacklogFull_…
//   connected but never accepted: connect     Connect_NeverAccepted_…,
//     succeeds                                ListenerCloses_ConnectionsNotAccepted_…
//   peer closes with unread data: read        PeerCloses_WithUnreadData_…,
//     ECONNRESET, write EPIPE                 PeerSendsAndCloses_WithUnreadData_…
//                                             (StreamContract)
//   a full stream: short writes with large    FullStream_LargeWrites_…, _SmallWrites_…,
//     buffers, EAGAIN after some small ones   _IsWritableOnlyWhen… (StreamContract)
//   datagram larger than the buffer: cut,     Receive_LongDatagram_… (DatagramContract)
//     with MSG_TRUNC
//   UDP to port 0 EINVAL, to broadcast        Send_ToPortZero_…, Send_ToBroadcast_…,
//     EACCES                                  Send_OneOfManyFails_… (DatagramContract)
//   a listener that crashes leaves its path,  Connect_StaleSocket_…, Scan_StaleSocket_…
//     one that stops unlinks it               (DirectoryContract)
//
// Beyond that table, what the core leans on: readiness that is told until it is dealt with, which
// hang-ups are told, and the order in which bytes, ends and errors are met. Every sequence of those
// on either family is compared by KernelAgreementTests.

using System;
using System.Linq;
using System.Text;
using Balancer.Core;
using Xunit;

namespace Tests.Integration.Contract;

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
    public void UrgentStream_IsReportedBeforeOlderOnes_HoweverLittleRoomThereIs()
    {
        using var listener = _world.Listen("b");
        var peers = new System.Collections.Generic.List<IStreamPeer>();
        for (var i = 0; i < 8; i++)
            peers.Add(MakeReadable(listener, isUrgent: false).Peer);
        var (urgent, peer) = MakeReadable(listener, isUrgent: true);
        peers.Add(peer);
        _world.AwaitReady(urgent, Readiness.Read);

        for (var n = 0; n < 5; n++)
            Assert.Equal(urgent, Assert.Single(_world.PollSockets(room: 1)).Handle);
        for (var n = 0; n < 5; n++)
        {
            var polled = _world.PollSockets(room: 3);
            Assert.Equal(3, polled.Length);
            Assert.Contains(polled, came => came.Handle == urgent);
        }
        peers.ForEach(other => other.Dispose());
    }

    [Fact]
    public void DatagramAndClientWaiting_AreReportedBeforeStreams()
    {
        using var listener = _world.Listen("b");
        using var peer = MakeReadable(listener, isUrgent: false).Peer;
        Network.SetInterest(Network.DatagramSocket, Readiness.Read);
        Network.SetInterest(Network.Listener, Readiness.Read);
        using var asker = _world.NewDatagramPeer(Ipv4.Loopback);
        asker.Send(Network.ListenEndpoint, "q"u8);
        using var client = _world.ConnectClient();
        _world.AwaitReady(Network.Listener, Readiness.Read);
        _world.AwaitReady(Network.DatagramSocket, Readiness.Read);

        for (var n = 0; n < 5; n++)
        {
            Assert.Equal(
                new[] { Network.DatagramSocket, Network.Listener }.ToHashSet(),
                _world.PollSockets(room: 2).Select(came => came.Handle).ToHashSet());
        }
    }

    [Fact]
    public void ManyStreamsReady_LittleRoom_AllAreReportedInTurn()
    {
        using var listener = _world.Listen("b");
        var pairs = Enumerable.Range(0, 8)
            .Select(_ => MakeReadable(listener, isUrgent: false)).ToArray();
        foreach (var (stream, _) in pairs)
            _world.AwaitReady(stream, Readiness.Read);

        var reported = Enumerable.Range(0, 4)
            .SelectMany(_ => _world.PollSockets(room: 2)).Select(came => came.Handle).ToHashSet();

        Assert.Equal(8, reported.Count);
        Array.ForEach(pairs, pair => pair.Peer.Dispose());
    }

    private (SocketHandle Stream, IStreamPeer Peer) MakeReadable(
        IListenerPeer listener, bool isUrgent)
    {
        var stream = _world.Connect("b");
        var peer = listener.Accept();
        if (isUrgent)
            Network.MakeUrgent(stream);
        Network.SetInterest(stream, Readiness.Read);
        peer.Send("x"u8);
        return (stream, peer);
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
    public void WaitingClient_NotAccepted_IsReportedAgain()
    {
        using var client = _world.ConnectClient();
        Network.SetInterest(Network.Listener, Readiness.Read);
        _world.AwaitReady(Network.Listener, Readiness.Read);
        _world.AwaitReady(Network.Listener, Readiness.Read);
        Assert.True(Network.Accept(out _, out _).IsOk);
        Assert.Empty(_world.PollSockets());
    }

    [Theory]
    [InlineData(StreamFamily.Unix, true)]
    [InlineData(StreamFamily.Unix, false)]
    [InlineData(StreamFamily.Tcp, true)]
    [InlineData(StreamFamily.Tcp, false)]
    public void HalfCloses_InEitherOrder_AreAHangUpOnceBothAreDone(
        StreamFamily family, bool peerFirst)
    {
        var (stream, peer) = _world.ConnectPair(family);
        Network.SetInterest(stream, Readiness.HangUp);
        if (peerFirst)
            peer.HalfClose();
        else
            Network.HalfClose(stream);
        Assert.Empty(_world.PollSockets());
        if (peerFirst)
            Network.HalfClose(stream);
        else
            peer.HalfClose();
        Assert.Equal(Readiness.HangUp, _world.AwaitReady(stream, Readiness.HangUp));
        Assert.Equal(IoStatus.EndOfStream, Network.Read(stream, new byte[8]).Status);
        Assert.Equal(IoStatus.BrokenPipe, Network.Write(stream, "x"u8).Status);
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
    public void Connect_AbsentPath_IsNotFound() =>
        Assert.Equal(IoResult.Failed(IoStatus.NotFound, 2), TryConnect("absent"));

    [Fact]
    public void Connect_DanglingLink_IsNotFound()
    {
        _world.MakeLink("link", "absent");
        Assert.Equal(IoResult.Failed(IoStatus.NotFound, 2), TryConnect("link"));
    }

    [Fact]
    public void Connect_LinkToItself_IsAnErrorOfItsOwn()
    {
        _world.MakeLink("loop", "loop");
        Assert.Equal(IoResult.Failed(IoStatus.Other, 40), TryConnect("loop"));
    }

    [Fact]
    public void Connect_BelowAPlainFile_IsNotFound()
    {
        _world.MakeFile("file");
        Assert.Equal(IoStatus.NotFound, TryConnect("file/below").Status);
    }

    [Fact]
    public void Connect_PlainFile_IsRefused()
    {
        _world.MakeFile("file");
        Assert.Equal(IoResult.Failed(IoStatus.Refused, 111), TryConnect("file"));
    }

    [Fact]
    public void Connect_LinkToAFile_IsRefused()
    {
        _world.MakeFile("file");
        _world.MakeLink("link", "file");
        Assert.Equal(IoResult.Failed(IoStatus.Refused, 111), TryConnect("link"));
    }

    [Fact]
    public void Connect_Folder_IsRefused()
    {
        _world.MakeFolder("folder");
        Assert.Equal(IoResult.Failed(IoStatus.Refused, 111), TryConnect("folder"));
    }

    [Fact]
    public void Connect_StaleSocket_IsRefused()
    {
        _world.Listen("stale").Dispose();
        Assert.Equal(IoResult.Failed(IoStatus.Refused, 111), TryConnect("stale"));
    }

    [Fact]
    public void Connect_ToSocketThatWasStopped_IsNotFound()
    {
        _world.Listen("stopped").Retire();
        Assert.Equal(IoResult.Failed(IoStatus.NotFound, 2), TryConnect("stopped"));
    }

    [Fact]
    public void Connect_ToSocketThatWasReplaced_GoesToTheNewOne()
    {
        using var old = _world.Listen("b");
        var before = _world.Connect("b");
        using var young = _world.Listen("b");
        Network.Write(_world.Connect("b"), "new"u8);
        Network.Write(before, "old"u8);
        Assert.Equal("new"u8.ToArray(), young.Accept().Receive(3));
        Assert.Equal("old"u8.ToArray(), old.Accept().Receive(3));
    }

    [Fact]
    public void Connect_PathUnlinkedAfterwards_StreamsGoOn()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        _world.Delete("b");
        Assert.Equal(IoStatus.NotFound, TryConnect("b").Status);
        Assert.Equal(IoResult.Ok(4), Network.Write(stream, "ping"u8));
        using var backend = listener.Accept();
        Assert.Equal("ping"u8.ToArray(), backend.Receive(4));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    public void Connect_BacklogFull_WouldBlockUntilOneIsAccepted(int backlog)
    {
        using var listener = _world.Listen("b", backlog);
        for (var i = 0; i < backlog + 1; i++)
            Assert.Equal(IoStatus.Ok, TryConnect("b").Status);
        Assert.Equal(IoResult.Failed(IoStatus.WouldBlock, 11), TryConnect("b"));
        Assert.Equal(IoResult.Failed(IoStatus.WouldBlock, 11), TryConnect("b"));
        listener.Accept();
        Assert.Equal(IoStatus.Ok, TryConnect("b").Status);
        Assert.Equal(IoStatus.WouldBlock, TryConnect("b").Status);
    }

    [Fact]
    public void Connects_AreAcceptedInTheirOrder()
    {
        using var listener = _world.Listen("b");
        foreach (var name in new[] { "1", "2", "3" })
            Network.Write(_world.Connect("b"), Encoding.ASCII.GetBytes(name));
        foreach (var name in new[] { "1", "2", "3" })
            Assert.Equal(Encoding.ASCII.GetBytes(name), listener.Accept().Receive(1));
    }

    [Fact]
    public void ListenerCloses_ConnectionsNotAccepted_AreReset()
    {
        var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        Network.SetInterest(stream, Readiness.Read | Readiness.Write);
        listener.Dispose();
        _world.AwaitReady(stream, Readiness.Read | Readiness.Write | Readiness.HangUp);
        Assert.Equal(IoStatus.Reset, Network.Read(stream, new byte[8]).Status);
        Assert.Equal(IoStatus.EndOfStream, Network.Read(stream, new byte[8]).Status);
        Assert.Equal(IoStatus.BrokenPipe, Network.Write(stream, "x"u8).Status);
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

    private IoResult TryConnect(string name) =>
        Network.ConnectBackend(_world.PathOf(name), out _);
}
