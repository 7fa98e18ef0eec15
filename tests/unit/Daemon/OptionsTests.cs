// Holds the command line to its table: what each word means, and that every wrong one is answered
// with one line that names it.

using System;
using System.Collections.Generic;
using Balancer;
using Balancer.Core;
using Serilog.Events;
using Xunit;

namespace Tests.Unit.Daemon;

public sealed class OptionsTests
{
    [Fact]
    public void OnlyPath_TakesTheDefaults()
    {
        var options = Accepted("-s", "/sockets");
        Assert.Equal("/sockets", options.BackendPath);
        Assert.Equal(new Endpoint(Ipv4.Any, 53), options.Listen);
        Assert.Equal(LogEventLevel.Information, options.LogLevel);
        Assert.False(options.ForceFallbacks);
        Assert.Equal(new BalancerOptions(), options.Balancer);
        Assert.Equal(Duration.FromSeconds(1), options.Balancer.WarmUp);
    }

    [Theory]
    [InlineData("-s", "/d", "-b", "127.0.0.2", "-p", "5300", "-l", "debug")]
    [InlineData("-s/d", "-b127.0.0.2", "-p5300", "-ldebug")]
    [InlineData("--backend-path", "/d", "--address", "127.0.0.2", "--port", "5300",
        "--log-level", "debug")]
    [InlineData("--backend-path=/d", "--address=127.0.0.2", "--port=5300", "--log-level=debug")]
    public void EverySpelling_MeansTheSame(params string[] arguments)
    {
        var options = Accepted(arguments);
        Assert.Equal("/d", options.BackendPath);
        Assert.Equal(new Endpoint(Ipv4.From(127, 0, 0, 2), 5300), options.Listen);
        Assert.Equal(LogEventLevel.Debug, options.LogLevel);
    }

    [Fact]
    public void MaxRemotes_IsWhatMemoryAllowsUnlessItIsSaid()
    {
        Assert.Null(Accepted("-s", "/d").MaxRemotes);
        Assert.Equal(4, Accepted("-s", "/d", "--max-remotes", "4").MaxRemotes);
        Assert.Equal(16_777_216, Accepted("-s", "/d", "--max-remotes=16777216").MaxRemotes);
    }

    [Fact]
    public void LongOptions_ReachTheCore()
    {
        var core = Accepted("-s", "/d", "--warm-up", "2.5", "--tcp-connections", "7",
            "--tcp-connections-per-client=3", "--tcp-idle", "0.001", "--tcp-lifetime", "604800")
            .Balancer;
        Assert.Equal(Duration.FromMilliseconds(2500), core.WarmUp);
        Assert.Equal(7, core.TcpConnections);
        Assert.Equal(3, core.TcpConnectionsPerClient);
        Assert.Equal(Duration.FromMilliseconds(1), core.TcpIdleTimeout);
        Assert.Equal(Duration.FromSeconds(604_800), core.TcpLifetime);
    }

    [Fact]
    public void QuarantineStopAndBuffer_AreNumbersWithBounds()
    {
        var plain = Accepted("-s", "/d");
        Assert.Equal(Limits.FirstQuarantine, plain.Balancer.Quarantine);
        Assert.Equal(Limits.StopGrace, plain.Balancer.StopTime);
        Assert.Equal(4_194_304, plain.UdpBuffer);
        var said = Accepted(
            "-s", "/d", "--quarantine", "0", "--stop-time=0.5", "--udp-buffer", "65536");
        Assert.Equal(Duration.Zero, said.Balancer.Quarantine);
        Assert.Equal(Duration.FromMilliseconds(500), said.Balancer.StopTime);
        Assert.Equal(65_536, said.UdpBuffer);
    }

    [Fact]
    public void Probe_IsANameAndTwoNumbers()
    {
        var core = Accepted("-s", "/d", "--probe", "a.bc", "--probe-rise", "2", "--probe-fall", "5")
            .Balancer;
        Assert.Equal(
            new byte[] { 1, (byte)'a', 2, (byte)'b', (byte)'c', 0 }, core.Probe.AsSpan().ToArray());
        Assert.Equal((2, 5), (core.ProbeRise, core.ProbeFall));
        var plain = Accepted("-s", "/d").Balancer;
        Assert.Empty(plain.Probe);
        Assert.Equal((1, 3), (plain.ProbeRise, plain.ProbeFall));
    }

    [Theory]
    [InlineData("silence", false)]
    [InlineData("servfail", true)]
    public void NoBackend_IsSilenceOrServfail(string text, bool answers) =>
        Assert.Equal(answers, Accepted("-s", "/d", "--no-backend", text)
            .Balancer.AnswersWithoutBackend);

    [Theory]
    [InlineData("0", 0)]
    [InlineData("3600", 3_600_000_000_000)]
    [InlineData(".25", 250_000_000)]
    [InlineData("0.000000001", 1)]
    public void WarmUp_TakesDecimalsAndZero(string text, long nanoseconds) =>
        Assert.Equal(new Duration(nanoseconds), Accepted("-s", "/d", "--warm-up", text)
            .Balancer.WarmUp);

    [Theory]
    [InlineData("trace", LogEventLevel.Verbose)]
    [InlineData("debug", LogEventLevel.Debug)]
    [InlineData("info", LogEventLevel.Information)]
    [InlineData("warn", LogEventLevel.Warning)]
    [InlineData("error", LogEventLevel.Error)]
    [InlineData("fatal", LogEventLevel.Fatal)]
    [InlineData("INFO", LogEventLevel.Information)]
    [InlineData("Debug", LogEventLevel.Debug)]
    [InlineData("10", LogEventLevel.Verbose)]
    [InlineData("20", LogEventLevel.Debug)]
    [InlineData("30", LogEventLevel.Information)]
    [InlineData("40", LogEventLevel.Warning)]
    [InlineData("50", LogEventLevel.Error)]
    [InlineData("60", LogEventLevel.Fatal)]
    public void LogLevel_IsTakenFromOptionOrEnvironment(string name, LogEventLevel level)
    {
        Assert.Equal(level, Accepted("-s", "/d", "-l", name).LogLevel);
        var environment = new Dictionary<string, string> { ["LOG_LEVEL"] = name };
        Assert.Equal(level, Accept(environment, "-s", "/d", "-l", "warn").LogLevel);
        Assert.Equal(level, Accept(environment, "-s", "/d").LogLevel);
    }

    [Theory]
    [InlineData("0", new uint[] { 0 })]
    [InlineData("root,4294967294", new uint[] { 0, 4_294_967_294 })]
    public void BackendUsers_AreNamesOrIds(string text, uint[] users) => Assert.Equal(
        users, Accepted("-s", "/s", "--backend-user", text).BackendUsers);

    [Theory]
    [InlineData("root,")]
    [InlineData("nobody-of-that-name")]
    [InlineData("4294967295")]
    [InlineData("-1")]
    public void BackendUserThatIsNone_IsNamed(string text) => Assert.StartsWith(
        "bbal: --backend-user: '", Options.Parse(["-s", "/s", $"--backend-user={text}"],
            _ => null).Complaint, System.StringComparison.Ordinal);

    [Fact]
    public void LogLevelVariable_EmptyCountsAsUnset()
    {
        var environment = new Dictionary<string, string> { ["LOG_LEVEL"] = "" };
        Assert.Equal(LogEventLevel.Error, Accept(environment, "-s", "/d", "-l", "error").LogLevel);
    }

    [Fact]
    public void LogLevelVariable_WrongIsNamed() => Assert.Equal(
        "bbal: LOG_LEVEL: 'loud' is not a log level (trace, debug, info, warn, error or fatal,"
            + " or 10, 20, … 60)",
        Options.Parse(["-s", "/d"], name => name == "LOG_LEVEL" ? "loud" : null).Complaint);

    [Theory]
    [InlineData("1", true)]
    [InlineData("0", false)]
    [InlineData("", false)]
    public void NoBatchCalls_ForcesTheFallbacks(string value, bool forced)
    {
        var environment = new Dictionary<string, string> { ["BBAL_NO_BATCH_CALLS"] = value };
        Assert.Equal(forced, Accept(environment, "-s", "/d").ForceFallbacks);
    }

    [Theory]
    [InlineData("/d/", "/d")]
    [InlineData("/d//", "/d")]
    [InlineData("d", "d")]
    [InlineData("/", "/")]
    [InlineData("//", "/")]
    [InlineData("@d", "@d")]
    [InlineData("-d", "-d")]
    [InlineData("/with space/ä", "/with space/ä")]
    public void Path_LosesItsTrailingSlashes(string given, string taken) =>
        Assert.Equal(taken, Accepted("-s", given).BackendPath);

    [Fact]
    public void Path_MayBeAsLongAsASocketInItFits()
    {
        var longest = "/" + new string('d', 104);
        Assert.Equal(longest, Accepted("-s", longest + "/").BackendPath);
        Assert.Equal("bbal: -s: the path is 106 bytes long; over 105, no socket in it can be "
            + "connected to", Complaint("-s", longest + "d"));
        Assert.Contains("107 bytes", Complaint("-s", "/" + new string('ä', 53)),
            StringComparison.Ordinal);
    }

    public static TheoryData<string, string[]> Wrong => new()
    {
        { "-s BACKEND_PATH is missing (try --help)", [] },
        { "-s BACKEND_PATH is missing (try --help)", ["-p", "53"] },
        { "-s: '' is not a directory", ["-s", ""] },
        { "-s: its value is missing", ["-s"] },
        {
            "--no-backend: 'SERVFAIL' is neither silence nor servfail",
            ["-s", "/d", "--no-backend", "SERVFAIL"]
        },
        { "--no-backend: its value is missing", ["-s", "/d", "--no-backend"] },
        { "--backend-path: its value is missing", ["--backend-path="] },
        { "-p: its value is missing", ["-s", "/d", "-p"] },
        { "-p: given more than once", ["-s", "/d", "-p", "1", "-p", "2"] },
        { "-p: given more than once", ["-s", "/d", "-p", "1", "-p"] },
        { "-p: given more than once", ["-s", "/d", "-p", "1", "--port=1"] },
        { "-s: given more than once", ["-s", "/d", "-s", "/d"] },
        { "-p: 'x' is not a port (1 to 65535)", ["-s", "/d", "-p", "x"] },
        { "-p: '' is not a port (1 to 65535)", ["-s", "/d", "-p", ""] },
        { "-p: '0' is not a port (1 to 65535)", ["-s", "/d", "-p0"] },
        { "-p: '65536' is not a port (1 to 65535)", ["-s", "/d", "-p", "65536"] },
        { "-p: '-1' is not a port (1 to 65535)", ["-s", "/d", "-p", "-1"] },
        { "-p: '53x' is not a port (1 to 65535)", ["-s", "/d", "-p", "53x"] },
        { "-p: ' 53' is not a port (1 to 65535)", ["-s", "/d", "-p", " 53"] },
        { "-p: '+53' is not a port (1 to 65535)", ["-s", "/d", "-p", "+53"] },
        { "-p: '٣' is not a port (1 to 65535)", ["-s", "/d", "-p", "٣"] },
        { "--port: 'x' is not a port (1 to 65535)", ["-s", "/d", "--port=x"] },
        { "-b: '127.1' is not an IPv4 address (a.b.c.d)", ["-s", "/d", "-b", "127.1"] },
        { "-b: '256.0.0.1' is not an IPv4 address (a.b.c.d)", ["-s", "/d", "-b", "256.0.0.1"] },
        { "-b: '1.2.3.4.5' is not an IPv4 address (a.b.c.d)", ["-s", "/d", "-b", "1.2.3.4.5"] },
        { "-b: 224.0.0.1 is not the address of a host", ["-s", "/d", "-b", "224.0.0.1"] },
        {
            "-b: 255.255.255.255 is not the address of a host",
            ["-s", "/d", "-b", "255.255.255.255"]
        },
        { "-s: '/caf\ufffd' is not UTF-8", ["-s", "/caf\ufffd"] },
        { "-b: '::1' is not an IPv4 address (a.b.c.d)", ["-s", "/d", "-b", "::1"] },
        { "-b: 'localhost' is not an IPv4 address (a.b.c.d)", ["-s", "/d", "-b", "localhost"] },
        { "-b: '' is not an IPv4 address (a.b.c.d)", ["-s", "/d", "-b", ""] },
        {
            "-l: 'loud' is not a log level (trace, debug, info, warn, error or fatal, or 10, 20, "
                + "… 60)",
            ["-s", "/d", "-l", "loud"]
        },
        {
            "--warm-up: '3600.1' is not a number of seconds (0 to 3600)",
            ["-s", "/d", "--warm-up", "3600.1"]
        },
        {
            "--warm-up: '-1' is not a number of seconds (0 to 3600)",
            ["-s", "/d", "--warm-up", "-1"]
        },
        {
            "--warm-up: '1e3' is not a number of seconds (0 to 3600)",
            ["-s", "/d", "--warm-up", "1e3"]
        },
        {
            "--warm-up: '1,5' is not a number of seconds (0 to 3600)",
            ["-s", "/d", "--warm-up", "1,5"]
        },
        {
            "--max-remotes: '3' is not a number of addresses (4 to 16777216)",
            ["-s", "/d", "--max-remotes", "3"]
        },
        {
            "--quarantine: '0.5' is not a number of seconds (0, or 1 to 3600)",
            ["-s", "/d", "--quarantine", "0.5"]
        },
        {
            "--stop-time: '3601' is not a number of seconds (0 to 3600)",
            ["-s", "/d", "--stop-time", "3601"]
        },
        {
            "--udp-buffer: '4k' is not a number of bytes (65536 to 1073741823)",
            ["-s", "/d", "--udp-buffer", "4k"]
        },
        {
            "--tcp-connections: '0' is not a number of connections (1 to 500000)",
            ["-s", "/d", "--tcp-connections", "0"]
        },
        {
            "--tcp-connections-per-client: '9999999999' is not a number of connections "
            + "(1 to 500000)",
            ["-s", "/d", "--tcp-connections-per-client", "9999999999"]
        },
        {
            "--tcp-idle: '0' is not a number of seconds (0.001 to 604800)",
            ["-s", "/d", "--tcp-idle", "0"]
        },
        {
            "--tcp-lifetime: '604801' is not a number of seconds (0.001 to 604800)",
            ["-s", "/d", "--tcp-lifetime", "604801"]
        },
        {
            "--probe: 'a..b' is not a domain name (labels of 1 to 63 letters, digits, hyphens and "
            + "underscores, 253 characters in all)",
            ["-s", "/d", "--probe", "a..b"]
        },
        {
            "--probe: '' is not a domain name (labels of 1 to 63 letters, digits, hyphens and "
            + "underscores, 253 characters in all)",
            ["-s", "/d", "--probe", ""]
        },
        {
            "--probe-fall: '0' is not a number of probes (1 to 1000)",
            ["-s", "/d", "--probe", "a", "--probe-fall", "0"]
        },
        {
            "--probe-rise: '1001' is not a number of probes (1 to 1000)",
            ["-s", "/d", "--probe", "a", "--probe-rise", "1001"]
        },
        { "--probe-rise: there is no --probe", ["-s", "/d", "--probe-rise", "2"] },
        { "--probe-fall: there is no --probe", ["-s", "/d", "--probe-fall", "2"] },
        { "-x: no such option (try --help)", ["-s", "/d", "-x"] },
        { "--frob: no such option (try --help)", ["-s", "/d", "--frob", "3"] },
        { "--frob=3: no such option (try --help)", ["-s", "/d", "--frob=3"] },
        { "'stray': an argument that belongs to no option (try --help)", ["-s", "/d", "stray"] },
        { "'54': an argument that belongs to no option (try --help)", ["-s/d", "-p", "53", "54"] },
        { "'': an argument that belongs to no option (try --help)", ["-s", "/d", ""] },
        { "'-': an argument that belongs to no option (try --help)", ["-s", "/d", "-"] },
        { "'x': an argument that belongs to no option (try --help)", ["-s", "/d", "--", "x"] },
        { "'[diagram]': an argument that belongs to no option (try --help)",
            ["[diagram]", "-s", "/d"] },
        { "-p: 'a\ufffdb' is not a port (1 to 65535)", ["-s", "/d", "-p", "a\nb"] },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void WrongWord_IsOneLineThatNamesIt(string complaint, string[] arguments) =>
        Assert.Equal("bbal: " + complaint, Complaint(arguments));

    [Fact]
    public void ComplaintAboutALongValue_StaysShort() =>
        Assert.True(Complaint("-s", "/d", "-p", new string('9', 100_000)).Length < 400);

    [Theory]
    [InlineData("-h")]
    [InlineData("-?")]
    [InlineData("--help")]
    public void Help_ShowsEveryOption(string asked)
    {
        var help = Options.Parse([asked, "-p", "1", "-p"], _ => null).Text!;
        foreach (var option in new[]
        {
            "-s, --backend-path", "-b, --address", "-p, --port", "-l, --log-level", "--warm-up",
            "--max-remotes", "--tcp-connections ", "--tcp-connections-per-client", "--tcp-idle",
            "--tcp-lifetime", "--quarantine", "--stop-time", "--udp-buffer",
            "--probe ", "--probe-rise", "--probe-fall", "--no-backend", "--backend-user",
            "--help", "--version",
        })
        {
            Assert.Contains(option, help, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Version_IsOneLine() =>
        Assert.Matches(@"^bbal \d+\.\d+\.\d+\S*\n$", Options.Parse(["--version"], _ => null).Text);

    private static Options Accepted(params string[] arguments) => Accept([], arguments);

    private static Options Accept(
        Dictionary<string, string> environment, params string[] arguments)
    {
        var parsed = Options.Parse(arguments, environment.GetValueOrDefault);
        Assert.Null(parsed.Complaint);
        Assert.NotNull(parsed.Options);
        return parsed.Options;
    }

    private static string Complaint(params string[] arguments)
    {
        var parsed = Options.Parse(arguments, _ => null);
        Assert.Null(parsed.Options);
        Assert.NotNull(parsed.Complaint);
        return parsed.Complaint;
    }
}
