// Owns what scans of the directory said: which entries are sockets, which of them are new, and what
// that means for backends that are known - gone, back, or made anew.
//
// What always holds: only a scan that reached its end says that anything is missing; a backend is
// added when it is first connected to, and by then a scan must have seen it.

using System;
using System.Collections.Generic;
using System.Text;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Checking;

/// <summary>Follows the directory as the balancer saw it.</summary>
internal sealed class DirectoryBook(Truth truth)
{
    private readonly List<(byte[] Name, EntryIdentity Identity)> _found = [];
    private long _scan;
    private int _discoveredId;
    private bool _isScanOpen;

    /// <summary>The address and port of both sockets.</summary>
    public Endpoint Listen { get; } = new(truth.Scenario.Kernel.Listen, 53);

    public void OnScanOpened(IoResult result)
    {
        if (!result.IsOk)
            return;
        _scan++;
        _isScanOpen = true;
        _found.Clear();
    }

    /// <summary>The scan that is open, 1 and up; 0 if none is.</summary>
    public long OpenScan => _isScanOpen ? _scan : 0;

    public void OnScanEntry(IoResult result, in DirectoryEntry entry)
    {
        if (!result.IsOk)
        {
            _isScanOpen = false;
            if (result.Status == IoStatus.EndOfStream)
                OnMissing();
            return;
        }
        if (!entry.IsSocket)
            return;
        if (Named(entry.Name) is { } backend)
            OnSeen(backend, entry.Identity);
        else
            _found.Add((entry.Name.ToArray(), entry.Identity));
    }

    /// <summary>The backend at a path; one that a scan found is added now.</summary>
    public BackendTruth? BackendAt(ReadOnlySpan<byte> path)
    {
        if (truth.Policy.AtPath(path) is { } known)
            return known;
        var name = path[(path.LastIndexOf((byte)'/') + 1)..];
        foreach (var (foundName, identity) in _found)
        {
            if (name.SequenceEqual(foundName))
                return Add(path, name, identity);
        }
        truth.Report(Finding.Misrouted,
            $"{Encoding.UTF8.GetString(path)} was connected to, and no scan has seen it");
        return null;
    }

    /// <summary>The core told the id of a backend that it will connect to next.</summary>
    public void OnDiscoveredLine(int id) => _discoveredId = id;

    public void OnForgottenLine(int id)
    {
        if (truth.Policy.WithId(id) is not { } backend)
            return;
        var isLongGone = backend.Stage == Stage.Removed
            && (truth.Now - backend.RemovedAt >= Law.RemovedRetention
                || truth.Policy.Backends.Count >= Law.MostBackends);
        if (!isLongGone || backend.Remotes > 0 || backend.Backups > 0)
        {
            truth.Report(Finding.WronglyGone, $"{backend} was forgotten while {backend.Stage} with"
                + $" {backend.Remotes} remotes", backend);
        }
        truth.Policy.Forget(backend);
    }

    private BackendTruth Add(
        ReadOnlySpan<byte> path, ReadOnlySpan<byte> name, EntryIdentity identity)
    {
        var text = Encoding.UTF8.GetString(name);
        var id = truth.Policy.IdFor(name);
        BackendPlan? plan = null;
        foreach (var candidate in truth.Scenario.Backends)
        {
            if (candidate.Name == text)
                plan = candidate;
        }
        if (id != _discoveredId)
        {
            truth.Report(Finding.Untrue,
                $"{text} was given the id {_discoveredId}; it should be {id}");
            id = _discoveredId;
        }
        var backend = new BackendTruth(id, Encoding.UTF8.GetString(path), path.ToArray(),
            plan?.Id ?? -1, plan?.IsCore ?? false)
        {
            Identity = identity,
            SeenInScan = _scan,
            IsConnectDue = true,
        };
        truth.Policy.Add(backend);
        return backend;
    }

    private BackendTruth? Named(ReadOnlySpan<byte> name)
    {
        foreach (var backend in truth.Policy.Backends)
        {
            var path = backend.PathBytes.AsSpan();
            if (path.EndsWith(name) && path[^(name.Length + 1)] == (byte)'/')
                return backend;
        }
        return null;
    }

    private void OnSeen(BackendTruth backend, EntryIdentity identity)
    {
        // A session begun since the last scan may be with a newer socket than that scan saw.
        var isAnother = identity != backend.Identity
            && !(backend.Session != null && backend.ConnectedSinceScan);
        backend.SeenInScan = _scan;
        backend.Identity = identity;
        backend.ConnectedSinceScan = false;
        backend.HasPath = true;
        if (backend.Stage == Stage.Removed)
            ConnectAtOnce(backend);
        else if (isAnother)
            OnMadeAnew(backend);
        else if (backend.Stage == Stage.Draining)
            backend.Stage = Stage.Healthy;
    }

    private void OnMadeAnew(BackendTruth backend)
    {
        // A session that said hello goes on to its end; one that did not is given up.
        if (backend.Session is { } session)
        {
            session.IsRetired = true;
            truth.OpenRetired++;
            backend.Session = null;
            backend.ConnectsFailed += session.HasHello ? 0 : 1;
        }
        ConnectAtOnce(backend);
    }

    private static void ConnectAtOnce(BackendTruth backend)
    {
        backend.Stage = Stage.Down;
        backend.IsConnectDue = true;
        backend.NextBackOff = Law.FirstBackOff;
    }

    private void OnMissing()
    {
        foreach (var backend in truth.Policy.Backends)
        {
            // A connect that succeeded while the scan was open knows better.
            if (backend.SeenInScan == _scan
                || (backend.Session != null && backend.ConnectedInScan == _scan))
            {
                continue;
            }
            backend.HasPath = false;
            backend.ConnectedSinceScan = false;
            if (backend.Stage == Stage.Healthy)
                backend.Stage = Stage.Draining;
        }
    }
}
