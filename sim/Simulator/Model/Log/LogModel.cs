// Owns the lines that the log owes: what happened to a backend, a connection or the directory is
// logged once, with its true names and numbers, in the turn in which it happened, and nothing that
// did not happen is logged. Records that are rate limited are RepeatedEventModel's.
//
// What always holds: a line that is owed was seen in the calls first; within a turn lines may come
// in any order.

using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;

namespace Simulation.Model;

/// <summary>Lines that are owed and not logged yet.</summary>
internal sealed class LogModel(ReferenceModel model)
{
    private readonly List<object> _owed = [];

    public void Owe(object line) => _owed.Add(line);

    /// <summary>
    /// A backend's session ended by itself and its socket is gone: that is a stop, not a fault.
    /// </summary>
    public void OweStop(ExpectedBackend backend)
    {
        backend.OwesFaultEvent = false;
        backend.OnStopped();
        Owe(new LogEvent.BackendStopped(backend.Name, backend.Path,
            backend.LastEvidence?.Io ?? default, backend.BackOff));
    }

    public bool IsOwed(ILogEvent logged) => _owed.Contains(LineOf(logged));

    private static object LineOf(ILogEvent logged) => logged switch
    {
        LogEvent.QueryQuarantined refused => RefusalLine.Of(refused),
        LogEvent.QueryReleased released => ReleaseLine.Of(released),
        _ => logged,
    };

    public void OnLogged(ILogEvent logged)
    {
        if (!IsExact(logged))
            return;
        if (!_owed.Remove(LineOf(logged)))
        {
            model.Report(ViolationKind.Untrue, $"the log has {logged}; it should be"
                + $" {(_owed.Count == 0 ? "nothing" : _owed[0].ToString())}");
        }
    }

    public void OnTurnEnded()
    {
        if (_owed.Count > 0 && !model.Life.HasStopped)
        {
            model.Report(ViolationKind.Untrue,
                $"the log does not have {_owed[0]}");
        }
        _owed.Clear();
    }

    private static bool IsExact(ILogEvent logged) => logged is LogEvent.BackendReturned
        or LogEvent.BackendRestarted or LogEvent.BackendConnected or LogEvent.BackendHealthy
        or LogEvent.BackendStopped or LogEvent.BackendDraining
        or LogEvent.BackendResumed or LogEvent.BackendRemoved
        or LogEvent.BackendUnstuck or LogEvent.HeartbeatAnswered
        or LogEvent.DirectoryAnswering or LogEvent.EntryRefused
        or LogEvent.EntryNotASocket or LogEvent.BackendSuspected or LogEvent.BackendTrusted
        or LogEvent.BackendDownByProbe or LogEvent.BackendUpByProbe
        or LogEvent.BackendFailing or LogEvent.BackendNoLongerFailing or LogEvent.BackendMute
        or LogEvent.QueriesResent or LogEvent.QueryQuarantined
        or LogEvent.QueryReleased or LogEvent.ConnectionRelaying or LogEvent.RescanRequested;
}
