// Owns one direction of a proxied TCP connection: bytes from a source to a sink, in order, with a
// bound. While as many bytes wait as may, nothing is read from the source, so a peer that does not
// read slows down the one that writes, and not the balancer.
//
// A sink that reads no more is lost: what waits for it, and what the source still sends, is thrown
// away, so that the other direction can go on to its end. The source is read all the same, because
// a connection that is closed with bytes unread is reset, and loses what is on its way out.
//
// Answers that end before all whole queries are answered, or in the middle of one, were cut short:
// the sink is not given an end then, so that it cannot take them for complete.
//
// What the source sends may be kept back until it is known what it is, or what is ahead of it was
// answered: it waits in the queue like other bytes, behind those that may be written.
//
// What always holds: what the sink gets is a prefix of what the source sent, and behind it perhaps
// what is said in the place of the rest; the sink's end of stream comes after all
// bytes and only then; at most Limits.TcpQueueBytes wait; a read takes at most as many bytes.

using System;

namespace Balancer.Core;

/// <summary>Which side of a direction failed.</summary>
internal enum RelayStatus
{
    Ok,
    SourceFailed,
    SinkFailed,
}

/// <summary>The outcome of a step; Why says how a side failed.</summary>
internal readonly record struct RelayResult(RelayStatus Status, IoResult Why)
{
    public static readonly RelayResult Ok = new(RelayStatus.Ok, IoResult.Ok());
}

/// <summary>One direction.</summary>
internal sealed class RelayDirection(INetwork network, int readsPerVisit)
{
    private readonly ByteQueue _queue = new(Limits.TcpQueueBytes);
    private bool _sourceEnded;
    private bool _readWasFull;
    private DnsMessages _messages;
    private bool _isAnswered;

    /// <summary>So many bytes of the source may be written.</summary>
    private long _mayPass = long.MaxValue;

    /// <summary>The direction whose queries this one answers; null if it answers none.</summary>
    public RelayDirection? Queries { get; init; }

    public SocketHandle Source { get; set; }

    public SocketHandle Sink { get; set; }

    /// <summary>Bytes read from the source so far.</summary>
    public long BytesRead { get; private set; }

    /// <summary>Bytes that the sink took so far.</summary>
    public long BytesWritten { get; private set; }

    /// <summary>
    /// The source ended, and the sink, unless it is lost, has all bytes and the end.
    /// </summary>
    public bool IsFinished { get; private set; }

    /// <summary>
    /// The source ended before it had answered every query, and the sink has all that came.
    /// </summary>
    public bool IsCutShort { get; private set; }

    /// <summary>The last read came full, and there is room for another.</summary>
    public bool MayHaveMore => _readWasFull && WantsRead;

    public bool WantsRead => !_sourceEnded && _queue.Free > 0;

    /// <summary>The sink took not all bytes, and takes no more.</summary>
    public bool IsSinkLost { get; private set; }

    public bool WantsWrite => _queue.Count > Kept;

    /// <summary>What the source sends is kept back, from some byte on.</summary>
    private bool KeepsBack => _mayPass != long.MaxValue;

    /// <summary>Bytes that are kept back.</summary>
    public int Kept => (int)Math.Max(0, BytesRead - _mayPass);

    /// <summary>Bytes of the source that were written, or may be: all before the rest.</summary>
    public long Passed => BytesRead - Kept;

    /// <summary>Bytes that the source has not sent yet will not be kept back.</summary>
    public bool AwaitsMore => BytesRead < _mayPass;

    public bool HasSourceEnded => _sourceEnded;

    /// <summary>Messages that the source sent whole.</summary>
    public long Whole => _messages.Whole;

    /// <summary>Those of them that are long enough to ask or answer something.</summary>
    public long Questions => _messages.WithHeader;

    /// <summary>Those of them that are not an error of a backend that cannot answer.</summary>
    public long Good => _messages.Good;

    /// <summary>What the last of them says; null if it has no header.</summary>
    public ResponseCode? LastCode => _messages.LastCode;

    /// <summary>The source's last message has come in part.</summary>
    public bool IsInside => _messages.IsInside;

    /// <summary>What waits, those that are kept back last.</summary>
    public ByteQueue Queue => _queue;

    /// <summary>Begins with another source and nothing left of the one before.</summary>
    public void Begin(SocketHandle source)
    {
        Source = source;
        Sink = SocketHandle.None;
        _queue.Clear();
        _sourceEnded = false;
        _readWasFull = false;
        BytesRead = 0;
        BytesWritten = 0;
        IsFinished = false;
        IsCutShort = false;
        IsSinkLost = false;
        _messages = default;
        _isAnswered = false;
        _mayPass = long.MaxValue;
    }

    /// <summary>What the source sends from now on is kept back.</summary>
    public void KeepBack()
    {
        Verify.That(!AwaitsMore || !KeepsBack, "what may pass, passes before more is kept back");
        _mayPass = BytesRead;
    }

    /// <summary>
    /// Copies the first bytes that are kept back, or those behind so many; returns how many.
    /// </summary>
    public int PeekKept(Span<byte> into, int behind = 0) =>
        _queue.Peek(_queue.Count - Kept + behind, into);

    /// <summary>
    /// Empty messages that what is kept back begins with: all of them, or as many as lie in one
    /// piece.
    /// </summary>
    public int KeptEmpty => Kept <= _messages.EmptyBytes
        ? Kept / DnsMessages.LengthBytes
        : DnsMessages.EmptyAtFront(_queue.PieceBehind(_queue.Count - Kept));

    /// <summary>
    /// So many more bytes may be written, whether they are there or not; the next write is up to
    /// the caller.
    /// </summary>
    public void LetPass(int bytes)
    {
        Verify.That(KeepsBack, "only what is kept back can be let pass");
        _mayPass += bytes;
    }

    /// <summary>
    /// Nothing of the source is relayed any more: the sink is sent these bytes, and then the end.
    /// </summary>
    public RelayResult EndWith(ReadOnlySpan<byte> bytes)
    {
        _isAnswered = true;
        _sourceEnded = true;
        _queue.Append(bytes);
        return OnSinkWritable();
    }

    /// <summary>
    /// Reads the source, and writes on what the sink takes; again, up to a bound, while a read
    /// comes full and the sink takes all of it.
    /// </summary>
    public RelayResult OnSourceReadable(byte[] buffer)
    {
        var reads = readsPerVisit;
        return OnSourceReadable(buffer, ref reads);
    }

    /// <summary>
    /// The same with so many reads at most, 1 or more; says how many are left. What is kept back
    /// ends it too, since it may go on when it has been looked at.
    /// </summary>
    public RelayResult OnSourceReadable(byte[] buffer, ref int reads)
    {
        do
        {
            reads--;
            var result = ReadOnce(buffer);
            if (result.Status != RelayStatus.Ok)
                return result;
        }
        while (reads > 0 && MayHaveMore && !WantsWrite && Kept == 0);
        return RelayResult.Ok;
    }

    /// <summary>The sink reads no more: everything for it is thrown away from now on.</summary>
    public void LoseSink()
    {
        Verify.That(!IsSinkLost, "a lost sink is not written to, and so is not lost again");
        IsSinkLost = true;
        _mayPass = long.MaxValue;
        _queue.Clear();
        FinishIfDone();
    }

    /// <summary>Writes what waits, as far as the sink takes it.</summary>
    public RelayResult OnSinkWritable()
    {
        while (WantsWrite)
        {
            var front = Math.Min(_queue.Front.Length, _queue.Count - Kept);
            var result = network.Write(Sink, _queue.Front[..front]);
            if (result.Status == IoStatus.WouldBlock)
                break;
            if (!result.IsOk)
                return new RelayResult(RelayStatus.SinkFailed, result);
            _queue.Consume(result.Count);
            BytesWritten += result.Count;
            if (result.Count < front)
                break;
        }
        FinishIfDone();
        return RelayResult.Ok;
    }

    private RelayResult ReadOnce(byte[] buffer)
    {
        _readWasFull = false;
        if (!WantsRead)
            return RelayResult.Ok;
        var into = buffer.AsSpan(0, Math.Min(buffer.Length, _queue.Free));
        var result = network.Read(Source, into);
        if (result.Status == IoStatus.WouldBlock)
            return RelayResult.Ok;
        if (result.Status == IoStatus.EndOfStream)
        {
            _sourceEnded = true;
            FinishIfDone();
            return RelayResult.Ok;
        }
        if (!result.IsOk)
            return new RelayResult(RelayStatus.SourceFailed, result);
        BytesRead += result.Count;
        if (!IsSinkLost)
            _messages.Take(into[..result.Count]);
        _readWasFull = result.Count == into.Length;
        return WriteOrQueue(into[..result.Count]);
    }

    private RelayResult WriteOrQueue(ReadOnlySpan<byte> bytes)
    {
        if (IsSinkLost)
            return RelayResult.Ok;
        var passing = bytes.Length - Math.Min(bytes.Length, Kept);
        if (_queue.IsEmpty && passing > 0)
        {
            var result = network.Write(Sink, bytes[..passing]);
            if (!result.IsOk && result.Status != IoStatus.WouldBlock)
                return new RelayResult(RelayStatus.SinkFailed, result);
            bytes = bytes[result.Count..];
            BytesWritten += result.Count;
        }
        _queue.Append(bytes);
        return RelayResult.Ok;
    }

    /// <summary>
    /// Queries that the source no longer read do not count once it has answered any: whoever asks
    /// behind an answer gets all of that.
    /// </summary>
    public bool LacksAnswers => !_isAnswered && Queries is { _messages.Whole: > 0 } queries
        && (_messages.IsInside || _messages.Whole == 0
            || (!queries.IsSinkLost && _messages.Whole < queries._messages.Whole));

    private void FinishIfDone()
    {
        // Before there is a sink, the end is not passed on.
        if (!_sourceEnded || IsFinished || Sink.IsNone)
            return;
        if (!_queue.IsEmpty)
            return;
        if (LacksAnswers)
        {
            IsCutShort = true;
            return;
        }
        IsFinished = true;
        if (!IsSinkLost)
            network.HalfClose(Sink);
    }
}
