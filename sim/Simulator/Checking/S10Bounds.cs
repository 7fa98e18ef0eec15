// Claims that every queue, table and timer stays within its bound, that descriptors are those that
// sessions and connections need, that lines about a condition that repeats come at most every 5 s,
// and that all is back at its baseline in the end.
//
// It knows by the streams that were opened and closed, by the bytes owed to each, and by the times
// of lines. The baseline: with no connection open, the streams are the sessions', and the timers
// are the loop's own few and at most three for each backend.

using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class S10Bounds() : Check("S10")
{
    public override bool Claims(Finding finding) => finding is Finding.Leak or Finding.Unbounded
        or Finding.Repeated;

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (Truth.Life.HasStopped)
            return;
        // A stop takes along what the kernel holds, one share more in each of its turns.
        var shares = Truth.Life.IsStopping ? 2 : 1;
        if (Truth.ReceivedInTurn > shares * Law.DatagramsOfATurn)
            Fail($"{Truth.ReceivedInTurn} datagrams were received in one turn");
        if (Truth.AcceptedInTurn > Law.AcceptsOfATurn)
            Fail($"{Truth.AcceptedInTurn} connections were accepted in one turn");
        var sessions = 0;
        foreach (var backend in Truth.Policy.Backends)
        {
            if (backend.Session is not { } session)
                continue;
            sessions++;
            if (session.Owed.Count > Law.SessionQueueBytes)
                Fail($"{session.Owed.Count} bytes wait for {backend}", backend.PlanId);
        }
        CheckTables(core, sessions);
    }

    public override void OnEnded(Instant now, LoadBalancer core)
    {
        foreach (var shown in core.SnapshotBackends())
        {
            if (shown.QueuedBytes > Law.SessionQueueBytes)
                Fail($"{shown.QueuedBytes} bytes wait for backend {shown.Id}");
        }
    }

    private void CheckTables(LoadBalancer core, int sessions)
    {
        var open = Truth.Connections.Open.Count;
        var kernel = Truth.Scenario.Kernel;
        var streams = sessions + Truth.Retired.Count + open + Truth.Connections.BackendStreams;
        var timers = Truth.MostTimers;
        if (Truth.Sockets.OpenStreams != streams)
        {
            Fail($"{Truth.Sockets.OpenStreams} streams are open; {sessions} sessions and {open}"
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
        else if (core.TimerCount > timers)
        {
            Fail($"{core.TimerCount} timers are armed; {timers} may be");
        }
    }
}
