// Owns the events about conditions that repeat: each condition may be logged at most every
// 5 s, is logged when it comes and may be, and what was suppressed is logged when the 5 s are over;
// a line names how many were suppressed since the one before. Each way to fail and each limit is a
// condition of its own, and so is each backend that refuses. The line is about the condition that
// came last, and names who and what it was. Of the lines before the last one, that of a complete
// stop, the 5 s do not hold: by then nothing may be suppressed any more.
//
// What always holds: a condition was seen in the calls or follows from the policy before its line
// is logged.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>What repeats; those of the same kind are told apart by a number.</summary>
internal enum Repeat
{
    ReceiveFailed,
    SendFailed,
    AcceptFailed,
    NoBackend,
    OverLimit,
    OverShare,
    RefusedByBackend,
    AcceptQueueFull,
    WithoutResources,
    ConnectWithoutResources,
    ClockWentBack,
    Readability,
    SessionMemory,
    RefusalProlonged,
}

/// <summary>Counts conditions and the lines about them.</summary>
internal sealed class RepeatedEventModel(ReferenceModel model)
{
    private readonly Dictionary<(Repeat Kind, int Which), Gate> _gates = [];
    private readonly List<(Repeat Kind, int Which)> _due = [];

    private sealed class Gate
    {
        public long Unlogged { get; set; }
        public Instant? LastLine { get; set; }

        /// <summary>What the line may say; null for anything.</summary>
        public IReadOnlyList<object>? Last { get; set; }

        public bool MaySay(object line) => Last == null || Last.Contains(line);
    }

    /// <summary>Conditions of which something is suppressed.</summary>
    public int Waiting { get; private set; }

    /// <summary>Whether a line about a condition is owed in this turn.</summary>
    public bool IsDue(Repeat kind, int which) => _due.Contains((kind, which));

    /// <summary>
    /// A condition came; its line is owed in this turn if it may be logged, and says this, but for
    /// how many were suppressed.
    /// </summary>
    public void OnCondition(Repeat kind, int which, object? line = null, long times = 1)
    {
        OnConditions(kind, which, line == null ? null : [line], times);
    }

    /// <summary>It came to several at once, and the line is about any of them.</summary>
    public void OnConditions(Repeat kind, int which, IReadOnlyList<object> lines) =>
        OnConditions(kind, which, lines, lines.Count);

    private void OnConditions(
        Repeat kind, int which, IReadOnlyList<object>? lines, long times)
    {
        var gate = GateOf(kind, which);
        gate.Last = lines;
        SetUnlogged(gate, gate.Unlogged + times);
        if (MayPass(gate))
            _due.Add((kind, which));
    }

    /// <summary>Whether a line may be logged now that says this, as far as is known.</summary>
    public bool IsOwed(Repeat kind, int which, long suppressed, object line)
    {
        var gate = GateOf(kind, which);
        return MayPass(gate) && gate.Unlogged == suppressed + 1 && gate.MaySay(line);
    }

    /// <summary>Takes up the lines that no batch of arrivals comes between.</summary>
    public void OnLogged(ILogEvent logged)
    {
        switch (logged)
        {
            case LogEvent.ReceiveFailed failed:
                OnLine(Repeat.ReceiveFailed, (int)failed.Why.Status, failed.Suppressed,
                    failed with { Suppressed = 0 });
                break;
            case LogEvent.SendFailed failed:
                OnLine(Repeat.SendFailed, (int)failed.Why.Status, failed.Suppressed,
                    failed with { Suppressed = 0 });
                break;
            case LogEvent.ReplyUndeliverable failed:
                OnLine(Repeat.SendFailed, (int)failed.Why.Status, failed.Suppressed,
                    failed with { Suppressed = 0 });
                break;
            case LogEvent.AcceptAborted failed:
                OnLine(Repeat.AcceptFailed, (int)failed.Why.Status, failed.Suppressed,
                    failed with { Suppressed = 0 });
                break;
            case LogEvent.AcceptFailed failed:
                OnLine(Repeat.AcceptFailed, (int)failed.Why.Status, failed.Suppressed,
                    failed with { Suppressed = 0 });
                break;
            case LogEvent.ConnectionRefusedByBackend refused:
                OnLine(Repeat.RefusedByBackend, refused.Backend.Value, refused.Suppressed,
                    refused with { Suppressed = 0 });
                break;
            case LogEvent.BackendAcceptQueueFull full:
                OnLine(Repeat.AcceptQueueFull, full.Backend.Value, full.Suppressed,
                    full with { Suppressed = 0 });
                break;
            case LogEvent.ConnectionWithoutResources without:
                OnLine(Repeat.WithoutResources, 0, without.Suppressed,
                    without with { Suppressed = 0 });
                break;
            case LogEvent.ConnectWithoutResources without:
                OnLine(Repeat.ConnectWithoutResources, (int)without.Why.Status,
                    without.Suppressed, without with { Suppressed = 0 });
                break;
            case LogEvent.SessionsWithoutMemory without:
                OnLine(Repeat.SessionMemory, 0, without.Suppressed,
                    without with { Suppressed = 0 });
                break;
            case LogEvent.SessionsHaveMemory have:
                OnLine(Repeat.SessionMemory, 0, have.Suppressed, have with { Suppressed = 0 });
                break;
            case LogEvent.QueryRefusalProlonged prolonged:
                OnLine(Repeat.RefusalProlonged, 0, prolonged.Suppressed,
                    ProlongedLine.Of(prolonged));
                break;
            case LogEvent.ClockWentBack back:
                OnLine(Repeat.ClockWentBack, 0, back.Suppressed, back with { Suppressed = 0 });
                break;
            case LogEvent.DirectoryReadable readable:
                OnLine(Repeat.Readability, 0, readable.Suppressed,
                    readable with { Suppressed = 0 });
                break;
            case LogEvent.DirectoryUnreadable not:
                OnLine(Repeat.Readability, 0, not.Suppressed, not with { Suppressed = 0 });
                break;
            case LogEvent.Stopped:
                OnStopped();
                break;
        }
    }

    /// <summary>
    /// A line was logged, with how many were suppressed since the one before; without that number
    /// it is as given.
    /// </summary>
    public void OnLine(Repeat kind, int which, long suppressed, object logged)
    {
        var gate = GateOf(kind, which);
        if (!MayPass(gate))
        {
            model.Life.ReportUnlessStopped(ViolationKind.Repeated,
                $"{kind} was logged at {gate.LastLine}"
                + $" and again at {model.Now}; once in {SpecifiedLimits.RepeatedLine} it may be",
                backend: null);
        }
        if (gate.Unlogged == 0)
        {
            model.Report(ViolationKind.Untrue,
                $"{kind} was logged{(which == 0 ? "" : $" of {which}")}, and"
                + " nothing of the kind happened");
        }
        else if (gate.Unlogged != suppressed + 1)
        {
            model.Report(ViolationKind.Untrue,
                $"{kind} was logged with {suppressed} suppressed; it should be"
                + $" {gate.Unlogged - 1}");
        }
        else if (!gate.MaySay(logged))
        {
            model.Report(ViolationKind.Untrue,
                $"of {kind} was logged: {Difference.Of(logged, gate.Last![0])}");
        }
        SetUnlogged(gate, 0);
        gate.LastLine = model.Now;
        _due.Remove((kind, which));
    }

    /// <summary>What was suppressed is logged by a line that says more.</summary>
    public void Settle(Repeat kind, int which) => SetUnlogged(GateOf(kind, which), 0);

    public void OnTurnEnded()
    {
        _due.Clear();
        if (model.Life.HasStopped || Waiting == 0)
            return;
        foreach (var ((kind, which), gate) in _gates)
        {
            if (gate.Unlogged > 0 && MayPass(gate)
                && model.MostTimers <= model.Work.TimersPerTurn)
            {
                model.Report(ViolationKind.Untrue, $"the log does not have {kind}"
                    + $"{(which == 0 ? "" : $" of {which}")}, {gate.Unlogged} times, at"
                    + $" {model.Now}; its last line was at {gate.LastLine}");
            }
        }
    }

    private void OnStopped()
    {
        foreach (var ((kind, which), gate) in _gates)
        {
            if (gate.Unlogged > 0)
            {
                model.Report(ViolationKind.Untrue,
                    $"the balancer has stopped, and the log does not have"
                    + $" {kind}{(which == 0 ? "" : $" of {which}")}, {gate.Unlogged} times");
            }
        }
    }

    private bool MayPass(Gate gate) =>
        gate.LastLine is not { } last || model.Now - last >= SpecifiedLimits.RepeatedLine;

    /// <summary>Waiting follows, which is asked for several times in each turn.</summary>
    private void SetUnlogged(Gate gate, long unlogged)
    {
        Waiting += (unlogged > 0 ? 1 : 0) - (gate.Unlogged > 0 ? 1 : 0);
        gate.Unlogged = unlogged;
    }

    private Gate GateOf(Repeat kind, int which)
    {
        if (!_gates.TryGetValue((kind, which), out var gate))
            _gates.Add((kind, which), gate = new Gate());
        return gate;
    }
}
