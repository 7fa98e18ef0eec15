// Owns the deadlines that show in no call: those of queries in flight, of silent backends, of those
// that fail, of probes, and of what is refused. A turn serves its deadlines after it has read the
// sessions, the earliest first, and of two at one instant the one that was set first. The model
// serves them as soon as it sees something that came after them: so it knows for each such thing
// what its own deadline was, or that all were served.
//
// What always holds: at the end of a turn no deadline that had come is left.

using System;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Serves the deadlines that show in no call.</summary>
internal sealed class DeadlineModel(ReferenceModel model)
{
    private static readonly object Hang = new();

    private long _order;

    /// <summary>A number for a deadline that is set now; the next one is higher.</summary>
    public long NextOrder() => ++_order;

    /// <summary>Serves all that have come.</summary>
    public void ServeAll()
    {
        while (ServeNext(Instant.Never) != null)
        {
        }
    }

    /// <summary>
    /// Serves those that come before one that is seen to be served. Of two at one instant that one
    /// is the first, unless its order says otherwise.
    /// </summary>
    public void ServeBefore(Instant deadline, long order = 0)
    {
        while (ServeNext(deadline, order) != null)
        {
        }
    }

    /// <summary>Serves those up to the one that tells whether a session is silent.</summary>
    public void ServeSilenceOf(ExpectedSession session)
    {
        if (session.Silence.DueAt > model.Now)
            return;
        while (ServeNext(Instant.Never) is { } served && served != session.Silence)
        {
        }
    }

    /// <summary>Serves those up to the one that something was owed by.</summary>
    public void ServeUntil(Func<bool> isOwed)
    {
        while (!isOwed() && ServeNext(Instant.Never) != null)
        {
        }
    }

    /// <summary>
    /// Serves the first that has come and is before a deadline; what it was about, null for none.
    /// </summary>
    private object? ServeNext(Instant before, long order = 0)
    {
        (Instant At, long Order) first = (before, order);
        ExpectedSession? owner = null;
        object? what = null;
        foreach (var backend in model.Policy.Backends)
        {
            if (backend.Session is not { } session)
                continue;
            if (IsFirst(session.InFlight.TimeOutAt, session.InFlight.TimeOutOrder))
                (owner, what) = (session, session.InFlight);
            if (IsFirst(session.Silence.DueAt, session.Silence.DueOrder))
                (owner, what) = (session, session.Silence);
            if (IsFirst(session.Silence.HangAt, session.Silence.HangOrder))
                (owner, what) = (session, Hang);
            if (IsFirst(session.Given.DueAt, session.Given.DueOrder))
                (owner, what) = (session, session.Given);
            if (IsFirst(session.Probes.DueAt, session.Probes.DueOrder))
                (owner, what) = (session, session.Probes);
        }
        foreach (var session in model.Retired)
        {
            if (IsFirst(session.Silence.DueAt, session.Silence.DueOrder))
                (owner, what) = (session, session.Silence);
            if (IsFirst(session.InFlight.TimeOutAt, session.InFlight.TimeOutOrder))
                (owner, what) = (session, session.InFlight);
        }
        if (IsFirst(model.Quarantine.DueAt, model.Quarantine.DueOrder))
        {
            model.Quarantine.OnDue();
            return model.Quarantine;
        }
        if (owner == null)
            return null;
        if (what == owner.Silence)
            model.Suspicion.OnDue(owner);
        else if (what == Hang)
            model.Suspicion.OnHangDue(owner);
        else if (what == owner.Given)
            model.Failing.OnDue(owner);
        else if (what == owner.Probes)
            model.Probes.OnDue(owner);
        else
            model.Flights.OnDue(owner);
        return what;

        bool IsFirst(Instant at, long order)
        {
            if (at > model.Now || at > first.At || (at == first.At && order >= first.Order))
                return false;
            first = (at, order);
            return true;
        }
    }
}
