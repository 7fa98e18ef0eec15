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
    [InlineData("--tcp-connections", "0")]
    [InlineData("--tcp-connections-per-client", "many")]
    [InlineData("--tcp-idle", "0")]
    [InlineData("--tcp-lifetime", "never")]
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

    [Fact]
    public void OptionGivenTwice_CountsTheLastTime()
    {
        using var balancer = BalancerProcess.Start(_folder.FullName, ["-l", "loud", "-l", "info"]);

        balancer.WaitFor(Log.Started);
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
            "-s", "-b", "-p", "-l", "--warm-up", "--tcp-connections",
            "--tcp-connections-per-client", "--tcp-idle", "--tcp-lifetime",
        })
        {
            Assert.Contains(option, help, StringComparison.Ordinal);
        }
    }
}
