// The command line as an operator meets it: what is wrong is one line on standard error and exit
// status 64, and nothing is listened on; what is right is in effect.

using System;
using System.Collections.Generic;
using System.Linq;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.CommandLine;

public sealed class CommandLineTests : IDisposable
{
    private readonly TestFolder _folder = new();

    private static string Built(string program) => program switch
    {
        "bbal" => Places.Bbal,
        "fake-binder" => Places.FakeBinder,
        _ => Places.Sim,
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("-p", "53x")]
    [InlineData("-p", "0x35")]
    [InlineData("-p", "")]
    [InlineData("-p", "-1")]
    [InlineData("-p", "65536")]
    [InlineData("-p", "99999999999999999999")]
    [InlineData("-p")]
    [InlineData("-b", "localhost")]
    [InlineData("-b", "1.2.3")]
    [InlineData("-b", "256.0.0.1")]
    [InlineData("-b", "::1")]
    [InlineData("-l", "loud")]
    [InlineData("-x")]
    [InlineData("stray")]
    [InlineData("--no-such-option")]
    [InlineData("--warm-up", "-1")]
    [InlineData("--warm-up", "soon")]
    [InlineData("--warm-up", "NaN")]
    [InlineData("--probe", "a..b")]
    [InlineData("--no-backend", "refused")]
    [InlineData("--max-remotes", "0")]
    [InlineData("--tcp-connections", "0")]
    [InlineData("--tcp-connections-per-client", "many")]
    [InlineData("--tcp-idle", "0")]
    [InlineData("--tcp-lifetime", "never")]
    [InlineData("--quarantine", "never")]
    [InlineData("--stop-time", "-1")]
    [InlineData("--udp-buffer", "0")]
    public void WrongArgument_IsOneLineAndExit64(params string[] wrong)
    {
        var run = BalancerProcess.Run(["-s", _folder.FullName, .. wrong]);

        Assert.Equal(64, run.Status);
        var line = Assert.Single(run.Errors);
        Assert.StartsWith("bbal: ", line, StringComparison.Ordinal);
        Assert.Contains(wrong[0], line, StringComparison.Ordinal);
        Assert.Empty(run.Lines);
    }

    [Fact]
    public void NoArguments_SayThatTheBackendPathIsMissing()
    {
        var run = BalancerProcess.Run();

        Assert.Equal(64, run.Status);
        Assert.Contains("-s", Assert.Single(run.Errors), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bbal", "-l", "-s", ".", "-l", "info", "-l", "debug")]
    [InlineData("fake-binder", "--id", "5301", "--id", "a", "--id=b")]
    [InlineData("sim", "--seed", "run", "--seed", "1", "--seed", "2")]
    public void OptionGivenTwice_IsOneLineThatNamesItAndExit64(
        string program, string named, params string[] arguments)
    {
        using var run = new ManagedProcess(Built(program), arguments);

        Assert.Equal(64, run.WaitForExit());
        Assert.Equal($"{program}: {named}: given more than once", Assert.Single(run.Errors));
        Assert.Empty(run.Lines);
    }

    [Theory]
    [InlineData("bbal", "-h")]
    [InlineData("bbal", "-?")]
    [InlineData("fake-binder", "-h")]
    [InlineData("fake-binder", "-?")]
    [InlineData("sim", "-h")]
    [InlineData("sim", "-?")]
    public void ShortHelp_IsTheHelp(string program, string asked)
    {
        using var brief = new ManagedProcess(Built(program), [asked]);
        using var full = new ManagedProcess(Built(program), ["--help"]);

        Assert.Equal(0, brief.WaitForExit());
        Assert.Equal(0, full.WaitForExit());
        Assert.NotEmpty(full.Lines);
        Assert.Equal(full.Lines, brief.Lines);
        Assert.Contains(full.Lines, line => line.Contains(
            "-?, -h, --help", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("bbal")]
    [InlineData("fake-binder")]
    [InlineData("sim")]
    public void Version_IsTheNameAndTheVersion(string program)
    {
        using var run = new ManagedProcess(Built(program), ["--version"]);

        Assert.Equal(0, run.WaitForExit());
        Assert.Matches($@"^{program} \d+\.\d+\.\d+", Assert.Single(run.Lines));
    }

    [Theory]
    [InlineData("bbal", "--help")]
    [InlineData("bbal", "--version")]
    [InlineData("fake-binder", "--help")]
    [InlineData("fake-binder", "5301")]
    [InlineData("sim", "--help")]
    [InlineData("sim", "run --seed 1 --count 2 --profile calm")]
    public void OutputThatCannotBeWritten_IsOneLineAndExit74(string program, string arguments)
    {
        using var run = new ManagedProcess("/bin/sh",
            ["-c", $"cd {_folder.FullName} && exec {Built(program)} {arguments} >/dev/full"]);

        Assert.Equal(74, run.WaitForExit());
        // The simulator tells its progress on standard error too.
        Assert.Equal($"{program}: cannot write to standard output: No space left on device",
            run.Errors[^1]);
        Assert.DoesNotContain(run.Errors, line => line.Contains(
            "   at ", StringComparison.Ordinal));
        Assert.Empty(System.IO.Directory.GetFileSystemEntries(_folder.FullName));
    }

    [Theory]
    [InlineData("bbal", "--help")]
    [InlineData("bbal", "--version")]
    [InlineData("fake-binder", "--help")]
    [InlineData("fake-binder", "5301")]
    [InlineData("sim", "--help")]
    [InlineData("sim", "run --seed 1 --count 2 --profile calm")]
    public void OutputThatIsClosed_IsOneLineAndExit74(string program, string arguments)
    {
        using var run = new ManagedProcess("/bin/sh",
            ["-c", $"cd {_folder.FullName} && exec {Built(program)} {arguments} >&-"]);

        Assert.Equal(74, run.WaitForExit());
        Assert.Equal([$"{program}: cannot write to standard output: Bad file descriptor"],
            run.Errors);
        Assert.Empty(System.IO.Directory.GetFileSystemEntries(_folder.FullName));
    }

    [Theory]
    [InlineData("/dev/full", "No space left on device")]
    [InlineData("/no/folder/j", "No such file or directory")]
    public void JournalThatCannotBeWritten_IsOneLineAndExit74(string journal, string reason)
    {
        using var run = new ManagedProcess(
            Places.FakeBinder, [_folder["5301"], "--journal", journal]);

        Assert.Equal(74, run.WaitForExit());
        Assert.Equal(
            [$"fake-binder: cannot write the journal {journal}: {reason}"], run.Errors);
        Assert.Empty(run.Lines);
        Assert.Empty(System.IO.Directory.GetFileSystemEntries(_folder.FullName));
    }

    [Fact]
    public void BackendPathThatIsAFile_IsSaidToBeNoDirectory()
    {
        var file = _folder["file"];
        System.IO.File.WriteAllText(file, "");
        using var balancer = BalancerProcess.Start(file, []);

        var record = balancer.WaitFor(Log.Unreadable);

        Assert.Contains("not a directory", record.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("trace", 10)]
    [InlineData("debug", 20)]
    [InlineData("info", 30)]
    public void LogLevel_IsTheLeastThatIsLogged(string level, int least)
    {
        using var binder = new FakeBinderProcess(_folder["5301"]);
        using var balancer = BalancerProcess.Start(_folder.FullName, ["-l", level]);
        using var host = new UdpHost();
        host.Who(balancer.Endpoint);
        if (level == "trace")
            balancer.WaitFor(Log.HeartbeatSent);
        Assert.Equal(0, balancer.Stop());

        Assert.Equal(least, balancer.Records.Min(record => record.Level));
    }

    [Fact]
    public void LogLevelError_SaysNothingOfAStart()
    {
        using var balancer = BalancerProcess.Start(_folder.FullName, ["-l", "error"]);

        Assert.Equal(0, balancer.Stop());
        Assert.Empty(balancer.Lines);
    }

    [Fact]
    public void LogLevelInTheEnvironment_BeatsTheOption()
    {
        using var balancer = BalancerProcess.Start(_folder.FullName, ["-l", "info"],
            new Dictionary<string, string> { ["LOG_LEVEL"] = "error" });

        Assert.Equal(0, balancer.Stop());
        Assert.Empty(balancer.Lines);
    }

    [Fact]
    public void WrongLogLevelInTheEnvironment_IsOneLineAndExit64()
    {
        using var run = new ManagedProcess(Places.Bbal, ["-s", _folder.FullName],
            new Dictionary<string, string> { ["LOG_LEVEL"] = "loud" });

        Assert.Equal(64, run.WaitForExit());
        Assert.Contains("LOG_LEVEL", Assert.Single(run.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public void Help_NamesEveryOption()
    {
        var run = BalancerProcess.Run("--help");

        Assert.Equal(0, run.Status);
        var help = string.Join('\n', run.Lines);
        foreach (var option in new[]
        {
            "-s", "-b", "-p", "-l", "--warm-up", "--probe", "--probe-rise", "--probe-fall",
            "--no-backend", "--max-remotes", "--tcp-connections",
            "--tcp-connections-per-client", "--tcp-idle", "--tcp-lifetime",
            "--quarantine", "--stop-time", "--udp-buffer",
        })
        {
            Assert.Contains(option, help, StringComparison.Ordinal);
        }
    }
}
