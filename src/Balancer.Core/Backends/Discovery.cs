// Owns the reading of the directory of sockets: every 5 s, at once when something changed in it or
// the operator asks, a few entries a turn. A new socket becomes a backend; a known one hears
// whether its path is still there, and whether the same socket stands at it. A directory may take
// its time to answer, or never do so: until then nothing else waits, and no other scan begins.
//
// New sockets are taken up when the scan has seen all entries, sorted, those whose name is a port
// first, so that who gets which id does not depend on the order in which a file system lists them.
// Where there are more than may be known, those behind the last one taken up are next, and then
// those before it, in any order of the list.
//
// What always holds: a directory that cannot be read, or not to its end, means that nothing is
// known, so no path is ever missed for it, and one that does not answer as well; of an entry that
// cannot be looked at the same is true, and of no other; an entry that is refused is logged once
// while it stays.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>Finds backends.</summary>
internal sealed class Discovery
{
    private readonly IBackendDirectory _directory;
    private readonly Backends _backends;
    private readonly TurnLimits _turn;
    private readonly Timers _timers;
    private readonly IBalancerLog _log;
    private readonly Counters _counters;
    private readonly EntryRecords _records;
    private readonly TroubleReport<LogEvent.DirectoryUnreadable, LogEvent.DirectoryReadable>
        _readability;
    private readonly Timer _scanTimer;
    private readonly List<(byte[] Name, EntryIdentity Identity)> _found = [];
    private readonly RefusedEntries _notSockets = new(Limits.MaxSkippedEntries);
    private readonly RefusedEntries _refused = new(Limits.MaxBackends);
    private readonly ForeignEntries _foreign = new();
    private byte[] _lastAdded = [];
    private readonly string _path;
    private readonly Timer _patienceTimer;
    private bool _isScanning;
    private bool _isOpen;
    private bool _isWaiting;
    private bool _isUnanswered;
    private bool _scanAgain;
    private Instant _askedAt;

    /// <summary>When another scan is to look at what this one saw; Never if it need not.</summary>
    private Instant _lookAgainAt;
    private long _scan;
    private IoStatus _lastStatus = IoStatus.Ok;

    public Discovery(Services services, IBackendDirectory directory, Backends backends)
    {
        _directory = directory;
        _backends = backends;
        _turn = services.Turn;
        _timers = services.Timers;
        _log = services.Log;
        _counters = services.Counters;
        _records = services.EntryRecords;
        _path = PathText.Of(directory.Path);
        _readability = new(services);
        _scanTimer = new Timer(Scan);
        _patienceTimer = new Timer(OnUnanswered);
    }

    /// <summary>The directory's path as text for the log.</summary>
    public string DirectoryName => _path.Length == 0 ? "/" : _path;

    /// <summary>A scan has entries left for the next turn.</summary>
    public bool HasWork => _isScanning && !_isWaiting;

    /// <summary>Starts a scan now, or another one when the present one ends.</summary>
    public void Scan(Instant now)
    {
        if (_isScanning)
        {
            _scanAgain = true;
            return;
        }
        _timers.Arm(_scanTimer, now + Limits.ScanInterval);
        _scan++;
        _isScanning = true;
        _isOpen = false;
        _lookAgainAt = Instant.Never;
        _found.Clear();
        Open(now);
    }

    /// <summary>The directory has answered, if it was asked at all.</summary>
    public void OnAnswered(Instant now)
    {
        if (!_isWaiting)
            return;
        _isWaiting = false;
        _timers.Disarm(_patienceTimer);
        if (_isUnanswered)
            _log.Write(new LogEvent.DirectoryAnswering(DirectoryName, now - _askedAt));
        _isUnanswered = false;
        if (!_isOpen)
            Open(now);
    }

    /// <summary>Ends a scan that is open; no other follows.</summary>
    public void Stop()
    {
        _timers.Disarm(_scanTimer);
        _timers.Disarm(_patienceTimer);
        if (_isScanning)
            _directory.CloseScan();
        _isScanning = _isWaiting = false;
    }

    /// <summary>
    /// Something changed in the directory, or must be looked at again: scan when it has settled.
    /// </summary>
    public void ScanSoon(Instant now)
    {
        if (_isScanning)
            _scanAgain = true;
        else if (!_scanTimer.IsArmed || _scanTimer.Deadline > now + Limits.ScanDebounce)
            _timers.Arm(_scanTimer, now + Limits.ScanDebounce);
    }

    /// <summary>
    /// A connect succeeded, perhaps with a newer socket than the last scan saw: scan soon, so that
    /// the doubt is short. What the present scan says of the path is not believed.
    /// </summary>
    public void OnConnected(Instant now, Backend backend)
    {
        backend.ConnectedInScan = _isScanning ? _scan : 0;
        ScanSoon(now);
    }

    /// <summary>
    /// Whether no socket is at a backend's path now. While the directory itself is not there, that
    /// says nothing of a backend: all of it may be back with the next mount.
    /// </summary>
    public bool IsGone(Backend backend) =>
        _directory.Look(backend.Name).Status == IoStatus.NotFound
        && _lastStatus != IoStatus.NotFound;

    /// <summary>Reads the next few entries of a scan.</summary>
    public void DoWork(Instant now)
    {
        Verify.That(_isScanning, "entries are read while a scan is open");
        for (var n = 0; n < _turn.EntriesPerTurn; n++)
        {
            var result = _directory.NextEntry(out var entry);
            if (result.Status == IoStatus.WouldBlock)
            {
                AwaitAnswer(now);
                return;
            }
            if (!result.IsOk)
            {
                EndScan(now, result);
                return;
            }
            try
            {
                OnEntry(now, entry);
            }
            catch (OutOfMemoryException)
            {
                EndScan(now, IoResult.Failed(IoStatus.NoBuffers));
                return;
            }
        }
    }

    private void Open(Instant now)
    {
        var opened = _directory.OpenScan();
        _isOpen = opened.IsOk;
        if (opened.Status == IoStatus.WouldBlock)
        {
            AwaitAnswer(now);
        }
        else if (!opened.IsOk)
        {
            _isScanning = false;
            ReportReadability(now, opened);
            FollowUp(now);
        }
    }

    private void AwaitAnswer(Instant now)
    {
        _isWaiting = true;
        _askedAt = now;
        _timers.Arm(_patienceTimer, now + Limits.DirectoryPatience);
    }

    private void OnUnanswered(Instant now)
    {
        _isUnanswered = true;
        _log.Write(new LogEvent.DirectoryNotAnswering(DirectoryName, now - _askedAt));
    }

    private void OnEntry(Instant now, in DirectoryEntry entry)
    {
        if (entry.Kind == EntryKind.Other)
        {
            if (_notSockets.TryNote(entry.Name, _scan))
                Say(now, entry.Name, new LogEvent.EntryNotASocket(PathOf(entry.Name)));
            return;
        }
        var known = _backends.FindByName(entry.Name);
        if (entry.Kind == EntryKind.Foreign)
        {
            OnForeign(now, entry.Name, known);
        }
        else if (entry.Kind == EntryKind.Unknown)
        {
            if (known is not null)
                known.SeenInScan = _scan;
            else
                Refuse(now, entry.Name, EntryRefusal.Unknown);
        }
        else if (known is { } backend)
        {
            backend.SeenInScan = _scan;
            backend.OnPathSeen(now, _scan, entry.Identity);
        }
        else if (_directory.Path.Length + 1 + entry.Name.Length > Limits.MaxPathBytes)
        {
            Refuse(now, entry.Name, EntryRefusal.PathTooLong);
        }
        else
        {
            Find(now, entry.Name.ToArray(), entry.Identity);
        }
    }

    /// <summary>
    /// Another user's: it may be given away in a moment, and until then says nothing of a backend.
    /// </summary>
    private void OnForeign(Instant now, ReadOnlySpan<byte> name, Backend? known)
    {
        var again = _foreign.Note(now, name, _scan);
        if (again == Instant.Never)
        {
            Refuse(now, name, EntryRefusal.WrongUser);
            return;
        }
        _lookAgainAt = Instant.Min(_lookAgainAt, again);
        if (known is not null)
            known.SeenInScan = _scan;
    }

    /// <summary>Keeps a new socket; of more than may be known, those whose turn is next.</summary>
    private void Find(Instant now, byte[] name, EntryIdentity identity)
    {
        if (_found.Count < Limits.MaxBackends)
        {
            _found.Add((name, identity));
            return;
        }
        var last = 0;
        for (var n = 1; n < _found.Count; n++)
        {
            if (CompareTurns(_found[n].Name, _found[last].Name) > 0)
                last = n;
        }
        var refused = name;
        if (CompareTurns(name, _found[last].Name) < 0)
        {
            refused = _found[last].Name;
            _found[last] = (name, identity);
        }
        Refuse(now, refused, EntryRefusal.TooManyBackends);
    }

    private void EndScan(Instant now, IoResult end)
    {
        _directory.CloseScan();
        _isScanning = false;
        ReportReadability(
            now, end.Status == IoStatus.EndOfStream ? IoResult.Ok() : end);
        if (end.Status == IoStatus.EndOfStream)
        {
            foreach (var backend in _backends.All)
            {
                if (backend.SeenInScan != _scan)
                    backend.OnPathMissing(now, _scan);
            }
            _backends.ForgetOld(now);
        }
        TakeUpFound(now);
        if (end.Status == IoStatus.EndOfStream)
        {
            _notSockets.ForgetAllBefore(_scan);
            _refused.ForgetAllBefore(_scan);
            _foreign.ForgetAllBefore(_scan);
        }
        FollowUp(now);
    }

    /// <summary>
    /// A scan is over: another follows if it was asked for in the meantime, or is to look again.
    /// </summary>
    private void FollowUp(Instant now)
    {
        var soon = now + Limits.ScanDebounce;
        if (_scanAgain)
            _timers.Arm(_scanTimer, soon);
        else if (_lookAgainAt < _scanTimer.Deadline)
            _timers.Arm(_scanTimer, Instant.Max(_lookAgainAt, soon));
        _scanAgain = false;
    }

    private void TakeUpFound(Instant now)
    {
        _found.Sort(static (a, b) => CompareNames(a.Name, b.Name));
        // Where there is not room for all, those behind the last one that got a place are next.
        var first = _found.Count + _backends.Count <= Limits.MaxBackends ? 0
            : FirstOfNextRound();
        for (var n = 0; n < _found.Count; n++)
        {
            var (name, identity) = _found[(first + n) % _found.Count];
            try
            {
                TakeUp(now, name, identity);
            }
            catch (OutOfMemoryException)
            {
                // The next scan finds it again.
                ReportReadability(now, IoResult.Failed(IoStatus.NoBuffers));
                break;
            }
        }
        _found.Clear();
    }

    /// <summary>The first behind the last one that got a place; 0 if none is.</summary>
    private int FirstOfNextRound()
    {
        for (var n = 0; n < _found.Count; n++)
        {
            if (IsNext(_found[n].Name))
                return n;
        }
        return 0;
    }

    private void TakeUp(Instant now, byte[] name, EntryIdentity identity)
    {
        // A name that was unlinked and bound during the scan may be listed twice.
        if (_backends.FindByName(name) is { } known)
        {
            known.SeenInScan = _scan;
            known.OnPathSeen(now, _scan, identity);
        }
        else if (_backends.TryAdd(now, _directory.Path, name) is { } backend)
        {
            _lastAdded = name;
            backend.SeenInScan = _scan;
            backend.OnDiscovered(now, identity);
        }
        else
        {
            Refuse(now, name, EntryRefusal.TooManyBackends);
        }
    }

    /// <summary>Those behind the last one that got a place come first.</summary>
    private int CompareTurns(byte[] a, byte[] b)
    {
        var byRound = IsNext(b).CompareTo(IsNext(a));
        return byRound != 0 ? byRound : CompareNames(a, b);
    }

    private bool IsNext(byte[] name) =>
        _lastAdded.Length == 0 || CompareNames(name, _lastAdded) > 0;

    /// <summary>Names that are ports as they are usually written come first.</summary>
    private static int CompareNames(byte[] a, byte[] b)
    {
        var byKind = IsPlainPort(b).CompareTo(IsPlainPort(a));
        return byKind != 0 ? byKind : a.AsSpan().SequenceCompareTo(b);
    }

    private static bool IsPlainPort(byte[] name) =>
        name.Length == 4 && Backends.NamedId(name) is not null;

    private void Refuse(Instant now, ReadOnlySpan<byte> name, EntryRefusal why)
    {
        if (!_refused.TryNote(name, _scan))
            return;
        if (why == EntryRefusal.TooManyBackends)
            _counters.Add(Counter.EntriesRefused);
        Say(now, name, new LogEvent.EntryRefused(PathOf(name), why));
    }

    private void Say<TEvent>(Instant now, ReadOnlySpan<byte> name, in TEvent logged)
        where TEvent : struct, ILogEvent =>
        _records.Write(now, name, isBackend: false, in logged);

    private void ReportReadability(Instant now, IoResult result)
    {
        if (result.Status == _lastStatus)
            return;
        _lastStatus = result.Status;
        if (result.IsOk)
            _readability.OnOver(now, new LogEvent.DirectoryReadable(DirectoryName, 0));
        else
            _readability.OnBegun(now, new LogEvent.DirectoryUnreadable(DirectoryName, result, 0));
    }

    private string PathOf(ReadOnlySpan<byte> name) => _path + "/" + PathText.Of(name);
}
