// Owns what S19 writes down: killers that were passed on, backends that ended or hung of them, what
// was refused; and by what it tells queries apart.
//
// What always holds: killers are told apart by their names, all else by the question alone.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed partial class S19OneCulprit
{
    /// <summary>The key of all without a question; an answer says nothing of the others.</summary>
    private const ulong NoQuestion = 0;

    /// <summary>What a client asked, and which killer that is, if it is one.</summary>
    private readonly record struct Asked(ulong Key, KillerName? Killer);

    private readonly record struct Times(Instant First, Instant Last);

    /// <summary>The core logged that it refuses a query for what became of a backend.</summary>
    private sealed record Refusal(BackendId Backend, Instant At, ulong Key);

    /// <summary>A TCP client that asks a killer, and at which byte of what it sends.</summary>
    private sealed record Asker(TcpClientPlan Plan, KillerName Killer, int KillerAt);

    private sealed class Relayed
    {
        public SocketHandle Stream { get; set; }
        public long Bytes { get; set; }
        public Written? Written { get; set; }
    }

    /// <summary>A killer that a backend's stream took whole, or over TCP began to take.</summary>
    private sealed class Written
    {
        public required KillerName Killer { get; init; }
        public required Endpoint From { get; init; }
        public required int Id { get; init; }
        public required ExpectedSession? Session { get; init; }

        /// <summary>When it was put into the queue.</summary>
        public required Instant QueuedAt { get; init; }
        public required Instant At { get; init; }
        public required long Turn { get; init; }
        public bool IsTcp { get; init; }
    }

    private sealed class Victim
    {
        public required int Backend { get; init; }
        public required KillerName Killer { get; init; }
        public required Written? Written { get; init; }
        public required Instant ReadAt { get; init; }
        public required bool IsHang { get; init; }
        public string? Excuse { get; set; }

        /// <summary>
        /// The end that it was read from closed at once; and the session's: it ended the process.
        /// </summary>
        public bool HasStreamEnded { get; set; }
        public bool HasSessionEnded { get; set; }

        /// <summary>The fault was logged.</summary>
        public bool IsKnown { get; set; }

        /// <summary>When it was suspect, and when a hang is known; Never for not yet.</summary>
        public Instant SuspectedAt { get; set; } = Instant.Never;
        public Instant DueAt { get; set; } = Instant.Never;
    }

    private sealed class Culprit
    {
        public List<Victim> Victims { get; } = [];
        public int Guesses { get; set; }
        public bool WasAnswered { get; set; }
        public Duration Term { get; set; }
        public long RefusedIn { get; set; }
        public Instant RefusedAt { get; set; }
        public Instant RefusedUntil { get; set; }

        /// <summary>Whose victims it was refused for, in words.</summary>
        public string Story { get; set; } = "";

        /// <summary>It has no victims and is not refused; whether it was answered stays.</summary>
        public void Forget()
        {
            Victims.Clear();
            Guesses = 0;
            Term = Duration.Zero;
            RefusedIn = 0;
            (RefusedAt, RefusedUntil) = (Instant.Zero, Instant.Zero);
        }
    }

    // ---- What is the same ----

    /// <summary>
    /// A killer by its name, anything else by its question in any case, and all without as one.
    /// </summary>
    private static ulong KeyOf(ReadOnlySpan<byte> payload, KillerName? killer)
    {
        if (killer is { } name)
        {
            // From 1 on: none is NoQuestion.
            return unchecked((((ulong)name.Number + 1) * 8 + (name.HasFlags ? 4u : 0)
                + (name.HasOptions ? 2u : 0) + (name.HasTail ? 1u : 0))
                * 0x9e37_79b9_7f4a_7c15ul);
        }
        var end = HeaderBytes;
        while (end < payload.Length && payload[end] is > 0 and < 64)
            end += 1 + payload[end];
        var hasQuestion = end + 5 <= payload.Length && payload[end] == 0
            && (payload[4] | payload[5]) != 0;
        return hasQuestion ? HashOf(payload[HeaderBytes..(end + 5)]) : NoQuestion;
    }

    /// <summary>FNV-1a of the bytes with letters in lower case.</summary>
    private static ulong HashOf(ReadOnlySpan<byte> bytes)
    {
        var hash = 14_695_981_039_346_656_037ul;
        foreach (var octet in bytes)
        {
            var folded = octet is >= (byte)'A' and <= (byte)'Z' ? octet + 32 : octet;
            hash = unchecked((hash ^ (ulong)folded) * 1_099_511_628_211ul);
        }
        return hash;
    }
}
