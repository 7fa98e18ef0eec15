// Owns what every INetwork must do with a stream once it is there, to a backend or from a client
// over TCP, on real sockets and on simulated ones: bytes, ends and resets, in which order they are
// met, and when a full one is writable again. NetworkContract has the table of what Linux was
// measured to do; every sequence of such calls on either family is compared by
// KernelAgreementTests.

using System;
using System.Linq;
using System.Text;
using Balancer.Core;
using Xunit;

namespace Tests.Integration.Contract;

public abstract class StreamContract : IDisposable
{
    private readonly NetworkWorld _world;

    protected StreamContract(NetworkWorld world) => _world = world;

    private INetwork Network => _world.Network;

    public void Dispose()
    {
        _world.Dispose();
        GC.SuppressFinalize(this);
    }

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
        Assert.Equal(IoResult.Failed(IoStatus.Reset, 104), Network.Read(stream, new byte[8]));
        Assert.Equal(IoResult.Failed(IoStatus.BrokenPipe, 32), Network.Write(stream, "x"u8));
    }

    [Fact]
    public void PeerSendsAndCloses_WithUnreadData_IsBytesThenResetOnceThenTheEnd()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        Network.Write(stream, "unread"u8);
        using (var backend = listener.Accept())
            backend.Send("bye"u8);
        Assert.Equal("bye", ReadText(stream));
        Assert.Equal(IoStatus.Reset, Network.Read(stream, new byte[8]).Status);
        Assert.Equal(IoStatus.EndOfStream, Network.Read(stream, new byte[8]).Status);
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
    public void HalfClose_PeerGone_IsNotAnError()
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
    public void FullStream_IsWritableOnlyWhenThreeQuartersAreFree_ThoughAWriteIsTakenBefore()
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        using var backend = listener.Accept();
        var written = 0;
        for (IoResult result; (result = Network.Write(stream, new byte[4096])).IsOk;)
            written += result.Count;
        Network.SetInterest(stream, Readiness.Write);
        backend.Receive(written * 2 / 3);
        Assert.Empty(_world.PollSockets());
        Assert.Equal(IoResult.Ok(1), Network.Write(stream, "x"u8));
        backend.Receive(written / 6);
        _world.AwaitReady(stream, Readiness.Write);
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
    public void Accept_SeveralWait_ComeInTheirOrder()
    {
        var clients = Enumerable.Range(0, 3).Select(_ => _world.ConnectClient().Endpoint).ToList();
        Assert.Equal(clients, clients.Select(_ => _world.AcceptClient().Client).ToList());
    }

    [Fact]
    public void ClientSendsAndCloses_BeforeItIsAccepted_IsBytesThenTheEnd()
    {
        using (var client = _world.ConnectClient())
            client.Send("bye"u8);
        var (stream, _) = _world.AcceptClient();
        Assert.Equal("bye", ReadText(stream));
        Assert.Equal(IoStatus.EndOfStream, Network.Read(stream, new byte[8]).Status);
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
    public void ClientResets_AfterItSent_IsBytesThenResetOnceThenTheEnd()
    {
        using var client = _world.ConnectClient();
        var (stream, _) = _world.AcceptClient();
        client.Send("bye"u8);
        Network.SetInterest(stream, Readiness.HangUp);
        client.Reset();
        _world.AwaitReady(stream, Readiness.HangUp);
        Assert.Equal("bye", ReadText(stream));
        Assert.Equal(IoStatus.Reset, Network.Read(stream, new byte[8]).Status);
        Assert.Equal(IoStatus.EndOfStream, Network.Read(stream, new byte[8]).Status);
    }

    [Fact]
    public void ClientResets_MetByAWrite_IsReportedOnce()
    {
        using var client = _world.ConnectClient();
        var (stream, _) = _world.AcceptClient();
        Network.SetInterest(stream, Readiness.HangUp);
        client.Reset();
        _world.AwaitReady(stream, Readiness.HangUp);
        Assert.Equal(IoStatus.Reset, Network.Write(stream, "x"u8).Status);
        Assert.Equal(IoStatus.BrokenPipe, Network.Write(stream, "x"u8).Status);
        Assert.Equal(IoStatus.EndOfStream, Network.Read(stream, new byte[8]).Status);
    }

    [Fact]
    public void ClientCloses_AllRead_TakesOneWriteAndIsThenABrokenPipe()
    {
        var client = _world.ConnectClient();
        var (stream, _) = _world.AcceptClient();
        client.Dispose();
        Network.SetInterest(stream, Readiness.Read);
        Assert.Equal(Readiness.Read, _world.AwaitReady(stream, Readiness.Read));
        Assert.Equal(IoResult.Ok(1), Network.Write(stream, "x"u8));
        Network.SetInterest(stream, Readiness.HangUp);
        _world.AwaitReady(stream, Readiness.HangUp);
        Assert.Equal(IoStatus.BrokenPipe, Network.Write(stream, "x"u8).Status);
        Assert.Equal(IoStatus.EndOfStream, Network.Read(stream, new byte[8]).Status);
    }

    [Fact]
    public void ClientCloses_WithUnreadData_IsAReset()
    {
        var client = _world.ConnectClient();
        var (stream, _) = _world.AcceptClient();
        Network.Write(stream, "unread"u8);
        client.Dispose();
        Network.SetInterest(stream, Readiness.Read);
        _world.AwaitReady(stream, Readiness.Read | Readiness.HangUp);
        Assert.Equal(IoStatus.Reset, Network.Read(stream, new byte[8]).Status);
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
    public void ClosedListener_ClientsNotAccepted_SeeAReset()
    {
        using var client = _world.ConnectClient();
        Network.Close(Network.Listener);
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

    private string ReadText(SocketHandle stream)
    {
        var buffer = new byte[64];
        var result = Network.Read(stream, buffer);
        Assert.Equal(IoStatus.Ok, result.Status);
        return Encoding.ASCII.GetString(buffer, 0, result.Count);
    }
}
