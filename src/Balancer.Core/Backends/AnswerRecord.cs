// Owns what one backend's last answers say about it: how many of the last hundred were SERVFAIL or
// REFUSED. A backend that has lost its database says hello, answers heartbeats, and fails every
// query; this is how that shows without a probe.
//
// A session that has given no good answer yet is not trusted with clients for a second after each
// SERVFAIL: so it is tried about once a second, until it has something to answer with.
//
// Alone the share means nothing: a name that nobody serves is REFUSED everywhere. So a backend
// fails when its share is far above another's, and no longer when it is near all of them again;
// Backends compares them. A record without an answer for ten seconds is forgotten: a backend that
// gets no clients any more would never get any again otherwise. It fails for ten seconds at least,
// so that no client can make it change all the time.
//
// A backend may also answer heartbeats and no query, or with ids that nobody asked with. When it
// has answered none of twenty queries that any backend answers for two seconds, or none of a few
// for longer, it fails for ten seconds, or until it answers one, and so for twice as long each
// time; its clients are not with it then. Unanswered counts those; what no Binder answers, since it
// cannot be read, is none of them, or any client could have a backend avoided.
//
// What always holds: a backend fails only with a record, or mute, and the timer is armed exactly
// while it fails; an answer costs a few nanoseconds and allocates nothing.

using System;

namespace Balancer.Core;

/// <summary>The last answers of one backend.</summary>
internal sealed class AnswerRecord
{
    private readonly Timers _timers;
    private readonly Action<Instant> _onForgotten;
    private readonly Timer _timer;
    private UInt128 _recent;
    private Instant _lastAt;
    private Instant _distrustedUntil;
    private Instant _erredAt = Instant.Zero - Limits.AnswerMemory;
    private Instant _answeredAt = Instant.Zero - Limits.AnswerMemory;
    private Duration _muteTime = Limits.AnswerMemory;

    /// <summary>`onForgotten` is called when it stops failing because no answer came.</summary>
    public AnswerRecord(Timers timers, Action<Instant> onForgotten)
    {
        _timers = timers;
        _onForgotten = onForgotten;
        _timer = new Timer(OnDue);
    }

    /// <summary>Answers that are remembered, Limits.AnswersRecorded at most.</summary>
    public int Answers { get; private set; }

    /// <summary>How many of these were SERVFAIL or REFUSED.</summary>
    public int Failed { get; private set; }

    public bool IsFailing { get; private set; }

    /// <summary>It fails because it answers no query at all.</summary>
    public bool IsMute { get; private set; }

    /// <summary>Since when; means something while IsFailing.</summary>
    public Instant FailingSince { get; private set; }

    /// <summary>
    /// Notes an answer; whether that may make a difference to whether the backend fails.
    /// </summary>
    public bool Add(Instant now, bool isFailure)
    {
        if (!IsFailing && now - _lastAt >= Limits.AnswerMemory)
            Clear();
        _lastAt = now;
        if (Answers < Limits.AnswersRecorded)
            Answers++;
        else
            Failed -= (int)(_recent >> (Limits.AnswersRecorded - 1)) & 1;
        _recent = _recent << 1 | (isFailure ? UInt128.One : UInt128.Zero);
        Failed += isFailure ? 1 : 0;
        Verify.That(Failed >= 0 && Failed <= Answers, "a record counts what it has");
        return IsFailing ? !isFailure && now - FailingSince >= Limits.AnswerMemory
            : isFailure && Answers >= Limits.LeastAnswers
            && Failed * 100 >= Limits.FailingMargin * Answers;
    }

    /// <summary>
    /// It gave an answer that needs data: NOERROR or NXDOMAIN.
    /// </summary>
    public bool HasGood { get; private set; }

    /// <summary>
    /// Limits.DistrustTime after its last SERVFAIL, if it gave no good answer yet: it may have
    /// nothing to answer with. REFUSED may be right, so no client can use it to keep others away.
    /// </summary>
    public Instant DistrustedUntil => HasGood ? Instant.Zero : _distrustedUntil;

    /// <summary>Whether it does not fail and has answered no query for a while.</summary>
    public bool MayBeMute(Instant now) =>
        !IsFailing && now - _answeredAt >= Limits.VainTime;

    /// <summary>Whether it answered a query lately.</summary>
    public bool AnswersAtAll(Instant now) => now - _answeredAt < Limits.AnswerMemory;

    /// <summary>It answers nothing, and another does.</summary>
    public void BeginMute(Instant now)
    {
        Verify.That(!IsFailing, "a backend that fails is not found mute");
        (IsFailing, IsMute, FailingSince) = (true, true, now);
        _timers.Arm(_timer, now + _muteTime);
        _muteTime = Duration.Min(_muteTime + _muteTime, Limits.LongestMute);
    }

    /// <summary>A reply of it answered a query; true if it was mute.</summary>
    public bool OnMatch(Instant now)
    {
        _answeredAt = now;
        _muteTime = Limits.AnswerMemory;
        return IsMute;
    }

    /// <summary>It answered so, whether that is to be remembered or not.</summary>
    public void OnAnswer(Instant now, ResponseCode code)
    {
        HasGood |= code is ResponseCode.NoError or ResponseCode.NameError;
        if (code == ResponseCode.ServerFailure)
            (_erredAt, _distrustedUntil) = (now, now + Limits.DistrustTime);
    }

    /// <summary>It gave SERVFAIL lately.</summary>
    public bool HasErred(Instant now) => now - _erredAt < Limits.AnswerMemory;

    /// <summary>Whether there are answers enough to compare with.</summary>
    public bool IsTelling(Instant now) =>
        Answers >= Limits.LeastAnswers && now - _lastAt < Limits.AnswerMemory;

    /// <summary>Whether its share is above another's by what makes it fail.</summary>
    public bool IsFarAbove(AnswerRecord other) =>
        Difference(other) >= Limits.FailingMargin * Answers * other.Answers;

    /// <summary>Whether its share is above another's by more than ends its failing.</summary>
    public bool IsStillAbove(AnswerRecord other) =>
        Difference(other) > Limits.FailingEnd * Answers * other.Answers;

    /// <summary>In percentage points, times both numbers: whole, and so exact.</summary>
    private int Difference(AnswerRecord other) =>
        100 * (Failed * other.Answers - other.Failed * Answers);

    /// <summary>Its share is so low that it is far above nobody's.</summary>
    public bool IsLow => Failed * 100 <= Limits.FailingEnd * Answers;

    /// <summary>It is far above another's share.</summary>
    public void BeginFailing(Instant now)
    {
        Verify.That(!IsFailing && Answers > 0, "a record begins to fail once, by its answers");
        IsFailing = true;
        FailingSince = now;
        _timers.Arm(_timer, _lastAt + Limits.AnswerMemory);
    }

    /// <summary>It is near the others' again.</summary>
    public void EndFailing()
    {
        _timers.Disarm(_timer);
        (IsFailing, IsMute) = (false, false);
    }

    /// <summary>Another socket is there: if it is mute, that is for the first time.</summary>
    public void ForgetMutes() => _muteTime = Limits.AnswerMemory;

    /// <summary>
    /// The session ended or was replaced: the next one has a clean record, but for how often it was
    /// mute.
    /// </summary>
    public void OnSessionEnded()
    {
        EndFailing();
        Clear();
        HasGood = false;
        _answeredAt = Instant.Zero - Limits.AnswerMemory;
        _distrustedUntil = Instant.Zero;
        _erredAt = Instant.Zero - Limits.AnswerMemory;
    }

    private void OnDue(Instant now)
    {
        if (!IsMute && now - _lastAt < Limits.AnswerMemory)
        {
            _timers.Arm(_timer, _lastAt + Limits.AnswerMemory);
            return;
        }
        Clear();
        _onForgotten(now);
    }

    private void Clear()
    {
        _recent = 0;
        Answers = 0;
        Failed = 0;
    }
}
