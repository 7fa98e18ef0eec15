// Owns what TCP clients asked and got no answer to, one message after the other, by its first
// bytes, or that there was something else; and what is kept back until what came before is
// answered. It is made from the bytes that were read, and keeps a plain list.
//
// What always holds: a connection has a few at most, or one without a name; the oldest goes when
// there are too many.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>What one connection asked.</summary>
/// <param name="Session">The backend's session when the connection was made.</param>
/// <param name="Message">
/// Its first bytes, without its length; null for what is not one message.
/// </param>
/// <param name="IsCut">It has more.</param>
internal sealed record ExpectedAsk(ExpectedSession? Session, Endpoint Client, Instant SentAt,
    byte[]? Message, bool IsCut);

/// <summary>Follows what TCP clients ask.</summary>
internal sealed class AskedModel(ReferenceModel model)
{
    private const int LengthBytes = 2;
    private const int HeaderBytes = 12;

    private readonly List<ExpectedAsk> _inFlight = [];

    /// <summary>What may have ended a session that ended now, and what cannot be named.</summary>
    public List<ExpectedAsk> InFlightOn(ExpectedSession session) => _inFlight.FindAll(
        ask => ask.Session == session && model.Now - ask.SentAt < SpecifiedLimits.AnswerTime);

    /// <summary>When the newest of these went on; null if there is none.</summary>
    public Instant? NewestOn(ExpectedSession session) => InFlightOn(session) is [.., var newest]
        ? newest.SentAt : null;

    /// <summary>A client sent bytes, or its end with none.</summary>
    public void OnClientSent(ExpectedConnection connection, ReadOnlySpan<byte> bytes)
    {
        var passes = Math.Min(bytes.Length, connection.LongLeft);
        if (passes > 0 && connection.Asks is [.., var ask] && _inFlight.Remove(ask))
        {
            connection.Asks[^1] = ask with { SentAt = model.Now };
            _inFlight.Add(connection.Asks[^1]);
        }
        connection.LongLeft = Math.Max(0, connection.LongLeft - passes);
        connection.Kept.AddRange(bytes[passes..]);
        if (connection.IsRelaying)
            Judge(connection);
    }

    /// <summary>A backend took a connection: what its client sent first may go on.</summary>
    public void OnTaken(ExpectedConnection connection) => Judge(connection);

    /// <summary>A backend sent bytes: they may be what was waited for.</summary>
    public void OnBackendSent(ExpectedConnection connection)
    {
        var isAnswered = connection.PassesAll
            ? connection.Answers.Whole >= connection.Queries.Whole - connection.Short
                && !connection.Queries.IsInside
            : connection.Answers.Whole > connection.AnswersBefore && connection.LongLeft == 0;
        if (connection.IsUnanswered && isAnswered)
            OnAnswered(connection);
        connection.MustJudge = true;
    }

    /// <summary>
    /// Bytes that were sent to the client make room for an answer; or there is none for them.
    /// </summary>
    public void OnRoom(ExpectedConnection connection)
    {
        connection.MustJudge = false;
        Judge(connection);
    }

    /// <summary>What a backend said was passed on: what was kept behind it may go on.</summary>
    public void GoOn(ExpectedConnection connection)
    {
        if (connection.MustJudge)
            OnRoom(connection);
    }

    /// <summary>
    /// Lets go on what has waited for an answer for long enough, message by message.
    /// </summary>
    public void OnTime(ExpectedConnection connection)
    {
        GoOn(connection);
        if (!(connection.IsUnanswered && model.Now >= connection.KeptUntil))
            return;
        model.Reached(Situation.TcpMessageKeptTooLong);
        connection.PassesAll = true;
        connection.KeptUntil = null;
        JudgeMessages(connection);
    }

    private void OnAnswered(ExpectedConnection connection)
    {
        connection.IsUnanswered = false;
        connection.PassesAll &= connection.IsBackendDeaf;
        var isAlone = connection.AskedCount == 1;
        var areGood =
            connection.Answers.Good - connection.GoodBefore >= connection.AskedCount;
        var last = connection.Asks.LastOrDefault();
        var isLastKnown = last != null && _inFlight.Contains(last);
        foreach (var ask in connection.Asks)
        {
            if (_inFlight.Remove(ask) && ask.Message != null && areGood)
                model.Quarantine.OnAnswered(ask.Message, default, ask.IsCut);
        }
        connection.Asks.Clear();
        connection.AskedCount = 0;
        if (!isLastKnown || SessionOf(connection) is not { } session)
            return;
        model.Suspicion.OnMessageAnswered(session, last!.SentAt);
        if (isAlone && last.Message != null && connection.Answers.LastCode is { } code
            && !session.Given.IsMute)
        {
            model.Failing.OnCode(session, code);
        }
    }

    /// <summary>What becomes of the first bytes that are kept.</summary>
    private void Judge(ExpectedConnection connection)
    {
        if (!connection.IsUnanswered || connection.PassesAll)
            JudgeMessages(connection);
        else if (connection.Kept.Count > 0)
        {
            model.Reached(Situation.TcpMessageKept);
            connection.KeptUntil ??= model.Now + SpecifiedLimits.PipelineDelay;
        }
        if (connection.Kept.Count == 0)
            connection.KeptUntil = null;
        OnTime(connection);
    }

    /// <summary>One of them, or all if one need not be answered before the next goes on.</summary>
    private void JudgeMessages(ExpectedConnection connection)
    {
        int before;
        bool isAsked;
        do
        {
            before = connection.Kept.Count;
            isAsked = JudgeMessage(connection, connection.Kept);
        }
        while ((connection.PassesAll || !isAsked) && connection.Kept.Count < before);
        if (!connection.PassesAll && isAsked && connection.Kept.Count > 0)
            connection.KeptUntil ??= model.Now + SpecifiedLimits.PipelineDelay;
    }

    /// <summary>Whether it goes on and is one that a backend may answer.</summary>
    private bool JudgeMessage(ExpectedConnection connection, List<byte> kept)
    {
        if (kept.Count == 0)
            return false;
        int? length = kept.Count < LengthBytes ? null : kept[0] * 256 + kept[1];
        var isThere = length is { } all && kept.Count - LengthBytes
            >= Math.Min(all, SpecifiedLimits.FirstMessageBytes);
        if (!isThere && !connection.ClientEnded)
        {
            connection.KeptUntil = null;
            return false;
        }
        byte[] message = length is null ? []
            : [.. kept.Skip(LengthBytes).Take(length.Value)
                .Take(SpecifiedLimits.FirstMessageBytes)];
        var isCut = message.Length < length;
        var isAsked = message.Length >= HeaderBytes;
        if (isAsked && model.Quarantine.IsRefused(message, isCut))
        {
            connection.KeptUntil = null;
            var longest = LengthBytes + SpecifiedLimits.ErrorBytes;
            var hasRoom = connection.ToClient.Count + longest <= SpecifiedLimits.RelayQueueBytes;
            if (hasRoom && !connection.Answers.IsInside)
                Refuse(connection, message);
            return false;
        }
        var end = LengthBytes + (length ?? 0);
        var passes = isThere ? Math.Min(end, kept.Count) : kept.Count;
        connection.LongLeft = isThere ? end - passes : 0;
        kept.RemoveRange(0, passes);
        if (length != 0 || !connection.HadEmpty)
            model.TcpTurns.OnMessage();
        connection.HadEmpty = length == 0;
        if (!isAsked)
        {
            connection.Short += isThere ? 1 : 0;
            return false;
        }
        if (!connection.IsUnanswered)
            connection.GoodBefore = connection.Answers.Good;
        connection.IsUnanswered = true;
        connection.AnswersBefore = connection.Answers.Whole;
        Note(connection, message, isCut);
        return true;
    }

    private void Note(ExpectedConnection connection, byte[] message, bool isCut)
    {
        connection.AskedCount++;
        var hasName = connection.AskedCount <= SpecifiedLimits.NamedMessages;
        if (!hasName)
        {
            _inFlight.RemoveAll(connection.Asks.Contains);
            connection.Asks.Clear();
        }
        if (_inFlight.Count == SpecifiedLimits.FirstMessages)
        {
            _inFlight.RemoveAt(0);
            model.Counters.Add(Counter.MessagesNotRemembered);
        }
        var ask = new ExpectedAsk(connection.Session, connection.From, model.Now,
            hasName ? message : null, isCut);
        connection.Asks.Add(ask);
        _inFlight.Add(ask);
        if (SessionOf(connection) is { } session)
            model.Suspicion.OnQuery(session);
    }

    /// <summary>The backend's session, if the connection was made with it.</summary>
    private static ExpectedSession? SessionOf(ExpectedConnection connection) =>
        connection.Backend is { Stage: Stage.Healthy, Session: { } session }
            && session == connection.Session ? session : null;

    private void Refuse(ExpectedConnection connection, byte[] message)
    {
        model.Reached(Situation.RefusedOverTcp);
        connection.IsRefused = true;
        connection.IsBackendDeaf = true;
        var hasEnded = connection.BackendEnded;
        connection.BackendEnded = true;
        connection.PassesAll = true;
        connection.Kept.Clear();
        connection.ToBackend.Clear();
        if (hasEnded)
            return;
        if (OwnAnswerModel.AnswerTo(message, OwnAnswerModel.Refused) is not { } answer)
            return;
        connection.ToClient.Append([(byte)(answer.Length >> 8), (byte)answer.Length]);
        connection.ToClient.Append(answer);
    }
}
