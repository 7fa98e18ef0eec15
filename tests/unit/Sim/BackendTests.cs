// The scripted backend: what it answers by itself, what it records, how it ends, and that a steady
// flow through it and the kernel allocates nothing.

using System;
using System.Buffers.Binary;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class BackendTests
{
    private readonly Host _host = new();
    private readonly SimBackend _backend;

    public BackendTests() => _backend = new SimBackend(_host.Kernel, "5301");

    [Fact]
    public void Hello_IsAnsweredAtOnce()
    {
        var stream = ConnectWithHello();
        Assert.Equal(Frame(1001), ReadAll(stream));
        Assert.NotNull(_backend.Control);
    }

    [Fact]
    public void DelayedHello_ComesThen()
    {
        _backend.HelloDelay = Duration.FromSeconds(2);
        var stream = ConnectWithHello();
        Assert.Empty(ReadAll(stream));
        _host.Wait(Duration.FromSeconds(2));
        Assert.Equal(Frame(1001), ReadAll(stream));
    }

    [Fact]
    public void HelloSwitchedOff_StaysSilent()
    {
        _backend.AnswersHello = false;
        var stream = ConnectWithHello();
        _host.Wait(Duration.FromSeconds(60));
        Assert.Empty(ReadAll(stream));
        Assert.Equal(1, _backend.Control!.Hellos);
    }

    [Fact]
    public void FramesInSingleBytes_AreUnderstood()
    {
        var stream = ConnectWithHello();
        ReadAll(stream);
        byte[] bytes = [.. Query("abc"), .. Frame(4), .. Query("")];
        foreach (var single in bytes)
        {
            _host.Network.Write(stream, [single]);
            _host.Poll();
        }
        Assert.Equal(["abc", ""], _backend.Queries.Select(
            query => System.Text.Encoding.ASCII.GetString(query.Payload)));
        Assert.Equal(Host.Client, _backend.Queries[0].Source);
        Assert.Equal(Frame(1004), ReadAll(stream));
        Assert.Null(_backend.Control!.Violation);
    }

    [Fact]
    public void Reply_IsAnOutboundUdp()
    {
        var stream = ConnectWithHello();
        ReadAll(stream);
        _backend.Reply(Host.Client, "xyz"u8);
        byte[] expected = [.. Frame(1002, 0x0a4d4d05, 4000, 3), .. "xyz"u8];
        Assert.Equal(expected, ReadAll(stream));
    }

    [Fact]
    public void TcpSession_IsTakenAndEchoed()
    {
        _backend.EchoesTcp = true;
        _host.Connect("5301", out var stream);
        byte[] bytes = [.. Frame(3, 0x0a4d4d05, 4000), .. "hi"u8];
        _host.Network.Write(stream, bytes);
        _host.Network.HalfClose(stream);
        _host.Poll();
        byte[] expected = [.. Frame(1003), .. "hi"u8];
        Assert.Equal(expected, ReadAll(stream));
        Assert.Equal(IoStatus.EndOfStream, _host.Read(stream).Status);
        var session = Assert.Single(_backend.TcpSessions);
        Assert.Equal(Host.Client, session.Source);
        Assert.Equal("hi"u8.ToArray(), session.TcpBytes);
    }

    [Fact]
    public void WrongFrame_IsKeptAsViolation()
    {
        var stream = ConnectWithHello();
        _host.Network.Write(stream, Frame(77));
        _host.Poll();
        Assert.NotNull(_backend.Control!.Violation);
    }

    [Fact]
    public void HungBackend_ReadsNothingUntilItResumes()
    {
        var stream = ConnectWithHello();
        ReadAll(stream);
        _backend.Hang();
        _host.Network.Write(stream, Frame(4));
        _host.Poll();
        Assert.Empty(ReadAll(stream));
        Assert.Equal(4, _backend.Control!.Stream.Available);
        _backend.Resume();
        Assert.Equal(Frame(1004), ReadAll(stream));
    }

    [Fact]
    public void Crash_LeavesAStalePathAndStopLeavesNone()
    {
        var stream = ConnectWithHello();
        ReadAll(stream);
        _backend.Crash();
        Assert.Equal(IoStatus.EndOfStream, _host.Read(stream).Status);
        Assert.Equal(IoStatus.Refused, _host.Connect("5301", out _).Status);
        _backend.Rebind();
        Assert.True(_host.Connect("5301", out _).IsOk);
        _backend.Stop();
        Assert.Equal(IoStatus.NotFound, _host.Connect("5301", out _).Status);
    }

    [Fact]
    public void SteadyFlow_AllocatesNothing()
    {
        _host.Kernel.RecordDatagrams = false;
        _backend.Records = false;
        _backend.EchoesQueries = true;
        _host.Network.SetInterest(_host.Network.DatagramSocket, Readiness.Read);
        var stream = ConnectWithHello();
        _host.Network.SetInterest(stream, Readiness.Read);
        var relay = new Relay(_host, stream);
        relay.Run(2_000);
        var rounds = new long[4];
        foreach (ref var allocated in rounds.AsSpan())
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            relay.Run(5_000);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        // The runtime allocates a little of its own when it compiles a method anew.
        Assert.Equal(0, rounds.Min());
        Assert.Equal(22_000, _backend.QueryCount);
        Assert.Equal(22_000, _host.Kernel.Datagrams.SentCount);
    }

    private SocketHandle ConnectWithHello()
    {
        Assert.True(_host.Connect("5301", out var stream).IsOk);
        _host.Network.Write(stream, Frame(1));
        _host.Poll();
        return stream;
    }

    private byte[] ReadAll(SocketHandle stream)
    {
        var into = new byte[1000];
        return into[.._host.Network.Read(stream, into).Count];
    }

    private static byte[] Query(string text) =>
        [.. Frame(2, 0x0a4d4d05, 4000, (uint)text.Length), .. Host.Bytes(text)];

    private static byte[] Frame(params uint[] words)
    {
        var bytes = new byte[words.Length * 4];
        for (var i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i * 4), words[i]);
        return bytes;
    }

    /// <summary>The least that a balancer does with queries, in fixed buffers.</summary>
    private sealed class Relay(Host host, SocketHandle stream)
    {
        private readonly NetworkEvent[] _events = new NetworkEvent[8];
        private readonly DatagramBatch _queries = new();
        private readonly DatagramBatch _replies = new();
        private readonly byte[] _frame = Query("0123456789");
        private readonly byte[] _read = new byte[4096];

        public void Run(int queries)
        {
            for (var i = 0; i < queries; i++)
            {
                host.Kernel.InjectDatagram(Host.Client, _frame.AsSpan(16));
                host.Network.Wait(host.Kernel.Now, _events);
                host.Network.ReceiveDatagrams(_queries);
                host.Network.Write(stream, _frame);
                host.Network.Wait(host.Kernel.Now, _events);
                host.Network.Read(stream, _read);
                _replies.Clear();
                _replies.TryAdd(_queries.Headers[0].Peer, Ipv4.Any, _read.AsSpan(16, 10));
                host.Network.SendDatagrams(_replies, 0);
            }
        }
    }
}
