// Owns the sums over a run's log that an operator would make: how many times each condition came
// about whose records come at most every 5 s, and what outages and stuck backends cost. When the
// balancer has stopped they must be what its counters say, so nothing that was suppressed is left
// out.
//
// What always holds: it looks at nothing but records, and at the counters when all is over.

using System.Collections.Generic;
using Balancer.Core;

namespace Simulation.Checking;

/// <summary>Adds up what the log says of conditions that repeat.</summary>
internal sealed class LogSums
{
    private long _receives;
    private long _replies;
    private long _accepts;
    private long _overLimit;
    private long _overClientLimit;
    private long _refused;
    private long _full;
    private long _withoutResources;
    private long _connectsWithoutResources;
    private long _stuck;
    private long _overShare;
    private long _outages;
    private long _ofThisOutage;

    public void OnLogged(ILogEvent logged)
    {
        switch (logged)
        {
            case LogEvent.ReceiveFailed e: _receives += e.Suppressed + 1; break;
            case LogEvent.SendFailed e: _replies += e.Suppressed + 1; break;
            case LogEvent.ReplyUndeliverable e: _replies += e.Suppressed + 1; break;
            case LogEvent.AcceptFailed e: _accepts += e.Suppressed + 1; break;
            case LogEvent.AcceptAborted e: _accepts += e.Suppressed + 1; break;
            case LogEvent.ConnectionsOverLimit e: _overLimit += e.Suppressed + 1; break;
            case LogEvent.ClientOverLimit e: _overClientLimit += e.Suppressed + 1; break;
            case LogEvent.ConnectionRefusedByBackend e: _refused += e.Suppressed + 1; break;
            case LogEvent.BackendAcceptQueueFull e: _full += e.Suppressed + 1; break;
            case LogEvent.ConnectionWithoutResources e:
                _withoutResources += e.Suppressed + 1;
                break;
            case LogEvent.ConnectWithoutResources e:
                _connectsWithoutResources += e.Suppressed + 1;
                break;
            case LogEvent.ClientOverShare e: _overShare += e.Suppressed + 1; break;
            case LogEvent.BackendUnstuck e: _stuck += e.Dropped; break;
            case LogEvent.NoHealthyBackend e: _ofThisOutage += e.Dropped; break;
            case LogEvent.OutageEnded e:
                _outages += e.QueriesDropped + e.ConnectionsDropped;
                _ofThisOutage = 0;
                break;
        }
    }

    /// <summary>What differs, a line each: the log's sum, and the counters'.</summary>
    public IEnumerable<string> Compare(Counters counters)
    {
        (string What, long Said, long Counted)[] sums =
        [
            ("receives that failed", _receives, counters[Counter.ReceivesFailed]),
            ("replies that could not be sent", _replies, counters[Counter.RepliesWouldBlock]
                + counters[Counter.RepliesDenied] + counters[Counter.RepliesInvalid]
                + counters[Counter.RepliesNoBuffers] + counters[Counter.RepliesUnreachable]
                + counters[Counter.RepliesFailed]),
            ("accepts that failed", _accepts, counters[Counter.AcceptsFailed]),
            ("connections over the limit", _overLimit, counters[Counter.ConnectionsOverLimit]),
            ("connections over their client's limit", _overClientLimit,
                counters[Counter.ConnectionsOverClientLimit]),
            ("refusals by a backend", _refused, counters[Counter.ConnectionsRetried]),
            ("connects to full backends", _full, counters[Counter.ConnectsToFullBackend]),
            ("connections without resources", _withoutResources,
                counters[Counter.ConnectionsWithoutResources]),
            ("connects without resources", _connectsWithoutResources,
                counters[Counter.ConnectsWithoutResources]),
            ("queries of clients over their share", _overShare,
                counters[Counter.QueriesOverShare]),
            ("queries to stuck backends", _stuck, counters[Counter.QueriesToStuckBackend]),
            ("queries and connections without a backend", _outages + _ofThisOutage,
                counters[Counter.QueriesWithoutBackend]
                + counters[Counter.ConnectionsWithoutBackend]),
        ];
        foreach (var (what, said, counted) in sums)
        {
            if (said != counted)
                yield return $"the log says {said} {what}; it should be {counted}";
        }
    }
}
