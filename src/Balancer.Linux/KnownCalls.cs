// Owns which of these newer system calls there are: recvmmsg, sendmmsg, accept4, statx, openat2,
// epoll_pwait2. An old kernel answers those that it does not know with ENOSYS, and a sandbox that
// forbids what it does not know with EPERM, as those of old container engines do, or with what its
// operator chose. So each is made once at the start, on a descriptor that cannot be, and what
// answers EBADF to that is known. What is not known is done without from then on.
//
// Why at the start: later an EPERM may be about what a call was asked for (a firewall, a file's
// mode), and says nothing of the call.
//
// What always holds: a call that is not known here is never made; each that is missing is one
// warning, which says what that costs.

using System.Collections.Generic;
using System.Runtime.InteropServices;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

/// <summary>What the kernel, or the sandbox before it, is known to answer.</summary>
internal sealed unsafe class KnownCalls
{
    private const int NoDescriptor = -1;

    private KnownCalls()
    {
    }

    /// <summary>recvmmsg: many datagrams are received with one call.</summary>
    internal bool ReceivesBatches { get; private init; }

    /// <summary>sendmmsg: many datagrams are sent with one call.</summary>
    internal bool SendsBatches { get; private init; }

    /// <summary>accept4: a connection that is accepted has its flags at once.</summary>
    internal bool AcceptsWithFlags { get; private init; }

    /// <summary>statx: a file's time of birth is known.</summary>
    internal bool TellsBirths { get; private init; }

    /// <summary>openat2 with RESOLVE_CACHED: a path can be walked without waiting.</summary>
    internal bool WalksCached { get; private init; }

    /// <summary>epoll_pwait2: a wait ends within less than a millisecond.</summary>
    internal bool WaitsNanoseconds { get; private init; }

    /// <summary>Finds out, and adds a warning for each that is missing.</summary>
    /// <param name="forceFallbacks">None is known, and none is asked for.</param>
    /// <param name="warnings">Gets a sentence for an operator for each that is missing.</param>
    internal static KnownCalls Probe(bool forceFallbacks, List<string> warnings)
    {
        if (forceFallbacks)
            return new KnownCalls();
        MultiMessageHeader message = default;
        FileStatus status;
        var epollEvent = stackalloc ulong[2];
        var how = new OpenHow { Flags = C.O_PATH | C.O_CLOEXEC, Resolve = C.RESOLVE_CACHED };
        fixed (byte* name = "x\0"u8)
        {
            return new KnownCalls
            {
                ReceivesBatches = Is(
                    LibC.RecvMMsg(NoDescriptor, &message, 1, C.MSG_DONTWAIT, null),
                    "queries are received one by one: no recvmmsg", warnings),
                SendsBatches = Is(
                    LibC.SendMMsg(NoDescriptor, &message, 1, C.MSG_DONTWAIT),
                    "replies are sent one by one: no sendmmsg", warnings),
                AcceptsWithFlags = Is(
                    LibC.Accept4(NoDescriptor, null, null, C.SOCK_NONBLOCK | C.SOCK_CLOEXEC),
                    "accepting a connection takes three calls: no accept4", warnings),
                TellsBirths = Is(
                    LibC.StatX(NoDescriptor, name, 0, C.STATX_TYPE, &status),
                    "a restarted backend is recognised by its socket's time of change: no statx",
                    warnings),
                WalksCached = Is(
                    LibC.OpenAt2(NoDescriptor, name, &how),
                    "connects may block on a hung socket directory: no openat2 that looks"
                        + " up a path without waiting",
                    warnings),
                WaitsNanoseconds = Is(
                    LibC.EpollPwait2(NoDescriptor, epollEvent, 1, null),
                    "deadlines are up to a millisecond late: no epoll_pwait2", warnings),
            };
        }
    }

    /// <summary>
    /// Looks at a file as statx does, or, where that is not known, as well as stat can: without
    /// the time of birth, and asking the file's server even if told not to. 0 or the errno.
    /// </summary>
    internal int Look(int directory, byte* path, int flags, uint mask, FileStatus* status)
    {
        if (TellsBirths)
            return LibC.StatX(directory, path, flags, mask, status) == 0 ? 0 : LibC.Errno;
        OldFileStatus old;
        if (LibC.FStatAt(directory, path, flags & ~C.AT_STATX_DONT_SYNC, &old) < 0)
            return LibC.Errno;
        *status = new FileStatus
        {
            Mask = C.STATX_TYPE | C.STATX_NLINK | C.STATX_INO | C.STATX_MTIME,
            Device = old.Device,
            User = old.User,
            Group = old.Group,
            Links = old.Links,
            Mode = old.Mode,
            Inode = old.Inode,
            ModifiedSeconds = old.ModifiedSeconds,
            ModifiedNanoseconds = (uint)old.ModifiedNanoseconds,
        };
        return 0;
    }

    /// <summary>Accepts a connection, non-blocking and close-on-exec; -1 if not.</summary>
    internal int Accept(int listener, void* address, uint* length)
    {
        if (AcceptsWithFlags)
        {
            return LibC.Accept4(
                listener, address, length, C.SOCK_NONBLOCK | C.SOCK_CLOEXEC);
        }
        var fd = LibC.Accept(listener, address, length);
        if (fd >= 0)
        {
            _ = LibC.FCntl(fd, C.F_SETFD, C.FD_CLOEXEC);
            _ = LibC.FCntl(fd, C.F_SETFL, C.O_NONBLOCK);
        }
        return fd;
    }

    /// <summary>Whether the call just made is known, by its errno.</summary>
    private static bool Is(int result, string without, List<string> warnings)
    {
        var errno = result < 0 ? LibC.Errno : 0;
        // A call that makes a descriptor may look for room first.
        if (errno is Errno.EBADF or Errno.EMFILE or Errno.ENFILE)
            return true;
        warnings.Add(NetworkSetupException.Explain(without, errno));
        return false;
    }
}
