// Owns what is held against one question: at which deaths of backends it was in flight, which of
// them count, for how long the backends outlived it, and until when it is refused. Quarantine
// decides what follows from it.
//
// What always holds: bit 0 of the history is the last death, and a death that does not count is in
// both sets of bits.

using System.Collections.Generic;
using System.Numerics;

namespace Balancer.Core;

/// <summary>What is held against one fingerprint.</summary>
internal sealed class QuarantineCase
{
    /// <summary>It has a question that can be read.</summary>
    public required bool HasQuestion;

    /// <summary>The last death that it was in flight at; deaths are numbered from 1.</summary>
    public long Death;

    public Instant DiedAt;

    /// <summary>The death that it was last looked for at.</summary>
    public long LookedAt;

    /// <summary>Of what is alike there, when the first was sent.</summary>
    public Instant SentAt;

    /// <summary>
    /// When the last death that counts for it was; others may have followed at once.
    /// </summary>
    public Instant CountedAt;

    /// <summary>Of two, the first that hung or died with them got the lower one first.</summary>
    public long FirstOrder;

    /// <summary>The backend that died or hung then.</summary>
    public BackendId CountedOn;

    /// <summary>The last two that died or hung, and when they did.</summary>
    private (Backend? Who, Instant At) _last;

    private (Backend? Who, Instant At) _before;

    /// <summary>
    /// The deaths that it was in flight at, each within a minute of the one before: bit n is
    /// that with the number Death - n.
    /// </summary>
    public ulong History;

    /// <summary>Those of them that do not count, since they were at the same time.</summary>
    public ulong Together;

    /// <summary>How long these backends outlived it, added up over the deaths.</summary>
    public Duration Outlived;

    /// <summary>How long the last of them did.</summary>
    public Duration OutlivedLast;

    /// <summary>The longest of those that died at the same time as the last one.</summary>
    public Duration OutlivedTogether;

    /// <summary>What it was charged as and nobody has answered since.</summary>
    private readonly List<ulong> _forms = [];

    /// <summary>There were more forms than are remembered, so no answer clears it.</summary>
    private bool _hasMoreForms;

    /// <summary>
    /// It was answered lately, or since it was charged, be it in another form than it was charged
    /// as.
    /// </summary>
    public bool WasAnsweredInAnyForm;

    /// <summary>
    /// All of it that was in flight at the last death had forms that were answered lately.
    /// </summary>
    public bool WasAnsweredLately;

    /// <summary>A message over TCP was in flight at one of them.</summary>
    public bool IsOverTcp;

    /// <summary>How long it was refused the last time; zero if it never was.</summary>
    public Duration Term;

    public Instant RefusedAt;

    public Instant RefusedUntil;

    /// <summary>The query that it was refused for, as it is logged.</summary>
    public byte[] Query = [];

    /// <summary>Some of it is answered, and yet no answer clears it: it may be innocent.</summary>
    public bool IsInDoubt => _hasMoreForms && WasAnsweredInAnyForm;

    public int Deaths => BitOperations.PopCount(History & ~Together);

    /// <summary>
    /// Of the last two that it ended or hung, one that has not been heard of since, the last first;
    /// null if both were.
    /// </summary>
    public Backend? Silent => SilentOf(_last) ?? SilentOf(_before);

    private static Backend? SilentOf((Backend? Who, Instant At) victim) =>
        victim.Who is { } backend && backend.AliveAt <= victim.At
        && backend.State != BackendState.Removed ? backend : null;

    /// <summary>When it is forgotten, if nothing comes before.</summary>
    public Instant RememberedUntil => Term > Duration.Zero
        ? RefusedUntil + Limits.LongestQuarantine
        : DiedAt + Limits.QuarantineMemory;

    /// <summary>Its history with bit n for the death with the number last - n.</summary>
    public ulong HistoryAt(long last) => Shifted(History, last);

    /// <summary>As HistoryAt, of the deaths that do not count.</summary>
    public ulong TogetherAt(long last) => Shifted(Together, last);

    private ulong Shifted(ulong deaths, long last) =>
        last - Death < Limits.QuarantineDeaths ? deaths << (int)(last - Death) : 0;

    /// <summary>A query of this form is charged.</summary>
    public void Charge(ulong form)
    {
        if (_forms.Contains(form))
            return;
        if (_forms.Count == Limits.QuarantineForms)
            _hasMoreForms = true;
        else
            _forms.Add(form);
        Verify.That(_forms.Count <= Limits.QuarantineForms, "the forms of a question are bounded");
    }

    /// <summary>
    /// A query of this form was answered; whether nothing is left that it was charged as.
    /// </summary>
    public bool IsCleared(ulong form)
    {
        WasAnsweredInAnyForm = true;
        return _forms.Remove(form) && _forms.Count == 0 && !_hasMoreForms;
    }

    /// <summary>
    /// It was in flight at one more death, having been sent at SentAt; others were sent copies from
    /// countedAt on.
    /// </summary>
    public void Begin(Instant now, Instant countedAt, long death, Backend backend,
        bool wasAnswered, long order)
    {
        ForgetPaid(now, death);
        if (History == 0)
            FirstOrder = order;
        var isTogether = wasAnswered && History != 0 && SentAt <= CountedAt
            && now - CountedAt < Limits.LossDelay;
        Add(now, death, backend, countedAt, isTogether);
    }

    /// <summary>It may have hung a backend, which was suspect from then on.</summary>
    public void BeginHang(
        Instant now, long death, Backend backend, Instant suspectedAt, long order)
    {
        ForgetPaid(now, death);
        if (History == 0)
            FirstOrder = order;
        // A copy of what hangs is sent when that is noticed, and not before; and a backend that
        // is stopped again and again hangs of nothing that it holds.
        var isTogether = History != 0 && (SentAt < CountedAt || CountedOn == backend.Id);
        Add(now, death, backend, suspectedAt, isTogether);
    }

    private void ForgetPaid(Instant now, long death)
    {
        // What was before its term has been paid for.
        var isOld = now - DiedAt > Limits.QuarantineMemory || DiedAt < RefusedUntil;
        MoveTo(isOld ? Death + Limits.QuarantineDeaths : death);
    }

    private void Add(
        Instant now, long death, Backend backend, Instant countedAt, bool isTogether)
    {
        if (_last.Who != backend)
            _before = _last;
        _last = (backend, countedAt);
        OutlivedLast = now - SentAt;
        var before = isTogether ? OutlivedTogether : Duration.Zero;
        OutlivedTogether = Duration.Max(before, OutlivedLast);
        Outlived += OutlivedTogether - before;
        History |= 1;
        Together |= isTogether ? 1ul : 0;
        if (!isTogether)
            (CountedAt, CountedOn) = (countedAt, backend.Id);
        Death = death;
        DiedAt = now;
    }

    /// <summary>Forgets the deaths that are too many by then, with their share.</summary>
    private void MoveTo(long death)
    {
        Verify.That(death > Death, "a question is charged with a death once");
        var deaths = Deaths;
        (History, Together) = (HistoryAt(death), TogetherAt(death));
        for (; deaths > Deaths; deaths--)
            Outlived -= new Duration(Outlived.Nanoseconds / deaths);
    }
}
