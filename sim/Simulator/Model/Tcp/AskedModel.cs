// Owns what TCP clients asked and got no answer to, one message after the other, by its bytes, or
// that there was something else; and what is kept back until what came before is answered. It is
// made from the bytes that were read, and keeps a plain list.
//
// What always holds: a connection has one at most; the oldest goes when there are too many.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>What one connection asked.</summary>
/// <param name="Session">The backend's session when the connection was made.</param>
/// <param name="Message">Without its length; null for what is not one short message.</param>
internal sealed record ExpectedAsk(
    ExpectedSession? Session, Endpoint Client, Instant SentAt, byte[]? Message);

/// <summary>Follows what TCP clients ask.</summary>
internal sealed class AskedModel(ReferenceModel model)
{
    private const int LengthBytes = 2;

    private readonly List<ExpectedAsk> _inFlight = [];

    /// <summary>What may have ended a session that ended now, and what cannot be named.</summary>
    public List<ExpectedAsk> InFlightOn(ExpectedSession session) => _inFlight.FindAll(
        ask => ask.Session == session && model.Now - ask.SentAt < SpecifiedLimits.AnswerTime);

    /// <summary>A client sent bytes, or its end with none.</summary>
    public void OnClientSent(ExpectedConnection connection, ReadOnlySpan<byte> bytes)
    {
        var passes = Math.Min(bytes.Length, connection.LongLeft);
        if (passes > 0)
            Note(connection, null);
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
            ? connection.Answers.Whole >= connection.Queries.Whole && !connection.Queries.IsInside
            : connection.Answers.Whole > connection.AnswersBefore && connection.LongLeft == 0;
        if (connection.IsUnanswered && isAnswered)
            OnAnswered(connection);
        Judge(connection);
    }

    /// <summary>Bytes that were sent to the client make room for an answer.</summary>
    public void OnRoom(ExpectedConnection connection) => Judge(connection);

    /// <summary>
    /// Lets go on what has waited for an answer for long enough, message by message.
    /// </summary>
    public void OnTime(ExpectedConnection connection)
    {
        if (!(connection.IsUnanswered && model.Now >= connection.KeptUntil))
            return;
        connection.PassesAll = true;
        connection.KeptUntil = null;
        JudgeMessages(connection);
    }

    private void OnAnswered(ExpectedConnection connection)
    {
        connection.IsUnanswered = false;
        connection.PassesAll &= connection.IsBackendDeaf;
        var ask = connection.Ask;
        connection.Ask = null;
        var isGood = connection.Answers.Good > connection.GoodBefore;
        if (ask != null && _inFlight.Remove(ask) && ask.Message != null && isGood)
            model.Quarantine.OnAnswered(ask.Message, default);
    }

    /// <summary>What becomes of the first bytes that are kept.</summary>
    private void Judge(ExpectedConnection connection)
    {
        if (!connection.IsUnanswered || connection.PassesAll)
            JudgeMessages(connection);
        else if (connection.Kept.Count > 0)
            connection.KeptUntil ??= model.Now + SpecifiedLimits.PipelineDelay;
        if (connection.Kept.Count == 0)
            connection.KeptUntil = null;
        OnTime(connection);
    }

    /// <summary>One of them, or all if one need not be answered before the next goes on.</summary>
    private void JudgeMessages(ExpectedConnection connection)
    {
        int before;
        do
        {
            before = connection.Kept.Count;
            JudgeMessage(connection, connection.Kept);
        }
        while (connection.PassesAll && connection.Kept.Count < before);
        if (!connection.PassesAll && connection.Kept.Count is var left && left > 0 && left < before)
            connection.KeptUntil ??= model.Now + SpecifiedLimits.PipelineDelay;
    }

    private void JudgeMessage(ExpectedConnection connection, List<byte> kept)
    {
        if (kept.Count == 0)
            return;
        int? length = kept.Count < LengthBytes ? null : kept[0] * 256 + kept[1];
        var end = LengthBytes + (length ?? 0);
        var isShort = length is not > SpecifiedLimits.FirstMessageBytes;
        var isWhole = length != null && kept.Count >= end;
        if (!isWhole && isShort && !connection.ClientEnded)
        {
            connection.KeptUntil = null;
            return;
        }
        var message = isWhole && isShort && length > 0
            ? kept.GetRange(LengthBytes, length.Value).ToArray() : null;
        if (message != null && !connection.BackendEnded && model.Quarantine.IsRefused(message))
        {
            connection.KeptUntil = null;
            var longest = LengthBytes + SpecifiedLimits.FirstMessageBytes;
            var hasRoom = connection.ToClient.Count + longest <= SpecifiedLimits.RelayQueueBytes;
            if (hasRoom && !connection.Answers.IsInside)
                Refuse(connection, message);
            return;
        }
        var passes = isShort && !isWhole ? kept.Count : Math.Min(end, kept.Count);
        connection.LongLeft = isShort ? 0 : end - passes;
        kept.RemoveRange(0, passes);
        connection.IsUnanswered = true;
        connection.AnswersBefore = connection.Answers.Whole;
        connection.GoodBefore = connection.Answers.Good;
        Note(connection, connection.PassesAll ? null : message);
    }

    private void Note(ExpectedConnection connection, byte[]? message)
    {
        if (connection.Ask is { } before)
            _inFlight.Remove(before);
        if (_inFlight.Count == SpecifiedLimits.FirstMessages)
            _inFlight.RemoveAt(0);
        connection.Ask = new ExpectedAsk(
            connection.Session, connection.From, model.Now, message);
        connection.IsUnanswered = true;
        _inFlight.Add(connection.Ask);
    }

    private static void Refuse(ExpectedConnection connection, byte[] message)
    {
        connection.IsRefused = true;
        connection.IsBackendDeaf = true;
        connection.BackendEnded = true;
        connection.PassesAll = true;
        connection.Kept.Clear();
        connection.ToBackend.Clear();
        if (OwnAnswerModel.AnswerTo(message, OwnAnswerModel.Refused) is not { } answer)
            return;
        connection.ToClient.Append([(byte)(answer.Length >> 8), (byte)answer.Length]);
        connection.ToClient.Append(answer);
    }
}
