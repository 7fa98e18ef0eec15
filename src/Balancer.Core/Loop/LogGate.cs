// Owns the rate limit of log records about conditions that repeat, so that nothing that a client or
// a backend does fills a disk: one record every Limits.RepeatedLogInterval, which speaks of the
// last time and says how many before it were suppressed. The interval's end, and the balancer's
// stop, bring out what was suppressed, whether the condition comes again or not.
//
// What always holds: a condition has a gate of its own, so that one that a client can bring about
// never hides another that an operator must see; a gate's timer is armed exactly while something is
// suppressed; by the time the balancer has stopped each time is in exactly one record, as its
// subject or in its number.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>All gates of one balancer.</summary>
internal sealed class LogGates
{
    private readonly Timers _timers;
    private readonly IBalancerLog _log;
    private readonly List<ILogGate> _all = [];

    public LogGates(Timers timers, IBalancerLog log)
    {
        _timers = timers;
        _log = log;
        Entries = new EntryRecords(this, log);
    }

    /// <summary>Limits what is logged of the directory's entries.</summary>
    public EntryRecords Entries { get; }

    internal interface ILogGate
    {
        void Settle(Instant now);
    }

    /// <summary>One that is made elsewhere.</summary>
    public void Add(ILogGate gate) => _all.Add(gate);

    /// <summary>A gate for one more condition; made once, as it is never given up.</summary>
    public LogGate<TEvent> Make<TEvent>() where TEvent : struct, IRepeatedEvent<TEvent>
    {
        var gate = new LogGate<TEvent>(_timers, _log);
        _all.Add(gate);
        return gate;
    }

    /// <summary>Logs whatever is suppressed: the balancer stops.</summary>
    public void Settle(Instant now)
    {
        foreach (var gate in _all)
            gate.Settle(now);
    }
}

/// <summary>The time after a record in which no other about the same condition comes.</summary>
internal struct LogInterval
{
    private bool _hasBegun;
    private Instant _began;

    /// <summary>When a record may come; means something once one came.</summary>
    public readonly Instant End => _began + Limits.RepeatedLogInterval;

    public readonly bool IsOver(Instant now) => !_hasBegun || now >= End;

    /// <summary>A record comes.</summary>
    public void Begin(Instant now)
    {
        _hasBegun = true;
        _began = now;
    }
}

/// <summary>The gate of one condition.</summary>
internal sealed class LogGate<TEvent> : LogGates.ILogGate
    where TEvent : struct, IRepeatedEvent<TEvent>
{
    private readonly Timers _timers;
    private readonly IBalancerLog _log;
    private readonly Timer _due;
    private TEvent _last;
    private long _times;
    private LogInterval _interval;

    public LogGate(Timers timers, IBalancerLog log)
    {
        _timers = timers;
        _log = log;
        _due = new Timer(Pass);
    }

    /// <summary>
    /// The condition came, so many times at once: logs it now, or when the interval since the last
    /// record is over.
    /// </summary>
    public void Write(Instant now, in TEvent logged, long times = 1)
    {
        _last = logged;
        _times += times;
        if (_interval.IsOver(now))
            Pass(now);
        else if (!_due.IsArmed)
            _timers.Arm(_due, _interval.End);
    }

    /// <summary>Logs what is suppressed, if anything is, without waiting for its time.</summary>
    public void Settle(Instant now)
    {
        if (_times > 0)
            Pass(now);
    }

    /// <summary>What is suppressed was logged by an event that says more.</summary>
    public void Forget()
    {
        _timers.Disarm(_due);
        _times = 0;
    }

    private void Pass(Instant now)
    {
        Verify.That(_times > 0, "a record is about something that happened");
        _timers.Disarm(_due);
        _log.Write(_last.WithSuppressed(_times - 1));
        _times = 0;
        _interval.Begin(now);
    }
}

/// <summary>
/// Gates of one event that are told apart by a number, made when needed; where memory may lack
/// then, that is dealt with by whoever needs one.
/// </summary>
/// <param name="gates">Makes them.</param>
/// <param name="count">The numbers are 0 to below this.</param>
internal sealed class LogGateTable<TEvent>(LogGates gates, int count)
    where TEvent : struct, IRepeatedEvent<TEvent>
{
    private readonly LogGate<TEvent>?[] _gates = new LogGate<TEvent>?[count];

    public LogGate<TEvent> this[int which] => _gates[which] ??= gates.Make<TEvent>();
}

/// <summary>
/// Gates of one event that are told apart by the way in which a call fails. All are made at once:
/// nobody may be there to deal with it if there is no memory when a call fails.
/// </summary>
internal sealed class LogGatesByStatus<TEvent>
    where TEvent : struct, IRepeatedEvent<TEvent>
{
    private readonly LogGate<TEvent>[] _gates;

    public LogGatesByStatus(LogGates gates)
    {
        _gates = new LogGate<TEvent>[Enum.GetValues<IoStatus>().Length];
        for (var n = 0; n < _gates.Length; n++)
            _gates[n] = gates.Make<TEvent>();
    }

    public LogGate<TEvent> this[IoStatus status] => _gates[(int)status];
}
