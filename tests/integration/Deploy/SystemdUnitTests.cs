// The systemd unit as a file: the settings that it must have, what systemd itself says of it, and
// the files beside it.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Balancer.Core;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Deploy;

public sealed class SystemdUnitTests
{
    private readonly SystemdUnit _unit = SystemdUnit.Read();

    [Theory]
    [InlineData("Type", "notify")]
    [InlineData("NotifyAccess", "main")]
    [InlineData("Restart", "always")]
    [InlineData("RestartPreventExitStatus", "64")]
    [InlineData("DynamicUser", "yes")]
    [InlineData("AmbientCapabilities", "CAP_NET_BIND_SERVICE")]
    [InlineData("CapabilityBoundingSet", "CAP_NET_BIND_SERVICE")]
    [InlineData("NoNewPrivileges", "yes")]
    [InlineData("ProtectSystem", "strict")]
    [InlineData("ProtectHome", "yes")]
    [InlineData("PrivateTmp", "yes")]
    [InlineData("PrivateDevices", "yes")]
    [InlineData("RestrictAddressFamilies", "AF_UNIX AF_INET")]
    [InlineData("MemoryDenyWriteExecute", "yes")]
    [InlineData("SystemCallArchitectures", "native")]
    [InlineData("SystemCallErrorNumber", "EPERM")]
    [InlineData("ExecReload", "/bin/kill -HUP $MAINPID")]
    [InlineData("EnvironmentFile", "-/etc/default/bbal")]
    public void Service_HasTheSetting(string key, string value) =>
        Assert.Equal(value, _unit["Service", key]);

    [Fact]
    public void Service_IsNeverGivenUpOn() =>
        Assert.Equal("0", _unit["Unit", "StartLimitIntervalSec"]);

    [Fact]
    public void DescriptorLimit_IsEnoughForEveryConnectionAndBackend() => Assert.True(
        Number(_unit["Service", "LimitNOFILE"])
        >= 2 * Limits.TcpConnections + 2 * Limits.MaxBackends + 64);

    [Fact]
    public void StopTimeout_IsLongerThanTheGraceOfAStop() => Assert.True(
        Number(_unit["Service", "TimeoutStopSec"]) > Limits.StopGrace.TotalSeconds);

    [Fact]
    public void CommandLine_IsOneThatTheExecutableTakes()
    {
        var words = _unit.CommandLine(new Dictionary<string, string>
        {
            ["BBAL_SOCKETS"] = "/run/binder/sockets",
            ["BBAL_OPTIONS"] = "-b 127.0.0.1 --warm-up 2 --help",
        });

        Assert.Equal("/usr/bin/bbal", words[0]);
        var (status, errors, lines) = BalancerProcess.Run([.. words.Skip(1)]);
        Assert.Equal(0, status);
        Assert.Empty(errors);
        Assert.NotEmpty(lines);
    }

    [Fact]
    public void Group_IsMadeByTheFilesBesideIt()
    {
        var group = _unit["Service", "SupplementaryGroups"];

        Assert.Contains(Beside("bbal.sysusers"), line => line == $"g {group} - -");
        Assert.Contains(Beside("bbal.tmpfiles"), line =>
            line == $"d /run/binder/sockets 2770 root {group} -");
        Assert.Contains("BBAL_SOCKETS=/run/binder/sockets", _unit.All("Service", "Environment"));
    }

    /// <summary>
    /// As on a machine that has none of the folders yet; Debian's systemd comes without
    /// /etc/sysusers.d.
    /// </summary>
    [Fact]
    public void LinesAtTheHead_InstallEveryFileThatTheUnitNeeds()
    {
        using var root = new TestFolder();
        var lines = File.ReadLines(SystemdUnit.Path)
            .Where(line => line.StartsWith("#   install ", StringComparison.Ordinal))
            .Select(line => Regex.Replace(line[1..], @" (?=/)", " " + root.FullName))
            .ToList();

        using var shell = new ManagedProcess(
            "sh", ["-ec", $"cd '{Places.Root}'\n" + string.Join('\n', lines)]);

        Assert.True(shell.WaitForExit() == 0, shell.Tail());
        Assert.All(
            new[]
            {
                _unit["Service", "ExecStart"].Split(' ')[0],
                _unit["Service", "EnvironmentFile"].TrimStart('-'),
                "/etc/systemd/system/bbal.service",
                "/etc/sysusers.d/bbal.conf",
                "/etc/tmpfiles.d/bbal.conf",
            },
            path => Assert.True(File.Exists(root.FullName + path), path));
    }

    [Fact]
    public void EveryVariableOfTheCommandLine_HasAValueWithoutAnybodysHelp()
    {
        var set = _unit.All("Service", "Environment").Select(line => line.Split('=')[0]);

        // systemd warns at each start of one that has none.
        Assert.Equal(
            Regex.Matches(_unit["Service", "ExecStart"], @"\$\{?(\w+)")
                .Select(match => match.Groups[1].Value),
            set);
    }

    [Fact]
    public void SampleOfOptions_SetsWhatTheUnitAndTheExecutableRead() => Assert.Equal(
        ["BBAL_SOCKETS", "BBAL_OPTIONS", "LOG_LEVEL"],
        Beside("bbal.default").Where(line => line.Contains('='))
            .Select(line => line.TrimStart('#').Split('=')[0]));

    [Fact]
    public void Exposure_IsTwoOrLower()
    {
        using var analyze = new ManagedProcess("systemd-analyze",
            ["security", "--no-pager", "--offline=true", "--threshold=20", SystemdUnit.Path]);

        Assert.True(analyze.WaitForExit() == 0, analyze.Tail());
        var exposure = Regex.Match(string.Join('\n', analyze.Lines),
            @"Overall exposure level for bbal\.service: ([0-9.]+)");
        Assert.True(exposure.Success, analyze.Tail());
        Assert.InRange(
            double.Parse(exposure.Groups[1].Value, CultureInfo.InvariantCulture), 0.1, 2.0);
    }

    [Fact]
    public void Systemd_FindsNothingWrong()
    {
        using var folder = new TestFolder();
        // It looks whether the executable is there, and in this tree it is elsewhere.
        File.WriteAllText(folder["bbal.service"], File.ReadAllText(SystemdUnit.Path)
            .Replace("=/usr/bin/bbal ", $"={Places.Bbal} ", StringComparison.Ordinal));
        using var analyze = new ManagedProcess("systemd-analyze",
            ["verify", "--man=no", folder["bbal.service"]]);

        Assert.True(analyze.WaitForExit() == 0, analyze.Tail());
        Assert.DoesNotContain(analyze.Errors, line =>
            line.Contains("bbal.service", StringComparison.Ordinal));
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static string[] Beside(string name) =>
        File.ReadAllLines(Path.Combine(Path.GetDirectoryName(SystemdUnit.Path)!, name));
}
