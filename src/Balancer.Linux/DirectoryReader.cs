// Owns the reading of the directory of sockets on a thread of its own, and all that may wait for
// the directory: opening, listing and looking, the watch, and the descriptors by which its sockets
// are reached. On a network's file system whose server is gone each of these waits for ever, and a
// loop that made one would stand still with it: UDP, TCP, signals and the stop.
//
// The thread is made at start and does one thing at a time. It is asked for the first entries of a
// scan or for the next, some hundred at once, and hands them over when it has them all; so a
// directory of any size takes a bounded piece of memory. Whoever asks and the thread touch what is
// handed over in turns.
//
// Links are followed by another thread (LinkFollower): one that leads to a server that hangs is an
// entry of which nothing is known, and the scan goes on.
//
// A watch is of a directory, and not of its path: that the path leads somewhere else, or anywhere
// at all, since a folder, a link or a mount on it came, went or was swapped, no watch reports. So
// while nothing else is asked for the thread looks every 0.1 s which directory is at the path.
//
// What always holds: no method here waits for the directory; while the thread is busy no other
// thread reads what it hands over; asked to end, it first finishes what it does, if ever.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class DirectoryReader
{
    /// <summary>Some hundred entries a system call.</summary>
    private const int BufferBytes = 32 * 1024;

    private const int NoDescriptor = -1;

    /// <summary>What statx is asked for.</summary>
    internal const uint IdentityMask = C.STATX_TYPE | C.STATX_INO | C.STATX_BTIME | C.STATX_MTIME
        | C.STATX_MODE | C.STATX_UID | C.STATX_GID;

    private static readonly TimeSpan LookInterval =
        TimeSpan.FromMilliseconds(Limits.DirectoryLookInterval.Nanoseconds / 1_000_000);

    private readonly object _gate = new();
    private readonly LinuxNetwork _network;
    private readonly SocketPaths _paths;
    private readonly KnownCalls _calls;
    private readonly DirectoryWatch? _watch;
    private readonly LinkFollower _links;
    private readonly byte[] _path;
    private readonly byte* _nativePath;
    private readonly byte* _buffer;
    private readonly List<Listed> _entries = [];
    private Request _asked = Request.Watch;
    private bool _isWorking;
    private bool _hasWatched;
    private int _fd = NoDescriptor;
    private uint _owner;
    private int _watchErrno;
    private Place _place;

    /// <param name="path">Without a slash at its end; empty for the root.</param>
    /// <param name="network">The network whose Wait reports answers.</param>
    /// <param name="watch">Follows the path; null if changes are not watched.</param>
    internal DirectoryReader(byte[] path, LinuxNetwork network, DirectoryWatch? watch)
    {
        _network = network;
        _paths = network.Paths;
        _calls = network.Calls;
        _watch = watch;
        _path = path;
        ReadOnlySpan<byte> opened = path.Length > 0 ? path : "/"u8;
        _nativePath = (byte*)NativeMemory.AllocZeroed((nuint)opened.Length + 1);
        opened.CopyTo(new Span<byte>(_nativePath, opened.Length));
        _buffer = (byte*)NativeMemory.Alloc(BufferBytes);
        _links = new LinkFollower(network);
        BackgroundThread.Start("directory", Run);
    }

    /// <summary>What the thread can be asked for.</summary>
    internal enum Request
    {
        None,

        /// <summary>To watch what is at the path.</summary>
        Watch,

        /// <summary>To begin a scan, and hand over its first entries.</summary>
        Open,

        /// <summary>To hand over more entries.</summary>
        More,

        /// <summary>To let go of a scan.</summary>
        Close,

        /// <summary>To end.</summary>
        End,
    }

    /// <summary>What was asked for is not done yet.</summary>
    internal bool IsBusy
    {
        get
        {
            lock (_gate)
                return _isWorking || _asked != Request.None;
        }
    }

    /// <summary>Whether the scan could be opened, or why not.</summary>
    internal IoResult Opened { get; private set; }

    /// <summary>Ok while there is more; otherwise how the scan ended.</summary>
    internal IoResult Rest { get; private set; }

    /// <summary>How many entries were handed over.</summary>
    internal int Count => _entries.Count;

    /// <summary>
    /// Asks for something in place of a request that has not begun. Wait reports when it is
    /// done, unless that is to close or to end.
    /// </summary>
    internal void Ask(Request request)
    {
        lock (_gate)
        {
            _asked = request;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>One of those handed over; its name lives until the next request.</summary>
    internal DirectoryEntry Entry(int index)
    {
        var listed = _entries[index];
        var name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(_buffer + listed.NameAt);
        return new DirectoryEntry(name, listed.Kind, listed.Identity);
    }

    /// <summary>
    /// The errno of the first try to watch, 0 if that went well or is not over after this time.
    /// </summary>
    internal int AwaitWatch(TimeSpan patience)
    {
        lock (_gate)
        {
            if (!_hasWatched)
                Monitor.Wait(_gate, patience);
            return _watchErrno;
        }
    }

    // ---- On the thread ----

    private void Run()
    {
        while (true)
        {
            var request = Take();
            if (request == Request.End)
                break;
            _paths.IsReaderAtWork = true;
            var hasMoved = request == Request.None && LookAtPlace();
            try
            {
                Do(request);
            }
            catch (OutOfMemoryException)
            {
                OnNoMemory(request);
            }
            _paths.IsReaderAtWork = false;
            lock (_gate)
            {
                _isWorking = false;
                if (hasMoved)
                    _network.Post(NetworkEventKind.DirectoryChanged);
                if (request is Request.Open or Request.More && _asked == Request.None)
                    _network.Post(NetworkEventKind.DirectoryAnswered);
            }
        }
        CloseScan();
        _links.End();
        _paths.ReleaseAll();
        _watch?.Dispose();
        NativeMemory.Free(_buffer);
        NativeMemory.Free(_nativePath);
    }

    /// <summary>What was asked for; None when it is time to look at the path.</summary>
    private Request Take()
    {
        lock (_gate)
        {
            var isTime = false;
            while (_asked == Request.None && !isTime)
                isTime = !Monitor.Wait(_gate, LookInterval);
            var request = _asked;
            _asked = Request.None;
            // A look touches nothing that is handed over, and its end is not reported.
            _isWorking = request != Request.None;
            return request;
        }
    }

    private void Do(Request request)
    {
        switch (request)
        {
            case Request.Watch:
                FollowPath();
                break;
            case Request.Open:
                CloseScan();
                FollowPath();
                Open();
                break;
            case Request.More:
                List();
                break;
            case Request.Close:
                CloseScan();
                break;
        }
    }

    /// <summary>A scan that there is no memory for ends, and another may find some.</summary>
    private void OnNoMemory(Request request)
    {
        CloseScan();
        Rest = Errno.Result(Errno.ENOMEM);
        if (request == Request.Open)
            Opened = IoResult.Ok();
    }

    /// <summary>Notes which directory is at the path; whether it is another than before.</summary>
    private bool LookAtPlace()
    {
        FileStatus status = default;
        var errno = Status(C.AT_FDCWD, _nativePath, 0, &status);
        var place = errno == 0 ? Place.Of(in status) : new Place(errno, 0, default, 0, 0, 0);
        var hasMoved = place != _place;
        _place = place;
        return hasMoved;
    }

    private void FollowPath()
    {
        // What changes from here on is another change.
        LookAtPlace();
        var errno = _watch?.Follow(_nativePath) ?? 0;
        // What is not there yet is watched by the first scan that finds it.
        var failed = errno != 0 && Errno.Status(errno) is not IoStatus.NotFound
            and not IoStatus.AccessDenied;
        lock (_gate)
        {
            _hasWatched = true;
            _watchErrno = failed ? errno : 0;
            Monitor.PulseAll(_gate);
        }
    }

    private void Open()
    {
        _entries.Clear();
        _fd = LibC.Open(_nativePath, C.O_DIRECTORY | C.O_CLOEXEC | C.O_NONBLOCK);
        if (_fd < 0)
        {
            Opened = Errno.Result(LibC.Errno);
            _fd = NoDescriptor;
            return;
        }
        Opened = IoResult.Ok();
        FileStatus status;
        byte nothing = 0;
        _owner = Status(_fd, &nothing, C.AT_EMPTY_PATH, &status) == 0 ? status.User : 0;
        _paths.BeginScan();
        _links.BeginScan();
        List();
    }

    private void CloseScan()
    {
        if (_fd != NoDescriptor)
            _links.Close(_fd);
        _fd = NoDescriptor;
    }

    /// <summary>Lists some entries; an end comes behind those before it.</summary>
    private void List()
    {
        _entries.Clear();
        Rest = IoResult.Ok();
        var bytes = Fill();
        for (var at = 0; at < bytes;)
        {
            var record = _buffer + at;
            ListOne(record, at + DirectoryRecord.NameOffset);
            at += *(ushort*)(record + DirectoryRecord.LengthOffset);
        }
        if (Rest.IsOk)
            return;
        CloseScan();
        if (Rest.Status == IoStatus.EndOfStream)
            _paths.EndScan();
    }

    /// <summary>Bytes of entries in the buffer; 0 if there are none, and Rest says why.</summary>
    private int Fill()
    {
        while (true)
        {
            var bytes = LibC.GetDents64(_fd, _buffer, BufferBytes);
            if (bytes > 0)
                return (int)bytes;
            var errno = bytes < 0 ? LibC.Errno : 0;
            if (errno == Errno.EINTR)
                continue;
            Rest = errno == 0 ? IoResult.Failed(IoStatus.EndOfStream) : Errno.Result(errno);
            return 0;
        }
    }

    private void ListOne(byte* record, int nameAt)
    {
        var name = _buffer + nameAt;
        var text = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name);
        if (text.SequenceEqual("."u8) || text.SequenceEqual(".."u8))
            return;
        var errno = Look(name, record[DirectoryRecord.TypeOffset],
            out var kind, out var identity, out var found);
        if (errno == 0 && kind == EntryKind.Socket)
            errno = Reach(name, text, found, ref kind, ref identity);
        else if (found != NoDescriptor)
            _ = LibC.Close(found);
        // It may have vanished since the kernel listed it.
        if (errno == Errno.ENOENT)
            return;
        // It can be listed but not searched: that is about the directory, and all that is in it.
        if (errno == Errno.EACCES && !MaySearch())
        {
            Rest = Errno.Result(errno);
            return;
        }
        if (errno != 0)
        {
            kind = EntryKind.Unknown;
            _paths.Keep(PathOf(text));
        }
        _entries.Add(new Listed(nameAt, kind, identity));
    }

    /// <summary>Whether an entry that may not be looked at is the only one.</summary>
    private bool MaySearch()
    {
        FileStatus status;
        fixed (byte* itself = ".\0"u8)
            return Status(_fd, itself, C.AT_SYMLINK_NOFOLLOW, &status) != Errno.EACCES;
    }

    private byte[] PathOf(ReadOnlySpan<byte> name) => [.. _path, (byte)'/', .. name];

    // ---- What an entry is ----

    /// <summary>
    /// Finds out what an entry is, and has opened what a link leads to; 0 or an errno, ENOENT if it
    /// is gone.
    /// </summary>
    private int Look(
        byte* name, byte type, out EntryKind kind, out EntryIdentity identity, out int found)
    {
        kind = EntryKind.Other;
        identity = default;
        found = NoDescriptor;
        if (type is not C.DT_SOCK and not C.DT_LNK and not C.DT_UNKNOWN)
            return 0;
        FileStatus status;
        var mayLink = true;
        var errno = Status(_fd, name, C.AT_SYMLINK_NOFOLLOW, &status);
        if (errno != 0)
            return errno;
        if ((status.Mode & C.S_IFMT) == C.S_IFLNK)
        {
            mayLink = _network.Users.MayLink(status.User, _owner);
            var link = Identify(in status);
            errno = _links.Follow(_fd, name, link, &status, out found);
            // The link is there and leads nowhere, or nowhere that this process may look.
            if (errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP or Errno.EACCES
                or Errno.ENAMETOOLONG)
            {
                return 0;
            }
            if (errno != 0)
                return errno;
        }
        if ((status.Mode & C.S_IFMT) != C.S_IFSOCK)
            return 0;
        kind = mayLink ? KindOf(in status) : EntryKind.Foreign;
        identity = Identify(in status);
        return 0;
    }

    /// <summary>
    /// Holds a socket, so that it is reached without its path; says what is held then, which may
    /// have taken the place of what was looked at. 0, ENOENT if it is gone, or EAGAIN if it is a
    /// link now.
    /// </summary>
    /// <param name="found">It, if it is opened already; it is closed or held.</param>
    private int Reach(byte* name, ReadOnlySpan<byte> text, int found, ref EntryKind kind,
        ref EntryIdentity identity)
    {
        byte[] path;
        bool needsHold;
        try
        {
            path = PathOf(text);
            needsHold = _paths.NeedsHold(path, identity);
        }
        catch (OutOfMemoryException) when (found != NoDescriptor)
        {
            _ = LibC.Close(found);
            throw;
        }
        if (found != NoDescriptor)
        {
            if (needsHold)
                Hold(path, identity, found);
            else
                _ = LibC.Close(found);
            return 0;
        }
        if (!needsHold)
            return 0;
        var fd = LibC.OpenAt(_fd, name, C.O_PATH | C.O_CLOEXEC | C.O_NOFOLLOW);
        if (fd < 0)
        {
            // For want of descriptors it is reached by its path, or after another scan.
            return LibC.Errno == Errno.ENOENT ? Errno.ENOENT : 0;
        }
        FileStatus status;
        byte nothing = 0;
        var errno = Status(fd, &nothing, C.AT_EMPTY_PATH, &status);
        if (errno != 0)
        {
            _ = LibC.Close(fd);
            return 0;
        }
        if ((status.Mode & C.S_IFMT) == C.S_IFSOCK)
        {
            kind = KindOf(in status);
            identity = Identify(in status);
            Hold(path, identity, fd);
            return 0;
        }
        _ = LibC.Close(fd);
        (kind, identity) = (EntryKind.Other, default);
        return (status.Mode & C.S_IFMT) == C.S_IFLNK ? Errno.EAGAIN : 0;
    }

    private void Hold(byte[] path, EntryIdentity identity, int fd)
    {
        try
        {
            _paths.Hold(path, identity, fd);
        }
        catch (OutOfMemoryException)
        {
            _ = LibC.Close(fd);
            throw;
        }
    }

    private int Status(int directory, byte* name, int flags, FileStatus* status)
    {
        while (true)
        {
            var errno = _calls.Look(directory, name, flags, IdentityMask, status);
            if (errno != Errno.EINTR)
                return errno;
        }
    }

    private EntryKind KindOf(in FileStatus socket) =>
        _network.Users.MayOwn(socket.User) ? EntryKind.Socket : EntryKind.Foreign;

    private static EntryIdentity Identify(in FileStatus status)
    {
        // A file system may be off by any number of years; it need only differ.
        unchecked
        {
            var nanoseconds = (status.Mask & C.STATX_BTIME) != 0
                ? status.BirthSeconds * 1_000_000_000 + status.BirthNanoseconds
                : status.ModifiedSeconds * 1_000_000_000 + status.ModifiedNanoseconds;
            return new EntryIdentity(status.Inode, nanoseconds);
        }
    }

    private readonly record struct Listed(int NameAt, EntryKind Kind, EntryIdentity Identity);

    /// <summary>
    /// Which directory is at the path and who may read it, or why that cannot be found out. Its
    /// time of birth counts where there is one, since inodes are used again.
    /// </summary>
    private readonly record struct Place(
        int Errno, ulong Device, EntryIdentity Identity, ushort Mode, uint User, uint Group)
    {
        public static Place Of(in FileStatus status)
        {
            var hasBirth = (status.Mask & C.STATX_BTIME) != 0;
            var identity = hasBirth ? Identify(in status) : new EntryIdentity(status.Inode, 0);
            return new Place(
                0, status.Device, identity, status.Mode, status.User, status.Group);
        }
    }
}
