// An INetwork of which a test says what each call answers, for tests of one class that need just
// that: no queues, no time and no rules, unlike the simulated kernel. What a test says nothing
// about waits for ever.

using System;
using System.Collections.Generic;
using Balancer.Core;

namespace Tests.Unit.Core;

internal sealed class ScriptedNetwork : INetwork
{
    private uint _streams;

    /// <summary>Called by Wait with its limit; what it gives are the events.</summary>
    public Func<Instant, NetworkEvent[]> OnWait { get; set; } = _ => [];

    /// <summary>Answers of Write; when there are none left, it takes everything.</summary>
    public Queue<IoResult> WriteAnswers { get; } = new();

    /// <summary>What Write took, oldest first.</summary>
    public List<byte> Written { get; } = [];

    /// <summary>What Read answers.</summary>
    public IoResult ReadAnswer { get; set; } = IoResult.Failed(IoStatus.WouldBlock);

    /// <summary>Whether every receive fills its batch.</summary>
    public bool IsFlooded { get; set; }

    public int Writes { get; private set; }

    public int Reads { get; private set; }

    public int Receives { get; private set; }

    public int Accepts { get; private set; }

    /// <summary>Room for events that the last Wait had.</summary>
    public int RoomForEvents { get; private set; }

    /// <summary>The newest stream that ConnectBackend gave; all have one slot.</summary>
    public SocketHandle Stream => _streams == 0 ? SocketHandle.None : new(7, _streams);

    /// <summary>The interest last set of any stream.</summary>
    public Readiness StreamInterest { get; private set; }

    public List<SocketHandle> Closed { get; } = [];

    public Endpoint ListenEndpoint { get; } = new(Ipv4.Loopback, 53);

    public SocketHandle DatagramSocket { get; } = new(0, 1);

    public SocketHandle Listener { get; } = new(1, 1);

    public int DropReads { get; private set; }

    public long DatagramsDropped
    {
        get
        {
            DropReads++;
            return 0;
        }
    }

    public long ConnectionsDropped
    {
        get
        {
            DropReads++;
            return 0;
        }
    }

    public IoResult Unwatched { get; set; } = IoResult.Ok();

    public int Wait(Instant until, Span<NetworkEvent> events)
    {
        RoomForEvents = events.Length;
        var happened = OnWait(until);
        happened.CopyTo(events);
        return happened.Length;
    }

    public void MakeUrgent(SocketHandle stream)
    {
    }

    public void SetInterest(SocketHandle socket, Readiness interest)
    {
        if (socket != DatagramSocket && socket != Listener)
            StreamInterest = interest;
    }

    public IoResult ReceiveDatagrams(DatagramBatch batch)
    {
        Receives++;
        batch.Clear();
        var peer = new Endpoint(Ipv4.From(10, 0, 0, 1), 9);
        while (IsFlooded && batch.TryAdd(peer, Ipv4.Loopback, [0]))
        {
        }
        return IsFlooded ? IoResult.Ok(batch.Count) : IoResult.Failed(IoStatus.WouldBlock);
    }

    public IoResult SendDatagrams(DatagramBatch batch, int first) =>
        IoResult.Ok(batch.Count - first);

    public IoResult Accept(out SocketHandle stream, out Endpoint client)
    {
        Accepts++;
        (stream, client) = (default, default);
        return IoResult.Failed(IoStatus.WouldBlock);
    }

    public IoResult ConnectBackend(ReadOnlySpan<byte> path, out SocketHandle stream)
    {
        _streams++;
        stream = Stream;
        return IoResult.Ok();
    }

    public IoResult Read(SocketHandle stream, Span<byte> into)
    {
        Reads++;
        return ReadAnswer;
    }

    public IoResult Write(SocketHandle stream, ReadOnlySpan<byte> from)
    {
        Writes++;
        var answer = WriteAnswers.TryDequeue(out var next) ? next : IoResult.Ok(from.Length);
        Written.AddRange(from[..answer.Count]);
        return answer;
    }

    public void HalfClose(SocketHandle stream)
    {
    }

    public void Discard(Span<byte> unused)
    {
    }

    public void Close(SocketHandle socket) => Closed.Add(socket);

    public void Abort(SocketHandle stream) => Closed.Add(stream);
}
