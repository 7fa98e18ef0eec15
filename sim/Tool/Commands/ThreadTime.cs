// Owns the reading of how long the calling thread has run, which is what a run costs on one core,
// whatever else the machine has to do.
//
// What always holds: the difference of two readings of one thread is its time on a processor.

using System;
using System.Runtime.InteropServices;

namespace Simulation.Commands;

/// <summary>The calling thread's time on a processor.</summary>
internal static class ThreadTime
{
    /// <summary>CLOCK_THREAD_CPUTIME_ID, the same on every architecture.</summary>
    private const int ThreadClock = 3;

    public static TimeSpan Now => GetTime(ThreadClock, out var time) == 0
        ? TimeSpan.FromTicks(time.Seconds * TimeSpan.TicksPerSecond + time.Nanoseconds / 100)
        : throw new InvalidOperationException("the kernel has no clock for threads");

    [DllImport("libc", EntryPoint = "clock_gettime", ExactSpelling = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetTime(int clock, out Timespec time);

    private readonly struct Timespec
    {
        public readonly long Seconds;
        public readonly long Nanoseconds;
    }
}
