// Claims that every core backend is healthy within 65 s of the healing, or of the end of a stall
// that outlasts it, or of the last time that a query hung one: a hello's 30 s, the longest
// back-off's 32 s, and 3 to spare.
//
// It knows by the hellos that were read; the core's own view must agree. Backends whose path is too
// long to be connected to are owed nothing.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class L2Healthy() : Check("L2")
{
    private static readonly Duration Owed = Duration.FromSeconds(65);

    private readonly HashSet<int> _healthy = [];
    private Instant _due = Instant.Never;
    private Instant _hungUntil;
    private bool _isJudged;

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (_isJudged || !Model.IsCalm)
            return;
        if (_due == Instant.Never)
            _due = now + Owed;
        _due = Instant.Max(_due, _hungUntil + Owed);
        foreach (var backend in Model.Policy.Backends)
        {
            if (backend is { IsCore: true, Stage: Stage.Healthy }
                && !_healthy.Contains(backend.PlanId))
            {
                Note(backend, core);
            }
        }
        if (now > _due + Model.Lateness)
            Judge(now);
    }

    public override void OnBackendRead(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        if (DnsQuestions.FindKiller(bytes) is >= 0 and var at && DnsQuestions.IsHanger(bytes[at..]))
            _hungUntil = now + DnsQuestions.HangTime;
    }

    private void Note(ExpectedBackend backend, LoadBalancer core)
    {
        foreach (var shown in core.SnapshotBackends())
        {
            if (shown.Id.Value == backend.Id && shown.State == BackendState.Healthy)
                _healthy.Add(backend.PlanId);
        }
    }

    private void Judge(Instant now)
    {
        _isJudged = true;
        foreach (var plan in Model.Scenario.Backends)
        {
            if (!plan.IsCore || _healthy.Contains(plan.Id) || IsTooLong(plan.Name))
                continue;
            Fail($"core backend {plan.Name} has not been healthy by {now}, 65 s after the healing",
                plan.Id);
        }
    }

    private static bool IsTooLong(string name) =>
        System.Text.Encoding.UTF8.GetByteCount(name)
            > SpecifiedLimits.LongestPath - DirectoryModel.DirectoryBytes;
}
