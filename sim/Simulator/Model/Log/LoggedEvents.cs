// Owns which model hears of which log line, and what must be caught up with first: the core logs in
// the middle of a turn, where the models have not followed the calls to the end yet, so a line says
// how far they must be.
//
// The core's log is used for seven things only, and each use is checked against the calls and the
// policy: whose turn it is in a batch that was received at once (RemoteAssigned), which remotes a
// rebalance, an expiry or a full table is about, where the description leaves that free
// (RemoteMoved, RemoteExpired, RemoteEvicted), where in a stream's queue a heartbeat stands
// (HeartbeatSent), and where a probe does (ProbeSent), which waiting connection is tried anew
// (ConnectionOpened), that something is over (ConnectionClosed and BackendForgotten), and that a
// stop is complete (Stopped), which S15 holds against what is open.
//
// What always holds: a line changes no model before that model has seen the calls that led to it.

using Balancer.Core;
using Simulation.Kernel;

namespace Simulation.Model;

/// <summary>Hands each log line to the models that it is about.</summary>
internal sealed class LoggedEvents(
    ReferenceModel model, SessionModel sessions, RemoteModel remotes)
{
    /// <summary>Takes over what only the log tells, before the checks hear of it.</summary>
    public void OnLogged(ILogEvent logged)
    {
        switch (logged)
        {
            case LogEvent.RemoteAssigned assigned:
                model.Arrivals.DrainTo(assigned);
                return;
            case LogEvent.RemoteEvicted evicted:
                remotes.OnEvicted(evicted);
                return;
            case LogEvent.NoHealthyBackend none:
                OnArrivalLine(Repeat.NoBackend, 0, none.Dropped - 1, none);
                return;
            case LogEvent.BackendStuck stuck:
                model.Arrivals.DrainUntil(() => model.Stuck.IsDue(stuck.Id.Value));
                while (!model.Stuck.IsDue(stuck.Id.Value) && !model.Stuck.IsOverdue(stuck.Id.Value)
                    && model.Resends.TryStep())
                {
                }
                model.Stuck.OnStuckLine(stuck);
                return;
            case LogEvent.ConnectionsOverLimit over:
                OnArrivalLine(Repeat.OverLimit, (int)Counter.ConnectionsOverLimit,
                    over.Suppressed, over with { Suppressed = 0 });
                return;
            case LogEvent.ClientOverShare over:
                OnArrivalLine(Repeat.OverShare, 0, over.Suppressed,
                    over with { Suppressed = 0 });
                return;
            case LogEvent.ClientOverLimit over:
                OnArrivalLine(Repeat.OverLimit, (int)Counter.ConnectionsOverClientLimit,
                    over.Suppressed, over with { Suppressed = 0 });
                return;
        }
        model.Arrivals.Drain();
        if (logged is LogEvent.BackendUnstuck unstuck)
            model.Stuck.OnUnstuckLine(unstuck.Id);
        else if (logged is LogEvent.QueriesResent resent)
            model.Resends.FinishTo(resent);
        else if (logged is LogEvent.BackendSuspected suspected)
            ServeSilenceOf(suspected.Id, suspected);
        else if (logged is LogEvent.BackendTrusted trusted)
            ServeSilenceOf(trusted.Id, trusted);
        else if (logged is LogEvent.BackendNoLongerFailing or LogEvent.BackendDownByProbe
            or LogEvent.QueryQuarantined or LogEvent.QueryReleased)
            model.Deadlines.ServeUntil(() => model.Lines.IsOwed(logged));
        else if (logged is LogEvent.QueryRefusalProlonged prolonged)
            model.Deadlines.ServeUntil(() => model.Repeats.IsOwed(Repeat.RefusalProlonged, 0,
                prolonged.Suppressed, ProlongedLine.Of(prolonged)));
        model.Lines.OnLogged(logged);
        model.Repeats.OnLogged(logged);
        model.Status.OnLogged(logged);
        model.Life.OnLogged(logged);
        switch (logged)
        {
            case LogEvent.ConnectionOpened opened:
                model.Connections.Handshakes.OnOpenedLine(opened);
                break;
            case LogEvent.HeartbeatSent sent:
                sessions.OnHeartbeatSent(sent.Id);
                break;
            case LogEvent.ProbeSent probe:
                model.Probes.OnSentLine(probe);
                break;
            case LogEvent.ConnectionClosed closed:
                model.Connections.OnClosedLine(closed);
                break;
            case LogEvent.BackendDiscovered found:
                model.Directory.OnDiscoveredLine(found);
                break;
            case LogEvent.OutageEnded ended:
                model.Outage.OnLine(ended);
                break;
            case LogEvent.DirectoryNotAnswering silent:
                model.Scans.OnNotAnsweringLine(silent);
                break;
            case LogEvent.BackendForgotten forgotten:
                model.Directory.OnForgottenLine(forgotten.Id.Value);
                break;
            case LogEvent.Started:
                remotes.OnStarted();
                break;
            case LogEvent.Rebalancing rebalancing:
                remotes.OnRebalancing(rebalancing);
                break;
            case LogEvent.RemoteMoved moved:
                remotes.OnMoved(moved);
                break;
            case LogEvent.RemoteExpired expired:
                remotes.OnExpired(expired);
                break;
            case LogEvent.RemotesExpired passed:
                remotes.OnPassEnded(passed);
                break;
        }
    }

    private void ServeSilenceOf(BackendId id, ILogEvent line)
    {
        if (!model.Lines.IsOwed(line) && model.Policy.WithId(id.Value)?.Session is { } session)
            model.Deadlines.ServeSilenceOf(session);
    }

    /// <summary>
    /// A line that is told in the middle of a batch, about one that arrived in it.
    /// </summary>
    private void OnArrivalLine(Repeat kind, int which, long suppressed, ILogEvent logged)
    {
        model.Arrivals.DrainUntil(() => model.Repeats.IsDue(kind, which));
        model.Repeats.OnLine(kind, which, suppressed, logged);
    }

    /// <summary>It ended by itself, or what it sent made the balancer end it.</summary>
    public static bool IsDeath(FaultCause cause) => cause is FaultCause.EndOfStream
        || (cause != FaultCause.FrameBeforeHello && new Evidence(cause, default, 0).IsOfProtocol);

    /// <summary>Notes that the checks have heard of a line.</summary>
    public void OnSettled(ILogEvent logged)
    {
        if (logged is LogEvent.BackendFaulted faulted
            && model.Policy.WithId(faulted.Id.Value) is { } backend)
        {
            backend.OwesFaultEvent = false;
            backend.OwesLook = false;
            if (IsDeath(faulted.Fault.Cause))
                model.Resends.OnDied(backend);
        }
    }
}
