// Owns what is logged of sessions whose writes or reads fail since the kernel has no memory for
// them (ENOBUFS, ENOMEM): that it began, with the first of them, and that it is over, with the
// last, whichever backends they are to. It is the machine's trouble, and lasts as long as that.
//
// What always holds: a session is counted here from the first such call until a call of its kind
// does not fail so any more, or the session ends; every such call is in the counter.

namespace Balancer.Core;

/// <summary>Whether the kernel has memory for sessions.</summary>
internal sealed class KernelMemory(Services services)
{
    private readonly TroubleReport<LogEvent.SessionsWithoutMemory, LogEvent.SessionsHaveMemory>
        _report = new(services);

    private int _short;
    private Instant _since;

    /// <summary>A call on a session failed so; notes that the session waits for memory.</summary>
    public void OnCallFailed(Instant now, IoResult why, ref bool isShort)
    {
        services.Counters.Add(Counter.SessionCallsWithoutMemory);
        if (isShort)
            return;
        isShort = true;
        if (_short++ > 0)
            return;
        _since = now;
        _report.OnBegun(now, new LogEvent.SessionsWithoutMemory(why, 0));
    }

    /// <summary>A session that waited for memory has it, or has ended.</summary>
    public void OnThere(Instant now, ref bool isShort)
    {
        Verify.That(isShort && _short > 0, "who has memory again had none");
        isShort = false;
        if (--_short == 0)
            _report.OnOver(now, new LogEvent.SessionsHaveMemory(now - _since, 0));
    }
}
