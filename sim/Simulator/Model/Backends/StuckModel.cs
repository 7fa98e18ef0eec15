// Owns the events that say that a backend is stuck and that it no longer is. From the first query
// that it does not take to the write after which nothing waits, or to the end of the session, is
// one episode. Its beginning is logged at once and again every 5 s while it takes none; its end
// at once if its beginning was logged, and otherwise 5 s after the last line, with those that
// follow it as one. When a session ends, what was not logged yet is.
//
// What always holds: what is owed follows from the bytes that wait and the queries that were not
// taken, never from what was logged.

using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>What was dropped for one backend since it was last logged as no longer stuck.</summary>
internal sealed class StuckEpisode
{
    /// <summary>A query was not taken, and its end is not logged.</summary>
    public bool IsOn { get; set; }

    public Instant Since { get; set; }
    public Instant? DrainedAt { get; set; }
    public Instant? LastLine { get; set; }
    public long Dropped { get; set; }

    /// <summary>Queries that were not taken, dropped or not, since the last line.</summary>
    public long Unlogged { get; set; }
    public int Queued { get; set; }
    public bool IsLogged { get; set; }

    /// <summary>A drop of this turn must be logged in it.</summary>
    public bool IsDue { get; set; }
}

/// <summary>Follows which backends are stuck.</summary>
internal sealed class StuckModel(ReferenceModel model)
{
    /// <summary>Backends that something is to be logged of later.</summary>
    public int Waiting
    {
        get
        {
            var waiting = 0;
            foreach (var backend in model.Policy.Backends)
                waiting += backend.Stuck.Unlogged > 0 ? 1 : 0;
            return waiting;
        }
    }

    /// <summary>A query of this turn was not taken, and that may be logged.</summary>
    public bool IsDue(int id) => model.Policy.WithId(id) is { Stuck.IsDue: true };

    /// <summary>What was suppressed may be logged.</summary>
    public bool IsOverdue(int id) => model.Policy.WithId(id) is { Stuck.Unlogged: > 0 } backend
        && MayLog(backend.Stuck);

    /// <summary>A query was not taken.</summary>
    public void OnRefused(ExpectedBackend backend)
    {
        var stuck = backend.Stuck;
        if (!stuck.IsOn)
            stuck.Since = model.Now;
        stuck.IsOn = true;
        stuck.Unlogged++;
        stuck.Queued = backend.Session?.Owed.Count ?? 0;
        stuck.DrainedAt = null;
        stuck.IsDue |= MayLog(stuck);
    }

    /// <summary>Nothing waits for it any more.</summary>
    public void OnDrained(ExpectedBackend backend)
    {
        var stuck = backend.Stuck;
        if (!stuck.IsOn)
            return;
        stuck.DrainedAt ??= model.Now;
        if (stuck.IsLogged)
            OweEnd(backend);
    }

    public void OnSessionOver(ExpectedBackend backend)
    {
        if (backend.Stuck.IsOn)
            OweEnd(backend);
    }

    public void OnStuckLine(LogEvent.BackendStuck logged)
    {
        if (model.Policy.WithId(logged.Id.Value) is not { } backend)
            return;
        var stuck = backend.Stuck;
        var should = new LogEvent.BackendStuck(backend.Name, stuck.Queued, stuck.Unlogged - 1);
        if (!MayLog(stuck))
        {
            model.Report(ViolationKind.Repeated,
                $"{backend} was logged as stuck at {stuck.LastLine} and"
                + $" again at {model.Now}; once in {SpecifiedLimits.RepeatedLine} it may be",
                backend);
        }
        else if (stuck.Unlogged == 0 || stuck.DrainedAt != null)
        {
            model.Report(ViolationKind.Untrue,
                $"{backend} was logged as stuck, and is not", backend);
        }
        else if (logged != should)
        {
            model.Report(ViolationKind.Untrue,
                $"of {backend} was logged: {Difference.Of(logged, should)}", backend);
        }
        stuck.Unlogged = 0;
        stuck.IsLogged = true;
        stuck.IsDue = false;
        stuck.LastLine = model.Now;
    }

    /// <summary>An end is logged: one that waited for its time is owed now.</summary>
    public void OnUnstuckLine(BackendId id)
    {
        if (model.Policy.WithId(id.Value) is not { Stuck.DrainedAt: not null } backend
            || !MayLog(backend.Stuck))
        {
            return;
        }
        OweEnd(backend);
        backend.Stuck.LastLine = model.Now;
    }

    public void OnTurnEnded()
    {
        if (model.Life.HasStopped)
            return;
        foreach (var backend in model.Policy.Backends)
        {
            if (backend.Stuck.Unlogged > 0 && MayLog(backend.Stuck)
                && model.MostTimers <= model.Work.TimersPerTurn)
            {
                model.Report(ViolationKind.Untrue,
                    $"the log does not have that {backend} is stuck or no"
                    + $" longer is, with {backend.Stuck.Unlogged} queries not logged", backend);
            }
        }
    }

    private void OweEnd(ExpectedBackend backend)
    {
        var stuck = backend.Stuck;
        model.Lines.Owe(new LogEvent.BackendUnstuck(backend.Name,
            (stuck.DrainedAt ?? model.Now) - stuck.Since, stuck.Dropped,
            stuck.DrainedAt is null ? StuckEnd.SessionEnded : StuckEnd.Drained));
        stuck.DrainedAt = null;
        stuck.IsOn = false;
        stuck.Dropped = 0;
        stuck.Unlogged = 0;
        stuck.IsLogged = false;
        stuck.IsDue = false;
    }

    private bool MayLog(StuckEpisode stuck) =>
        stuck.LastLine is not { } last || model.Now - last >= SpecifiedLimits.RepeatedLine;
}
