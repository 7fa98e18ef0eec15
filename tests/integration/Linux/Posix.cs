// Owns what the tests of the adapter need of the system beside sockets: raising signals, reading
// socket options, a lower limit of descriptors, and making chosen system calls fail. The last is
// done by a seccomp filter on a thread of its own, so that the kernel itself gives the errno and
// no other thread notices; the filter ends with the thread.

using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Threading;

namespace Tests.Integration.Linux;

internal static class Posix
{
    private const int NoNewPrivileges = 38;
    private const int SetSeccomp = 22;
    private const int FilterMode = 2;
    private const int SetFilter = 1;
    private const int NewListener = 8;
    private const int DescriptorLimit = 7;
    private const int TcpLevel = 6;
    private const int TcpInfo = 11;
    private const int TcpInfoBytes = 32;
    private const int TcpInfoSacked = 7;

    internal static void RaiseSignal(int signal) => Check(Kill(Environment.ProcessId, signal));

    internal static int SocketOption(int fd, int level, int name)
    {
        var length = sizeof(int);
        Check(GetSockOpt(fd, level, name, out var value, ref length));
        return value;
    }

    /// <summary>The backlog of a listener, as the kernel has it.</summary>
    internal static int LargestAcceptQueue(int listener)
    {
        var info = new int[TcpInfoBytes / sizeof(int)];
        var length = TcpInfoBytes;
        Check(GetTcpInfo(listener, TcpLevel, TcpInfo, info, ref length));
        return info[TcpInfoSacked];
    }

    /// <summary>Runs an action while no descriptor can be made in this process.</summary>
    internal static void WithoutDescriptors(Action action)
    {
        var limits = new ulong[2];
        Check(GetRLimit(DescriptorLimit, limits));
        Check(SetRLimit(DescriptorLimit, [0, limits[1]]));
        try
        {
            action();
        }
        finally
        {
            Check(SetRLimit(DescriptorLimit, limits));
        }
    }

    /// <summary>
    /// Runs an action with this thread's right to files lowered to nobody's, if root.
    /// </summary>
    internal static void AsNobody(Action action)
    {
        var before = SetFsUid(65_534);
        try
        {
            action();
        }
        finally
        {
            _ = SetFsUid(before);
        }
    }

    /// <summary>Runs an action on a thread where some system calls answer an errno.</summary>
    internal static void WithFailing(IReadOnlyList<(SystemCall Call, int Errno)> faults,
        Action action)
    {
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                InstallFilter(faults);
                action();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
    }

    /// <summary>
    /// The same for one call, which this thread answers; how often it was made.
    /// </summary>
    internal static int CountFailing(SystemCall call, int errno, Action action)
    {
        ExceptionDispatchInfo? failure = null;
        var asked = -1;
        var isInstalled = new ManualResetEventSlim();
        var thread = new Thread(() =>
        {
            try
            {
                asked = InstallAskingFilter(call);
                isInstalled.Set();
                action();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
                isInstalled.Set();
            }
        });
        thread.Start();
        isInstalled.Wait();
        var count = 0;
        while (asked >= 0 && thread.IsAlive)
            count += Answer(asked, errno) ? 1 : 0;
        thread.Join();
        if (asked >= 0)
            _ = Close(asked);
        failure?.Throw();
        return count;
    }

    /// <summary>Has a descriptor tell of each such call, and wait for its answer.</summary>
    private static int InstallAskingFilter(SystemCall call)
    {
        var seccomp = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 277 : 317;
        ulong[] program =
        [
            0x20, 0x15 | 1UL << 24 | (ulong)call.Number() << 32, 0x06 | 0x7fc0_0000UL << 32,
            0x06 | 0x7fff_0000UL << 32,
        ];
        var code = GCHandle.Alloc(program, GCHandleType.Pinned);
        try
        {
            Check(PrCtl(NoNewPrivileges, 1, 0, 0, 0));
            var asked = Seccomp(seccomp, SetFilter, NewListener,
                [program.Length, code.AddrOfPinnedObject()]);
            Check((int)asked);
            return (int)asked;
        }
        finally
        {
            code.Free();
        }
    }

    /// <summary>Answers a call, if one is made within some milliseconds.</summary>
    private static bool Answer(int asked, int errno)
    {
        // A pollfd, of POLLIN.
        if (Poll([asked, 1], 1, 5) <= 0)
            return false;
        var notice = new ulong[10];
        if (IoCtl(asked, 0xc050_2100, notice) < 0)
            return false;
        return IoCtl(asked, 0xc018_2101, [notice[0], 0, unchecked((uint)-errno)]) == 0;
    }

    private static void InstallFilter(IReadOnlyList<(SystemCall Call, int Errno)> faults)
    {
        // Load the call's number; for each fault: skip one unless equal, answer; else allow.
        var program = new List<ulong> { 0x20 };
        foreach (var (call, errno) in faults)
        {
            program.Add(0x15 | 1UL << 24 | (ulong)call.Number() << 32);
            program.Add(0x06 | (0x0005_0000UL | (uint)errno) << 32);
        }
        program.Add(0x06 | 0x7fff_0000UL << 32);
        var code = GCHandle.Alloc(program.ToArray(), GCHandleType.Pinned);
        try
        {
            long[] header = [program.Count, code.AddrOfPinnedObject()];
            Check(PrCtl(NoNewPrivileges, 1, 0, 0, 0));
            Check(PrCtl(SetSeccomp, FilterMode, header, 0, 0));
        }
        finally
        {
            code.Free();
        }
    }

    private static void Check(int result)
    {
        if (result < 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError());
    }

    [DllImport("libc", EntryPoint = "setfsuid")]
    private static extern int SetFsUid(int user);

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int process, int signal);

    [DllImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    private static extern int GetSockOpt(
        int fd, int level, int name, out int value, ref int length);

    [DllImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    private static extern int GetTcpInfo(
        int fd, int level, int name, [Out] int[] info, ref int length);

    [DllImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    private static extern int GetRLimit(int resource, [Out] ulong[] limits);

    [DllImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    private static extern int SetRLimit(int resource, ulong[] limits);

    [DllImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static extern nint Seccomp(nint number, nint operation, nint flags, long[] program);

    [DllImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static extern int IoCtl(int fd, nuint request, ulong[] argument);

    [DllImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static extern int Poll(int[] entries, nuint count, int milliseconds);

    [DllImport("libc", EntryPoint = "close")]
    private static extern int Close(int fd);

    [DllImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static extern int PrCtl(int option, nint a, nint b, nint c, nint d);

    [DllImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static extern int PrCtl(int option, nint a, long[] b, nint c, nint d);
}

/// <summary>System calls that tests make fail.</summary>
internal enum SystemCall
{
    Accept4,
    Connect,
    RecvMMsg,
    SendMMsg,
    SendMsg,
    EpollCtl,
    EpollPwait2,
    InotifyInit1,
    InotifyAddWatch,
    GetDents64,
    StatX,
    OpenAt2,
    SetSockOpt,
    GetSockOpt,
    PrLimit,
}

internal static class SystemCalls
{
    internal static int Number(this SystemCall call)
    {
        var (x64, arm64) = call switch
        {
            SystemCall.Accept4 => (288, 242),
            SystemCall.Connect => (42, 203),
            SystemCall.GetSockOpt => (55, 209),
            SystemCall.PrLimit => (302, 261),
            SystemCall.RecvMMsg => (299, 243),
            SystemCall.SendMMsg => (307, 269),
            SystemCall.SendMsg => (46, 211),
            SystemCall.EpollCtl => (233, 21),
            SystemCall.EpollPwait2 => (441, 441),
            SystemCall.InotifyInit1 => (294, 26),
            SystemCall.InotifyAddWatch => (254, 27),
            SystemCall.GetDents64 => (217, 61),
            SystemCall.StatX => (332, 291),
            SystemCall.OpenAt2 => (437, 437),
            SystemCall.SetSockOpt => (54, 208),
            _ => throw new ArgumentOutOfRangeException(nameof(call)),
        };
        return RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? arm64 : x64;
    }
}
