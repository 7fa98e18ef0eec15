// Owns where things are: the executables under test, the real node-mname, and for each test a
// folder and ports of its own, so that tests run at the same time.
//
// The executables are those that `make build` put into build/, found by walking up to the folder
// of Balancer.sln, or in BBAL_BUILD_DIR. A test never runs the balancer in its own process;
// what Linux/ and Contract/ run there is the adapter to the kernel, without the core.
//
// The whole environment is handed on to every process that a test starts. So the suite is run
// once more on the balancer's fallbacks, BBAL_NO_BATCH_CALLS=1: one call per datagram, no inotify
// and no signalfd, as an older kernel has it. `make integration` does so with a result file of its
// own, and leaves out what carries the trait Needs=inotify, the tests of the adapter in Linux/ and
// Contract/, which start no balancer and have fallbacks of their own, and those in Containers/,
// because a container has an environment of its own.

using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Threading;

namespace Tests.Integration.Harness;

/// <summary>The files that the tests start.</summary>
public static class Places
{
    public static readonly string Root = FindRoot();

    public static string Bbal => Built("bbal");

    public static string FakeBinder => Built("fake-binder");

    public static string Sim => Built("sim");

    public static string Node => Path.Combine(Root, "tests", "integration", "node");

    private static string Built(string name)
    {
        var folder = Environment.GetEnvironmentVariable("BBAL_BUILD_DIR");
        if (string.IsNullOrEmpty(folder))
            folder = Path.Combine(Root, "build");
        var path = Path.Combine(folder, name);
        return File.Exists(path)
            ? path
            : throw new FileNotFoundException($"{path} is missing: run `make build` first");
    }

    private static string FindRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at != null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Balancer.sln")))
                return at.FullName;
        }
        throw new DirectoryNotFoundException("no folder above the tests holds Balancer.sln");
    }
}

/// <summary>A folder with a short path, gone with everything in it at the end.</summary>
public sealed class TestFolder : IDisposable
{
    public TestFolder() => FullName = Directory.CreateTempSubdirectory("bb-").FullName;

    public string FullName { get; }

    public string this[string name] => Path.Combine(FullName, name);

    public void Dispose() => Directory.Delete(FullName, recursive: true);
}

/// <summary>Ports that nobody else uses, for UDP and TCP alike.</summary>
public static class Ports
{
    // Below the range that the kernel gives to clients, so that no client socket takes one, and
    // below that of the library for containers, which looks for a free one a while before use.
    private const int First = 12_000;
    private const int Count = 8_000;

    private static int _next = Environment.ProcessId * 97 % Count;

    public static int Next()
    {
        while (true)
        {
            var port = First + (int)((uint)Interlocked.Increment(ref _next) % Count);
            if (IsFree(port))
                return port;
        }
    }

    private static bool IsFree(int port)
    {
        using var udp = new Socket(SocketType.Dgram, ProtocolType.Udp);
        using var tcp = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            udp.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
            tcp.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

/// <summary>What the framework has no call for.</summary>
public static class Posix
{
    public const int SigHup = 1;
    public const int SigInt = 2;
    public const int SigKill = 9;
    public const int SigUsr1 = 10;
    public const int SigTerm = 15;
    public const int SigCont = 18;
    public const int SigStop = 19;

    private static readonly HashSet<int> NoProcess = [0, 1, -1];

    public static void Kill(int pid, int signal)
    {
        if (NoProcess.Contains(pid) || NativeKill(pid, signal) != 0)
            throw new InvalidOperationException($"kill({pid}, {signal}) failed");
    }

    /// <summary>The same for a process that may have ended; whether it was still there.</summary>
    public static bool TryKill(int pid, int signal) =>
        !NoProcess.Contains(pid) && NativeKill(pid, signal) == 0;

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int NativeKill(int pid, int signal);
}
