// Owns the client hosts: each a thread that asks from an address of its own, over UDP and TCP,
// who answers (CH TXT id.server, which Binder's kin answer with their name), and for an address.
//
// What always holds: a query that is not answered in time is counted as asked and not more; the
// next one goes out all the same.

using System;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Threading;

namespace Demo;

internal sealed class Client
{
    /// <summary>Between two rounds of a client; a fraction differs, so that they spread.</summary>
    private const int RoundMilliseconds = 400;

    private const int TimeoutMilliseconds = 1000;

    private readonly Host _host;
    private readonly Board _board;
    private readonly IPEndPoint _server;
    private readonly ManualResetEventSlim _stop;
    private readonly Thread _thread;
    private ushort _lastId;

    private Client(Host host, Board board, int port, ManualResetEventSlim stop)
    {
        _host = host;
        _board = board;
        _server = new IPEndPoint(IPAddress.Loopback, port);
        _stop = stop;
        _thread = new Thread(Ask) { IsBackground = true, Name = host.Address };
    }

    public static Client Start(Host host, Board board, int port, ManualResetEventSlim stop)
    {
        var client = new Client(host, board, port, stop);
        client._thread.Start();
        return client;
    }

    public void Join() => _thread.Join();

    private void Ask()
    {
        var pause = RoundMilliseconds + _host.Address[^1] % 10 * 10;
        while (!_stop.IsSet)
        {
            if (TryAsk(OverUdp, DnsQuestion.WhoAnswers, out var server))
                _board.ServedOverUdp(_host, server);
            if (TryAsk(OverTcp, DnsQuestion.WhoAnswers, out server))
                _board.ServedOverTcp(_host, server);
            TryAsk(OverUdp, DnsQuestion.AnAddress, out _);
            _stop.Wait(pause);
        }
    }

    /// <summary>Asks and counts; true with the text of the answer when it has one.</summary>
    private bool TryAsk(Func<byte[], byte[], int> way, DnsQuestion question, out string text)
    {
        text = "";
        var query = question.Message(++_lastId);
        var reply = new byte[1500];
        _board.Asked(_host);
        var clock = Stopwatch.StartNew();
        try
        {
            var length = way(query, reply);
            if (!DnsQuestion.IsReply(reply.AsSpan(0, length), _lastId))
                return false;
            _board.AnsweredBy(_host, clock.Elapsed);
            text = DnsQuestion.FirstText(reply.AsSpan(0, length));
            return text.Length > 0;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private int OverUdp(byte[] query, byte[] reply)
    {
        using var socket = Open(SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(_server);
        socket.Send(query);
        return socket.Receive(reply);
    }

    private int OverTcp(byte[] query, byte[] reply)
    {
        using var socket = Open(SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(_server);
        var framed = new byte[query.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)query.Length);
        query.CopyTo(framed, 2);
        socket.Send(framed);
        var prefix = new byte[2];
        if (!TryReceive(socket, prefix))
            return 0;
        var length = BinaryPrimitives.ReadUInt16BigEndian(prefix);
        return length <= reply.Length && TryReceive(socket, reply.AsSpan(0, length)) ? length : 0;
    }

    private static bool TryReceive(Socket socket, Span<byte> all)
    {
        while (!all.IsEmpty)
        {
            var count = socket.Receive(all);
            if (count == 0)
                return false;
            all = all[count..];
        }
        return true;
    }

    private Socket Open(SocketType type, ProtocolType protocol)
    {
        var socket = new Socket(AddressFamily.InterNetwork, type, protocol)
        {
            ReceiveTimeout = TimeoutMilliseconds,
            SendTimeout = TimeoutMilliseconds,
        };
        socket.Bind(new IPEndPoint(IPAddress.Parse(_host.Address), 0));
        return socket;
    }
}
