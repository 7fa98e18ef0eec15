// Owns the epoll instance: which descriptors are in it, and the memory that its events come in.
// It knows masks and tokens (the u64 that the kernel hands back), not what they stand for.
//
// Why it is so: epoll_event is packed on x64 (12 bytes) and not on arm64 (16), and one managed
// struct cannot be both, so events are read at computed offsets; VerifyEventLayout has the kernel
// write two and reads them back. Waiting goes by epoll_pwait2, whose timeout is in nanoseconds;
// where that is missing, milliseconds are rounded up, so that a wait for a deadline never ends
// before it, only to be started again.
//
// What always holds: Wait blocks no longer than its timeout, rounded so; level-triggered.

using System;
using System.Runtime.InteropServices;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class Epoll : IDisposable
{
    /// <summary>A timeout that never ends.</summary>
    internal const long Forever = -1;

    /// <summary>One more than is ever asked for, for the other set's own event.</summary>
    private const int Capacity = Limits.EventsPerTurn + 1;

    private const int MaxEventBytes = 16;

    private readonly int _fd;
    private readonly byte* _events;
    private bool _hasNanoseconds;

    /// <param name="hasNanoseconds">epoll_pwait2 is known.</param>
    internal Epoll(bool hasNanoseconds)
    {
        _hasNanoseconds = hasNanoseconds;
        _fd = LibC.EpollCreate1(C.EPOLL_CLOEXEC);
        if (_fd < 0)
            throw NetworkSetupException.For("cannot make an epoll instance", LibC.Errno);
        _events = (byte*)NativeMemory.AllocZeroed(Capacity, MaxEventBytes);
    }

    /// <summary>To be watched by another set: readable while anything in this one is.</summary>
    internal int Descriptor => _fd;

    private static bool IsPacked => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    private static int EventBytes => IsPacked ? 12 : 16;

    private static int TokenOffset => IsPacked ? 4 : 8;

    /// <summary>The token of an event of the last wait.</summary>
    internal ulong Token(int index) =>
        *(ulong*)(_events + index * EventBytes + TokenOffset);

    /// <summary>The EPOLL… bits of an event of the last wait.</summary>
    internal uint Bits(int index) => *(uint*)(_events + index * EventBytes);

    /// <summary>Begins to watch a descriptor; 0 or the errno.</summary>
    internal int Add(int fd, uint bits, ulong token) => Control(C.EPOLL_CTL_ADD, fd, bits, token);

    /// <summary>Watches a descriptor for something else; 0 or the errno.</summary>
    internal int Modify(int fd, uint bits, ulong token) =>
        Control(C.EPOLL_CTL_MOD, fd, bits, token);

    /// <summary>Ceases to watch a descriptor; 0 or the errno.</summary>
    internal int Remove(int fd) => Control(C.EPOLL_CTL_DEL, fd, 0, 0);

    /// <summary>
    /// Waits for up to count events, for the given nanoseconds or Forever, and returns how many
    /// came. Interrupted, it ends early, but with what is there by then.
    /// </summary>
    internal int Wait(int count, long timeoutNanoseconds)
    {
        count = Math.Min(count, Capacity);
        var came = Call(count, timeoutNanoseconds);
        if (came >= 0)
            return came;
        var errno = LibC.Errno;
        if (errno == Errno.EINTR)
        {
            // An interrupted wait reports nothing of what came in the meantime.
            came = Call(count, 0);
            return Math.Max(came, 0);
        }
        // A sandbox may forbid the call later than at the start, with whatever errno it likes.
        Verify.That(_hasNanoseconds, "waiting on an epoll instance of ours cannot fail");
        _hasNanoseconds = false;
        return 0;
    }

    public void Dispose()
    {
        _ = LibC.Close(_fd);
        NativeMemory.Free(_events);
    }

    /// <summary>A timeout for epoll_wait that is never shorter than the given one.</summary>
    internal static int RoundUpToMilliseconds(long nanoseconds)
    {
        if (nanoseconds < 0)
            return -1;
        var milliseconds = nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1);
        return (int)Math.Min(milliseconds, int.MaxValue);
    }

    /// <summary>Has the kernel report two descriptors, and reads their tokens back.</summary>
    internal static void VerifyEventLayout()
    {
        const ulong First = 0x1122334455667788;
        const ulong Second = 0x99aabbccddeeff00;
        using var epoll = new Epoll(hasNanoseconds: false);
        var ready = LibC.EventFd(1, C.EFD_NONBLOCK | C.EFD_CLOEXEC);
        if (ready < 0)
            throw NetworkSetupException.For("cannot make an event descriptor", LibC.Errno);
        var other = LibC.EventFd(1, C.EFD_NONBLOCK | C.EFD_CLOEXEC);
        if (other < 0)
        {
            var errno = LibC.Errno;
            _ = LibC.Close(ready);
            throw NetworkSetupException.For("cannot make an event descriptor", errno);
        }
        _ = epoll.Add(ready, C.EPOLLIN, First);
        _ = epoll.Add(other, C.EPOLLIN, Second);
        var count = epoll.Wait(2, 0);
        _ = LibC.Close(ready);
        _ = LibC.Close(other);
        Verify.That(
            count == 2 && epoll.Token(0) == First && epoll.Token(1) == Second
                && epoll.Bits(0) == C.EPOLLIN && epoll.Bits(1) == C.EPOLLIN,
            "epoll_event is laid out as this architecture's kernel has it");
    }

    private int Control(int operation, int fd, uint bits, ulong token)
    {
        var epollEvent = stackalloc byte[MaxEventBytes];
        *(uint*)epollEvent = bits;
        *(ulong*)(epollEvent + TokenOffset) = token;
        return LibC.EpollCtl(_fd, operation, fd, epollEvent) == 0 ? 0 : LibC.Errno;
    }

    private int Call(int count, long timeoutNanoseconds) => _hasNanoseconds
        ? WaitNanoseconds(count, timeoutNanoseconds)
        : LibC.EpollWait(_fd, _events, count, RoundUpToMilliseconds(timeoutNanoseconds));

    private int WaitNanoseconds(int count, long timeoutNanoseconds)
    {
        if (timeoutNanoseconds < 0)
            return LibC.EpollPwait2(_fd, _events, count, null);
        TimeSpec timeout;
        (timeout.Seconds, timeout.Nanoseconds) =
            Math.DivRem(timeoutNanoseconds, 1_000_000_000L);
        return LibC.EpollPwait2(_fd, _events, count, &timeout);
    }
}
