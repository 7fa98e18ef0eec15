// Signals as a supervisor sends them and as it leaves them behind: those with a meaning are obeyed
// however the process was started, those without one change nothing, and none of them needs a
// thread that is not there already.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.Versioning;
using Tests.Integration.Deploy;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Supervision;

[SupportedOSPlatform("linux")]
public sealed class SignalTests : IDisposable
{
    private const int SigQuit = 3;

    /// <summary>Any that nobody here is: what it may have counts for it alone.</summary>
    private const int User = 54_322;

    /// <summary>SIGHUP, SIGINT, SIGUSR1 and SIGTERM, as /proc writes a set of signals.</summary>
    private const string Ours = "0000000000004203";

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// SIGUSR2, SIGPIPE, SIGALRM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGTTIN, SIGTTOU, SIGURG, SIGXCPU,
    /// SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, and real-time ones, with the two that
    /// the C library keeps to itself.
    /// </summary>
    [Fact]
    public void SignalsWithoutAMeaning_ChangeNothing()
    {
        using var balancer = BalancerProcess.Start(_folder.FullName);
        balancer.WaitFor(Log.Started);
        int[] meaningless =
        [
            12, 13, 14, 16, 17, 18, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 32, 33, 34, 35, 50, 64,
        ];

        foreach (var signal in meaningless)
        {
            balancer.Signal(signal);
            balancer.Status();
        }

        Assert.Equal(0, balancer.Stop());
        Assert.Empty(balancer.Errors);
    }

    /// <summary>As sh starts what it puts in the background, and nohup everything.</summary>
    [Theory]
    [InlineData(Posix.SigTerm)]
    [InlineData(Posix.SigInt)]
    public void StartedWithSignalsIgnored_ItObeysThem(int stop)
    {
        using var balancer = BalancerProcess.Start(_folder.FullName,
            by: ["sh", "-c", "trap '' HUP INT QUIT USR1 TERM; exec \"$@\"", "sh"]);

        ExpectObeyed(balancer, stop);
    }

    [Theory]
    [InlineData(Posix.SigTerm)]
    [InlineData(Posix.SigInt)]
    public void StartedWithSignalsBlocked_ItObeysThem(int stop)
    {
        using var balancer = BalancerProcess.Start(_folder.FullName, by: WithAllBlocked());

        ExpectSignalsLeftToTheLoop(balancer);
        ExpectObeyed(balancer, stop);
    }

    [Fact]
    public void QuitSignal_EndsItAtOnceHoweverItWasStarted()
    {
        using var plain = BalancerProcess.Start(_folder.FullName);
        using var ignoring = BalancerProcess.Start(_folder.FullName,
            by: ["sh", "-c", "trap '' QUIT; exec \"$@\"", "sh"]);
        using var blocking = BalancerProcess.Start(_folder.FullName, by: WithAllBlocked());

        foreach (var balancer in new[] { plain, ignoring, blocking })
        {
            balancer.Signal(SigQuit);
            Assert.Equal(128 + SigQuit, balancer.WaitForExit());
        }
    }

    [Fact]
    public void EveryThread_LeavesTheSignalsToTheLoop()
    {
        using var balancer = BalancerProcess.Start(_folder.FullName);

        ExpectSignalsLeftToTheLoop(balancer);
    }

    [Fact]
    public void NothingThatIsAskedOfIt_MakesAThread()
    {
        using var cluster = new Cluster(2);
        var balancer = cluster.Balancer;
        var before = ThreadIds(balancer);

        for (var times = 1; times <= 3; times++)
        {
            balancer.Signal(Posix.SigHup);
            balancer.WaitFor(Log.Rescan, nth: times);
            balancer.Status();
            cluster.WhoMeetsWhom(2, 20);
            Assert.Equal(before, ThreadIds(balancer));
        }
    }

    /// <summary>
    /// The loop, the runtime's collector, the log, the directory and its links; and signals and
    /// what backends pass, where needed.
    /// </summary>
    [TheoryNeedingRoot]
    [InlineData("0", 5)]
    [InlineData("1", 7)]
    public void WhereNoMoreThreadCanBeMade_SignalsAreObeyed(string onFallbacks, int threads)
    {
        using var balancer = BalancerProcess.Start(_folder.FullName, by: AsUserWith(threads),
            environment: new Dictionary<string, string> { ["BBAL_NO_BATCH_CALLS"] = onFallbacks });

        balancer.WaitFor(Log.Started);
        Assert.Equal(threads, ThreadIds(balancer).Length);
        ExpectObeyed(balancer, Posix.SigTerm);
    }

    [TheoryNeedingRoot]
    [InlineData("0", 2, "log")]
    [InlineData("0", 3, "links")]
    [InlineData("0", 4, "directory")]
    [InlineData("1", 2, "signals")]
    [InlineData("1", 3, "log")]
    [InlineData("1", 4, "closer")]
    [InlineData("1", 5, "links")]
    [InlineData("1", 6, "directory")]
    public void WhereAThreadOfTheStartCannotBeMade_OneLineSaysSo(
        string onFallbacks, int threads, string which)
    {
        string[] command = [.. AsUserWith(threads), Places.Bbal, "-s", _folder.FullName,
            "-b", "127.0.0.1", "-p", $"{Ports.Next()}"];
        using var balancer = new ManagedProcess(command[0], command[1..],
            new Dictionary<string, string> { ["BBAL_NO_BATCH_CALLS"] = onFallbacks });

        Assert.Equal(1, balancer.WaitForExit());
        Assert.StartsWith($"bbal: cannot make the thread '{which}': ",
            Assert.Single(balancer.Errors), StringComparison.Ordinal);
    }

    /// <summary>The sandbox of an old container engine, or an old kernel.</summary>
    [Theory]
    [InlineData("signalfd4:error=ENOSYS", "ENOSYS")]
    [InlineData("signalfd4,rt_sigtimedwait:error=EPERM", "EPERM")]
    public void WithoutSignalDescriptors_ItSaysSoAndObeys(string refused, string reason)
    {
        using var balancer = BalancerProcess.Start(_folder.FullName, by:
            ["strace", "-D", "-f", "-o", "/dev/null", "-e", $"inject={refused}"],
            environment: new Dictionary<string, string> { ["BBAL_NO_BATCH_CALLS"] = "0" });

        var warning = balancer.WaitForRecord(
            record => record.Message.Contains("signals", StringComparison.Ordinal), "a warning");
        Assert.Equal("startup_warning", warning.Event);
        Assert.Contains(reason, warning.Message, StringComparison.Ordinal);
        ExpectObeyed(balancer, Posix.SigTerm);
    }

    /// <summary>The same for every other call that is newer than such a sandbox.</summary>
    [Theory]
    [InlineData("ENOSYS")]
    [InlineData("EPERM")]
    public void WithoutNewCalls_ItSaysSoAndServes(string reason)
    {
        string[] calls =
        [
            "recvmmsg", "sendmmsg", "accept4", "statx", "openat2", "inotify_init1",
            "epoll_pwait2", "prlimit64",
        ];
        using var balancer = BalancerProcess.Start(_folder.FullName, by:
            ["strace", "-D", "-f", "-o", "/dev/null",
                "-e", $"inject={string.Join(',', calls)}:error={reason}"],
            environment: new Dictionary<string, string> { ["BBAL_NO_BATCH_CALLS"] = "0" });
        balancer.WaitFor(Log.Started);
        Assert.Equal(calls.Length, balancer.All(Log.StartupWarning)
            .Count(record => record.Message.Contains(reason, StringComparison.Ordinal)));

        using var binder = new FakeBinderProcess(_folder["5301"]);
        balancer.WaitHealthy(5301);
        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(balancer.Endpoint));
        using var client = new TcpHost(balancer.Endpoint);
        client.SendMessage(DnsWire.WhoAreYou(7));
        Assert.NotEmpty(client.ReceiveSome());
        Assert.Equal(0, balancer.Stop());
    }

    /// <summary>A shell's or a supervisor's limit of what a file may hold (SIGXFSZ).</summary>
    [Fact]
    public void LogThatMayNotGrow_CostsLinesAndNothingElse()
    {
        using var binder = new FakeBinderProcess(_folder["5301"]);
        var log = _folder["log"];
        using var balancer = BalancerProcess.Start(_folder.FullName, ["-l", "trace"], by:
            ["bash", "-c", $"ulimit -f 8; exec \"$@\" >{log}", "bash"]);

        for (var i = 1; i <= 200; i++)
        {
            using var host = new UdpHost($"127.0.5.{i}");
            Assert.Equal("5301", host.Who(balancer.Endpoint));
        }

        Assert.Equal(8 * 1024, new FileInfo(log).Length);
        Assert.Equal(0, balancer.Stop());
    }

    private static void ExpectObeyed(BalancerProcess balancer, int stop)
    {
        balancer.WaitFor(Log.Started);
        for (var times = 1; times <= 2; times++)
        {
            balancer.Signal(Posix.SigHup);
            balancer.WaitFor(Log.Rescan, nth: times);
            balancer.Status();
        }
        balancer.Signal(stop);
        Assert.Equal(0, balancer.WaitForExit());
        Assert.Single(balancer.All(Log.Stopping));
        Assert.Empty(balancer.Errors);
    }

    /// <summary>
    /// All threads are there when the start is logged. A thread begins with every signal blocked
    /// (glibc) and is named a moment later, so what the kernel shows is waited for.
    /// </summary>
    private static void ExpectSignalsLeftToTheLoop(BalancerProcess balancer)
    {
        balancer.WaitFor(Log.Started);
        Eventually.That(
            () => Threads(balancer).All(status => status["SigBlk"] == Ours),
            $"every thread blocks {Ours}",
            instead: () => string.Join('\n',
                Threads(balancer).Select(status => $"{status["Name"]}: {status["SigBlk"]}")));
    }

    private static string[] WithAllBlocked() =>
    [
        "perl", "-e", "use POSIX; exec @ARGV if sigprocmask(SIG_SETMASK, "
            + "POSIX::SigSet->new(1 .. 31, 34 .. 64))",
    ];

    /// <summary>Another user, who may have so many threads, with a copy to execute.</summary>
    private string[] AsUserWith(int threads)
    {
        File.SetUnixFileMode(_folder.FullName, (UnixFileMode)0b111_101_101);
        File.Copy(Places.Bbal, _folder["bbal"]);
        return
        [
            "prlimit", $"--nproc={threads}:{threads}",
            "setpriv", $"--reuid={User}", $"--regid={User}", "--clear-groups",
            "sh", "-c", $"shift; exec {_folder["bbal"]} \"$@\"", "sh",
        ];
    }

    private static int[] ThreadIds(BalancerProcess balancer) =>
        [.. Directory.GetDirectories($"/proc/{balancer.Pid}/task")
            .Select(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture))
            .Order()];

    /// <summary>
    /// But for the fallback's, which the kernel shows with the signals unblocked while it waits.
    /// </summary>
    private static IEnumerable<Dictionary<string, string>> Threads(BalancerProcess balancer) =>
        ThreadIds(balancer)
            .Select(id => File.ReadLines($"/proc/{balancer.Pid}/task/{id}/status")
                .Select(line => line.Split(':', 2))
                .ToDictionary(field => field[0], field => field[1].Trim()))
            .Where(status => status["Name"] != "signals");
}
