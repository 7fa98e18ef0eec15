// Owns which sessions lack memory of the kernel's for a read or a write, when each is tried again,
// and what is logged of it: once when any lacks it, and once when none does any more.
//
// What always holds: a session is counted once, from the first call that found none until neither a
// read nor a write lacks it, or its end.

using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows the want of memory of all sessions.</summary>
internal sealed class SessionMemoryModel(ReferenceModel model)
{
    /// <summary>Sessions that wait for the kernel's memory, and since when any does.</summary>
    private int _short;
    private Instant _shortSince;

    /// <summary>
    /// A call on it came to this; what lacked memory is tried again in a while. A read comes before
    /// the deadlines of its turn, so one that is due then is still to be served.
    /// </summary>
    public void OnCall(ExpectedSession session, IoResult result, bool isRead)
    {
        if (result.Status != IoStatus.NoBuffers)
        {
            if (!session.WriteLacksMemory && !session.ReadLacksMemory)
                OnThere(session);
            return;
        }
        model.Counters.Add(Counter.SessionCallsWithoutMemory);
        if (session.MemoryRetryAt == Instant.Never
            || (!isRead && session.MemoryRetryAt <= model.Now))
        {
            model.ReachedIf(session.MemoryPause == SpecifiedLimits.LongestMemoryPause,
                Situation.SessionLacksMemoryForLong);
            session.MemoryRetryAt = model.Now + session.MemoryPause;
            session.MemoryPause = Duration.Min(
                session.MemoryPause + session.MemoryPause, SpecifiedLimits.LongestMemoryPause);
        }
        if (session.IsShort)
            return;
        session.IsShort = true;
        if (_short++ > 0)
            return;
        _shortSince = model.Now;
        model.Repeats.OnCondition(
            Repeat.SessionMemory, 0, new LogEvent.SessionsWithoutMemory(result, 0));
    }

    public void OnTurnEnded(ExpectedSession session)
    {
        if (session.ReadLacksMemory)
            session.Unreadable = (model.Turn, model.Now);
    }

    public void OnThere(ExpectedSession session)
    {
        if (!session.IsShort)
            return;
        session.IsShort = false;
        session.MemoryPause = SpecifiedLimits.FirstMemoryPause;
        if (--_short == 0)
        {
            model.Repeats.OnCondition(Repeat.SessionMemory, 0,
                new LogEvent.SessionsHaveMemory(model.Now - _shortSince, 0));
        }
    }
}
