// Owns what scans of the directory said: which entries are sockets, which of them are new, and what
// that means for backends that are known - removed, back, or restarted.
//
// New sockets are taken up when a scan ends, in an order that does not depend on the order in which
// they were listed.
//
// What always holds: only a scan that reached its end says that anything is missing; a backend is
// added when the core tells its id, and by then a scan must have seen it.

using System;
using System.Collections.Generic;
using System.Text;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows the directory as the balancer saw it.</summary>
internal sealed class DirectoryModel(ReferenceModel model)
{
    private readonly List<(byte[] Name, EntryIdentity Identity)> _found = [];
    private readonly Dictionary<string, long> _notSockets = [];
    private readonly Dictionary<string, long> _refused = [];
    private readonly Dictionary<string, (Instant Since, long Scan)> _foreign = [];
    private readonly List<ExpectedBackend> _toForget = [];
    private IoStatus _readability = IoStatus.Ok;
    private long _scan;
    private bool _isScanOpen;
    private bool _isScanAsked;

    /// <summary>The folder that all scenarios have their sockets in.</summary>
    private static ReadOnlySpan<byte> Folder => "/run/bbal"u8;

    /// <summary>Bytes of a path that stand before the entry's name.</summary>
    public static int DirectoryBytes => Folder.Length + 1;

    /// <summary>The address and port of both sockets.</summary>
    public Endpoint Listen { get; } = new(model.Scenario.Kernel.Listen, 53);

    public void OnScanOpened(IoResult result)
    {
        if (!_isScanAsked)
        {
            _scan++;
            _found.Clear();
        }
        model.Scans.OnOpened(result, isAgain: _isScanAsked);
        _isScanAsked = result.Status == IoStatus.WouldBlock;
        if (_isScanAsked)
            return;
        _isScanOpen = result.IsOk;
        if (!result.IsOk)
            OnReadability(result);
    }

    /// <summary>A scan was asked for that is not open yet.</summary>
    public bool IsScanAsked => _isScanAsked;

    /// <summary>The folder's path as the log has it.</summary>
    public static string Name => Encoding.UTF8.GetString(Folder);

    /// <summary>The scan that is asked for or open, 1 and up; 0 if none is.</summary>
    public long OpenScan => _isScanOpen || _isScanAsked ? _scan : 0;

    public void OnScanEntry(IoResult result, in DirectoryEntry entry)
    {
        model.Resends.Finish();
        if (result.Status == IoStatus.WouldBlock)
            model.Scans.OnWaits();
        else if (!result.IsOk)
            OnScanEnded(result);
        else if (entry.Kind == EntryKind.Other)
            OnRefused(_notSockets, entry.Name, null);
        else if (entry.Kind == EntryKind.Foreign)
            OnForeign(entry.Name);
        else if (Named(entry.Name) is { } backend)
            OnSeen(backend, in entry);
        else if (entry.Kind == EntryKind.Unknown)
            OnRefused(_refused, entry.Name, EntryRefusal.Unknown);
        else if (DirectoryBytes + entry.Name.Length > SpecifiedLimits.LongestPath)
            OnRefused(_refused, entry.Name, EntryRefusal.PathTooLong);
        else
            _found.Add((entry.Name.ToArray(), entry.Identity));
    }

    /// <summary>The backend at a path, which a scan must have found.</summary>
    public ExpectedBackend? BackendAt(ReadOnlySpan<byte> path)
    {
        if (model.Policy.AtPath(path) is { } known)
            return known;
        model.Report(ViolationKind.Misrouted,
            $"{Encoding.UTF8.GetString(path)} was connected to, and no scan has seen it");
        return null;
    }

    /// <summary>
    /// A name was looked up: of a backend whose session has just ended, and which is known to have
    /// stopped if its socket is gone.
    /// </summary>
    public void OnLooked(ReadOnlySpan<byte> name, IoResult result)
    {
        if (Named(name) is not { OwesLook: true } backend)
        {
            model.Report(ViolationKind.Untrue,
                $"{Encoding.UTF8.GetString(name)} was looked up, and no"
                + " session to it has just ended");
            return;
        }
        backend.OwesLook = false;
        if (result.Status == IoStatus.NotFound && _readability != IoStatus.NotFound)
        {
            model.Reached(Situation.LookFindsNothing);
            model.Lines.OweStop(backend);
        }
    }

    /// <summary>The core reported a backend that it will connect to next.</summary>
    public void OnDiscoveredLine(LogEvent.BackendDiscovered logged)
    {
        while (_found.Count > 0 && Named(_found[0].Name) is { } listedTwice)
            TakeSeenTwice(listedTwice);
        if (_found.Count == 0 || PathOf(_found[0].Name) != logged.Path)
        {
            model.Report(ViolationKind.Untrue,
                $"{logged.Path} was logged as discovered; it should be"
                + $" {(_found.Count == 0 ? "nothing" : PathOf(_found[0].Name))}");
            return;
        }
        var (name, identity) = _found[0];
        _found.RemoveAt(0);
        Add(name, identity, logged.Id.Value);
    }

    public void OnTurnEnded()
    {
        while (OpenScan == 0 && _found.Count > 0 && Named(_found[0].Name) is { } listedTwice)
            TakeSeenTwice(listedTwice);
        if (_toForget.Count > 0 && !model.Life.HasStopped)
        {
            model.Report(ViolationKind.Unbounded, $"{_toForget[0]} is removed since"
                + $" {_toForget[0].RemovedAt} and is not forgotten at {model.Now}", _toForget[0]);
        }
        _toForget.Clear();
        if (OpenScan != 0 || _found.Count == 0 || model.Life.HasStopped)
            return;
        model.Report(ViolationKind.Reconnect,
            $"{PathOf(_found[0].Name)} was found by a scan, and was not"
            + " taken up in the turn in which that ended");
        _found.Clear();
    }

    public void OnForgottenLine(int id)
    {
        if (model.Policy.WithId(id) is not { } backend)
            return;
        var makesRoom = backend.Stage == Stage.Removed
            && model.Policy.Backends.Count >= SpecifiedLimits.MostBackends;
        if (!IsLongGone(backend) && !(makesRoom && IsFree(backend)))
        {
            model.Report(ViolationKind.WronglyGone, $"{backend} was forgotten while {backend.Stage}"
                + (backend.Stage == Stage.Removed ? $" since {backend.RemovedAt}" : "")
                + $", primary of {backend.Remotes} remotes and backup of {backend.Backups}",
                backend);
        }
        model.ReachedIf(IsLongGone(backend), Situation.RemovedIsForgotten);
        _toForget.Remove(backend);
        model.Policy.Forget(backend);
    }

    /// <summary>A whole scan forgets it: gone for long, and nobody is bound to it.</summary>
    private bool IsLongGone(ExpectedBackend backend) => backend.Stage == Stage.Removed
        && !(backend.Refused is not null && backend.HasPath)
        && (!backend.EverHello
            || model.Now - backend.RemovedAt >= SpecifiedLimits.RemovedRetention)
        && IsFree(backend);

    private bool IsFree(ExpectedBackend backend) =>
        backend is { Remotes: 0, Newcomers: 0, Backups: 0 }
        && !model.Retired.Exists(session => session.Backend == backend);

    private void OnScanEnded(IoResult end)
    {
        _isScanOpen = false;
        model.Scans.OnEnded();
        var isWhole = end.Status == IoStatus.EndOfStream;
        OnReadability(isWhole ? IoResult.Ok() : end);
        _found.Sort(static (a, b) => Compare(a.Name, b.Name));
        model.ReachedIf(!isWhole && _found.Count > 0, Situation.ScanBreaksOffWithNews);
        if (!isWhole)
            return;
        OnMissing();
        _toForget.AddRange(model.Policy.Backends);
        _toForget.RemoveAll(backend => !IsLongGone(backend));
        Forget(_notSockets);
        Forget(_refused);
        foreach (var (name, (_, scan)) in _foreign)
        {
            if (scan != _scan)
                _foreign.Remove(name);
        }
    }

    /// <summary>
    /// Another user's socket: as a connect would, scans look at it a few more times before it is
    /// one; until then its backend stays as it is.
    /// </summary>
    private void OnForeign(ReadOnlySpan<byte> entry)
    {
        var name = Encoding.UTF8.GetString(entry);
        var isKnown = _foreign.TryGetValue(name, out var seen);
        var since = isKnown ? seen.Since : model.Now;
        if (isKnown || _foreign.Count < SpecifiedLimits.MostBackends)
        {
            _foreign[name] = (since, _scan);
            var look = since;
            foreach (var delay in SpecifiedLimits.QuietDelays)
            {
                look += delay;
                if (look <= model.Now)
                    continue;
                model.Reached(Situation.OthersEntryLookedAtAgain);
                model.Scans.LookAgain(look);
                if (Named(entry) is { } backend)
                    backend.SeenInScan = _scan;
                return;
            }
        }
        OnRefused(_refused, entry, EntryRefusal.WrongUser);
    }

    /// <summary>Names that are ports come first, then all in the order of their bytes.</summary>
    private static int Compare(byte[] a, byte[] b)
    {
        var byKind = IsPort(b).CompareTo(IsPort(a));
        return byKind != 0 ? byKind : a.AsSpan().SequenceCompareTo(b);
    }

    private static bool IsPort(byte[] name) => name is [(byte)'5', (byte)'3', >= (byte)'0'
        and <= (byte)'9', >= (byte)'0' and <= (byte)'9'];

    private void OnReadability(IoResult result)
    {
        if (result.Status == _readability)
            return;
        _readability = result.Status;
        var path = Encoding.UTF8.GetString(Folder);
        model.Repeats.OnCondition(Repeat.Readability, 0, result.IsOk
            ? new LogEvent.DirectoryReadable(path, 0)
            : new LogEvent.DirectoryUnreadable(path, result, 0));
    }

    /// <summary>
    /// An entry that is none of ours is logged once while it stays; null for one that is not a
    /// socket.
    /// </summary>
    private void OnRefused(
        Dictionary<string, long> seen, ReadOnlySpan<byte> name, EntryRefusal? why)
    {
        var text = Encoding.UTF8.GetString(name);
        if (!seen.ContainsKey(text))
        {
            if (seen.Count == (why is null
                ? SpecifiedLimits.SkippedNames : SpecifiedLimits.MostBackends))
                return;
            model.Lines.Owe(why is { } refusal
                ? new LogEvent.EntryRefused(PathOf(name), refusal)
                : new LogEvent.EntryNotASocket(PathOf(name)));
        }
        seen[text] = _scan;
    }

    private void Forget(Dictionary<string, long> seen)
    {
        foreach (var (name, scan) in seen)
        {
            if (scan != _scan)
                seen.Remove(name);
        }
    }

    private void TakeSeenTwice(ExpectedBackend backend)
    {
        var identity = _found[0].Identity;
        _found.RemoveAt(0);
        OnSeen(backend, identity);
    }

    private void Add(byte[] name, EntryIdentity identity, int toldId)
    {
        var text = Encoding.UTF8.GetString(name);
        var id = model.Policy.IdFor(name);
        BackendPlan? plan = null;
        foreach (var candidate in model.Scenario.Backends)
        {
            if (candidate.Name == text)
                plan = candidate;
        }
        if (id != toldId)
        {
            model.Report(ViolationKind.Untrue,
                $"{text} was given the id {toldId}; it should be {id}");
            id = toldId;
        }
        model.Policy.Add(new ExpectedBackend(id, PathOf(name), [.. Folder, (byte)'/', .. name],
            plan?.Id ?? -1, plan?.IsCore ?? false)
        {
            Identity = identity,
            SeenInScan = _scan,
            IsConnectDue = true,
        });
    }

    private static string PathOf(ReadOnlySpan<byte> name) =>
        $"{Encoding.UTF8.GetString(Folder)}/{Encoding.UTF8.GetString(name)}";

    private ExpectedBackend? Named(ReadOnlySpan<byte> name)
    {
        foreach (var backend in model.Policy.Backends)
        {
            var path = backend.PathBytes.AsSpan();
            if (path.EndsWith(name) && path[^(name.Length + 1)] == (byte)'/')
                return backend;
        }
        return null;
    }

    /// <summary>One that cannot be looked at is not missing, and that is all.</summary>
    private void OnSeen(ExpectedBackend backend, in DirectoryEntry entry)
    {
        if (entry.Kind == EntryKind.Unknown)
        {
            model.Reached(Situation.UnknownEntryKeepsBackend);
            backend.SeenInScan = _scan;
        }
        else
            OnSeen(backend, entry.Identity);
    }

    private void OnSeen(ExpectedBackend backend, EntryIdentity identity)
    {
        // What the scan saw may be from before a session that was begun since.
        if (backend.Session != null && backend.ConnectedInScan == _scan)
        {
            model.ReachedIf(identity != backend.Identity, Situation.ScanOlderThanSession);
            backend.SeenInScan = _scan;
            return;
        }
        // A session begun since the last scan may be with a newer socket than that scan saw.
        var isAnother = identity != backend.Identity
            && !(backend.Session != null && backend.ConnectedSinceScan);
        backend.SeenInScan = _scan;
        backend.Identity = identity;
        backend.ConnectedSinceScan = false;
        backend.HasPath = true;
        if (backend.Refused == identity)
            return;
        backend.Refused = null;
        if (backend.Stage == Stage.Removed)
            OnReturned(backend);
        else if (isAnother)
            OnRestarted(backend);
        else if (backend.Stage == Stage.Draining)
            OnRestored(backend);
    }

    private void OnRestored(ExpectedBackend backend)
    {
        model.Reached(Situation.DrainingResumes);
        model.Outage.OnHealthy();
        model.Lines.Owe(new LogEvent.BackendResumed(backend.Name, backend.Path));
        backend.Stage = Stage.Healthy;
        model.Resends.LookAgain();
        model.Connections.Handshakes.OnBackendsChanged();
    }

    private void OnReturned(ExpectedBackend backend)
    {
        model.Reached(Situation.RemovedReturns);
        model.Lines.Owe(new LogEvent.BackendReturned(backend.Name, backend.Path));
        ConnectAtOnce(backend);
    }

    private void OnRestarted(ExpectedBackend backend)
    {
        model.Lines.Owe(new LogEvent.BackendRestarted(backend.Name, backend.Path));
        backend.RestartedIn = model.Turn;
        // A session that said hello goes on to its end; one that did not is given up.
        if (backend.Session is { } session)
        {
            model.ReachedIf(session.Silence.IsSuspect, Situation.RestartWhileSuspect);
            model.ReachedIf(!session.HasHello, Situation.RestartBeforeHello);
            model.Stuck.OnSessionOver(backend);
            if (session.HasHello && session.Silence.IsSuspect)
                backend.OnBadEnd(model.Now, inSilence: true);
            session.IsRetired = true;
            // What lacks memory is tried again by the retired one.
            session.MemoryRetryAt = Instant.Never;
            session.HasRefused = false;
            // It is watched on, if there is anything to be watched.
            session.IsReadable = false;
            if (!session.HasHello)
                SuspicionModel.OnSessionOver(session);
            FailingModel.OnSessionOver(session);
            ProbeModel.OnSessionOver(session);
            session.RetiredAt = model.Now;
            session.ForgetUnread();
            session.PutOffTo = Instant.Zero;
            model.Retired.Add(session);
            backend.Session = null;
            backend.ConnectsFailed += session.HasHello ? 0 : 1;
            backend.SessionsEnded += session.HasHello ? 0 : 1;
            backend.Replacements += session.HasHello ? 1 : 0;
        }
        ConnectAtOnce(backend);
    }

    private static void ConnectAtOnce(ExpectedBackend backend)
    {
        backend.Stage = Stage.Down;
        backend.IsConnectDue = true;
        backend.NextBackOff = SpecifiedLimits.FirstBackOff;
        backend.HadFault = false;
        backend.TimesMute = 0;
        backend.QuietTries = 0;
    }

    private void OnMissing()
    {
        foreach (var backend in model.Policy.Backends)
        {
            // A connect that succeeded while the scan was open knows better.
            if (backend.SeenInScan == _scan
                || (backend.Session != null && backend.ConnectedInScan == _scan))
            {
                continue;
            }
            backend.HasPath = false;
            backend.ConnectedSinceScan = false;
            if (backend is { Stage: Stage.Down, HadFault: true, EverHello: false })
            {
                backend.Stage = Stage.Removed;
                backend.RemovedAt = model.Now;
                backend.ReconnectAt = Instant.Never;
                model.Lines.Owe(new LogEvent.BackendRemoved(backend.Name, backend.Path));
            }
            if (backend.Stage != Stage.Healthy)
                continue;
            backend.Stage = Stage.Draining;
            model.Lines.Owe(new LogEvent.BackendDraining(backend.Name, backend.Path));
        }
    }
}
