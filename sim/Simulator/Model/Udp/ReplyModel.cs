// Owns the replies that backends gave and the balancer owes its clients: decoded by the checker's
// own decoder, judged by the rules for replies, and then expected, in order, as datagrams sent or
// refused by the kernel.
//
// What always holds: a reply is in exactly one counter; what is owed at a turn's end
// was lost.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Replies between a backend's bytes and the UDP socket.</summary>
internal sealed class ReplyModel(ReferenceModel model)
{
    private readonly record struct Owed(Endpoint To, Ipv4 From, int Length, int Batch);

    private readonly Queue<Owed> _owed = new();
    private readonly ExpectedBytes _payloads = new();
    private int _ofTurn;
    private int _sessionReads;
    private int _mayTake;
    private int _framesOfRead;

    /// <summary>Queries that a reply answered, each by its first.</summary>
    public long Answered { get; private set; }

    /// <summary>Replies that this turn decoded, whatever became of them.</summary>
    public int InTurn { get; private set; }

    /// <summary>Sessions of which the rest may be read in this turn.</summary>
    public int Rests { get; private set; }

    public void OnRest(bool mayHave) => Rests += mayHave ? 1 : 0;

    public void OnTurnBegan()
    {
        _ofTurn = 0;
        InTurn = 0;
        Rests = 0;
        _sessionReads = 0;
        _mayTake = model.Work.FramesPerTurn;
    }

    /// <summary>A frame was taken out of what a session's read brought.</summary>
    public void OnFrame() => _framesOfRead++;

    /// <summary>
    /// A session was read. What a read asks for follows from how many replies the turn may take,
    /// and one that brought as much may have left something.
    /// </summary>
    public void OnSessionWasRead(ExpectedSession session, int bytes)
    {
        session.IsReadable = bytes > 0 && bytes == _mayTake * SpecifiedLimits.LeastReplyBytes;
        _mayTake -= Math.Max(model.Work.FramesOfAVisit, _framesOfRead);
        _framesOfRead = 0;
    }

    /// <summary>A session is read, which only so many are in one turn.</summary>
    public void OnSessionRead(ExpectedSession session)
    {
        var reads = model.Work.FramesPerTurn / model.Work.FramesOfAVisit;
        if (++_sessionReads <= reads || model.Life.IsStopping)
            return;
        model.Report(ViolationKind.Unbounded,
            $"session {session.Stream} of {session.Backend} was read"
            + $" when {_sessionReads - 1} reads of sessions had been made in one turn",
            session.Backend);
    }

    /// <summary>A live session's OUTBOUND_UDP.</summary>
    public void OnReply(ExpectedSession session, in SeenFrame frame)
    {
        InTurn++;
        model.Counters.Add(Counter.RepliesReceived);
        if (frame.Length > 1500)
        {
            model.Counters.Add(Counter.RepliesOversized);
        }
        else if (frame.Port is 0 or > 65_535)
        {
            model.Counters.Add(
                frame.Port == 0 ? Counter.RepliesToPortZero : Counter.RepliesToPortTooLarge);
        }
        else
        {
            Match(session, new Endpoint(new Ipv4(frame.Address), (ushort)frame.Port),
                frame.Payload);
        }
    }

    private void Match(ExpectedSession session, Endpoint to, ReadOnlySpan<byte> payload)
    {
        if (session.InFlight.FindAnswered(
            model.Now, to, payload, model.Standstill) is not { } query)
        {
            model.Counters.Add(Counter.RepliesUnmatched);
            return;
        }
        session.InFlight.Remove(query);
        session.InFlight.OnAnswered(model.Now, query);
        if (model.Resends.MayHold(session, query, payload))
        {
            model.Counters.Add(Counter.RepliesHeld);
            model.Resends.Hold(session, query, payload);
            model.Failing.OnAnswer(session, payload);
            return;
        }
        // A cold backend answers an error to what will end it when it has its data.
        if (!AnswerList.IsError(payload) || (!session.IsRetired
            && ResendModel.HasAnswered(session) && !model.Resends.IsStarting(session)))
            model.Quarantine.OnAnswered(query.Packet, payload);
        model.Failing.OnAnswer(session, payload);
        if (query.Pair is { } pair && !pair.TryAnswer())
        {
            model.Counters.Add(Counter.RepliesDuplicate);
            return;
        }
        model.Counters.Add(Counter.ResendsAnswered, query.WasResent ? 1 : 0);
        Answered++;
        model.Policy.OnAnswered(model.Now, to.Address);
        _owed.Enqueue(new Owed(
            to, query.Local, payload.Length, _ofTurn++ / SpecifiedLimits.DatagramsOfACall));
        _payloads.Append(payload);
    }

    public void OnSent(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        if (model.OwnAnswers.OnSent(in header, payload))
            return;
        while (!(IsNext(in header) && IsNextPayload(payload)) && model.Resends.TryStep())
        {
            model.Arrivals.ReportUntold();
            if (model.OwnAnswers.OnSent(in header, payload))
                return;
        }
        if (!_owed.TryPeek(out var owed))
        {
            Invented(in header, "no reply asked for it");
            return;
        }
        if (header.Peer != owed.To || header.Local != owed.From || payload.Length != owed.Length
            || !payload.SequenceEqual(_payloads.Bytes[..owed.Length]))
        {
            Invented(in header, $"the next reply is of {owed.Length} bytes to {owed.To}"
                + $" from {owed.From}");
            return;
        }
        Take(owed);
        model.Counters.Add(Counter.RepliesSent);
    }

    private bool IsNextPayload(ReadOnlySpan<byte> payload) => _owed.TryPeek(out var owed)
        && payload.SequenceEqual(_payloads.Bytes[..owed.Length]);

    /// <summary>A send failed; how many replies that cost.</summary>
    public int OnSendFailed(in DatagramHeader header, IoResult why)
    {
        if (model.OwnAnswers.OnSendFailed(in header, why))
            return 0;
        while (!IsNext(in header) && model.Resends.TryStep())
        {
            model.Arrivals.ReportUntold();
            if (model.OwnAnswers.OnSendFailed(in header, why))
                return 0;
        }
        if (!_owed.TryPeek(out var owed) || header.Peer != owed.To || header.Local != owed.From
            || header.Length != owed.Length)
        {
            Invented(in header, _owed.Count == 0 ? "no reply asked for it"
                : $"the next reply is to {owed.To}");
            return 0;
        }
        // A full socket takes none of its batch; any other error is about one reply.
        var lost = 0;
        do
        {
            lost++;
            Take(_owed.Peek());
            model.Counters.Add(CounterOf(why.Status));
        }
        while (why.Status == IoStatus.WouldBlock
            && _owed.TryPeek(out var next) && next.Batch == owed.Batch);
        return lost;
    }

    public void OnTurnEnded()
    {
        model.OwnAnswers.OnTurnEnded();
        if (_owed.Count == 0)
            return;
        model.Report(ViolationKind.ReplyLost,
            $"{_owed.Count} replies were decoded and neither sent nor refused by the kernel, the"
            + $" first to {_owed.Peek().To}");
        _owed.Clear();
        _payloads.Clear();
    }

    private static Counter CounterOf(IoStatus status) => status switch
    {
        IoStatus.WouldBlock => Counter.RepliesWouldBlock,
        IoStatus.AccessDenied => Counter.RepliesDenied,
        IoStatus.InvalidArgument => Counter.RepliesInvalid,
        IoStatus.NoBuffers => Counter.RepliesNoBuffers,
        IoStatus.Unreachable => Counter.RepliesUnreachable,
        _ => Counter.RepliesFailed,
    };

    /// <summary>
    /// Whether a datagram looks like the reply that is due; if not, it may answer a query that
    /// would be sent once more, and that the balancer answers instead.
    /// </summary>
    private bool IsNext(in DatagramHeader header) => _owed.TryPeek(out var owed)
        && header.Peer == owed.To && header.Local == owed.From && header.Length == owed.Length;

    private void Invented(in DatagramHeader header, string expected) =>
        model.Report(ViolationKind.ReplyInvented,
            $"a datagram of {header.Length} bytes left for {header.Peer} from {header.Local};"
            + $" {expected}");

    private void Take(Owed owed)
    {
        _owed.Dequeue();
        _payloads.Skip(owed.Length);
    }
}
