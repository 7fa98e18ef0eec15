// Owns how a socket of the directory is reached without waiting for the directory. A path is walked
// with what the kernel has in its cache, and if that is not enough, or may not be asked for, the
// socket that the last scan saw there takes its place: the reader's thread holds it by an O_PATH
// descriptor. Either way the connect goes by a name in /proc/self/fd, which leads to it without a
// walk. What that scan saw and is not held waits for another scan: that one's look puts it into the
// cache, or, where the file system has no such cache, it is held until a connect has gone through
// it, one at a time. What the scan did not see is not there. Where no walk may be asked for, and
// before the first whole scan of at most 256 sockets, what is not held is walked to as long as the
// reader waits for nothing, and where there is no /proc, always.
//
// Why it is so: connect has no form that takes a descriptor, and a walk that may not wait is asked
// for with openat2 alone (RESOLVE_CACHED, Linux 5.12). The cache goes first, since it knows of a
// socket that was bound a moment ago, and the last scan does not. It does not know of one that was
// unlinked while it is held here; that shows by the number of its links.
//
// What always holds: the lock is held for no call that walks a path, as long as a /proc that was
// there at start stays; what is held takes a small share of the descriptors that the process may
// have, and one more, since the sessions need theirs.

using System;
using System.Collections.Generic;
using System.Threading;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class SocketPaths
{
    private const int NoDescriptor = -1;

    /// <summary>How long an extra descriptor is held that no connect goes through.</summary>
    private const long MostUnusedMs = 1000;

    /// <summary>Descriptors that are left to all else, however few there are.</summary>
    private const ulong KeptBesideHeld = 64;

    /// <summary>Of the others, one in so many may be held.</summary>
    private const ulong HeldShare = 16;

    private readonly Lock _lock = new();
    private readonly List<Held> _held = [];
    private readonly bool _hasProc;
    private readonly int _mostHeld = ShareHeld();
    private readonly List<byte[]> _seenInScan = [];
    private byte[][]? _seen;
    private byte[]? _wanted;
    private readonly KnownCalls _calls;
    private volatile bool _isReaderAtWork;
    private volatile bool _isFollowerAtWork;

    internal SocketPaths(KnownCalls calls)
    {
        _calls = calls;
        fixed (byte* proc = "/proc/self/fd\0"u8)
        {
            var fd = LibC.Open(proc, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC);
            _hasProc = fd >= 0;
            if (fd >= 0)
                _ = LibC.Close(fd);
        }
    }

    /// <summary>Descriptors that are held at most.</summary>
    internal int MostHeld => _mostHeld + 1;

    /// <summary>The reader makes calls that may wait; set by its thread.</summary>
    internal bool IsReaderAtWork { set => _isReaderAtWork = value; }

    /// <summary>The same of the thread that follows links.</summary>
    internal bool IsFollowerAtWork { set => _isFollowerAtWork = value; }

    private bool MayHang => _isReaderAtWork || _isFollowerAtWork;

    // ---- For the loop ----

    /// <summary>Connects a socket to what is at a path; 0 or the errno.</summary>
    /// <param name="fd">A socket of AF_UNIX.</param>
    /// <param name="path">1 to Limits.MaxPathBytes bytes, none of them zero.</param>
    /// <param name="wantsScan">It is EAGAIN, and reached after another scan.</param>
    internal int Connect(int fd, ReadOnlySpan<byte> path, out bool wantsScan)
    {
        wantsScan = false;
        if (!_hasProc)
            return ConnectTo(fd, path);
        var errno = Walk(path, out var found);
        if (found >= 0)
        {
            errno = ConnectThrough(fd, found, path);
            _ = LibC.Close(found);
            return errno;
        }
        if (errno is not Errno.EAGAIN and not Errno.EMFILE and not Errno.ENFILE)
            return errno;
        lock (_lock)
        {
            var at = Find(path);
            if (at >= 0 && !IsUnlinked(_held[at].Descriptor))
            {
                _held[at].WasUsed = true;
                return ConnectThrough(fd, _held[at].Descriptor, path);
            }
            // Another that took its place would be in the cache.
            if (at >= 0 && _calls.WalksCached)
                return Errno.ENOENT;
            if (_calls.WalksCached && _seen is not null)
            {
                if (errno == Errno.EAGAIN && !IsIn(_seen, path))
                    return Errno.ENOENT;
                wantsScan = errno == Errno.EAGAIN;
                if (wantsScan)
                    _wanted ??= path.ToArray();
                return errno;
            }
        }
        // It may have to be waited for; when the reader is done, it is known.
        return MayHang ? Errno.EAGAIN : ConnectTo(fd, path);
    }

    /// <summary>Whether a socket is at a path; WouldBlock if only a wait could tell.</summary>
    internal IoResult Look(ReadOnlySpan<byte> path)
    {
        FileStatus status = default;
        var errno = Walk(path, out var found);
        if (found >= 0)
        {
            errno = Status(found, ""u8, C.AT_EMPTY_PATH | C.AT_STATX_DONT_SYNC, &status);
            _ = LibC.Close(found);
        }
        else if (errno == Errno.EAGAIN)
        {
            errno = LookAtHeld(path, &status);
        }
        if (errno != 0)
            return Errno.Result(errno);
        return (status.Mode & C.S_IFMT) == C.S_IFSOCK
            ? IoResult.Ok()
            : IoResult.Failed(IoStatus.NotFound);
    }

    private int LookAtHeld(ReadOnlySpan<byte> path, FileStatus* status)
    {
        lock (_lock)
        {
            var at = Find(path);
            var isUnlinked = at >= 0 && IsUnlinked(_held[at].Descriptor);
            if (at >= 0 && _calls.WalksCached)
                return isUnlinked ? Errno.ENOENT : Errno.EAGAIN;
            if (at >= 0 && !isUnlinked)
            {
                status->Mode = (ushort)C.S_IFSOCK;
                return 0;
            }
        }
        return _calls.WalksCached || MayHang
            ? Errno.EAGAIN : Status(C.AT_FDCWD, path, 0, status);
    }

    /// <summary>
    /// No path leads to a socket that is held; asks only the kernel, or without statx perhaps
    /// the file system's server.
    /// </summary>
    private bool IsUnlinked(int descriptor)
    {
        FileStatus status = default;
        return Status(descriptor, ""u8, C.AT_EMPTY_PATH | C.AT_STATX_DONT_SYNC, &status) == 0
            && status.Links == 0;
    }

    // ---- For the reader's thread ----

    internal void BeginScan()
    {
        for (var i = 0; i < _held.Count; i++)
            _held[i].IsSeen = false;
        _seenInScan.Clear();
    }

    /// <summary>Notes that a scan saw a socket; returns whether it must be held.</summary>
    internal bool NeedsHold(ReadOnlySpan<byte> path, EntryIdentity identity)
    {
        var at = Find(path);
        var isWanted = IsWanted(path);
        NoteSeen(path);
        if (at < 0)
        {
            return path.Length <= Limits.MaxPathBytes
                && _held.Count < (isWanted ? MostHeld : _mostHeld);
        }
        // If another has its place, this one goes with the scan, whether that can be held or not.
        var isSame = _held[at].Identity == identity;
        _held[at].IsSeen = isSame && (isWanted || !_held[at].HasServed);
        return !isSame;
    }

    private static bool IsIn(byte[][] paths, ReadOnlySpan<byte> path)
    {
        foreach (var one in paths)
        {
            if (path.SequenceEqual(one))
                return true;
        }
        return false;
    }

    /// <summary>A connect failed because the socket at this path is not held.</summary>
    private bool IsWanted(ReadOnlySpan<byte> path)
    {
        lock (_lock)
            return _wanted is not null && path.SequenceEqual(_wanted);
    }

    /// <summary>A scan could not find out what is at a path: what is held of it stays.</summary>
    internal void Keep(ReadOnlySpan<byte> path)
    {
        NoteSeen(path);
        var at = Find(path);
        if (at >= 0)
            _held[at].IsSeen = true;
        // Another may have the extra place, instead of waiting for what may hang for ever.
        lock (_lock)
            _wanted = _wanted is not null && path.SequenceEqual(_wanted) ? null : _wanted;
    }

    /// <summary>
    /// Takes note of a path for when the scan is over; one more than may be known says that there
    /// are others.
    /// </summary>
    private void NoteSeen(ReadOnlySpan<byte> path)
    {
        if (_seenInScan.Count <= Limits.MaxBackends)
            _seenInScan.Add(path.ToArray());
    }

    /// <summary>Takes a descriptor over.</summary>
    internal void Hold(byte[] path, EntryIdentity identity, int descriptor)
    {
        var held = new Held(path, identity, descriptor)
        {
            IsSeen = true,
            IsExtra = _held.Count >= _mostHeld && Find(path) < 0,
        };
        var old = NoDescriptor;
        lock (_lock)
        {
            var at = Find(path);
            if (at >= 0)
            {
                old = _held[at].Descriptor;
                _held[at] = held;
            }
            else
            {
                _held.Add(held);
            }
        }
        if (old != NoDescriptor)
            _ = LibC.Close(old);
    }

    /// <summary>A scan has seen all: lets go of what it has not seen.</summary>
    internal void EndScan()
    {
        lock (_lock)
        {
            // While another has the extra place, it is wanted still.
            if (_wanted is not null && (Find(_wanted) >= 0 || !_seenInScan.Exists(IsTheWanted)))
                _wanted = null;
            _seen = _seenInScan.Count <= Limits.MaxBackends ? [.. _seenInScan] : null;
        }
        Release(static held => !held.IsSeen);
    }

    private bool IsTheWanted(byte[] path) => path.AsSpan().SequenceEqual(_wanted);

    internal void ReleaseAll() => Release(static _ => true);

    private void Release(Predicate<Held> isOver)
    {
        for (var i = _held.Count - 1; i >= 0; i--)
        {
            if (!isOver(_held[i]))
                continue;
            var descriptor = _held[i].Descriptor;
            lock (_lock)
                _held.RemoveAt(i);
            // The last one that has a file closes it for good, and may wait.
            _ = LibC.Close(descriptor);
        }
    }

    /// <summary>Only the thread changes what is held, so it looks without the lock.</summary>
    private int Find(ReadOnlySpan<byte> path)
    {
        for (var i = 0; i < _held.Count; i++)
        {
            if (path.SequenceEqual(_held[i].Path))
                return i;
        }
        return -1;
    }

    // ---- System calls ----

    /// <summary>A descriptor of what is at a path, or the errno; EAGAIN for "wait".</summary>
    private int Walk(ReadOnlySpan<byte> path, out int found)
    {
        found = NoDescriptor;
        if (!_calls.WalksCached)
            return Errno.EAGAIN;
        Span<byte> native = stackalloc byte[path.Length + 1];
        native.Clear();
        path.CopyTo(native);
        var how = new OpenHow { Flags = C.O_PATH | C.O_CLOEXEC, Resolve = C.RESOLVE_CACHED };
        fixed (byte* start = native)
            found = LibC.OpenAt2(C.AT_FDCWD, start, &how);
        return found >= 0 ? 0 : LibC.Errno;
    }

    private int Status(
        int directory, ReadOnlySpan<byte> path, int flags, FileStatus* status)
    {
        Span<byte> native = stackalloc byte[path.Length + 1];
        native.Clear();
        path.CopyTo(native);
        fixed (byte* start = native)
        {
            return _calls.Look(
                directory, start, flags, C.STATX_TYPE | C.STATX_NLINK, status);
        }
    }

    /// <summary>
    /// Sockets that may be held: of 1,024 open files they take 60, and of fewer than 80 none.
    /// </summary>
    private static int ShareHeld()
    {
        ResourceLimit limit = default;
        // The soft limit is raised to the hard one.
        if (LibC.GetRLimit(C.RLIMIT_NOFILE, &limit) < 0)
            limit.Hard = DescriptorRoom.Assumed;
        if (limit.Hard <= KeptBesideHeld)
            return 0;
        return (int)Math.Min((limit.Hard - KeptBesideHeld) / HeldShare, Limits.MaxBackends);
    }

    private static int ConnectThrough(int fd, int found, ReadOnlySpan<byte> path)
    {
        Span<byte> name = stackalloc byte[32];
        "/proc/self/fd/"u8.CopyTo(name);
        _ = found.TryFormat(name["/proc/self/fd/"u8.Length..], out var digits);
        var errno = ConnectTo(fd, name[..("/proc/self/fd/"u8.Length + digits)]);
        // What is open is there, so it is /proc that is not.
        return errno is Errno.ENOENT or Errno.ENOTDIR ? ConnectTo(fd, path) : errno;
    }

    private static int ConnectTo(int fd, ReadOnlySpan<byte> path)
    {
        SocketAddressUn address = default;
        address.Family = C.AF_UNIX;
        path.CopyTo(new Span<byte>(address.Path, Limits.MaxPathBytes));
        var length = (uint)(SocketAddressUn.PathOffset + path.Length + 1);
        while (LibC.Connect(fd, &address, length) < 0)
        {
            var errno = LibC.Errno;
            if (errno != Errno.EINTR)
                return errno;
        }
        return 0;
    }

    private sealed class Held(byte[] path, EntryIdentity identity, int descriptor)
    {
        public byte[] Path { get; } = path;

        public EntryIdentity Identity { get; } = identity;

        public int Descriptor { get; } = descriptor;

        /// <summary>The present scan has seen it; the thread's alone.</summary>
        public bool IsSeen { get; set; }

        /// <summary>It is one more than may be, which others wait for.</summary>
        public bool IsExtra { get; init; }

        /// <summary>A connect went through it.</summary>
        public bool WasUsed { get; set; }

        /// <summary>
        /// It is extra, and was used, or was not in time in which a connect is tried again twice.
        /// </summary>
        public bool HasServed => IsExtra
            && (WasUsed || Environment.TickCount64 - _heldAt > MostUnusedMs);

        private readonly long _heldAt = Environment.TickCount64;
    }
}
