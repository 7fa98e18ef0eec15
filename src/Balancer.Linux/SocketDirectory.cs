// Owns the reading of the directory in which backends make their sockets: a cursor over its
// entries by getdents64, and the watch that is renewed with every scan.
//
// Why it is so: which socket an entry is, is told by its inode and its time of birth. The inode
// alone will not do: on ext4, and on overlayfs above it, a socket that is unlinked and bound again
// gets the very same inode number (measured: ten times of ten), while tmpfs counts up. The time of
// change will not do either, since chmod and link change it, and Binder's start may well chmod its
// socket. The time of birth is untouched by chmod, connect, rename and link, and differs after
// unlink and bind, on ext4, tmpfs, overlayfs on ext4 and overlayfs on tmpfs (measured on 6.18).
// Kernels before 6.13 stamp files at the grain of the timer, up to 10 ms: a socket replaced
// within that time on ext4 looks like the old one, and the session's own end must tell. Where a
// file system has no time of birth, the time of modification takes its place, which for a socket
// only touch(1) changes after its birth.
//
// What always holds: one descriptor while a scan is open, none in between; nothing blocks.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

/// <summary>The directory of production. Its changes are told by the network's Wait.</summary>
public sealed unsafe class SocketDirectory : IBackendDirectory, IDisposable
{
    /// <summary>Some thousand entries a system call.</summary>
    private const int BufferBytes = 32 * 1024;

    private const int NoDescriptor = -1;

    private const uint IdentityMask = C.STATX_TYPE | C.STATX_INO | C.STATX_BTIME | C.STATX_MTIME;

    private readonly byte[] _path;
    private readonly byte* _nativePath;
    private readonly byte* _buffer;
    private readonly LinuxNetwork _network;
    private readonly List<string> _warnings = [];
    private DirectoryWatch? _watch;
    private bool _watchFailed;
    private int _fd = NoDescriptor;
    private int _next;
    private int _filled;

    /// <param name="path">1 byte or more, none of them zero; slashes at its end go.</param>
    /// <param name="network">Whose Wait tells of changes; must outlive the directory.</param>
    /// <param name="forceFallbacks">No inotify, as where the kernel has none.</param>
    public SocketDirectory(ReadOnlySpan<byte> path, LinuxNetwork network, bool forceFallbacks)
    {
        Verify.That(path.Length > 0 && !path.Contains((byte)0), "a path is a C string");
        _network = network;
        _path = path.TrimEnd((byte)'/').ToArray();
        ReadOnlySpan<byte> opened = _path.Length > 0 ? _path : "/"u8;
        _nativePath = (byte*)NativeMemory.AllocZeroed((nuint)opened.Length + 1);
        opened.CopyTo(new Span<byte>(_nativePath, opened.Length));
        _buffer = (byte*)NativeMemory.Alloc(BufferBytes);
        if (!forceFallbacks)
            StartWatch();
    }

    public ReadOnlySpan<byte> Path => _path;

    /// <summary>Why changes are not noticed at once; it may grow by a scan.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    public IoResult OpenScan()
    {
        Verify.That(_fd == NoDescriptor, "one scan is open at a time");
        FollowPath();
        // The flags of a directory's open: never waits, whatever the path leads to.
        var fd = LibC.Open(_nativePath, C.O_DIRECTORY | C.O_CLOEXEC | C.O_NONBLOCK);
        if (fd < 0)
            return Errno.Result(LibC.Errno);
        _fd = fd;
        _next = _filled = 0;
        return IoResult.Ok();
    }

    public IoResult NextEntry(out DirectoryEntry entry)
    {
        Verify.That(_fd != NoDescriptor, "a scan is open");
        entry = default;
        while (true)
        {
            if (_next == _filled)
            {
                var filled = Fill();
                if (!filled.IsOk)
                    return filled;
            }
            var record = _buffer + _next;
            _next += *(ushort*)(record + DirectoryRecord.LengthOffset);
            var name = record + DirectoryRecord.NameOffset;
            var text = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name);
            if (text.SequenceEqual("."u8) || text.SequenceEqual(".."u8))
                continue;
            var errno = Look(name, record[DirectoryRecord.TypeOffset],
                out var isSocket, out var identity);
            // It vanished since the kernel listed it.
            if (errno == Errno.ENOENT)
                continue;
            if (errno != 0)
                return Errno.Result(errno);
            entry = new DirectoryEntry(text, isSocket, identity);
            return IoResult.Ok();
        }
    }

    public void CloseScan()
    {
        if (_fd != NoDescriptor)
            _ = LibC.Close(_fd);
        _fd = NoDescriptor;
    }

    public IoResult Look(ReadOnlySpan<byte> name)
    {
        Span<byte> path = stackalloc byte[_path.Length + 1 + name.Length + 1];
        path.Clear();
        _path.CopyTo(path);
        path[_path.Length] = (byte)'/';
        name.CopyTo(path[(_path.Length + 1)..]);
        FileStatus status;
        int errno;
        fixed (byte* native = path)
            errno = Status(C.AT_FDCWD, native, 0, &status);
        if (errno != 0)
            return Errno.Result(errno);
        return (status.Mode & C.S_IFMT) == C.S_IFSOCK
            ? IoResult.Ok()
            : IoResult.Failed(IoStatus.NotFound);
    }

    public void Dispose()
    {
        CloseScan();
        StopWatch();
        NativeMemory.Free(_buffer);
        NativeMemory.Free(_nativePath);
    }

    private IoResult Fill()
    {
        while (true)
        {
            var bytes = LibC.GetDents64(_fd, _buffer, BufferBytes);
            if (bytes < 0)
            {
                var errno = LibC.Errno;
                if (errno == Errno.EINTR)
                    continue;
                return Errno.Result(errno);
            }
            if (bytes == 0)
                return IoResult.Failed(IoStatus.EndOfStream);
            _next = 0;
            _filled = (int)bytes;
            return IoResult.Ok();
        }
    }

    // ---- What an entry is ----

    /// <summary>Finds out what an entry is; 0 or an errno, ENOENT if it is gone.</summary>
    private int Look(byte* name, byte type, out bool isSocket, out EntryIdentity identity)
    {
        isSocket = false;
        identity = default;
        if (type is not C.DT_SOCK and not C.DT_LNK and not C.DT_UNKNOWN)
            return 0;
        FileStatus status;
        var errno = Status(_fd, name, C.AT_SYMLINK_NOFOLLOW, &status);
        if (errno != 0)
            return errno;
        if ((status.Mode & C.S_IFMT) == C.S_IFLNK)
        {
            errno = Status(_fd, name, 0, &status);
            // The link is there and leads nowhere, or nowhere that this process may look.
            if (errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP or Errno.EACCES
                or Errno.ENAMETOOLONG)
            {
                return 0;
            }
            if (errno != 0)
                return errno;
        }
        isSocket = (status.Mode & C.S_IFMT) == C.S_IFSOCK;
        if (isSocket)
            identity = Identify(in status);
        return 0;
    }

    private static int Status(int directory, byte* name, int flags, FileStatus* status)
    {
        while (true)
        {
            if (LibC.StatX(directory, name, flags, IdentityMask, status) == 0)
                return 0;
            var errno = LibC.Errno;
            if (errno != Errno.EINTR)
                return errno;
        }
    }

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

    // ---- The watch ----

    private void StartWatch()
    {
        _watch = DirectoryWatch.TryCreate(out var errno);
        if (_watch is null)
        {
            Warn(errno);
            return;
        }
        errno = _network.Attach(_watch);
        if (errno != 0)
        {
            Warn(errno);
            _watch.Dispose();
            _watch = null;
            return;
        }
        FollowPath();
    }

    private void StopWatch()
    {
        if (_watch is null)
            return;
        _network.Detach(_watch);
        _watch.Dispose();
        _watch = null;
    }

    /// <summary>Watches what is at the path now; if nothing is, the scan tells.</summary>
    private void FollowPath()
    {
        if (_watch is null)
            return;
        var errno = _watch.Follow(_nativePath);
        var failed = errno != 0 && Errno.Status(errno) is not IoStatus.NotFound
            and not IoStatus.AccessDenied;
        if (failed && !_watchFailed)
            Warn(errno);
        _watchFailed = failed;
    }

    private void Warn(int errno) => _warnings.Add(NetworkSetupException.Explain(
        "changes in the socket directory are noticed only by the periodic scan", errno));
}
