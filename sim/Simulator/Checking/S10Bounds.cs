// Claims that every queue, table and timer stays within its bound, and so does what one turn does
// of each kind of traffic; that no TCP connection is visited when a turn's budget for them is used
// up, and only so many sessions are read; that a quarter of the remotes at most are newcomers; that
// descriptors are those that sessions and connections need; that lines about a condition that
// repeats come at most every 5 s until a stop; and that all is back at its baseline in the end.
//
// It knows by the streams that were opened and closed, by the bytes owed to each, and by the times
// of lines. The baseline: with no connection open, the streams are the sessions', and the timers
// are the loop's own few, at most five for each backend, one for each session that retired, and one
// for each condition of which something is held back.

using Balancer.Core;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class S10Bounds() : Check("S10")
{
    public override bool Claims(ViolationKind kind) =>
        kind is ViolationKind.Leak or ViolationKind.Unbounded
        or ViolationKind.Repeated;

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (Model.Life.HasStopped)
            return;
        // A stop takes along what the kernel holds, one share more in each of its turns.
        var shares = Model.Life.IsStopping ? 2 : 1;
        if (Model.ReceivedInTurn > shares * Model.DatagramsOfATurn)
            Fail($"{Model.ReceivedInTurn} datagrams were received in one turn");
        if (Model.AcceptedInTurn > Model.Work.AcceptsPerTurn)
            Fail($"{Model.AcceptedInTurn} connections were accepted in one turn");
        if (Model.RelayedInTurn > Model.RelayedOfATurn)
            Fail($"{Model.RelayedInTurn} bytes of TCP connections were read in one turn");
        CheckNotReading();
        // And what is left of each session that takes no bytes any more.
        if (Model.Replies.InTurn > shares * Model.Work.FramesPerTurn
            + Model.Replies.Rests * SpecifiedLimits.RepliesOfARest)
            Fail($"{Model.Replies.InTurn} replies were taken in one turn");
        var sessions = 0;
        foreach (var backend in Model.Policy.Backends)
        {
            if (backend.Session is not { } session)
                continue;
            sessions++;
            if (session.Owed.Count > SpecifiedLimits.SessionQueueBytes)
                Fail($"{session.Owed.Count} bytes wait for {backend}", backend.PlanId);
        }
        CheckTables(core, sessions);
    }

    public override void OnEnded(Instant now, LoadBalancer core)
    {
        foreach (var shown in core.SnapshotBackends())
        {
            if (shown.QueuedBytes > SpecifiedLimits.SessionQueueBytes)
                Fail($"{shown.QueuedBytes} bytes wait for backend {shown.Id}");
        }
    }

    /// <summary>
    /// Of connections of which a side does not read there are only so many; those that a turn's
    /// budget left out are looked at when they had their turn.
    /// </summary>
    private void CheckNotReading()
    {
        var most = Model.Scenario.Kernel.TcpNotReading;
        var connections = Model.Connections;
        if (connections.Open.Count <= most || Model.Life.IsStopping || Model.TcpTurns.IsUsedUp)
            return;
        if (connections.Places.NotReading() is var count && count > most)
            Fail($"{count} connections have a side that does not read; {most} may");
    }

    private void CheckTables(LoadBalancer core, int sessions)
    {
        var open = Model.Connections.Open.Count;
        var kernel = Model.Scenario.Kernel;
        var streams = sessions + Model.Retired.Count + open + Model.Connections.BackendStreams;
        var timers = Model.MostTimers;
        if (Model.Sockets.OpenStreams != streams)
        {
            Fail($"{Model.Sockets.OpenStreams} streams are open; {sessions} sessions and {open}"
                + $" connections need {streams}");
        }
        else if (core.ConnectionCount != open)
        {
            Fail($"the core keeps {core.ConnectionCount} connections; {open} are open");
        }
        else if (core.ConnectionCount > kernel.TcpConnections
            || core.RemoteCount > kernel.MaxRemotes)
        {
            Fail($"{core.ConnectionCount} connections of {kernel.TcpConnections} and"
                + $" {core.RemoteCount} remotes of {kernel.MaxRemotes}");
        }
        else if (Model.Policy.Newcomers.Count > Model.Policy.MostNewcomers)
        {
            Fail($"{Model.Policy.Newcomers.Count} newcomers are remembered;"
                + $" {Model.Policy.MostNewcomers} may be");
        }
        else if (core.TimerCount > timers)
        {
            Fail($"{core.TimerCount} timers are armed; {timers} may be");
        }
    }
}
