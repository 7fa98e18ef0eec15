// Owns the queries that are refused because backends die of them.
//
// What was in flight when a backend's session ended by itself is under suspicion for a minute. An
// answer clears it, whichever backend gives it. What was in flight at two such deaths and was not
// answered in between may have been the cause: of all such queries the one that its backends
// outlived for the shortest time is refused for a minute. If it comes again after that and another
// backend dies of it, it is refused for twice as long, up to an hour.
//
// What TCP clients asked counts the same way, as far as it can be named (FirstMessages). If what
// cannot be named was passed on last before a backend died, nobody is refused for that death.
//
// What was answered lately needs a third death: when two backends are killed together, a name that
// everybody asks is in flight on both. What was answered is known by every eighth answer.
//
// One at most is refused for one death, so a client cannot have other people's names refused by
// sending them along. If the guess was wrong, the culprit is one of its rivals and ends another
// backend: then the rival is refused and the first one is let go. So nobody innocent is refused for
// longer than until the next death.
//
// What always holds: there are Limits.QuarantineCases at most; while no backend has died lately, a
// query costs nothing here, and every eighth reply little; nothing is allocated but when a backend
// dies.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>Refuses the queries that end backends.</summary>
internal sealed class Quarantine(Services services)
{
    private readonly Dictionary<ulong, Case> _cases = [];
    private readonly byte[] _packet = new byte[Limits.MaxUdpPayload];
    private readonly List<ulong> _old = [];
    private readonly ulong[] _answered = new ulong[Limits.QuarantineAnswers];
    private readonly HashSet<ulong> _answeredLately = [];
    private long _matched;
    private long _sampled;
    private long _deaths;
    private int _convicted;

    /// <summary>What is held against one fingerprint.</summary>
    private sealed class Case
    {
        /// <summary>The last death that it was in flight at; deaths are numbered from 1.</summary>
        public long Death;

        public Instant DiedAt;

        /// <summary>
        /// Deaths that it was in flight at, each within a minute of the one before.
        /// </summary>
        public int Deaths;

        /// <summary>How long these backends outlived it, all together.</summary>
        public Duration Outlived;

        /// <summary>How long the last of them did.</summary>
        public Duration OutlivedLast;

        /// <summary>How long it was refused the last time; zero if it never was.</summary>
        public Duration Term;

        public Instant RefusedUntil;

        /// <summary>The fingerprint that was refused instead of it, or 0.</summary>
        public ulong RivalOf;

        public bool HasEvidence;
    }

    /// <summary>A reply answers a query; whether OnAnswered should hear of it.</summary>
    public bool WantsAnswer()
    {
        _matched++;
        return _cases.Count > 0 || IsSample;
    }

    private bool IsSample => _matched % Limits.QuarantineSample == 0;

    /// <summary>Whether a query is refused now.</summary>
    public bool IsRefused(Instant now, ReadOnlySpan<byte> query) => _convicted > 0
        && _cases.TryGetValue(Of(query), out var found) && now < found.RefusedUntil;

    /// <summary>A backend answered a query, so it is not what ends backends.</summary>
    public void OnAnswered(ReadOnlySpan<byte> query)
    {
        var fingerprint = Of(query);
        Remove(fingerprint);
        if (IsSample)
            _answered[_sampled++ % _answered.Length] = fingerprint;
    }

    /// <summary>
    /// A backend's session ended by itself with these queries in flight, and these of all messages
    /// that TCP clients sent.
    /// </summary>
    public void OnDeath(
        Instant now, Backend backend, InFlight queries, LinkedList<FirstMessage> messages)
    {
        _deaths++;
        ForgetOld(now);
        _answeredLately.Clear();
        _answeredLately.UnionWith(_answered);
        var culprit = default(Suspect);
        queries.BeginWalk();
        for (var n = 0; queries.Cursor != 0 && n < Limits.QuarantineCases; n++)
        {
            var query = queries.Next(_packet, out var index, out var length);
            var packet = _packet.AsSpan(0, length);
            Accuse(now, queries.SentAt(index), query.Client, packet, ref culprit);
        }
        queries.EndWalk();
        var hidden = Instant.Zero;
        foreach (var message in messages)
        {
            if (!message.IsAt(now, backend))
                continue;
            if (message.HasName)
                Accuse(now, message.SentAt, message.Client, message.Packet, ref culprit);
            else
                hidden = Instant.Max(hidden, message.SentAt);
        }
        if (culprit.Fingerprint != 0
            && _cases[culprit.Fingerprint].OutlivedLast < now - hidden)
        {
            Convict(now, backend.Id, culprit.Fingerprint, culprit.Client, culprit.Packet);
        }
    }

    /// <summary>The one that it is, if no other was outlived for a shorter time.</summary>
    private readonly record struct Suspect(ulong Fingerprint, Endpoint Client, byte[] Packet);

    private void Accuse(Instant now, Instant sentAt, Endpoint client,
        ReadOnlySpan<byte> packet, ref Suspect culprit)
    {
        var fingerprint = Of(packet);
        var hasEvidence = TryAccuse(now, fingerprint, now - sentAt);
        var known = culprit.Fingerprint;
        if (!hasEvidence || fingerprint == known
            || (known != 0 && _cases[known].Outlived <= _cases[fingerprint].Outlived))
        {
            return;
        }
        culprit = new Suspect(fingerprint, client, packet.ToArray());
    }

    /// <summary>
    /// It was in flight at this death, and sent so long before; whether there is evidence now.
    /// </summary>
    private bool TryAccuse(Instant now, ulong fingerprint, Duration outlived)
    {
        if (!_cases.TryGetValue(fingerprint, out var found))
        {
            if (_cases.Count == Limits.QuarantineCases)
                return false;
            found = new Case();
            _cases.Add(fingerprint, found);
        }
        if (found.Death != _deaths)
        {
            found.Death = _deaths;
            found.DiedAt = now;
            found.Deaths++;
            found.OutlivedLast = Duration.Zero;
        }
        // Of several that are alike, the backend met the oldest first.
        if (outlived > found.OutlivedLast)
        {
            found.Outlived += outlived - found.OutlivedLast;
            found.OutlivedLast = outlived;
        }
        // What backends can answer is hardly what ends them: two may have died together.
        found.HasEvidence = found.Term > Duration.Zero
            || found.Deaths >= (_answeredLately.Contains(fingerprint) ? 3 : 2);
        return found.HasEvidence;
    }

    private void Convict(
        Instant now, BackendId id, ulong culprit, Endpoint client, byte[] packet)
    {
        var convict = _cases[culprit];
        foreach (var (fingerprint, rival) in _cases)
        {
            if (rival.Death == _deaths && rival.HasEvidence && fingerprint != culprit)
                rival.RivalOf = culprit;
        }
        if (convict.RivalOf != 0 && _cases.TryGetValue(convict.RivalOf, out var innocent)
            && innocent.Death != _deaths)
        {
            Remove(convict.RivalOf);
        }
        if (convict.Term == Duration.Zero)
            _convicted++;
        convict.RivalOf = 0;
        convict.Term = Duration.Max(Limits.FirstQuarantine,
            Duration.Min(convict.Term + convict.Term, Limits.LongestQuarantine));
        convict.RefusedUntil = now + convict.Term;
        services.Counters.Add(Counter.QuarantinesBegun);
        services.Log.Write(new LogEvent.QueryQuarantined(id, client, packet, convict.Term));
    }

    private ulong Of(ReadOnlySpan<byte> query) => Fingerprint.Of(query, services.Options.HashKey);

    /// <summary>Two deaths count together if a minute at most is between them.</summary>
    private void ForgetOld(Instant now)
    {
        _old.Clear();
        foreach (var (fingerprint, found) in _cases)
        {
            var remembered = found.Term > Duration.Zero
                ? found.RefusedUntil + Limits.LongestQuarantine
                : found.DiedAt + Limits.QuarantineMemory;
            if (now > remembered)
                _old.Add(fingerprint);
        }
        foreach (var fingerprint in _old)
            Remove(fingerprint);
    }

    private void Remove(ulong fingerprint)
    {
        if (_cases.Remove(fingerprint, out var removed) && removed.Term > Duration.Zero)
            _convicted--;
    }
}
