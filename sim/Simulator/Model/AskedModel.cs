// Owns what TCP clients asked and got no answer to: the first message of each connection, by its
// bytes, or that there was something else. It is made from the bytes that were read, and keeps a
// plain list.
//
// What always holds: a connection has one at most; the oldest goes when there are too many.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>What one connection asked.</summary>
/// <param name="Session">The backend's session when the connection was made.</param>
/// <param name="Message">Without its length; null for what is not a first message alone.</param>
/// <param name="AnswersBefore">What the backend had sent before: it answers nothing.</param>
internal sealed record ExpectedAsk(
    ExpectedSession? Session, Endpoint Client, Instant SentAt, byte[]? Message, long AnswersBefore);

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
        if (connection.IsJudged)
        {
            if (bytes.Length > 0)
                Note(connection, null);
            return;
        }
        connection.First.AddRange(bytes);
        var first = connection.First;
        int? length = first.Count < LengthBytes ? null : first[0] * 256 + first[1];
        var isShort = length is not > SpecifiedLimits.FirstMessageBytes;
        var isWhole = first.Count >= LengthBytes + length;
        if (!isWhole && isShort && !connection.ClientEnded)
            return;
        connection.IsJudged = true;
        var message = isWhole && isShort && length > 0
            ? first.GetRange(LengthBytes, length.Value).ToArray() : null;
        var hasTold = connection.FromBackend > 0 || connection.BackendEnded;
        if (message != null && !hasTold && model.Quarantine.IsRefused(message))
            Refuse(connection, message);
        else if (first.Count > 0)
            Note(connection, first.Count == LengthBytes + length ? message : null);
    }

    /// <summary>A backend sent bytes: they may be what was waited for.</summary>
    public void OnBackendSent(ExpectedConnection connection)
    {
        if (connection.Ask is not { } ask)
            return;
        var isAnswered = ask.Message != null
            ? connection.Answers.Whole > ask.AnswersBefore
            : connection.Answers.Whole >= connection.Queries.Whole && !connection.Queries.IsInside;
        if (!isAnswered)
            return;
        connection.Ask = null;
        if (_inFlight.Remove(ask) && ask.Message != null)
            model.Quarantine.OnAnswered(ask.Message, default);
    }

    private void Note(ExpectedConnection connection, byte[]? message)
    {
        if (connection.Ask is { } before)
            _inFlight.Remove(before);
        if (_inFlight.Count == SpecifiedLimits.FirstMessages)
            _inFlight.RemoveAt(0);
        connection.Ask = new ExpectedAsk(
            connection.Session, connection.From, model.Now, message,
            connection.Answers.Whole);
        _inFlight.Add(connection.Ask);
    }

    private static void Refuse(ExpectedConnection connection, byte[] message)
    {
        connection.IsRefused = true;
        connection.IsBackendDeaf = true;
        connection.BackendEnded = true;
        connection.ToBackend.Clear();
        if (OwnAnswerModel.AnswerTo(message, OwnAnswerModel.Refused) is not { } answer)
            return;
        connection.ToClient.Append([(byte)(answer.Length >> 8), (byte)answer.Length]);
        connection.ToClient.Append(answer);
    }
}
