// Owns the carrying out of a plan's faults on real processes: each begins at its time, is written
// down as trouble, and ends when its time is over or chaos is. Of two that last and are about the
// same thing, the one begun last holds, and the other again when it has ended.
//
// What always holds: nothing begins once chaos is over; then the balancer runs, has its descriptors
// back, and finds its directory.

using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Balancer.Core;
using Simulation.Real.Interop;
using Simulation.Scenarios;

namespace Simulation.Real;

/// <summary>Carries out the faults of one run.</summary>
internal sealed class RealFaults
{
    /// <summary>
    /// How long after its end a fault of a backend may still explain what is seen: a heartbeat that
    /// was missed is found out 15 s later.
    /// </summary>
    private const long AfterglowNs = 20_000_000_000;

    /// <summary>The same for faults of the host: until the next scan and a connect.</summary>
    private const long HostAfterglowNs = 6_000_000_000;

    private const int EntryKinds = 6;
    private const int MostEntries = 200;

    private readonly Reactor _reactor;
    private readonly RealStage _stage;
    private readonly RealBalancer _balancer;
    private readonly Observations _seen;
    private readonly UdpTransit _transit;
    private readonly Dictionary<int, RealBackend> _backends;
    private readonly List<RealFault> _active = [];
    private readonly Dictionary<int, object?> _processes = [];
    private readonly SortedDictionary<RealFaultKind, int> _counts = [];
    private bool _chaosIsOver;

    public RealFaults(Reactor reactor, RealStage stage, RealBalancer balancer, Observations seen,
        UdpTransit transit, Dictionary<int, RealBackend> backends)
    {
        _reactor = reactor;
        _stage = stage;
        _balancer = balancer;
        _seen = seen;
        _transit = transit;
        _backends = backends;
    }

    /// <summary>How often each kind began.</summary>
    public IReadOnlyDictionary<RealFaultKind, int> Counts => _counts;

    public void Begin(RealFault fault)
    {
        if (_chaosIsOver || !IsPossible(fault))
            return;
        _counts[fault.Kind] = _counts.GetValueOrDefault(fault.Kind) + 1;
        WriteDown(fault);
        if (_backends.TryGetValue(fault.Target, out var backend))
            BeginBackend(fault, backend);
        else
            BeginHost(fault);
        if (fault.For <= Duration.Zero)
            return;
        _active.Add(fault);
        Apply(fault.Kind, fault.Target);
        _reactor.After(fault.For.Nanoseconds, () => End(fault));
    }

    /// <summary>Chaos is over.</summary>
    public void EndAll()
    {
        _chaosIsOver = true;
        foreach (var fault in _active)
        {
            if (StaysForGood(fault))
                WriteDownForGood(fault);
        }
        while (_active.Count > 0)
            End(_active[^1]);
    }

    private void End(RealFault fault)
    {
        if (!_active.Remove(fault))
            return;
        Apply(fault.Kind, fault.Target);
        if (fault.Kind == RealFaultKind.Entries)
        {
            for (var n = 0; n < Entries(fault); n++)
                _stage.RemoveEntry(EntryName(fault, n), (int)(fault.Amount % EntryKinds));
        }
        if (fault.Kind == RealFaultKind.Unlink && !_chaosIsOver
            && _processes.GetValueOrDefault(fault.Id) == _backends[fault.Target].Current)
            _backends[fault.Target].Exit();
    }

    /// <summary>A fault about a backend needs one that is up, unless it brings it up.</summary>
    private bool IsPossible(RealFault fault) => fault.Kind > RealFaultKind.Rebind
        || (_backends.TryGetValue(fault.Target, out var backend)
            && (backend.IsUp || fault.Kind is RealFaultKind.Rebind or RealFaultKind.Script));

    /// <summary>
    /// What is not taken back when chaos is over, of a backend that does not heal.
    /// </summary>
    private bool StaysForGood(RealFault fault) =>
        fault.Kind is RealFaultKind.Backlog or RealFaultKind.Unlink
        && !_seen.Scenario.Backends.First(plan => plan.Id == fault.Target).IsCore;

    private void WriteDownForGood(RealFault fault)
    {
        var at = _seen.Troubles.FindLastIndex(
            trouble => trouble.Kind == fault.Kind && trouble.Backend == fault.Target);
        _seen.Troubles[at] = _seen.Troubles[at] with { Until = long.MaxValue };
    }

    private void WriteDown(RealFault fault)
    {
        if (fault.Kind is RealFaultKind.Loss or RealFaultKind.Twice or RealFaultKind.Late
            or RealFaultKind.Rescan or RealFaultKind.Status or RealFaultKind.Entries)
            return;
        var now = Reactor.NowNs;
        var afterglow = fault.Target >= 0 ? AfterglowNs : HostAfterglowNs;
        _seen.Troubles.Add(new Trouble(fault.Target, now,
            now + fault.For.Nanoseconds + afterglow, fault.ToString(), fault.Kind));
    }

    // ---- What happens at once ----

    private void BeginBackend(RealFault fault, RealBackend backend)
    {
        switch (fault.Kind)
        {
            case RealFaultKind.Crash:
                backend.Crash(fault.For.Nanoseconds);
                break;
            case RealFaultKind.Stop:
                backend.Stop(fault.For.Nanoseconds);
                break;
            case RealFaultKind.Unlink:
                backend.Unlink();
                _processes[fault.Id] = backend.Current;
                if (fault.For <= Duration.Zero)
                    backend.Exit();
                break;
            case RealFaultKind.Pause:
                backend.Pause(fault.For.Nanoseconds);
                break;
            case RealFaultKind.Script:
                backend.SetScripted(fault.Amount != 0);
                break;
            case RealFaultKind.Reset:
                backend.EndSessions("reset");
                break;
            case RealFaultKind.End:
                backend.EndSessions(string.Create(CultureInfo.InvariantCulture,
                    $"end {System.Math.Clamp(fault.Amount, 0, 16)}"));
                break;
            case RealFaultKind.Rebind:
                backend.Start();
                break;
        }
    }

    private void BeginHost(RealFault fault)
    {
        switch (fault.Kind)
        {
            case RealFaultKind.Entries:
                for (var n = 0; n < Entries(fault); n++)
                    _stage.MakeEntry(EntryName(fault, n), (int)(fault.Amount % EntryKinds));
                // Without an end of its own it would be there for good, sockets too.
                if (fault.For <= Duration.Zero)
                    _active.Add(fault);
                break;
            case RealFaultKind.Rescan:
                _balancer.Signal(Signal.Hangup);
                break;
            case RealFaultKind.Status:
                _balancer.Signal(Signal.User1);
                break;
        }
    }

    private static int Entries(RealFault fault) =>
        (int)System.Math.Min(MostEntries, 1 + fault.Amount / EntryKinds);

    private static string EntryName(RealFault fault, int number) =>
        string.Create(CultureInfo.InvariantCulture, $"stray-{fault.Id}-{number}");

    // ---- What lasts ----

    private RealFault? Latest(RealFaultKind kind, int target = -1) =>
        _active.LastOrDefault(fault => fault.Kind == kind && fault.Target == target);

    private void Apply(RealFaultKind kind, int target)
    {
        var fault = Latest(kind, target);
        switch (kind)
        {
            case RealFaultKind.Backlog:
                if (!_chaosIsOver)
                    _backends[target].SetAccepting(fault is null, (int)(fault?.Amount ?? 0));
                break;
            case RealFaultKind.Loss:
                _transit.LossOneIn = fault?.Amount ?? 0;
                break;
            case RealFaultKind.Twice:
                _transit.TwiceOneIn = fault?.Amount ?? 0;
                break;
            case RealFaultKind.Late:
                _transit.LateByUpTo = fault?.Amount ?? 0;
                break;
            case RealFaultKind.Descriptors:
                _balancer.LimitFreeDescriptors((int?)fault?.Amount);
                break;
            case RealFaultKind.DirectoryGone or RealFaultKind.DirectoryUnreadable:
                ApplyDirectory();
                break;
            case RealFaultKind.Stall:
                _balancer.SetStalled(fault is not null);
                break;
        }
    }

    private void ApplyDirectory()
    {
        if (Latest(RealFaultKind.DirectoryGone) is not null)
            _stage.RemoveWay();
        else if (Latest(RealFaultKind.DirectoryUnreadable) is not null)
            _stage.Obstruct();
        else
            _stage.Restore();
    }
}
