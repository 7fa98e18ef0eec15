// Claims of TCP connections (S7): what a client gets is the beginning of what one backend wrote for
// it, and all of it if the backend ended its direction in good order and the client read the end;
// behind it may be one REFUSED of the quarantine, which is then the last of the connection; what a
// backend reads is the beginning of what the client sent, and none of it comes before its
// INBOUND_TCP_OK. The end of either is told to the other within seconds.
//
// It knows by the bytes at both ends; the client's address and port in INBOUND_TCP tell which
// sessions were made for a connection. A connection that its time-outs or a stop may have cut owes
// no end.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using Balancer.Core;
using FakeBinder;
using Simulation.Scenarios;

namespace Simulation.Real.Checks;

internal static class StreamCheck
{
    private const long Second = 1_000_000_000;

    /// <summary>How soon an end is passed on, on a busy machine.</summary>
    private const long PassingOnNs = 8 * Second;

    private const int RefusedCode = 5;
    private const int IdentifierBytes = 2;

    public static Violation? Judge(Observations seen)
    {
        var sessions = seen.Sessions().Where(session => session.Client != null)
            .ToLookup(session => session.Client!.Value);
        var refusals = seen.Balancer.Records is [.., { IsFinal: true } last]
            ? last["connections_quarantined"]
            : seen.Balancer.LogIsWhole ? 0 : long.MaxValue;
        foreach (var connection in seen.Connections)
        {
            ObservedSession[] own = [.. sessions[connection.From]];
            if (Judge(seen, connection, own, ref refusals) is { } violation)
                return violation;
        }
        return FromNowhere(seen);
    }

    private static Violation? Judge(
        Observations seen, ObservedConnection connection, ObservedSession[] sessions,
        ref long refusals)
    {
        foreach (var session in sessions)
        {
            if (session.EarlyBytes > 0 && session is { IsUnruly: false })
            {
                return Fail(seen, connection, session.AcceptedAt,
                    $"{session.EarlyBytes} of its bytes came to backend "
                    + $"{RealChecks.Name(seen, session.Backend)} before INBOUND_TCP_OK");
            }
            if (!IsPrefix(session.FromClient, connection.Sent))
            {
                return Fail(seen, connection, session.AcceptedAt,
                    $"backend {RealChecks.Name(seen, session.Backend)} read "
                    + $"{session.FromClient.Count} bytes that are not the first that it sent");
            }
        }
        ReadOnlySpan<byte> got = CollectionsMarshal.AsSpan(connection.Got);
        var isRefused = !IsOfABackend(got, sessions);
        if (isRefused && (!EndsWithRefusal(connection, sessions) || refusals-- <= 0))
        {
            return Fail(seen, connection, connection.EndedAt,
                $"it got {got.Length} bytes that are not the first of any backend's");
        }
        ObservedSession[] taken = [.. sessions.Where(session => session.OkAt != null)];
        return (isRefused ? null : JudgeEnd(seen, connection, taken))
            ?? EndReachesClient(seen, connection, taken)
            ?? EndReachesBackend(seen, connection, taken);
    }

    private static Violation? JudgeEnd(
        Observations seen, ObservedConnection connection, ObservedSession[] taken)
    {
        if (connection.End != ConnectionEnd.EndOfStream || taken is not [var session]
            || session.IsUnruly || !EndsInGoodOrder(session) || MayHaveBeenCut(seen, connection)
            || session.ToClient.Count == connection.Got.Count)
            return null;
        return Fail(seen, connection, connection.EndedAt,
            $"it got {connection.Got.Count} bytes and the end; backend "
            + $"{RealChecks.Name(seen, session.Backend)} wrote {session.ToClient.Count} bytes"
            + " before its own");
    }

    private static Violation? EndReachesClient(
        Observations seen, ObservedConnection connection, ObservedSession[] taken)
    {
        if (!connection.Reads || taken is not [var session]
            || (session.HalfClosedAt ?? session.OverAt ?? EndOfProcess(seen, session))
                is not { } ended
            || (connection.End != ConnectionEnd.Open && connection.EndedAt <= ended + PassingOnNs)
            || !HadTime(seen, ended))
            return null;
        return Fail(seen, connection, ended,
            $"it was not told in time that backend {RealChecks.Name(seen, session.Backend)} ended "
            + "at " + RealChecks.Moment(seen, ended));
    }

    private static Violation? EndReachesBackend(
        Observations seen, ObservedConnection connection, ObservedSession[] taken)
    {
        if (connection.SaidAllAt is not { } ended || taken is not [var session]
            || (session.PeerEndedAt ?? session.OverAt ?? EndOfProcess(seen, session))
                <= ended + PassingOnNs
            || !HadTime(seen, ended)
            // One that is busy, or does not read, has not come to the end.
            || session.FromClient.Count < connection.Sent.Count
            || RealChecks.WasInTrouble(
                seen, session.Backend, session.AcceptedAt, ended + PassingOnNs, Trouble.Starts))
            return null;
        return Fail(seen, connection, ended,
            $"backend {RealChecks.Name(seen, session.Backend)} was not told in time that it ended "
            + "at " + RealChecks.Moment(seen, ended));
    }

    /// <summary>Whether what happened then must have been passed on before the stop.</summary>
    private static bool HadTime(Observations seen, long at) =>
        at + PassingOnNs < seen.Balancer.StopAskedAt
        && !RealChecks.WasInTrouble(seen, -1, at, at + PassingOnNs);

    private static long? EndOfProcess(Observations seen, ObservedSession session) =>
        seen.Processes.Find(process => process.Sessions.Contains(session))?.EndedAt;

    private static bool EndsInGoodOrder(ObservedSession session) =>
        session.HalfClosedAt != null
        || session.Over?.StartsWith(SessionEnd.Closed, StringComparison.Ordinal) == true;

    private static bool MayHaveBeenCut(Observations seen, ObservedConnection connection)
    {
        var kernel = seen.Scenario.Kernel;
        var shortest = Math.Min(kernel.TcpMessage.Nanoseconds,
            Math.Min(kernel.TcpIdle.Nanoseconds, kernel.TcpLifetime.Nanoseconds));
        return connection.EndedAt >= (seen.Balancer.StopAskedAt ?? 0)
            || connection.EndedAt - connection.ConnectedAt + Second >= shortest;
    }

    /// <summary>A session for a connection that no client made.</summary>
    private static Violation? FromNowhere(Observations seen)
    {
        var known = seen.Connections.Select(connection => connection.From).ToHashSet();
        foreach (var session in seen.Sessions())
        {
            if (session.Client is { } client && !known.Contains(client))
            {
                return RealChecks.Fail(seen, "S7", session.AcceptedAt,
                    $"backend {RealChecks.Name(seen, session.Backend)} was given a connection of "
                    + $"{client}, who made none", session.Backend);
            }
        }
        return null;
    }

    private static bool IsOfABackend(ReadOnlySpan<byte> bytes, ObservedSession[] sessions)
    {
        var isSome = bytes.IsEmpty;
        foreach (var session in sessions)
            isSome |= CollectionsMarshal.AsSpan(session.ToClient).StartsWith(bytes);
        return isSome;
    }

    /// <summary>
    /// Whether the last message is a REFUSED of something that the client sent, behind whole
    /// messages of a backend.
    /// </summary>
    private static bool EndsWithRefusal(ObservedConnection connection, ObservedSession[] sessions)
    {
        ReadOnlySpan<byte> got = CollectionsMarshal.AsSpan(connection.Got);
        var rest = got;
        var length = 0;
        while (DnsFraming.TryTake(ref rest, out var message))
            length = message.Length;
        var last = got[^length..];
        return rest.IsEmpty
            && last is [_, _, >= 0x80, var codes, ..] && (codes & 0x0F) == RefusedCode
            && IsOfABackend(got[..^(DnsFraming.LengthBytes + length)], sessions)
            && HasAsked(connection, last[..IdentifierBytes]);
    }

    private static bool HasAsked(ObservedConnection connection, ReadOnlySpan<byte> identifier)
    {
        ReadOnlySpan<byte> rest = CollectionsMarshal.AsSpan(connection.Sent);
        while (DnsFraming.TryTake(ref rest, out var message))
        {
            if (message.StartsWith(identifier))
                return true;
        }
        // The last one may be cut by the end, and is refused by what came of it.
        return rest.Length > DnsFraming.LengthBytes
            && rest[DnsFraming.LengthBytes..].StartsWith(identifier);
    }

    private static bool IsPrefix(List<byte> part, List<byte> whole) =>
        CollectionsMarshal.AsSpan(whole).StartsWith(CollectionsMarshal.AsSpan(part));

    private static Violation Fail(
        Observations seen, ObservedConnection connection, long at, string evidence) =>
        RealChecks.Fail(seen, "S7", at, $"connection of {connection.From}: {evidence}",
            client: connection.Client);
}
