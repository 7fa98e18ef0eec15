// The unit's command line under the unit's restrictions. Where systemd is the init it runs the unit
// itself; everywhere else the restrictions are made by the tools that any Debian has: another user
// with one capability (setpriv), the limit of descriptors (prlimit), the filter of system calls
// that the unit says (CallFilter), and a root that is read-only with a /proc of its own processes
// alone (unshare, mount). And a trace of every system call shows that none is outside the filter.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Deploy;

[SupportedOSPlatform("linux")]
public sealed class RestrictionTests : IDisposable
{
    private const int Nobody = 65_534;

    /// <summary>Any that nobody here is in: it is only a number to the kernel.</summary>
    private const int Group = 54_321;

    private readonly SystemdUnit _unit = SystemdUnit.Read();
    private readonly TestFolder _folder = new();
    private readonly CallFilter _filter;

    public RestrictionTests()
    {
        _filter = new CallFilter(_unit);
        _filter.Write(_folder["filter"]);
        // Nobody must get at what is in the folder, the executable among it.
        File.SetUnixFileMode(_folder.FullName, (UnixFileMode)0b111_101_101);
        File.Copy(Path.Combine(Places.Root, "tests", "integration", "Deploy", "under-filter.pl"),
            _folder["under-filter.pl"]);
    }

    public void Dispose() => _folder.Dispose();

    [FactNeedingRoot]
    public void AsNobodyWithOneCapabilityAndUnderTheFilter_ItServesAPrivilegedPort() =>
        ServeAsTheUnitSays([]);

    [FactNeedingMount]
    public void OnAReadOnlyRootWithAProcOfItsOwn_ItServesAPrivilegedPort() => ServeAsTheUnitSays(
    [
        "unshare", "--mount", "sh", "-c",
        "mount -o remount,bind,ro / && mount -t proc -o hidepid=invisible,subset=pid proc /proc"
        + " && exec \"$@\"", "sh",
    ]);

    [FactNeedingRoot]
    public void Restrictions_AreInForce()
    {
        // Each of these three would answer otherwise without the filter: EFAULT, EFAULT, nothing.
        Assert.Equal("EPERM", Try($"syscall({_filter["chroot"]}, 0)"));
        Assert.Equal("EPERM", Try($"syscall({_filter["mount"]}, 0, 0, 0, 0, 0)"));
        Assert.Equal("EPERM", Try($"syscall({_filter["setresuid"]}, -1, -1, -1)"));
        // Readable memory may be had, writable memory that is executable may not.
        Assert.Equal("", Try($"syscall({_filter["mmap"]}, 0, 4096, 3, 0x22, -1, 0)"));
        Assert.Equal("EPERM", Try($"syscall({_filter["mmap"]}, 0, 4096, 7, 0x22, -1, 0)"));
        Assert.Equal("", Try($"syscall({_filter["socket"]}, 1, 1, 0)"));
        Assert.Equal("", Try($"syscall({_filter["socket"]}, 2, 1, 0)"));
        Assert.Equal("EAFNOSUPPORT", Try($"syscall({_filter["socket"]}, 10, 1, 0)"));
        Assert.Equal("EAFNOSUPPORT", Try($"syscall({_filter["socket"]}, 16, 3, 0)"));
    }

    [Fact]
    public void EverySystemCall_IsInsideTheFilterAndNoMemoryIsExecutable()
    {
        var sockets = MakeSocketFolder();
        using var manager = new NotifySocket(_folder["notify"]);
        using (var backend = StartBackend(sockets))
        {
            var server = new IPEndPoint(IPAddress.Loopback, Ports.Next());
            // -D makes the process that is traced ours, so that signals reach it.
            using var balancer = new ManagedProcess("strace",
                ["-D", "-f", "-o", _folder["trace"], .. CommandLine(server, sockets)],
                Environment());
            Assert.Equal("READY=1", manager.Receive());
            Use(balancer, server);
            backend.Signal(Posix.SigKill);
            balancer.WaitForLine(
                line => line.Contains("\"backend_faulted\"", StringComparison.Ordinal),
                "the backend's end is noticed");
            Stop(balancer, manager);
        }

        var trace = Calls(_folder["trace"]);
        var seen = trace.Select(call => call.Name).ToHashSet();
        Assert.Subset(_unit.AllowedSystemCalls(), seen);
        Assert.Contains(seen, name => name is "accept4" or "accept");
        Assert.Contains("exit_group", seen);
        Assert.DoesNotContain(trace, call =>
            call.Line.Contains("PROT_EXEC", StringComparison.Ordinal));
    }

    [FactNeedingSystemd]
    public void Systemd_RunsTheUnitItself()
    {
        // What the unit hides (/tmp, /home) and what cannot be executed (/run) will not do.
        var name = $"bbal-test-{System.Environment.ProcessId}";
        var place = Directory.CreateDirectory($"/usr/local/lib/{name}").FullName;
        var sockets = Directory.CreateDirectory($"/run/{name}").FullName;
        var file = $"/run/systemd/system/{name}.service";
        var server = new IPEndPoint(IPAddress.Parse("127.0.0.53"), PrivilegedPort("127.0.0.53"));
        try
        {
            File.Copy(Places.Bbal, place + "/bbal");
            Sh($"chgrp daemon {sockets} && chmod 2770 {sockets}");
            File.WriteAllText(file, File.ReadAllText(SystemdUnit.Path)
                .Replace("=/usr/bin/bbal ", $"={place}/bbal ", StringComparison.Ordinal)
                .Replace("=binder", "=daemon", StringComparison.Ordinal)
                .Replace("EnvironmentFile=-/etc/default/bbal", "Environment=\"BBAL_OPTIONS="
                    + $"-b {server.Address} -p {server.Port} --warm-up 0\"",
                    StringComparison.Ordinal)
                .Replace("=/run/binder/sockets", "=" + sockets, StringComparison.Ordinal));
            using var backend = StartBackend(sockets);

            Sh($"systemctl daemon-reload && systemctl start {name}");
            var status = StatusOf(Sh($"systemctl show -P MainPID {name}"));
            Assert.NotEqual("0", status["Uid"].Split('\t')[0]);
            Assert.Equal("0000000000000400", status["CapEff"]);
            Assert.Equal("0000000000000400", status["CapBnd"]);
            Assert.Equal("2", status["Seccomp"]);
            using (var host = new UdpHost())
                Assert.Equal("5301", host.Who(server));
            using (var client = new TcpHost(server))
                Assert.Equal("5301", client.Who());
            Sh($"systemctl reload {name} && systemctl is-active {name}");
            Sh($"systemctl stop {name}");
            Sh($"test \"$(systemctl show -P Result {name})\" = success");
        }
        finally
        {
            Sh($"systemctl kill -s KILL {name} 2>/dev/null; rm -rf {place} {sockets} {file}; "
                + "systemctl daemon-reload");
        }
    }

    private void ServeAsTheUnitSays(string[] around)
    {
        var server = new IPEndPoint(IPAddress.Parse("127.0.0.2"), PrivilegedPort("127.0.0.2"));
        var sockets = MakeSocketFolder();
        using var manager = new NotifySocket(_folder["notify"]);
        // What comes from the manager of the system is open to everyone.
        File.SetUnixFileMode(_folder["notify"], (UnixFileMode)0b110_110_110);
        using var backend = StartBackend(sockets);
        string[] wrapped = [.. around, .. Restricted(CommandLine(server, sockets))];

        using var balancer = new ManagedProcess(wrapped[0], wrapped[1..], Environment());
        Assert.True("READY=1" == manager.Receive(), balancer.Tail());
        ExpectRestricted(balancer);
        Use(balancer, server);
        Stop(balancer, manager);
        Assert.Empty(balancer.Errors);
        // A container may not allow as many descriptors as the unit asks for.
        Assert.All(
            balancer.Lines.Where(
                line => line.Contains("\"level\":40", StringComparison.Ordinal)),
            line => Assert.True(Descriptors() < Number(_unit["Service", "LimitNOFILE"])
                && line.Contains("\"descriptor_limit\"", StringComparison.Ordinal), line));
    }

    /// <summary>A folder as deploy/systemd/bbal.tmpfiles makes it.</summary>
    private string MakeSocketFolder()
    {
        var path = Directory.CreateDirectory(_folder["sockets"]).FullName;
        if (FactNeedingRootAttribute.IsRoot)
            Sh($"chown 0:{Group} {path} && chmod 2770 {path}");
        return path;
    }

    /// <summary>A backend whose sockets its group may write.</summary>
    private static ManagedProcess StartBackend(string sockets)
    {
        var backend = new ManagedProcess("sh",
            ["-c", "umask 007; exec \"$0\" \"$1\"", Places.FakeBinder, sockets + "/5301"]);
        backend.WaitForLine(
            line => line.StartsWith("listening", StringComparison.Ordinal), "it listens");
        return backend;
    }

    private Dictionary<string, string> Environment() =>
        new() { ["NOTIFY_SOCKET"] = _folder["notify"] };

    private List<string> CommandLine(IPEndPoint server, string sockets)
    {
        var words = _unit.CommandLine(new Dictionary<string, string>
        {
            ["BBAL_SOCKETS"] = sockets,
            ["BBAL_OPTIONS"] = $"-b {server.Address} -p {server.Port} --warm-up 0",
        });
        File.Copy(Places.Bbal, _folder["bbal"]);
        words[0] = _folder["bbal"];
        return words;
    }

    private List<string> Restricted(IEnumerable<string> command)
    {
        var capability = _unit["Service", "CapabilityBoundingSet"];
        Assert.Equal("CAP_NET_BIND_SERVICE", capability);
        Assert.Equal(capability, _unit["Service", "AmbientCapabilities"]);
        const string Only = "-all,+net_bind_service";
        var prctl = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "167" : "157";
        var descriptors = Descriptors();
        return
        [
            "prlimit", $"--nofile={descriptors}:{descriptors}",
            "setpriv", $"--reuid={Nobody}", $"--regid={Nobody}", $"--groups={Group}",
            "--inh-caps", Only, "--ambient-caps", Only, "--bounding-set", Only, "--no-new-privs",
            "perl", _folder["under-filter.pl"], prctl, _folder["filter"], .. command,
        ];
    }

    private void ExpectRestricted(ManagedProcess balancer)
    {
        var status = StatusOf($"{balancer.Pid}");
        Assert.Equal("bbal", status["Name"]);
        Assert.All(status["Uid"].Split('\t'), id => Assert.Equal($"{Nobody}", id));
        Assert.Equal($"{Group}", status["Groups"]);
        foreach (var set in new[] { "CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb" })
            Assert.Equal("0000000000000400", status[set]);
        Assert.Equal("1", status["NoNewPrivs"]);
        Assert.Equal("2", status["Seccomp"]);
        Assert.Contains(File.ReadAllLines($"/proc/{balancer.Pid}/limits"), line => Regex.IsMatch(
            line, $"^Max open files +{Descriptors()} "));
    }

    private static Dictionary<string, string> StatusOf(string process) =>
        File.ReadAllLines($"/proc/{process}/status").Select(line => line.Split(':', 2))
            .ToDictionary(parts => parts[0], parts => parts[1].Trim());

    /// <summary>The unit's limit, or ours where that is lower and cannot be raised.</summary>
    private long Descriptors()
    {
        var ours = File.ReadLines("/proc/self/limits")
            .First(line => line.StartsWith("Max open files", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[4];
        var limit = Number(_unit["Service", "LimitNOFILE"]);
        return ours == "unlimited" ? limit : Math.Min(limit, Number(ours));
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static void Use(ManagedProcess balancer, IPEndPoint server)
    {
        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(server));
        using var client = new TcpHost(server);
        Assert.Equal("5301", client.Who());
        Assert.Equal(48_000,
            client.Ask(DnsWire.Query(1, "size-48000.example.com", DnsWire.Txt)).Length);
        balancer.Signal(Posix.SigHup);
        balancer.WaitForLine(line => line.Contains(
            "\"event\":\"rescan_requested\"", StringComparison.Ordinal), "a scan");
        balancer.Signal(Posix.SigUsr1);
        balancer.WaitForLine(
            line => line.Contains("\"event\":\"remote_status\"", StringComparison.Ordinal),
            "the status");
    }

    private static void Stop(ManagedProcess balancer, NotifySocket manager)
    {
        balancer.Signal(Posix.SigTerm);
        Assert.Equal("STOPPING=1", manager.Receive());
        Assert.Equal(0, balancer.WaitForExit());
    }

    /// <summary>Makes a system call under the restrictions: nothing, or the error's name.</summary>
    private string Try(string call)
    {
        var program = "use Errno; my $r = " + call + "; "
            + "if ($r == -1) { for (keys %!) { print if $!{$_} } }";
        var command = Restricted(["/usr/bin/perl", "-e", program]);
        using var process = new ManagedProcess(command[0], command.Skip(1));
        Assert.True(process.WaitForExit() == 0, process.Tail());
        return string.Concat(process.Lines);
    }

    private static List<(string Name, string Line)> Calls(string trace) =>
        [.. File.ReadLines(trace)
            .Select(line => (Name: Regex.Match(line, @"^\d+ +(\w+)\(").Groups[1].Value, line))
            .Where(call => call.Name.Length > 0)];

    /// <summary>Runs a command that must succeed; what it printed.</summary>
    private static string Sh(string command)
    {
        using var shell = new ManagedProcess("sh", ["-c", command]);
        Assert.True(shell.WaitForExit() == 0, command + "\n" + shell.Tail());
        return string.Join('\n', shell.Lines);
    }

    /// <summary>A port below 1024 that nobody uses.</summary>
    private static int PrivilegedPort(string address)
    {
        for (var port = 600 + System.Environment.ProcessId % 300; port < 1024; port++)
        {
            using var udp = new Socket(
                AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            using var tcp = new Socket(
                AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                udp.Bind(new IPEndPoint(IPAddress.Parse(address), port));
                tcp.Bind(new IPEndPoint(IPAddress.Parse(address), port));
                return port;
            }
            catch (SocketException)
            {
            }
        }
        throw new InvalidOperationException("no privileged port is free");
    }
}

/// <summary>A fact that takes another identity; skipped where that cannot be had.</summary>
[AttributeUsage(AttributeTargets.Method)]
public class FactNeedingRootAttribute : FactAttribute
{
    public FactNeedingRootAttribute()
    {
        if (!IsRoot)
            Skip = "needs root";
    }

    internal static bool IsRoot => System.Environment.IsPrivilegedProcess;
}

/// <summary>A theory that becomes another user.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TheoryNeedingRootAttribute : TheoryAttribute
{
    public TheoryNeedingRootAttribute()
    {
        if (!FactNeedingRootAttribute.IsRoot)
            Skip = "needs root";
    }
}

/// <summary>A fact that mounts; root in a container may not.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactNeedingMountAttribute : FactNeedingRootAttribute
{
    private static readonly Lazy<bool> CanMount = new(TryMount);

    public FactNeedingMountAttribute()
    {
        if (Skip is null && !CanMount.Value)
            Skip = "needs the right to mount";
    }

    private static bool TryMount()
    {
        using var unshare = new ManagedProcess("unshare",
            ["--mount", "mount", "-t", "proc", "-o", "hidepid=invisible,subset=pid", "proc",
                "/proc"]);
        return unshare.WaitForExit() == 0;
    }
}

/// <summary>A fact that asks systemd to run the unit.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactNeedingSystemdAttribute : FactNeedingRootAttribute
{
    public FactNeedingSystemdAttribute()
    {
        if (Skip is null && !Directory.Exists("/run/systemd/system"))
            Skip = "needs systemd as the init";
    }
}
