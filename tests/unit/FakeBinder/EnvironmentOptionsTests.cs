// Options in the environment: the same as on the command line, which wins.

using System;
using System.Collections.Generic;
using System.Linq;
using FakeBinder;
using Xunit;

namespace Tests.Unit.FakeBinder;

public sealed class EnvironmentOptionsTests
{
    [Fact]
    public void Variables_AreOptions()
    {
        var settings = Read("", "ID=me", "CRASH_AFTER=100", "TCP_REFUSE=1", "TCP_RESET=0",
            "DELAY=1.5s", "LISTEN=127.0.0.1:5353", "HANG_AFTER=", "PATHS=/a:/b");

        Assert.Equal("me", settings.Id);
        Assert.Equal(new Misbehaviour
        {
            CrashAfter = 100,
            TcpRefuse = true,
            DelayNs = 1_500_000_000,
        }, settings.Misbehaviour);
        Assert.Equal("127.0.0.1:5353", settings.Listen?.ToString());
        // Only where nothing else says where to listen.
        Assert.Empty(settings.Paths);
    }

    [Fact]
    public void Script_MayBeInTheEnvironment() => Assert.Equal(
        new Misbehaviour { DropEvery = 2 },
        Read("p", "SCRIPT={\"dropEvery\": 2}").Misbehaviour);

    [Fact]
    public void CommandLine_Wins()
    {
        var settings = Read("--crash-after 2 /c", "CRASH_AFTER=100", "PATHS=/a:/b", "ID=me");

        Assert.Equal(2, settings.Misbehaviour.CrashAfter);
        Assert.Equal("me", settings.Id);
        Assert.Equal(["/c"], settings.Paths);
        Assert.Equal(["/a", "/b"], Read("--crash-after 2", "PATHS=/a:/b").Paths);
    }

    [Theory]
    [InlineData("CRSH_AFTER=1", "FAKE_BINDER_CRSH_AFTER: there is no option --crsh-after")]
    [InlineData("HELP=1", "FAKE_BINDER_HELP: there is no option --help")]
    [InlineData("CRASH_AFTER=x", "FAKE_BINDER_CRASH_AFTER: --crash-after x: must be a whole")]
    [InlineData("NO_HELLO=yes", "FAKE_BINDER_NO_HELLO=yes: must be 1, true, 0 or false")]
    [InlineData("SCRIPT={}}", "FAKE_BINDER_SCRIPT: --script: is not JSON")]
    [InlineData("PAUSE=1s", "--pause and --pause-after come together")]
    public void WrongVariable_IsNamed(string variable, string complaint) =>
        Assert.StartsWith(complaint, Wrong(variable));

    [Theory]
    [InlineData("PORT=tcp://10.0.0.1:53")]
    [InlineData("PORT_53_TCP_ADDR=10.0.0.1")]
    [InlineData("SERVICE_HOST=10.0.0.1")]
    public void WhatKubernetesSaysOfAServiceOfThatName_IsPassedOver(string variable) =>
        Assert.Equal("", Wrong(variable));

    private static Settings Read(string line, params string[] variables)
    {
        var options = new Options();
        var (arguments, complaint) = Add(options, line, variables);
        Assert.Null(complaint);
        var parsed = options.Parse(arguments);
        Assert.Null(options.Complaint(arguments, parsed));
        return options.Read(parsed);
    }

    private static string Wrong(string variable)
    {
        var options = new Options();
        var (arguments, complaint) = Add(options, "p", [variable]);
        return complaint ?? options.Complaint(arguments, options.Parse(arguments)) ?? "";
    }

    private static (string[] Arguments, string? Complaint) Add(
        Options options, string line, IEnumerable<string> variables) =>
        EnvironmentOptions.Add(options,
            line.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            variables.Select(variable => variable.Split('=', 2))
                .ToDictionary(pair => "FAKE_BINDER_" + pair[0], pair => pair[1]));
}
