// Owns the declarations of the C library's functions that the adapter calls, as the library has
// them: pointers, integers, and -1 for "see errno". Compiled ahead of time they are direct calls,
// linked statically (DirectPInvoke); under `dotnet run` the runtime looks them up at first use.
//
// Why it is so: nothing here is marshalled, so a call costs what it costs in C, and errno is read
// by the caller with the very next call (LibC.Errno), before anything else can change it. No
// function is marked SuppressGCTransition: all of them enter the kernel, where a send over
// loopback runs the receiver's work too, and a thread that cannot be stopped stops a collection.
//
// What always holds: only functions that glibc 2.30 and a static libc.a have are named, so that a
// link never fails for want of a new one; newer system calls go through syscall(2).

using System;
using System.Runtime.InteropServices;
using Balancer.Core;

namespace Balancer.Linux.Interop;

internal static unsafe class LibC
{
    private const string Library = "libc";

    /// <summary>epoll_pwait2's number, the same on every architecture (Linux 5.11).</summary>
    private const nint EpollPwait2Number = 441;

    /// <summary>openat2's number, the same on every architecture (Linux 5.6).</summary>
    private const nint OpenAt2Number = 437;

    /// <summary>rt_sigaction's numbers.</summary>
    private const nint SigActionNumber = 13;
    private const nint SigActionNumberOfArm = 134;

    private static readonly bool IsArm =
        RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    private static readonly nint StatXNumber = IsArm ? 291 : 332;

    private static readonly nint NewFStatAtNumber = IsArm ? 79 : 262;

    /// <summary>The errno of the call just made; nothing may be called in between.</summary>
    internal static int Errno => Marshal.GetLastSystemError();

    /// <summary>Random bytes of the kernel's; how many, or -1.</summary>
    [DllImport(Library, EntryPoint = "getrandom", ExactSpelling = true)]
    internal static extern nint GetRandom(void* buffer, nuint length, uint flags);

    // ---- Sockets ----

    [DllImport(Library, EntryPoint = "socket", ExactSpelling = true)]
    internal static extern int Socket(int domain, int type, int protocol);

    [DllImport(Library, EntryPoint = "bind", ExactSpelling = true)]
    internal static extern int Bind(int fd, void* address, uint length);

    [DllImport(Library, EntryPoint = "listen", ExactSpelling = true)]
    internal static extern int Listen(int fd, int backlog);

    [DllImport(Library, EntryPoint = "accept4", ExactSpelling = true)]
    internal static extern int Accept4(int fd, void* address, uint* length, int flags);

    [DllImport(Library, EntryPoint = "accept", ExactSpelling = true)]
    internal static extern int Accept(int fd, void* address, uint* length);

    /// <summary>fcntl with a number, or none; that it is variadic makes no difference.</summary>
    [DllImport(Library, EntryPoint = "fcntl", ExactSpelling = true)]
    internal static extern int FCntl(int fd, int command, int value);

    [DllImport(Library, EntryPoint = "connect", ExactSpelling = true)]
    internal static extern int Connect(int fd, void* address, uint length);

    [DllImport(Library, EntryPoint = "getsockname", ExactSpelling = true)]
    internal static extern int GetSockName(int fd, void* address, uint* length);

    [DllImport(Library, EntryPoint = "setsockopt", ExactSpelling = true)]
    internal static extern int SetSockOpt(int fd, int level, int name, void* value, uint length);

    [DllImport(Library, EntryPoint = "getsockopt", ExactSpelling = true)]
    internal static extern int GetSockOpt(int fd, int level, int name, void* value, uint* length);

    [DllImport(Library, EntryPoint = "recv", ExactSpelling = true)]
    internal static extern nint Recv(int fd, void* into, nuint length, int flags);

    [DllImport(Library, EntryPoint = "send", ExactSpelling = true)]
    internal static extern nint Send(int fd, void* from, nuint length, int flags);

    [DllImport(Library, EntryPoint = "recvmsg", ExactSpelling = true)]
    internal static extern nint RecvMsg(int fd, MessageHeader* message, int flags);

    [DllImport(Library, EntryPoint = "sendmsg", ExactSpelling = true)]
    internal static extern nint SendMsg(int fd, MessageHeader* message, int flags);

    [DllImport(Library, EntryPoint = "recvmmsg", ExactSpelling = true)]
    internal static extern int RecvMMsg(
        int fd, MultiMessageHeader* messages, uint count, int flags, void* timeout);

    [DllImport(Library, EntryPoint = "sendmmsg", ExactSpelling = true)]
    internal static extern int SendMMsg(
        int fd, MultiMessageHeader* messages, uint count, int flags);

    [DllImport(Library, EntryPoint = "shutdown", ExactSpelling = true)]
    internal static extern int Shutdown(int fd, int how);

    // ---- Files ----

    /// <summary>open(2) without O_CREAT, which takes no third argument.</summary>
    [DllImport(Library, EntryPoint = "open", ExactSpelling = true)]
    internal static extern int Open(byte* path, int flags);

    /// <summary>openat(2) without O_CREAT.</summary>
    [DllImport(Library, EntryPoint = "openat", ExactSpelling = true)]
    internal static extern int OpenAt(int directory, byte* path, int flags);

    /// <summary>openat2, for which C libraries have no name.</summary>
    internal static int OpenAt2(int directory, byte* path, OpenHow* how) =>
        (int)SystemCall(OpenAt2Number, directory, (nint)path, (nint)how, sizeof(OpenHow), 0, 0);

    /// <summary>Never repeated: on Linux the descriptor is gone whatever close answers.</summary>
    [DllImport(Library, EntryPoint = "close", ExactSpelling = true)]
    internal static extern int Close(int fd);

    [DllImport(Library, EntryPoint = "read", ExactSpelling = true)]
    internal static extern nint Read(int fd, void* into, nuint length);

    [DllImport(Library, EntryPoint = "write", ExactSpelling = true)]
    internal static extern nint Write(int fd, void* from, nuint length);

    [DllImport(Library, EntryPoint = "getdents64", ExactSpelling = true)]
    internal static extern nint GetDents64(int fd, void* into, nuint length);

    /// <summary>
    /// By number: the C library's answers from stat where the kernel has no statx, and not where it
    /// is forbidden.
    /// </summary>
    internal static int StatX(
        int directory, byte* path, int flags, uint mask, FileStatus* status) =>
        (int)SystemCall(StatXNumber, directory, (nint)path, flags, (nint)mask, (nint)status, 0);

    /// <summary>fstatat, which older C libraries have no such name for.</summary>
    internal static int FStatAt(int directory, byte* path, int flags, OldFileStatus* status) =>
        (int)SystemCall(NewFStatAtNumber, directory, (nint)path, (nint)status, flags, 0, 0);

    [DllImport(Library, EntryPoint = "setrlimit", ExactSpelling = true)]
    internal static extern int SetRLimit(int resource, ResourceLimit* limit);

    [DllImport(Library, EntryPoint = "getrlimit", ExactSpelling = true)]
    internal static extern int GetRLimit(int resource, ResourceLimit* limit);

    // ---- Events ----

    [DllImport(Library, EntryPoint = "epoll_create1", ExactSpelling = true)]
    internal static extern int EpollCreate1(int flags);

    [DllImport(Library, EntryPoint = "epoll_ctl", ExactSpelling = true)]
    internal static extern int EpollCtl(int epoll, int operation, int fd, void* epollEvent);

    [DllImport(Library, EntryPoint = "epoll_wait", ExactSpelling = true)]
    internal static extern int EpollWait(
        int epoll, void* epollEvents, int count, int timeoutMilliseconds);

    [DllImport(Library, EntryPoint = "eventfd", ExactSpelling = true)]
    internal static extern int EventFd(uint initial, int flags);

    [DllImport(Library, EntryPoint = "poll", ExactSpelling = true)]
    internal static extern int Poll(PollEntry* entries, nuint count, int timeoutMilliseconds);

    [DllImport(Library, EntryPoint = "inotify_init1", ExactSpelling = true)]
    internal static extern int InotifyInit1(int flags);

    [DllImport(Library, EntryPoint = "inotify_add_watch", ExactSpelling = true)]
    internal static extern int InotifyAddWatch(int fd, byte* path, uint mask);

    [DllImport(Library, EntryPoint = "inotify_rm_watch", ExactSpelling = true)]
    internal static extern int InotifyRmWatch(int fd, int watch);

    [DllImport(Library, EntryPoint = "madvise", ExactSpelling = true)]
    internal static extern int MAdvise(void* address, nuint length, int advice);

    // ---- Signals ----

    /// <summary>Answers with the errno itself, not with -1.</summary>
    [DllImport(Library, EntryPoint = "pthread_sigmask", ExactSpelling = true)]
    internal static extern int SetSignalMask(int how, SignalSet* set, SignalSet* before);

    [DllImport(Library, EntryPoint = "sigaction", ExactSpelling = true)]
    internal static extern int SigAction(
        int signal, SignalAction* action, SignalAction* before);

    [DllImport(Library, EntryPoint = "signalfd", ExactSpelling = true)]
    internal static extern int SignalFd(int fd, SignalSet* set, int flags);

    /// <summary>Waits for the given time, or for ever; returns the signal's number.</summary>
    [DllImport(Library, EntryPoint = "sigtimedwait", ExactSpelling = true)]
    internal static extern int SigTimedWait(SignalSet* set, void* info, TimeSpec* timeout);

    /// <summary>
    /// sigaction as the kernel has it, for the signals that the C library keeps to itself; -1 if it
    /// is refused.
    /// </summary>
    internal static int KernelSigAction(
        int signal, KernelSignalAction* action, KernelSignalAction* before) =>
        (int)SystemCall(IsArm ? SigActionNumberOfArm : SigActionNumber, signal, (nint)action,
            (nint)before, sizeof(ulong), 0, 0);

    /// <summary>
    /// epoll_pwait2 with no signal mask. glibc has it since 2.35 only and musl has not, so it is
    /// called by number; syscall is variadic, which makes no difference to how integers and
    /// pointers are passed on x64 and arm64.
    /// </summary>
    internal static int EpollPwait2(int epoll, void* epollEvents, int count, TimeSpec* timeout) =>
        (int)SystemCall(EpollPwait2Number, epoll, (nint)epollEvents, count, (nint)timeout, 0, 0);

    [DllImport(Library, EntryPoint = "syscall", ExactSpelling = true)]
    private static extern nint SystemCall(
        nint number, nint a, nint b, nint c, nint d, nint e, nint f);

    /// <summary>
    /// Checks that the structures here are laid out as this architecture's kernel has them;
    /// called once at start. Throws VerificationException naming the first that is not.
    /// </summary>
    internal static void VerifyLayout()
    {
        Verify.That(BitConverter.IsLittleEndian, "the processor is little-endian");
        Verify.That(sizeof(nint) == 8, "pointers are 8 bytes");
        Verify.That(
            RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64,
            "the architecture is x64 or arm64, whose layouts are known");
        Layouts.VerifySizes();
        Layouts.VerifyOffsets();
        Epoll.VerifyEventLayout();

        // The runtime looks errno's reader up at its first use, which would change errno.
        _ = Errno;
    }
}
