// Owns the table of what runs have reached (L6): for each kind of fault, how often it happened, and
// how often each reaction of the core followed it within 70 s of virtual time - a line of the log
// by its name (a backend's fault with its cause), or a counter that grew. 70 s are a hello's time
// and the longest back-off.
//
// One is filled by watching a run; the tables of many runs are merged by adding.
//
// What always holds: merging is commutative, so runs may be merged in any order, and the table of a
// seed is the same each time.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Checking;

/// <summary>Counts faults and what followed them.</summary>
public sealed class Coverage : RunObserver
{
    private static readonly Duration Within = Duration.FromSeconds(70);

    private readonly SortedDictionary<FaultKind, long> _faults = [];
    private readonly SortedDictionary<(FaultKind Fault, string Reaction), long> _hits =
        new(Comparer<(FaultKind Fault, string Reaction)>.Create(static (a, b) =>
            a.Fault != b.Fault ? a.Fault.CompareTo(b.Fault)
                : string.CompareOrdinal(a.Reaction, b.Reaction)));

    private readonly Dictionary<FaultKind, Instant> _active = [];
    private readonly long[] _counters = new long[Tally.Kinds];

    /// <summary>How often each kind of fault happened; those that never did are missing.</summary>
    public IReadOnlyDictionary<FaultKind, long> Faults => _faults;

    /// <summary>How often each reaction followed each kind of fault, ordered by both.</summary>
    public IReadOnlyDictionary<(FaultKind Fault, string Reaction), long> Hits => _hits;

    /// <summary>Kinds of faults of the scenario language that never happened.</summary>
    public ImmutableArray<FaultKind> Missed
    {
        get
        {
            var missed = ImmutableArray.CreateBuilder<FaultKind>();
            foreach (var kind in Enum.GetValues<FaultKind>())
            {
                if (!_faults.ContainsKey(kind))
                    missed.Add(kind);
            }
            return missed.ToImmutable();
        }
    }

    /// <summary>Adds what another run reached.</summary>
    public void Merge(Coverage other)
    {
        foreach (var (kind, times) in other._faults)
            _faults[kind] = _faults.GetValueOrDefault(kind) + times;
        foreach (var (hit, times) in other._hits)
            _hits[hit] = _hits.GetValueOrDefault(hit) + times;
    }

    public override void OnFault(Instant now, FaultPlan fault, bool began)
    {
        if (began)
            _faults[fault.Kind] = _faults.GetValueOrDefault(fault.Kind) + 1;
        _active[fault.Kind] = now;
    }

    public override void OnLogged(Instant now, LogEvent told)
    {
        if (told is LogEvent.HeartbeatSent or LogEvent.HeartbeatAnswered
            or LogEvent.RemoteAssigned or LogEvent.RemoteExpired or LogEvent.RemoteEvicted
            or LogEvent.RemoteMoved or LogEvent.Status or LogEvent.RemoteStatus
            or LogEvent.BackendStatus)
        {
            return;
        }
        Hit(now, told is LogEvent.BackendFaulted faulted
            ? $"BackendFaulted {faulted.Fault.Cause}" : told.GetType().Name);
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        for (var i = 0; i < _counters.Length; i++)
        {
            var value = core.Counters[(Counter)i];
            if (value == _counters[i])
                continue;
            _counters[i] = value;
            Hit(now, ((Counter)i).ToString());
        }
    }

    private void Hit(Instant now, string reaction)
    {
        foreach (var (kind, at) in _active)
        {
            if (now - at > Within)
                continue;
            _hits[(kind, reaction)] = _hits.GetValueOrDefault((kind, reaction)) + 1;
        }
    }
}
