// Owns when nobody may be condemned because the balancer itself stood still. When a wait ends more
// than 50 ms after its time, whoever is waited for has the length of that standstill from then on,
// 3 s of it at most; a backend that is silent, or has a probe out, half a second at most. A
// standstill that begins before that time is over gives new time, or what is left of the old if
// that is more; all that is given so without a break, and is not used up by another standstill, is
// 6 s at most. Suspicion, probes and queries come a millisecond after all others.
//
// What always holds: it knows by when waits should have ended and when they did, and by nothing
// that the core says.

using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows standstills.</summary>
internal sealed class StandstillModel(ReferenceModel model)
{
    private Duration _toGive = SpecifiedLimits.TimeOfStandstills;

    private Instant _lastOne;

    /// <summary>When the last one of half a second or more ended; null for none.</summary>
    public Instant? LongEndedAt { get; private set; }

    /// <summary>Until when nobody's time is up.</summary>
    public Instant SparedUntil { get; private set; }

    /// <summary>Until when nobody becomes suspect, or has failed a probe by being silent.</summary>
    public Instant SilentUntil => Instant.Min(
        SparedUntil, _lastOne + SpecifiedLimits.ShortStandstillTime)
        + SpecifiedLimits.TimeOutPause;

    /// <summary>The turn that begins now is late by so much.</summary>
    public void OnLate(Duration late)
    {
        if (late <= SpecifiedLimits.LatenessAllowed)
            return;
        model.Counters.Add(Counter.Standstills);
        var began = model.Now - late;
        var given = Duration.Min(late, SpecifiedLimits.StandstillTime);
        if (began > SparedUntil)
        {
            _toGive = SpecifiedLimits.TimeOfStandstills;
        }
        else
        {
            _toGive += SparedUntil - began;
            if (given < SparedUntil - began)
                given = SparedUntil - began;
        }
        if (given > _toGive)
            given = _toGive;
        _toGive -= given;
        _lastOne = model.Now;
        if (late >= SpecifiedLimits.ShareSpan)
            LongEndedAt = model.Now;
        SparedUntil = model.Now + given;
    }

    /// <summary>
    /// When a query is forgotten: after all who are judged when that time is over.
    /// </summary>
    public Instant ExtendQuery(Instant due) =>
        due < SparedUntil ? SparedUntil + SpecifiedLimits.TimeOutPause : due;

    /// <summary>When a deadline counts.</summary>
    public Instant Extend(Instant due) => Instant.Max(due, SparedUntil);
}
