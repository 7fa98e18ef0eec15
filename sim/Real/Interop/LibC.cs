// Owns the system calls that a run in wall time needs and .NET does not have: signals to other
// processes, their limits, named pipes with a small buffer, and one wait for many descriptors.
// Each is the call itself; a failure is false or -1, and what it means is the caller's business.
//
// What always holds: nothing blocks but Wait; no signal goes to a process group or to all.

using System;
using System.Runtime.InteropServices;

namespace Simulation.Real.Interop;

/// <summary>One descriptor to wait for; the kernel's struct pollfd.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollEntry
{
    public int Descriptor;
    public short Wanted;
    public short Ready;
}

/// <summary>The signals that are sent.</summary>
internal enum Signal
{
    Hangup = 1,
    Kill = 9,
    User1 = 10,
    Terminate = 15,
    Continue = 18,
    Stop = 19,
}

internal static partial class LibC
{
    public const short PollIn = 1;
    public const short PollOut = 4;

    private const int DescriptorsResource = 7;
    private const int OpenNonBlockingCloseOnExec = 0x800 | 0x80000;
    private const int SetPipeSize = 1031;
    private const int ExecuteAccess = 1;
    private const uint UserOnly = 0x180;

    /// <summary>Sends a signal to one process.</summary>
    public static bool Send(int process, Signal signal) =>
        process > 1 && kill(process, (int)signal) == 0;

    /// <summary>
    /// The soft limit of descriptors of a process, 0 for this one; -1 on failure.
    /// </summary>
    public static long DescriptorLimit(int process)
    {
        Span<ulong> now = stackalloc ulong[2];
        return prlimit(process, DescriptorsResource, [], now) == 0
            ? (long)Math.Min(now[0], long.MaxValue)
            : -1;
    }

    /// <summary>Sets the soft limit of descriptors, the hard one at most.</summary>
    public static bool SetDescriptorLimit(int process, long limit)
    {
        Span<ulong> limits = stackalloc ulong[2];
        if (prlimit(process, DescriptorsResource, [], limits) != 0)
            return false;
        limits[0] = Math.Min((ulong)limit, limits[1]);
        return prlimit(process, DescriptorsResource, limits, []) == 0;
    }

    /// <summary>Whether this user may run the file.</summary>
    public static bool MayExecute(string path) => access(path, ExecuteAccess) == 0;

    public static bool MakePipe(string path) => mkfifo(path, UserOnly) == 0;

    /// <summary>The reading end of a named pipe, which waits for nobody; -1 on failure.</summary>
    public static int OpenPipe(string path, int bytes)
    {
        var descriptor = open(path, OpenNonBlockingCloseOnExec);
        if (descriptor >= 0)
            _ = fcntl(descriptor, SetPipeSize, bytes);
        return descriptor;
    }

    /// <summary>Bytes read, 0 at the end, -1 if there are none for now.</summary>
    public static int Read(int descriptor, Span<byte> into) =>
        (int)read(descriptor, into, into.Length);

    public static void Close(int descriptor) => _ = close(descriptor);

    /// <summary>Waits for one of the entries, so many milliseconds at most.</summary>
    public static int Wait(Span<PollEntry> entries, int milliseconds) =>
        poll(entries, (nuint)entries.Length, milliseconds);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int process, int signal);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int prlimit(
        int process, int resource, ReadOnlySpan<ulong> wanted, Span<ulong> before);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int access(string path, int wanted);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkfifo(string path, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int descriptor, int command, int value);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int descriptor, Span<byte> into, nint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int descriptor);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int poll(Span<PollEntry> entries, nuint count, int milliseconds);
}
