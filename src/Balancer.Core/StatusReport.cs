// Owns the answer to an operator who asks what the balancer is doing: one line of totals, one a
// backend, one a remote for the first thousand, written a few a turn.
//
// What always holds: one report at a time; a request during one does not start a second; a report
// that has ended does not resume.

using System;

namespace Balancer.Core;

/// <summary>Writes the state of everything into the log, in slices.</summary>
internal sealed class StatusReport(Backends backends, Remotes remotes, TcpProxies connections,
    Quarantine quarantine, Services services)
{
    private int _nextRemote = int.MaxValue;
    private int _remotesLeft;
    private Instant _startedAt;

    /// <summary>Remotes are left for the next turn.</summary>
    public bool HasWork => _remotesLeft > 0;

    /// <summary>Reports totals and backends, and begins with the remotes.</summary>
    public void Start(Instant now, Duration longestTurn)
    {
        if (HasWork)
            return;
        _startedAt = now;
        services.Log.Write(new LogEvent.Status(now, backends.Count, backends.HealthyCount,
            remotes.Count, remotes.Established, connections.Count,
            quarantine.CountRefused(now), longestTurn, services.Counters));
        foreach (var backend in backends.All)
            services.Log.Write(new LogEvent.BackendStatus(backend.Snapshot(), now));
        _nextRemote = 0;
        _remotesLeft = Limits.StatusRemotes;
        EndIfAllAreLogged();
    }

    /// <summary>Reports the next few remotes.</summary>
    public void DoWork()
    {
        LogSlice();
        EndIfAllAreLogged();
    }

    private void LogSlice()
    {
        var end = Math.Min(_nextRemote + services.Turn.RemotesPerTurn, remotes.SnapshotEnd);
        for (var n = 0; n < services.Turn.StatusRemotesPerTurn && _remotesLeft > 0; n++)
        {
            if (!remotes.TrySnapshot(ref _nextRemote, end - _nextRemote, out var snapshot))
                return;
            services.Log.Write(new LogEvent.RemoteStatus(snapshot, _startedAt));
            _remotesLeft--;
        }
        Verify.That(_nextRemote <= end, "a slice ends where it was to end");
    }

    /// <summary>
    /// The table may grow beyond this end; what it grows by is not part of the report.
    /// </summary>
    private void EndIfAllAreLogged()
    {
        if (_nextRemote >= remotes.SnapshotEnd)
            _remotesLeft = 0;
    }
}
