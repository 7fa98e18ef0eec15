// Owns the answers that the balancer owes by itself: REFUSED for a query that backends die of, and
// SERVFAIL for one that finds nobody, where it is to give one. What they say is made from the
// query alone, without the core's writer.
//
// Those to queries of a batch leave together before the next call; those to queries that would
// have been sent again leave when the turn has looked at its share of them, or when there are as
// many as a call takes.
//
// What always holds: an answer is sent, or refused by the kernel, once, in the turn in which it is
// owed and in the order of the queries; a query that is not a QUERY has none.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows the answers that come from no backend.</summary>
internal sealed class OwnAnswerModel(ReferenceModel model)
{
    public const byte Failure = 2;
    public const byte Refused = 5;

    private const int HeaderBytes = 12;

    /// <summary>Of those to queries that have just come.</summary>
    private const int OfArrivals = -1;

    private readonly Queue<(Endpoint To, Ipv4 From, byte[] Answer, int Batch)> _owed = new();
    private long _lastTurn;
    private int _lateOfTurn;

    /// <summary>A query that has just come is answered with an error.</summary>
    public void Owe(in DatagramHeader header, ReadOnlySpan<byte> query, byte error)
    {
        if (AnswerTo(query, error) is { } answer)
            _owed.Enqueue((header.Peer, header.Local, answer, OfArrivals));
    }

    /// <summary>A query is answered with an error that else would be sent once more.</summary>
    public void OweLate(ExpectedQuery query, byte error)
    {
        if (AnswerTo(query.Packet, error) is not { } answer)
            return;
        if (_lastTurn != model.Turn)
            (_lastTurn, _lateOfTurn) = (model.Turn, 0);
        _owed.Enqueue((query.Client, query.Local, answer,
            _lateOfTurn++ / SpecifiedLimits.DatagramsOfACall));
    }

    /// <summary>The error and the query's question; null for what is not a QUERY.</summary>
    public static byte[]? AnswerTo(ReadOnlySpan<byte> query, byte error)
    {
        if (query.Length < HeaderBytes || (query[2] >> 3 & 0xf) != 0)
            return null;
        var question = ExpectedQuery.QuestionBytes(query);
        var answer = query[..(HeaderBytes + question)].ToArray();
        answer[2] = (byte)(query[2] & 1 | 0x80);
        answer[3] = error;
        answer.AsSpan(4, 8).Clear();
        answer[5] = (byte)(question > 0 ? 1 : 0);
        return answer;
    }

    /// <summary>A datagram left: whether it is the answer that is due.</summary>
    public bool OnSent(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        if (!IsDue(in header) || !payload.SequenceEqual(_owed.Peek().Answer))
            return false;
        _owed.Dequeue();
        model.Counters.Add(Counter.OwnAnswersSent);
        return true;
    }

    /// <summary>A send failed: whether it was for the answer that is due.</summary>
    public bool OnSendFailed(in DatagramHeader header, IoResult why)
    {
        if (!IsDue(in header))
            return false;
        // A full socket takes none of those that were gathered.
        var batch = _owed.Peek().Batch;
        while (why.Status == IoStatus.WouldBlock && batch != OfArrivals
            && _lateOfTurn < (batch + 1) * SpecifiedLimits.DatagramsOfACall
            && model.Resends.TryStep())
        {
            model.Arrivals.ReportUntold();
        }
        var failed = why.Status == IoStatus.WouldBlock
            ? _owed.TakeWhile(due => due.Batch == batch).Count() : 1;
        for (var n = 0; n < failed; n++)
            _owed.Dequeue();
        model.Counters.Add(Counter.OwnAnswersFailed, failed);
        return true;
    }

    public void OnTurnEnded()
    {
        if (_owed.Count == 0)
            return;
        model.Report(ViolationKind.ReplyLost,
            $"{_owed.Count} queries have no answer that the balancer"
            + $" owes by itself, the first of {_owed.Peek().To}"
            + $" (code {_owed.Peek().Answer[3]})");
        _owed.Clear();
    }

    private bool IsDue(in DatagramHeader header) => _owed.TryPeek(out var due)
        && header.Peer == due.To && header.Local == due.From && header.Length == due.Answer.Length;
}
