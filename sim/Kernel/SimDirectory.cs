// Owns the directory of backends: its entries, the order in which a scan lists them, whether it can
// be read, and the lookup of paths that ConnectBackend does. File systems promise no order, so the
// order is the test's to choose; file systems use inode numbers again, so a test can ask for that.
//
// A scan is asked for, and may be answered later, or not for as long as the directory hangs. What
// it lists is what was there when it was asked for. While it hangs it is not known what is
// in it, but what a backend's path leads to is known, and connected to.
//
// What always holds: a scan lists each name once; a link that leads nowhere is listed, but not as a
// socket. Each change
// raises DirectoryChanged, unless that is switched off or nothing is watched: each scan, failed or
// not, sets the watch to what is at the path, if that may be read. That the directory itself comes,
// goes or may be read from then on is a change too, watched or not.

using System;
using System.Collections.Generic;
using System.Text;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>What an entry of the directory is.</summary>
public enum SimEntryKind
{
    Socket,
    File,
    Folder,

    /// <summary>A symbolic link to another name of the same directory.</summary>
    Link,

    /// <summary>A socket of datagrams: a scan cannot tell it from others, a connect can.</summary>
    DatagramSocket,

    /// <summary>A socket of a user who may have none.</summary>
    ForeignSocket,
}

/// <summary>The order in which a scan lists its entries.</summary>
public enum SimScanOrder
{
    Creation,
    Reversed,
    Shuffled,
}

/// <summary>The directory that backends make their sockets in.</summary>
public sealed class SimDirectory : IBackendDirectory
{
    /// <summary>Links that one lookup follows; beyond them it is ELOOP.</summary>
    private const int MostLinks = 40;

    private sealed record Entry(byte[] Name, SimEntryKind Kind, EntryIdentity Identity)
    {
        public SimListener? Listener { get; init; }

        public byte[] Target { get; init; } = [];

        /// <summary>A user who may have no backend owns it.</summary>
        public bool IsForeign { get; init; }
    }

    private readonly SimKernel _kernel;
    private readonly byte[] _path;
    private readonly List<Entry> _entries = [];
    private readonly List<Entry> _away = [];
    private readonly List<(byte[] Name, Entry? Resolved)> _scan = [];
    private readonly List<byte[]> _unknown = [];
    private IoResult _readable = IoResult.Ok();
    private bool _isWatched = true;
    private bool _hangs;
    private bool _isAsked;
    private IoResult _opened;
    private int _scanned = -1;

    internal SimDirectory(SimKernel kernel, string path)
    {
        _kernel = kernel;
        _path = Encoding.UTF8.GetBytes(path);
    }

    public ReadOnlySpan<byte> Path => _path;

    /// <summary>The order of scans opened from now on.</summary>
    public SimScanOrder Order { get; set; }

    /// <summary>
    /// Draws the order of Shuffled scans: a number from 0 to the one given, without that.
    /// </summary>
    public Func<int, int> Draw { get; set; } = bound => bound - 1;

    /// <summary>Whether Wait reports changes, as by inotify; true at first.</summary>
    public bool TellsChanges { get; set; } = true;

    /// <summary>
    /// Ok while it can be read; otherwise what OpenScan answers. NotFound makes the whole directory
    /// absent, so connects find nothing either. That it went or came, or that its mode did, is a
    /// change.
    /// </summary>
    public IoResult Readable
    {
        get => _readable;
        set
        {
            if (PlaceOf(value) != PlaceOf(_readable) && TellsChanges)
                _kernel.Network.RaiseDirectoryChanged();
            _readable = value;
        }
    }

    /// <summary>
    /// The directory does not answer: scans wait until that is over, and looks learn nothing.
    /// </summary>
    public bool Hangs
    {
        get => _hangs;
        set
        {
            if (_hangs && !value && _isAsked)
                _kernel.Network.RaiseDirectoryAnswered();
            _hangs = value;
        }
    }

    /// <summary>It cannot be found out what any entry is; false at first.</summary>
    public bool IsUnknown { get; set; }

    /// <summary>The inode that the next entry gets; grows by one with each.</summary>
    public ulong NextInode { get; set; } = 1000;

    /// <summary>Entries that exist now.</summary>
    public int Count => _entries.Count;

    /// <summary>Whether a scan is open; it holds a descriptor.</summary>
    public bool IsScanning => _scanned >= 0;

    /// <summary>
    /// A process binds a socket here, and listens at once unless asked not to: between the two its
    /// entry is there and refuses. The name must be free.
    /// </summary>
    public SimListener Bind(string name, int backlog = 511, bool listen = true)
    {
        var listener = new SimListener(_kernel, backlog);
        if (listen)
            listener.Listen();
        Add(new Entry(Bytes(name), SimEntryKind.Socket, NewIdentity()) { Listener = listener });
        return listener;
    }

    /// <summary>
    /// Makes a plain file, a folder, a socket that nobody listens on, one of datagrams, or one
    /// of another user.
    /// </summary>
    public void Create(string name, SimEntryKind kind) => Create(Bytes(name), kind);

    /// <summary>The same with a name of any bytes.</summary>
    public void Create(ReadOnlySpan<byte> name, SimEntryKind kind)
    {
        Verify.That(kind != SimEntryKind.Link, "a link needs a target");
        Add(new Entry(name.ToArray(), kind, NewIdentity()));
    }

    /// <summary>Makes a symbolic link to another name, which need not exist.</summary>
    public void Link(string name, string target) =>
        Add(new Entry(Bytes(name), SimEntryKind.Link, NewIdentity()) { Target = Bytes(target) });

    /// <summary>Removes a name; a listener behind it goes on for those connected.</summary>
    public bool Unlink(string name)
    {
        var removed = _entries.RemoveAll(entry => entry.Name.AsSpan().SequenceEqual(Bytes(name)));
        if (removed > 0)
            TellChange();
        return removed > 0;
    }

    /// <summary>
    /// Gives an entry to a user who may have no backend, or back; nobody is told, and who listens
    /// on it stays who it was.
    /// </summary>
    public void ChangeOwner(string name, bool isForeign)
    {
        var at = _entries.FindIndex(entry => entry.Name.AsSpan().SequenceEqual(Bytes(name)));
        Verify.That(at >= 0, "what changes its owner exists");
        _entries[at] = _entries[at] with { IsForeign = isForeign };
    }

    /// <summary>Gives an entry another name, in one step, in place of what had it.</summary>
    public void Rename(string name, string newName)
    {
        var entry = Find(Bytes(name));
        Verify.That(entry != null, "what is renamed exists");
        _entries.Remove(entry);
        if (Find(Bytes(newName)) is { } replaced)
            _entries.Remove(replaced);
        _entries.Add(entry with { Name = Bytes(newName) });
        TellChange();
    }

    /// <summary>
    /// Moves an entry out of the directory; who listens on it goes on, and nobody finds it.
    /// </summary>
    public void MoveAway(string name)
    {
        if (Find(Bytes(name)) is not { } entry)
            return;
        _entries.Remove(entry);
        _away.Add(entry);
        TellChange();
    }

    /// <summary>
    /// Moves back what was moved away last under a name, unless the name is taken; what was moved
    /// away before that is lost.
    /// </summary>
    public void MoveBack(string name)
    {
        var entry = _away.FindLast(each => each.Name.AsSpan().SequenceEqual(Bytes(name)));
        if (entry == null)
            return;
        _away.RemoveAll(each => each.Name.AsSpan().SequenceEqual(Bytes(name)));
        if (Find(entry.Name) != null)
            return;
        _entries.Add(entry);
        TellChange();
    }

    /// <summary>Removes the directory with all that is in it.</summary>
    public void Remove()
    {
        _entries.Clear();
        Readable = IoResult.Failed(IoStatus.NotFound, Errnos.Enoent);
        _isWatched = false;
    }

    /// <summary>Makes it again, empty; what is in it is watched once it was scanned.</summary>
    public void Make() => Readable = IoResult.Ok();

    /// <summary>
    /// From now on nobody can say what an entry of this name is, as of a link into a file system
    /// whose server is gone, or everybody can again.
    /// </summary>
    public void SetUnknown(string name, bool isUnknown)
    {
        _unknown.RemoveAll(known => known.AsSpan().SequenceEqual(Bytes(name)));
        if (isUnknown)
            _unknown.Add(Bytes(name));
    }

    /// <summary>Whether the name exists.</summary>
    public bool Contains(string name) => Find(Bytes(name)) != null;

    /// <summary>
    /// Something changed that the balancer cannot see in the entries, or nothing did.
    /// </summary>
    public void TellChange()
    {
        if (TellsChanges && _isWatched)
            _kernel.Network.RaiseDirectoryChanged();
    }

    public IoResult OpenScan()
    {
        Verify.That(_scanned < 0, "at most one scan is open");
        if (!_isAsked)
        {
            _scan.Clear();
            _opened = Open();
        }
        _isAsked = Hangs;
        if (_isAsked)
            return Note(SimCall.OpenScan, IoResult.Failed(IoStatus.WouldBlock, Errnos.Eagain));
        _scanned = _opened.IsOk ? 0 : -1;
        return Note(SimCall.OpenScan, _opened);
    }

    public IoResult NextEntry(out DirectoryEntry entry)
    {
        Verify.That(_scanned >= 0, "entries are those of an open scan");
        entry = default;
        _isAsked = Hangs;
        if (_isAsked)
            return Note(SimCall.NextEntry, IoResult.Failed(IoStatus.WouldBlock, Errnos.Eagain));
        return Note(SimCall.NextEntry, Next(out entry));
    }

    public void CloseScan()
    {
        Verify.That(_scanned >= 0 || _isAsked, "a scan is closed that was asked for");
        _isAsked = false;
        Note(SimCall.CloseScan, IoResult.Ok());
        _scanned = -1;
        _scan.Clear();
    }

    public IoResult Look(ReadOnlySpan<byte> name) => Note(SimCall.Look, LookFor(name));

    /// <summary>Connects to a path as the kernel does.</summary>
    internal IoResult Connect(ReadOnlySpan<byte> path, out SimEnd? end)
    {
        end = null;
        var entry = Lookup(path, out var loops);
        if (loops)
            return IoResult.Failed(IoStatus.Other, Errnos.Eloop);
        if (entry == null)
            return IoResult.Failed(IoStatus.NotFound, Errnos.Enoent);
        if (entry.Kind == SimEntryKind.ForeignSocket)
            return IoResult.Failed(IoStatus.WrongUser);
        if (entry.Kind == SimEntryKind.DatagramSocket)
            return IoResult.Failed(IoStatus.WrongType, Errnos.Eprototype);
        return entry.Listener == null
            ? IoResult.Failed(IoStatus.Refused, Errnos.Econnrefused)
            : entry.Listener.Connect(out end);
    }

    /// <summary>What a look at the directory's path finds.</summary>
    private static IoStatus PlaceOf(IoResult readable) => readable.Status
        is IoStatus.NotFound or IoStatus.AccessDenied ? readable.Status : IoStatus.Ok;

    private static byte[] Bytes(string name) => Encoding.UTF8.GetBytes(name);

    private Entry? Lookup(ReadOnlySpan<byte> path, out bool loops)
    {
        loops = false;
        if (Readable.Status == IoStatus.NotFound || path.Length <= _path.Length + 1
            || !path.StartsWith(_path) || path[_path.Length] != '/')
        {
            return null;
        }
        var entry = Find(path[(_path.Length + 1)..]);
        return entry == null ? null : Resolve(entry, out loops);
    }

    private IoResult LookFor(ReadOnlySpan<byte> name)
    {
        // Looking takes no descriptor, but the right to pass through the directory.
        if (Readable.Status == IoStatus.AccessDenied)
            return Readable;
        if (Hangs)
            return IoResult.Failed(IoStatus.WouldBlock, Errnos.Eagain);
        var entry = Readable.Status == IoStatus.NotFound ? null : Find(name);
        var loops = false;
        var found = entry == null ? null : Resolve(entry, out loops);
        if (loops)
            return IoResult.Failed(IoStatus.Other, Errnos.Eloop);
        if (found == null)
            return IoResult.Failed(IoStatus.NotFound, Errnos.Enoent);
        return IsSocket(found) ? IoResult.Ok() : IoResult.Failed(IoStatus.NotFound);
    }

    private IoResult Open()
    {
        if (_kernel.Faults.TryTake(SimCall.OpenScan, out var fault) && !fault.IsOk)
            return fault;
        _isWatched = _readable.Status is not IoStatus.NotFound and not IoStatus.AccessDenied;
        if (!_readable.IsOk)
            return _readable;
        if (_kernel.IsOutOfDescriptors)
            return IoResult.Failed(IoStatus.TooManyFiles, Errnos.Emfile);
        foreach (var entry in _entries)
            _scan.Add((entry.Name, Resolve(entry, out _)));
        if (Order == SimScanOrder.Reversed)
            _scan.Reverse();
        else if (Order == SimScanOrder.Shuffled)
            Shuffle();
        return IoResult.Ok();
    }

    /// <summary>Fisher and Yates.</summary>
    private void Shuffle()
    {
        for (var i = _scan.Count - 1; i > 0; i--)
        {
            var j = Draw(i + 1);
            (_scan[i], _scan[j]) = (_scan[j], _scan[i]);
        }
    }

    private IoResult Next(out DirectoryEntry entry)
    {
        entry = default;
        if (_kernel.Faults.TryTake(SimCall.NextEntry, out var fault) && !fault.IsOk)
            return fault;
        if (_scanned < _scan.Count)
        {
            if (_kernel.Faults.TryTakeScanError(out var error))
                return error;
            var (name, resolved) = _scan[_scanned++];
            entry = new DirectoryEntry(name, KindOf(name, resolved), resolved?.Identity ?? default);
            return IoResult.Ok();
        }
        return _kernel.Faults.TryTakeScanError(out var last)
            ? last
            : IoResult.Failed(IoStatus.EndOfStream);
    }

    private EntryKind KindOf(byte[] name, Entry? resolved)
    {
        if (IsUnknown || _unknown.Exists(unknown => unknown.AsSpan().SequenceEqual(name)))
            return EntryKind.Unknown;
        if (resolved is { Kind: SimEntryKind.ForeignSocket } or { IsForeign: true })
            return EntryKind.Foreign;
        return IsSocket(resolved) ? EntryKind.Socket : EntryKind.Other;
    }

    private static bool IsSocket(Entry? entry) =>
        entry?.Kind is SimEntryKind.Socket or SimEntryKind.DatagramSocket;

    private IoResult Note(SimCall call, IoResult result)
    {
        _kernel.Calls.Add(call);
        return _kernel.Calls.Note(call, -1, result, _kernel.Now);
    }

    private EntryIdentity NewIdentity() => new(NextInode++, _kernel.Now.Nanoseconds);

    private void Add(Entry entry)
    {
        Verify.That(entry.Name.Length > 0, "an entry has a name");
        Verify.That(Find(entry.Name) == null, "a name is bound once");
        _entries.Add(entry);
        TellChange();
    }

    /// <summary>Follows links, as many as the kernel does; null when they lead nowhere.</summary>
    private Entry? Resolve(Entry entry, out bool loops)
    {
        loops = false;
        Entry? at = entry;
        for (var hops = 0; at is { Kind: SimEntryKind.Link }; hops++)
        {
            loops = hops == MostLinks;
            at = loops ? null : Find(at.Target);
        }
        return at;
    }

    private Entry? Find(ReadOnlySpan<byte> name)
    {
        foreach (var entry in _entries)
        {
            if (name.SequenceEqual(entry.Name))
                return entry;
        }
        return null;
    }
}
