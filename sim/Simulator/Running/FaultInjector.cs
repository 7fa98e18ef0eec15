// Carries out a scenario's faults: each begins at its time, is reported and counted, and ends
// when its time is over or chaos is. Of two that last and are about the same thing, the one begun
// last holds, and the other again when it has ended.
//
// What always holds: nothing begins once chaos is over, and what lasts of the host, the network and
// the directory ends with it, scripts of system calls that were not used up included.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>Carries out the faults of one run.</summary>
internal sealed class FaultInjector
{
    private static readonly ImmutableArray<IoResult> SendErrors =
    [
        IoResult.Failed(IoStatus.AccessDenied, 1),
        IoResult.Failed(IoStatus.Unreachable, 113),
        IoResult.Failed(IoStatus.NoBuffers, 105),
        IoResult.Failed(IoStatus.InvalidArgument, 22),
        IoResult.Failed(IoStatus.WouldBlock, 11),
        IoResult.Failed(IoStatus.MessageTooLong, 90),
        IoResult.Failed(IoStatus.Other, 5),
    ];

    private static readonly ImmutableArray<IoResult> ReceiveErrors =
    [
        IoResult.Failed(IoStatus.Refused, 111),
        IoResult.Failed(IoStatus.NoBuffers, 12),
        IoResult.Failed(IoStatus.Unreachable, 113),
        IoResult.Failed(IoStatus.Other, 4),
    ];

    private const int EntryKinds = 6;

    private readonly SimKernel _kernel;
    private readonly RunObserver _observer;
    private readonly KernelPlan _plan;
    private readonly UdpTransit _transit;
    private readonly Dictionary<int, BinderHost> _backends;
    private readonly ImmutableArray<string> _names;
    private readonly List<FaultPlan> _active = [];
    private readonly Dictionary<int, object?> _processes = [];
    private readonly long[] _counts = new long[Enum.GetValues<FaultKind>().Length];
    private bool _chaosIsOver;

    public FaultInjector(SimKernel kernel, RunObserver observer, Scenario scenario,
        UdpTransit transit, Dictionary<int, BinderHost> backends)
    {
        _kernel = kernel;
        _observer = observer;
        _plan = scenario.Kernel;
        _transit = transit;
        _backends = backends;
        _names = [.. scenario.Backends.Select(plan => plan.Name)];
        foreach (var fault in scenario.Faults)
        {
            if (fault.At < scenario.HealAt)
                kernel.At(fault.At, () => Begin(fault));
        }
    }

    private SimFaults Faults => _kernel.Faults;

    /// <summary>How often each kind began.</summary>
    public ImmutableSortedDictionary<FaultKind, long> Counts()
    {
        var counts = ImmutableSortedDictionary.CreateBuilder<FaultKind, long>();
        for (var i = 0; i < _counts.Length; i++)
        {
            if (_counts[i] > 0)
                counts.Add((FaultKind)i, _counts[i]);
        }
        return counts.ToImmutable();
    }

    /// <summary>Chaos is over: the host and the network are as they should be.</summary>
    public void EndAll()
    {
        _chaosIsOver = true;
        while (_active.Count > 0)
            End(_active[^1]);
        Faults.Heal(SimCall.SendDatagrams);
        Faults.Heal(SimCall.ReceiveDatagrams);
        Faults.Heal(SimCall.Read);
        Faults.Heal(SimCall.Write);
        Faults.EarlyWakeUps = 0;
        Faults.Stall = Duration.Zero;
        Faults.StallInScan = Duration.Zero;
        Faults.StallInterrupts = false;
        Faults.FailScanAfter(-1, IoStatus.Other);
    }

    private void Begin(FaultPlan fault)
    {
        if (_chaosIsOver || !IsPossible(fault))
            return;
        _counts[(int)fault.Kind]++;
        _observer.OnFault(_kernel.Now, fault, began: true);
        if (fault.Target >= 0 && _backends.TryGetValue(fault.Target, out var backend))
            BeginBackend(fault, backend);
        else
            BeginHost(fault);
        if (fault.For <= Duration.Zero)
            return;
        _active.Add(fault);
        Apply(fault.Kind, fault.Target);
        _kernel.After(fault.For, () => End(fault));
    }

    private void End(FaultPlan fault)
    {
        if (!_active.Remove(fault))
            return;
        Apply(fault.Kind, fault.Target);
        if (fault.Kind == FaultKind.DirectoryEntry)
        {
            for (var n = 0; n < Entries(fault); n++)
                _kernel.Directory.Unlink(EntryName(fault, n));
        }
        if (fault.Kind == FaultKind.BackendUnlink && !_chaosIsOver
            && _processes.GetValueOrDefault(fault.Id) == _backends[fault.Target].Current)
            _backends[fault.Target].Exit();
        // What is bound when chaos ends stays so: it is replaced, or as broken as it is.
        if (fault.Kind == FaultKind.BackendListenLate && !_chaosIsOver
            && _processes[fault.Id] is BinderProcess process)
            process.Listen();
        _observer.OnFault(_kernel.Now, fault, began: false);
    }

    /// <summary>A fault about a backend needs one that is up, unless it brings it up.</summary>
    private bool IsPossible(FaultPlan fault)
    {
        if (fault.Kind is < FaultKind.BackendCrash or > FaultKind.BackendMove)
            return fault.Kind != FaultKind.DirectoryEntry
                || !_kernel.Directory.Contains(EntryName(fault));
        return _backends.TryGetValue(fault.Target, out var backend)
            && (backend.IsUp || fault.Kind is FaultKind.BackendRebind
                or FaultKind.BackendListenLate or FaultKind.BackendScript);
    }

    // ---- What happens at once ----

    private void BeginBackend(FaultPlan fault, BinderHost backend)
    {
        switch (fault.Kind)
        {
            case FaultKind.BackendCrash:
                backend.Crash(fault.For);
                break;
            case FaultKind.BackendStop:
                backend.Stop(fault.For);
                break;
            case FaultKind.BackendUnlink:
                backend.Unlink();
                _processes[fault.Id] = backend.Current;
                if (fault.For <= Duration.Zero)
                    backend.Exit();
                break;
            case FaultKind.BackendPause:
                backend.Pause(fault.For);
                break;
            case FaultKind.BackendScript:
                backend.SetScripted(fault.Amount != 0);
                break;
            case FaultKind.BackendReset:
                backend.EndSessions(reset: true, []);
                break;
            case FaultKind.BackendEnd:
                ReadOnlySpan<byte> frame =
                    [0xea, 3, 0, 0, 1, 2, 3, 10, 0x35, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0];
                backend.EndSessions(
                    reset: false, frame[..(int)Math.Clamp(fault.Amount, 0, frame.Length)]);
                break;
            case FaultKind.BackendRebind:
                backend.Start();
                break;
            case FaultKind.BackendListenLate:
                backend.Exit();
                backend.Start(listens: false, isDenied: fault.Amount != 0);
                _processes[fault.Id] = backend.Current;
                break;
        }
    }

    private void BeginHost(FaultPlan fault)
    {
        switch (fault.Kind)
        {
            case FaultKind.UdpSendFails:
                Script(SimCall.SendDatagrams, SendErrors, fault);
                break;
            case FaultKind.UdpReceiveFails:
                Script(SimCall.ReceiveDatagrams, ReceiveErrors, fault);
                break;
            case FaultKind.KernelWakes:
                Faults.EarlyWakeUps += Times(fault);
                break;
            case FaultKind.StreamWouldBlock:
                Faults.Next(SimCall.Write, IoStatus.WouldBlock, Times(fault));
                break;
            case FaultKind.StreamReset:
                Faults.Next(SimCall.Read, IoStatus.Reset, Times(fault));
                break;
            case FaultKind.DirectoryBreaksOff:
                Faults.FailScanAfter(Times(fault), IoStatus.Other);
                break;
            case FaultKind.DirectoryEntry:
                MakeEntry(fault);
                break;
            case FaultKind.OperatorRescan:
                _kernel.RequestRescan();
                break;
            case FaultKind.OperatorStatus:
                _kernel.RequestStatus();
                break;
            case FaultKind.ClockStall:
                if ((fault.Amount & 1) == 0)
                    Faults.Stall += fault.For;
                else
                    Faults.StallInScan += fault.For;
                Faults.StallInterrupts |= (fault.Amount & 2) != 0;
                break;
        }
    }

    private void Script(SimCall call, ImmutableArray<IoResult> errors, FaultPlan fault)
    {
        for (var i = 0; i < Times(fault); i++)
        {
            // Some come in the middle of a batch.
            if (call == SimCall.SendDatagrams && (fault.Id + i) % 3 == 0)
                Faults.Next(call, IoResult.Ok());
            Faults.Next(call, errors[(fault.Id + i) % errors.Length]);
        }
    }

    private static int Times(FaultPlan fault) => (int)Math.Clamp(fault.Amount, 0, 100_000);

    private static int Entries(FaultPlan fault) => 1 + Times(fault) / EntryKinds;

    private static string EntryName(FaultPlan fault, int number = 0) =>
        string.Create(CultureInfo.InvariantCulture,
            $"stray-{fault.Id}{(number == 0 ? "" : $"-{number}")}");

    private void MakeEntry(FaultPlan fault)
    {
        for (var n = 0; n < Entries(fault); n++)
            MakeEntry(EntryName(fault, n), Times(fault) % EntryKinds);
    }

    private void MakeEntry(string name, int kind)
    {
        if (kind == 2)
            _kernel.Directory.Link(name, "nowhere");
        else
            _kernel.Directory.Create(name, kind switch
            {
                0 => SimEntryKind.File,
                1 => SimEntryKind.Folder,
                4 => SimEntryKind.DatagramSocket,
                5 => SimEntryKind.ForeignSocket,
                _ => SimEntryKind.Socket,
            });
    }

    // ---- What lasts ----

    /// <summary>The fault of the kind that began last and has not ended; null for none.</summary>
    private FaultPlan? Latest(FaultKind kind, int target = -1) =>
        _active.FindLast(fault => fault.Kind == kind && fault.Target == target);

    private void Apply(FaultKind kind, int target)
    {
        var fault = Latest(kind, target);
        switch (kind)
        {
            case FaultKind.BackendBacklog:
                if (!_chaosIsOver)
                    _backends[target].SetAccepting(fault is null, (int)(fault?.Amount ?? 0));
                break;
            case FaultKind.BackendMove:
                if (fault is not null)
                    _backends[target].MovePathAway();
                else
                    _backends[target].MovePathBack();
                break;
            case FaultKind.UdpLoss:
                _transit.LossOneIn = fault?.Amount ?? 0;
                break;
            case FaultKind.UdpDuplicate:
                _transit.TwiceOneIn = fault?.Amount ?? 0;
                break;
            case FaultKind.UdpReorder:
                _transit.LateByUpTo = fault?.Amount ?? 0;
                break;
            case FaultKind.UdpSendBlocked:
                _kernel.Datagrams.SendBlocked = fault is not null;
                break;
            case FaultKind.KernelAccept:
                ApplyAccept(fault);
                break;
            case FaultKind.KernelSocket:
                ApplySocket(fault);
                break;
            case FaultKind.StreamShort:
                var most = (int)Math.Clamp(fault?.Amount ?? int.MaxValue, 1, int.MaxValue);
                Faults.MaxReadBytes = Math.Min(_plan.MaxReadBytes, most);
                Faults.MaxWriteBytes = Math.Min(_plan.MaxWriteBytes, most);
                break;
            case FaultKind.StreamNoMemory:
                ApplyNoMemory(fault);
                break;
            case FaultKind.DirectoryUnreadable:
                ApplyUnreadable(fault);
                break;
            case FaultKind.DirectorySilent:
                _kernel.Directory.TellsChanges = fault is null && _plan.TellsChanges;
                break;
            case FaultKind.ClockBack:
                _kernel.Clock.Behind = new Duration(fault?.Amount ?? 0);
                break;
            case FaultKind.ClockStill:
                _kernel.Clock.StandsAt = fault is null
                    ? null : _kernel.Clock.StandsAt ?? _kernel.Clock.Shown;
                break;
            case FaultKind.DirectoryUnknown:
                ApplyUnknown(fault);
                break;
            case FaultKind.DirectoryHangs:
                _kernel.Directory.Hangs = fault is not null;
                break;
        }
    }

    private void ApplyAccept(FaultPlan? fault)
    {
        _kernel.Listener.Aborts = fault?.Amount switch
        {
            3 => IoResult.Failed(IoStatus.Aborted, 103),
            6 => IoResult.Failed(IoStatus.Aborted, 71),
            _ => IoResult.Ok(),
        };
        Faults.Heal(SimCall.Accept);
        if (fault is { Amount: 0 })
            Faults.Standing(SimCall.Accept, IoResult.Failed(IoStatus.TooManyFiles, 24));
        else if (fault is { Amount: 1 })
            Faults.Standing(SimCall.Accept, IoResult.Failed(IoStatus.TooManyFiles, 23));
        else if (fault is { Amount: 2 })
            Faults.Standing(SimCall.Accept, IoResult.Failed(IoStatus.NoBuffers, 12));
        else if (fault is { Amount: 4 })
            Faults.Standing(SimCall.Accept, IoResult.Failed(IoStatus.NoBuffers, 105));
        else if (fault is { Amount: 5 })
            Faults.Standing(SimCall.Accept, IoResult.Failed(IoStatus.AccessDenied, 1));
    }

    private void ApplySocket(FaultPlan? fault)
    {
        Faults.Heal(SimCall.Connect);
        if (fault is { Amount: 0 })
            Faults.Standing(SimCall.Connect, IoResult.Failed(IoStatus.TooManyFiles, 24));
        else if (fault is not null)
        {
            Faults.Standing(SimCall.Connect,
                IoResult.Failed(IoStatus.NoBuffers, fault.Amount == 2 ? 105 : 12));
        }
    }

    private void ApplyNoMemory(FaultPlan? fault)
    {
        Faults.EndStanding(SimCall.Write);
        Faults.EndStanding(SimCall.Read);
        if (fault is { Amount: 0 or 2 })
            Faults.Standing(SimCall.Write, IoResult.Failed(IoStatus.NoBuffers, 105));
        if (fault is { Amount: 1 or 2 })
            Faults.Standing(SimCall.Read, IoResult.Failed(IoStatus.NoBuffers, 12));
    }

    private void ApplyUnknown(FaultPlan? fault)
    {
        _kernel.Directory.IsUnknown = fault is { Amount: 0 };
        for (var n = 0; n < _names.Length; n++)
            _kernel.Directory.SetUnknown(_names[n], fault?.Amount == n + 1);
    }

    private void ApplyUnreadable(FaultPlan? fault) =>
        _kernel.Directory.Readable = fault?.Amount switch
        {
            null => IoResult.Ok(),
            0 => IoResult.Failed(IoStatus.NotFound, 2),
            1 => IoResult.Failed(IoStatus.TooManyFiles, 24),
            _ => IoResult.Failed(IoStatus.AccessDenied, 13),
        };
}
