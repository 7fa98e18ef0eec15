// Owns the queries that are refused because backends die of them.
//
// What was in flight when a backend's session ended by itself is under suspicion for a minute. It
// is cleared when each form of it that was in flight was answered, whichever backend answers; for
// what is a form see Fingerprint. What was in flight at two such deaths and was not cleared in
// between may have been the cause: of all such queries one is refused for a minute, the one that
// was in flight at the most deaths, and of these the one that its backends outlived for the
// shortest time; messages without a question come behind. If it comes again after that, it is
// refused for twice as long, up to an hour: after two more deaths, or after one if it was sent to
// that backend after everything else.
//
// What TCP clients asked counts the same way, as far as it can be named (ClientQuestion). If what
// cannot be named was passed on last before a backend died, no query is refused for that death
// unless it was in flight at four, since such a message may be there at any time. Nor
// is one if the death may be due to a query that is refused by now and was sent before: only
// what was sent after it was refused can be charged then.
//
// What a backend's kernel never took it cannot have died of. What was answered lately needs a third
// death, and backends that die at the same time count as one for it, unless it was sent to the next
// after the first had died: a name that everybody asks is in flight wherever a backend is killed,
// and on all when somebody kills all. What was answered is known by every eighth answer. A fourth
// death is needed by what backends answer, but in more forms than can be cleared.
//
// A query may also hang a backend, which is then silent. Of what it was sent after the last query
// that it answered, the first few are charged a moment later, if no other has answered them by
// then. One of them is refused if another backend hung, or died, of it before it was sent to this
// one: of several, the one that was sent first to this one, which it reached first.
//
// A term does not end while a backend that it is for is silent still, for up to an hour: what hangs
// two of three backends for ever would have the third one as well.
//
// One at most is refused for one death or hang, so a client cannot have other people's names
// refused by sending them along. If the guess was wrong, the culprit ends or hangs another backend
// and is refused for it, and a query refused for deaths that this explains is released: one in
// flight at fewer than two others. So an innocent query is rarely refused for longer than until the
// culprit comes again; docs/behaviour.md, section 5, has the exceptions.
//
// What always holds: there are Limits.QuarantineCases at most, and a timer forgets each when its
// time is over. Queries are looked up only while one is refused. Of replies every eighth is
// remembered; while there are cases, each is looked up. Memory is allocated only when a backend
// dies or hangs; if there is none, no query is refused for that death or hang.

using System;
using System.Collections.Generic;
using System.Numerics;

namespace Balancer.Core;

/// <summary>Refuses the queries that end backends.</summary>
internal sealed class Quarantine
{
    private readonly Services _services;
    private readonly Timer _forget;
    private readonly Timer _look;
    private readonly LogGate<LogEvent.QueryRefusalProlonged> _prolonged;
    private readonly Dictionary<ulong, QuarantineCase> _cases = [];
    private readonly List<Suspect> _suspects = [];
    private readonly byte[] _packet = new byte[Limits.MaxUdpPayload];
    private readonly ulong[] _answered = new ulong[Limits.QuarantineAnswers];
    private readonly ulong[] _answeredForms = new ulong[Limits.QuarantineAnswers];
    private readonly HashSet<ulong> _answeredLately = [];
    private readonly Duration _firstTerm;
    private readonly Duration _lookBefore;
    private long _matched;
    private long _sampled;
    private long _deaths;
    private long _order;

    /// <summary>Nothing is refused from then on.</summary>
    private Instant _refusesUntil;

    /// <summary>What was sent until then is not refused for what is looked at.</summary>
    private Instant _hidden;

    /// <summary>When the last message that cannot be named was passed on.</summary>
    private Instant _unread;

    /// <summary>When the last query that found no room among the cases was sent.</summary>
    private Instant _unnamed;

    public Quarantine(Services services)
    {
        _services = services;
        _firstTerm = services.Options.Quarantine;
        // A term that is as short as that would become longer as soon as it began.
        _lookBefore = Duration.Min(Limits.QuarantineLook, new(_firstTerm.Nanoseconds / 2));
        _forget = new Timer(Forget);
        _look = new Timer(LookForSilent);
        _prolonged = services.Gates.Make<LogEvent.QueryRefusalProlonged>();
    }

    /// <summary>A query that was in flight at a death, and where it is.</summary>
    /// <param name="Query">Its index, if it came over UDP.</param>
    /// <param name="Message">If it came over TCP alone.</param>
    private readonly record struct Suspect(
        ulong Fingerprint, QuarantineCase Case, int Query, FirstMessage? Message);

    /// <summary>A reply answers a query; whether OnAnswered should hear of it.</summary>
    public bool WantsAnswer()
    {
        _matched++;
        return _cases.Count > 0 || IsSample;
    }

    private bool IsSample => _matched % Limits.QuarantineSample == 0;

    /// <summary>Whether a query is refused now.</summary>
    public bool IsRefused(Instant now, ReadOnlySpan<byte> query, bool isCut = false) =>
        now < _refusesUntil
        && _cases.TryGetValue(Of(query, isCut), out var found) && now < found.RefusedUntil;

    /// <summary>
    /// A backend answered a query, so what has this form is not what ends backends; and nothing
    /// that has its fingerprint is, if no other form is left that was charged. A truncated answer
    /// says nothing of the same question over TCP, which is asked because of it.
    /// </summary>
    public void OnAnswered(
        Instant now, ReadOnlySpan<byte> query, bool isTruncated, bool isCut = false)
    {
        var fingerprint = Of(query, isCut);
        if (_cases.TryGetValue(fingerprint, out var found)
            && !(isTruncated && found.IsOverTcp) && found.IsCleared(FormOf(query, isCut)))
        {
            _cases.Remove(fingerprint);
            LogIfReleased(now, found, QueryRelease.Answered);
        }
        if (IsSample && !isTruncated)
        {
            _answered[_sampled % _answered.Length] = fingerprint;
            _answeredForms[_sampled % _answered.Length] = FormOf(query, isCut);
            _sampled++;
        }
    }

    /// <summary>How many queries are refused now.</summary>
    public int CountRefused(Instant now)
    {
        var refused = 0;
        foreach (var found in _cases.Values)
            refused += now < found.RefusedUntil ? 1 : 0;
        return refused;
    }

    private void LogIfReleased(Instant now, QuarantineCase released, QueryRelease why)
    {
        if (now < released.RefusedUntil)
        {
            _services.Log.Write(
                new LogEvent.QueryReleased(released.Query, why, now - released.RefusedAt));
        }
    }

    /// <summary>
    /// A backend's session ended by itself with these queries in flight, and these of all messages
    /// that TCP clients sent.
    /// </summary>
    public void OnDeath(
        Instant now, Backend backend, InFlight queries, LinkedList<FirstMessage> messages)
    {
        if (_firstTerm == Duration.Zero)
            return;
        try
        {
            Judge(now, backend, queries, messages);
        }
        catch (OutOfMemoryException)
        {
            queries.EndWalk();
        }
        _suspects.Clear();
        ArmForget(now + Limits.QuarantineMemory);
    }

    private void Judge(
        Instant now, Backend backend, InFlight queries, LinkedList<FirstMessage> messages)
    {
        Begin(now);
        _unread = Instant.Zero;
        _unnamed = Instant.Zero;
        Look(now, queries);
        Look(now, backend, messages, queries.ChargedUntil);
        // A copy of what it had was sent when it was known to be silent.
        var countedAt = Instant.Min(now, queries.SilentSince);
        foreach (var suspect in _suspects)
        {
            var wasAnswered = _answeredLately.Contains(suspect.Fingerprint);
            suspect.Case.Begin(now, countedAt, _deaths, backend, wasAnswered, ++_order);
        }
        if (FindCulprit(now) is { } culprit)
            Convict(now, backend.Id, in culprit, queries);
    }

    /// <summary>
    /// Whether one of the first queries that a silent backend was sent behind its last answer, or
    /// one of all messages that TCP clients sent, is charged with another's hang or death already.
    /// Then the answers of others are not waited for: they would be sent it in that time.
    /// </summary>
    public bool MayHaveHungAnother(
        Instant now, Backend backend, LinkedList<FirstMessage> messages)
    {
        if (_cases.Count == 0)
            return false;
        var queries = backend.InFlight;
        var left = Limits.QuarantineHangs;
        var looks = Limits.QuarantineCases;
        for (var link = queries.NextBehindAnswers(0); link != 0 && left > 0 && looks > 0; looks--)
        {
            if (!queries.IsAnswered(link - 1))
            {
                left--;
                if (EndedAnother(now, backend.Id, Of(queries.PacketOf(link - 1, _packet))))
                    return true;
            }
            link = queries.NextBehindAnswers(link);
        }
        for (var message = FirstThatMayHang(now, backend, messages.First); message is not null;
            message = FirstThatMayHang(now, backend, message.Next))
        {
            if (EndedAnother(now, backend.Id, Of(message.Value)))
                return true;
        }
        return false;
    }

    private bool EndedAnother(Instant now, BackendId than, ulong fingerprint) =>
        _cases.TryGetValue(fingerprint, out var found)
        && now - found.DiedAt <= Limits.QuarantineMemory && found.CountedOn != than;

    /// <summary>
    /// A backend hangs, and was suspect from then on; these are all messages that TCP clients sent.
    /// If it hangs of one, or of a query, it answered nothing that it was sent after that.
    /// </summary>
    public void OnHang(Instant now, Instant suspectedAt, Backend backend,
        LinkedList<FirstMessage> messages)
    {
        if (_firstTerm == Duration.Zero)
            return;
        try
        {
            JudgeHang(now, suspectedAt, backend, messages);
        }
        catch (OutOfMemoryException)
        {
            // No query is refused for it.
        }
        _suspects.Clear();
        ArmForget(now + Limits.QuarantineMemory);
    }

    private void JudgeHang(Instant now, Instant suspectedAt, Backend backend,
        LinkedList<FirstMessage> messages)
    {
        Begin(now);
        LookAtFirst(now, suspectedAt, backend, messages, out var isUnread);
        foreach (var suspect in _suspects)
            suspect.Case.BeginHang(now, _deaths, backend, suspectedAt, ++_order);
        // The first backend got them in the order in which they came; the next one got copies of
        // them, the newest first.
        var culprit = -1;
        for (var n = 0; n < _suspects.Count; n++)
        {
            var held = _suspects[n].Case;
            if (held.SentAt > _hidden && IsSureOf(_suspects[n], isUnread)
                && (culprit < 0 || IsEarlier(held, _suspects[culprit].Case)))
            {
                culprit = n;
            }
        }
        if (culprit >= 0)
            Convict(now, backend.Id, _suspects[culprit], backend.InFlight);
    }

    private static bool IsEarlier(QuarantineCase one, QuarantineCase other) =>
        ComesFirst(one) != ComesFirst(other)
            ? ComesFirst(one) : one.FirstOrder < other.FirstOrder;

    /// <summary>
    /// Messages without a question are alike, and some may be in flight everywhere at any time; but
    /// what was there at many deaths is not passed over for ever.
    /// </summary>
    private static bool ComesFirst(QuarantineCase held) =>
        held.HasQuestion || held.Deaths >= Limits.QuarantineSureDeaths;

    /// <summary>
    /// Whether enough backends hung or died of it; a term that it had counts as one.
    /// </summary>
    private static bool IsSureOf(in Suspect suspect, bool isUnread)
    {
        var held = suspect.Case;
        var needed = isUnread ? Limits.QuarantineSureDeaths : DeathsNeeded(held);
        return held.Deaths + (MayRelapse(held) ? 1 : 0) >= needed;
    }

    /// <summary>
    /// What backends can answer is hardly what ends them: two may have died together. And what
    /// they answer in some of its forms, but in more than can be cleared, is innocent more often.
    /// </summary>
    private static int DeathsNeeded(QuarantineCase held) =>
        held.IsInDoubt ? Limits.QuarantineSureDeaths : held.WasAnsweredLately ? 3 : 2;

    /// <summary>One more death or hang is enough to refuse it again.</summary>
    private static bool MayRelapse(QuarantineCase held) =>
        held.Term > Duration.Zero && !held.IsInDoubt;

    /// <summary>The balancer stops: no timer is left.</summary>
    public void Stop()
    {
        _services.Timers.Disarm(_forget);
        _services.Timers.Disarm(_look);
    }

    // ---- What was in flight ----

    private void Begin(Instant now)
    {
        _deaths++;
        ForgetOld(now);
        _answeredLately.Clear();
        _answeredLately.UnionWith(_answered);
        _answeredLately.UnionWith(_answeredForms);
        _hidden = Instant.Zero;
    }

    private void Look(Instant now, InFlight queries)
    {
        queries.BeginWalk();
        for (var n = 0; queries.Cursor != 0 && n < Limits.QuarantineCases;)
        {
            queries.Next(_packet, out var index, out var length);
            if (!queries.WasTaken(index))
                continue;
            n++;
            var sentAt = queries.SentAt(index);
            if (sentAt <= queries.ChargedUntil)
                continue;
            var packet = _packet.AsSpan(0, length);
            if (!queries.IsAnswered(index))
                Look(now, sentAt, packet, index, null);
            else if (_cases.TryGetValue(Of(packet), out var found))
                TryExcuse(now, found, sentAt);
        }
        queries.EndWalk();
    }

    private void Look(Instant now, Backend backend, LinkedList<FirstMessage> messages,
        Instant chargedUntil)
    {
        foreach (var message in messages)
        {
            if (!message.IsAt(now, backend) || message.SentAt <= chargedUntil)
                continue;
            if (message.HasName)
                Look(now, message.SentAt, default, 0, message);
            else
                _unread = Instant.Max(_unread, message.SentAt);
        }
    }

    /// <summary>
    /// Looks, in the order of sending, at the first of the queries and messages that a backend got
    /// after the last query that it answered, and that nobody has answered.
    /// </summary>
    private void LookAtFirst(Instant now, Instant suspectedAt, Backend backend,
        LinkedList<FirstMessage> messages, out bool isUnread)
    {
        var queries = backend.InFlight;
        queries.SetJudged(now);
        isUnread = false;
        // What came when it was silent already did not hang it.
        foreach (var sent in messages)
        {
            isUnread |= !sent.HasName && sent.SentAt < suspectedAt
                && MayHang(now, backend, sent);
        }
        var link = queries.NextBehindAnswers(0);
        var message = FirstThatMayHang(now, backend, messages.First);
        var mostQueries = Limits.QuarantineCases;
        for (var left = Limits.QuarantineHangs; ;)
        {
            var isQuery = link != 0 && mostQueries > 0 && (message is null
                || queries.SentAt(link - 1) <= message.Value.SentAt);
            if (isQuery)
            {
                left -= LookAt(now, queries, link - 1, left > 0) ? 1 : 0;
                link = queries.NextBehindAnswers(link);
                mostQueries--;
            }
            else if (message is not null)
            {
                if (left-- > 0 || _cases.ContainsKey(Of(message.Value)))
                    Look(now, message.Value.SentAt, default, 0, message.Value);
                message = FirstThatMayHang(now, backend, message.Next);
            }
            else
            {
                break;
            }
        }
    }

    /// <summary>
    /// Looks at a query of a backend that hangs, if it is not new or new ones are still taken;
    /// false if another answered it.
    /// </summary>
    private bool LookAt(Instant now, InFlight queries, int index, bool takesNew)
    {
        var sentAt = queries.SentAt(index);
        if (!queries.IsAnswered(index))
        {
            var packet = queries.PacketOf(index, _packet);
            if (takesNew || _cases.ContainsKey(Of(packet)))
                Look(now, sentAt, packet, index, null);
            return true;
        }
        if (now < _refusesUntil
            && _cases.TryGetValue(Of(queries.PacketOf(index, _packet)), out var found))
        {
            TryExcuse(now, found, sentAt);
        }
        return false;
    }

    private static LinkedListNode<FirstMessage>? FirstThatMayHang(
        Instant now, Backend backend, LinkedListNode<FirstMessage>? message)
    {
        while (message is not null
            && !(message.Value.HasName && MayHang(now, backend, message.Value)))
        {
            message = message.Next;
        }
        return message;
    }

    /// <summary>
    /// A backend reads its sockets in an order of its own, so it may have answered a query that it
    /// was sent a little later.
    /// </summary>
    private static bool MayHang(Instant now, Backend backend, FirstMessage message) =>
        message.IsAt(now, backend)
        && message.SentAt + Limits.PipelineDelay >= backend.InFlight.AnsweredAt;

    /// <summary>
    /// Looks at a message, or if there is none at a query, which has this packet and index.
    /// </summary>
    private void Look(Instant now, Instant sentAt, ReadOnlySpan<byte> packet, int query,
        FirstMessage? message)
    {
        var fingerprint = message is null ? Of(packet) : Of(message);
        if (!_cases.TryGetValue(fingerprint, out var found))
        {
            if (_cases.Count == Limits.QuarantineCases)
            {
                _services.Counters.Add(Counter.QuarantineFull);
                _unnamed = Instant.Max(_unnamed, sentAt);
                return;
            }
            var question = DnsQuestion.LengthOf(message is null ? packet : message.Packet);
            found = new QuarantineCase { HasQuestion = question > 0 };
            _cases.Add(fingerprint, found);
            Verify.That(_cases.Count <= Limits.QuarantineCases, "cases are bounded");
        }
        if (TryExcuse(now, found, sentAt))
            return;
        found.IsOverTcp |= message is not null;
        var form = message is null ? FormOf(packet) : FormOf(message.Packet, message.IsCut);
        found.Charge(form);
        // Of several that are alike, the backend met the oldest first.
        var isFirst = found.LookedAt != _deaths;
        found.WasAnsweredLately = (isFirst || found.WasAnsweredLately)
            && _answeredLately.Contains(form);
        found.SentAt = isFirst ? sentAt : Instant.Min(found.SentAt, sentAt);
        found.LookedAt = _deaths;
        if (!isFirst)
            return;
        found.WasAnsweredInAnyForm |= _answeredLately.Contains(fingerprint);
        _suspects.Add(new Suspect(fingerprint, found, query, message));
    }

    /// <summary>
    /// What is refused by now was sent before that, and may be what ended this backend too.
    /// </summary>
    private bool TryExcuse(Instant now, QuarantineCase found, Instant sentAt)
    {
        if (now >= found.RefusedUntil)
            return false;
        _hidden = Instant.Max(_hidden, Instant.Max(found.RefusedAt, sentAt));
        return true;
    }

    // ---- Which one it was ----

    /// <summary>The most suspect of all, once it is known how long each was outlived.</summary>
    private Suspect? FindCulprit(Instant now)
    {
        if (FindLast() is { } relapsed && MayRelapse(relapsed.Case)
            && relapsed.Case.OutlivedLast < now - _unnamed && MayBeRefused(relapsed.Case))
        {
            return relapsed;
        }
        Suspect? culprit = null;
        foreach (var suspect in _suspects)
        {
            if (suspect.Case.Deaths >= DeathsNeeded(suspect.Case) && MayBeRefused(suspect.Case)
                && (culprit is null || IsMoreSuspect(suspect.Case, culprit.Value.Case)))
            {
                culprit = suspect;
            }
        }
        return culprit;
    }

    /// <summary>The one that was sent after all others; null if several were.</summary>
    private Suspect? FindLast()
    {
        Suspect? last = null;
        var shortest = new Duration(long.MaxValue);
        foreach (var suspect in _suspects)
        {
            var outlived = suspect.Case.OutlivedLast;
            if (outlived <= shortest)
                last = outlived == shortest ? null : suspect;
            shortest = Duration.Min(shortest, outlived);
        }
        return last;
    }

    /// <summary>Whether it was sent after all that may hide somebody else.</summary>
    private bool MayBeRefused(QuarantineCase culprit) => culprit.SentAt > _hidden
        && (culprit.SentAt > _unread || culprit.Deaths >= Limits.QuarantineSureDeaths);

    private static bool IsMoreSuspect(QuarantineCase one, QuarantineCase other) =>
        ComesFirst(one) != ComesFirst(other) ? ComesFirst(one)
        : one.Deaths != other.Deaths ? one.Deaths > other.Deaths
        : one.Outlived < other.Outlived;

    private void Convict(Instant now, BackendId id, in Suspect culprit, InFlight queries)
    {
        var convict = culprit.Case;
        Verify.That(convict.Death == _deaths && now >= convict.RefusedUntil,
            "who is refused was charged with this death, and is not refused already");
        foreach (var other in _cases.Values)
        {
            if (!IsExplainedBy(other, convict))
                continue;
            LogIfReleased(now, other, QueryRelease.Explained);
            other.RefusedUntil = Instant.Min(now, other.RefusedUntil);
        }
        convict.Term = Duration.Max(_firstTerm,
            Duration.Min(convict.Term + convict.Term, Limits.LongestQuarantine));
        convict.RefusedAt = now;
        convict.RefusedUntil = now + convict.Term;
        _refusesUntil = Instant.Max(_refusesUntil, convict.RefusedUntil);
        ArmLook(convict.RefusedUntil);
        var message = culprit.Message;
        var client = message?.Client ?? queries.ClientOf(culprit.Query);
        var packet = message is null
            ? queries.PacketOf(culprit.Query, _packet)
            : message.Packet;
        convict.Query = packet.ToArray();
        _services.Counters.Add(Counter.QuarantinesBegun);
        _services.Log.Write(
            new LogEvent.QueryQuarantined(id, client, convict.Query, convict.Term));
    }

    /// <summary>
    /// Whether it was refused for deaths of which, without those that the convict was in flight at,
    /// fewer than two are left. It was not charged with this one.
    /// </summary>
    private bool IsExplainedBy(QuarantineCase other, QuarantineCase convict)
    {
        var history = other.HistoryAt(_deaths);
        return other.Term > Duration.Zero && other.Death != _deaths
            && (convict.HasQuestion || !other.HasQuestion)
            && (history & convict.History) != 0
            && BitOperations.PopCount(history & ~other.TogetherAt(_deaths)
                & ~convict.History) < 2;
    }

    private ulong Of(ReadOnlySpan<byte> query, bool isCut = false) =>
        Fingerprint.Of(query, _services.Options.HashKey, isCut);

    private ulong Of(FirstMessage message) => Of(message.Packet, message.IsCut);

    private ulong FormOf(ReadOnlySpan<byte> query, bool isCut = false) =>
        Fingerprint.FormOf(query, _services.Options.HashKey, isCut);

    // ---- While backends hang still ----

    /// <summary>
    /// Terms are about to end: each that is for a backend which is silent still becomes longer.
    /// There is one record about all of them.
    /// </summary>
    private void LookForSilent(Instant now)
    {
        var first = Instant.Never;
        LogEvent.QueryRefusalProlonged last = default;
        var times = 0;
        foreach (var found in _cases.Values)
        {
            if (now >= found.RefusedUntil)
                continue;
            if (found.RefusedUntil - _lookBefore <= now && found.Silent is { } silent
                && TryProlong(found) is { } by)
            {
                last = new LogEvent.QueryRefusalProlonged(silent.Id, found.Query, by, 0);
                times++;
            }
            if (found.RefusedUntil - _lookBefore > now)
                first = Instant.Min(first, found.RefusedUntil);
        }
        if (times > 0)
            _prolonged.Write(now, in last, times);
        if (first != Instant.Never)
            ArmLook(first);
    }

    /// <summary>By how much it is refused for longer; null if it was for long enough.</summary>
    private Duration? TryProlong(QuarantineCase refused)
    {
        var until = Instant.Min(
            refused.RefusedUntil + _firstTerm, refused.RefusedAt + Limits.LongestQuarantine);
        if (until <= refused.RefusedUntil)
            return null;
        var by = until - refused.RefusedUntil;
        refused.RefusedUntil = until;
        _refusesUntil = Instant.Max(_refusesUntil, until);
        return by;
    }

    private void ArmLook(Instant refusedUntil)
    {
        var due = refusedUntil - _lookBefore;
        if (!_look.IsArmed || due < _look.Deadline)
            _services.Timers.Arm(_look, due);
    }

    // ---- Forgetting ----

    private void Forget(Instant now) => ArmForget(ForgetOld(now));

    /// <summary>Two deaths count together if a minute at most is between them.</summary>
    /// <returns>How long the rest is remembered at least.</returns>
    private Instant ForgetOld(Instant now)
    {
        var first = Instant.Never;
        foreach (var (fingerprint, found) in _cases)
        {
            if (now > found.RememberedUntil)
                _cases.Remove(fingerprint);
            else
                first = Instant.Min(first, found.RememberedUntil);
        }
        return first;
    }

    private void ArmForget(Instant remembered)
    {
        var due = remembered + new Duration(1);
        if (_cases.Count > 0 && (!_forget.IsArmed || due < _forget.Deadline))
            _services.Timers.Arm(_forget, due);
    }
}
