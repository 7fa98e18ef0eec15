// Owns the reading of how long a thread has run, which is what a run costs on one core, whatever
// else the machine has to do.
//
// What always holds: the difference of two readings of one thread is its time on a processor.

using System;
using System.Runtime.InteropServices;

namespace Simulation.Commands;

/// <summary>A thread's time on a processor.</summary>
internal static class ThreadTime
{
    /// <summary>CLOCK_THREAD_CPUTIME_ID, the same on every architecture.</summary>
    private const int ThreadClock = 3;

    /// <summary>The calling thread's.</summary>
    public static TimeSpan Now => Of(ThreadClock)
        ?? throw new InvalidOperationException("the kernel has no clock for threads");

    /// <summary>The number of the calling thread's clock, for others to read it by.</summary>
    public static int Clock => GetClock(Self(), out var clock) == 0
        ? clock : throw new InvalidOperationException("the kernel has no clock for threads");

    /// <summary>What a thread's clock shows; null if the thread has ended.</summary>
    public static TimeSpan? Of(int clock) => GetTime(clock, out var time) == 0
        ? TimeSpan.FromTicks(time.Seconds * TimeSpan.TicksPerSecond + time.Nanoseconds / 100)
        : null;

    [DllImport("libc", EntryPoint = "pthread_self", ExactSpelling = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nuint Self();

    [DllImport("libc", EntryPoint = "pthread_getcpuclockid", ExactSpelling = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetClock(nuint thread, out int clock);

    [DllImport("libc", EntryPoint = "clock_gettime", ExactSpelling = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetTime(int clock, out Timespec time);

    private readonly struct Timespec
    {
        public readonly long Seconds;
        public readonly long Nanoseconds;
    }
}
