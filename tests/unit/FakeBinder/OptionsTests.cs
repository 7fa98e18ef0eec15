// The command line: what each option makes, and how a wrong one is refused.

using System.IO;
using FakeBinder;
using Xunit;

namespace Tests.Unit.FakeBinder;

public sealed class OptionsTests
{
    private static Settings Read(string line)
    {
        var options = new Options();
        var arguments = line.Split(' ');
        var parsed = options.Parse(arguments);
        Assert.Null(options.Complaint(arguments, parsed));
        return options.Read(parsed);
    }

    private static string Wrong(string line)
    {
        var options = new Options();
        var arguments = line.Split(' ');
        return options.Complaint(arguments, options.Parse(arguments)) ?? "";
    }

    [Fact]
    public void PathsAlone_MakeAGoodBackend()
    {
        var settings = Read("/x/5301 /x/5302");
        Assert.Equal(["/x/5301", "/x/5302"], settings.Paths);
        Assert.Equal(Misbehaviour.None, settings.Misbehaviour);
        Assert.Null(settings.Id);
        Assert.True(settings.Accepts);
        Assert.False(settings.Verbose);
    }

    [Fact]
    public void GeneralOptions_AreRead()
    {
        var settings = Read("--id me --no-accept --verbose p");
        Assert.Equal("me", settings.Id);
        Assert.False(settings.Accepts);
        Assert.True(settings.Verbose);
    }

    [Fact]
    public void ScriptJournalAndCommands_AreRead()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, "{\"noHello\":true,\"dropEvery\":2}");

        var settings = Read($"--script {file} --drop-every 3 --journal j --commands p");

        Assert.Equal(new Misbehaviour { NoHello = true, DropEvery = 3 }, settings.Misbehaviour);
        Assert.Equal("j", settings.Journal);
        Assert.True(settings.TakesCommands);
        File.WriteAllText(file, "{\"noHallo\":true}");
        Assert.StartsWith($"--script {file}: ", Wrong($"--script {file} p"));
        File.Delete(file);
        Assert.StartsWith($"--script {file}: ", Wrong($"--script {file} p"));
        Assert.Null(Read("p").Journal);
        Assert.False(Read("p").TakesCommands);
    }

    [Fact]
    public void ProcessHelloAndControl_AreRead() => Assert.Equal(
        new Misbehaviour
        {
            DelayNs = 250_000_000,
            DropEvery = 3,
            HangAfter = 0,
            PauseAfter = 1,
            PauseNs = 1_500_000_000,
            CrashAfter = 2,
            CrashMidFrameAfter = 4,
            ServfailForNs = 120_000_000_000,
            LoadForNs = 3_000_000_000,
            NoHello = true,
            HelloDelayNs = 1_000_000,
            HelloTwice = true,
            CloseAfterHelloNs = 0,
            ReplyBeforeHello = true,
            NoHeartbeat = true,
            HeartbeatDelayNs = 14_900_000_000,
            HeartbeatTwice = true,
            HeartbeatUnaskedNs = 3_600_000_000_000,
            UnknownFrameAfter = 5,
            TcpFrameOnControlAfter = 6,
            GarbageAfter = 7,
            HelloAgainAfter = 8,
            HalfCloseAfter = 9,
            EndMidFrameAfter = 10,
            FrameSplit = 11,
        },
        Read("--delay 250ms --drop-every 3 --hang-after 0 --pause-after 1 --pause 1.5s "
            + "--crash-after 2 --crash-mid-frame-after 4 --servfail-for 2m --load-for 3s "
            + "--no-hello --hello-delay 1ms --hello-twice --close-after-hello 0s "
            + "--reply-before-hello "
            + "--no-heartbeat --heartbeat-delay 14.9s --heartbeat-twice "
            + "--heartbeat-unasked 60m --unknown-frame-after 5 "
            + "--tcp-frame-on-control-after 6 --garbage-after 7 --hello-again-after 8 "
            + "--half-close-after 9 --end-mid-frame-after 10 --frame-split=11 p").Misbehaviour);

    [Fact]
    public void RepliesAndTcp_AreRead() => Assert.Equal(
        new Misbehaviour
        {
            ReplyLength = 1501,
            ReplyLengthClaim = uint.MaxValue,
            ReplyPort = 65_536,
            ReplyAddress = 0x0a4d4d05,
            DuplicateReplies = 1,
            OtherQuestionEvery = 5,
            CrashBeforeTcpOk = true,
            TcpRefuse = true,
            TcpReset = true,
            TcpNoOk = true,
            TcpWrongFrame = true,
            TcpOkDelayNs = 9_000_000_000,
            TcpOkSplit = true,
            TcpOkWithData = true,
            TcpHalfCloseFirst = true,
            TcpNeverRead = true,
            TcpChunk = 1,
        },
        Read("--reply-length 1501 --reply-length-claim 4294967295 --reply-port 65536 "
            + "--reply-address 10.77.77.5 --duplicate-replies 1 "
            + "--other-question-every 5 --crash-before-tcp-ok "
            + "--tcp-refuse --tcp-reset --tcp-no-ok --tcp-wrong-frame --tcp-ok-delay 9s "
            + "--tcp-ok-split "
            + "--tcp-ok-with-data --tcp-half-close-first --tcp-never-read --tcp-chunk 1 p")
            .Misbehaviour);

    [Theory]
    [InlineData("--no-hello", "at least one PATH")]
    [InlineData("--bogus p", "--bogus: no such option")]
    [InlineData("p p", "p is given twice")]
    [InlineData("--delay 61m p", "--delay 61m")]
    [InlineData("--delay 5 p", "--delay 5")]
    [InlineData("--delay -1s p", "--delay -1s")]
    [InlineData("--delay 1e3s p", "--delay 1e3s")]
    [InlineData("--delay ms p", "--delay ms")]
    [InlineData("--crash-after -1 p", "--crash-after -1")]
    [InlineData("--crash-after 2147483648 p", "--crash-after 2147483648")]
    [InlineData("p --crash-after", "--crash-after")]
    [InlineData("--drop-every 0 p", "--drop-every 0")]
    [InlineData("--reply-length 65536 p", "--reply-length 65536")]
    [InlineData("--reply-port 4294967296 p", "--reply-port 4294967296")]
    [InlineData("--reply-address 10.1 p", "--reply-address 10.1")]
    [InlineData("--reply-address ::1 p", "--reply-address ::1")]
    [InlineData("--pause 1s p", "--pause and --pause-after")]
    [InlineData("--pause-after 1 p", "--pause and --pause-after")]
    [InlineData("--no-hello=yes p", "--no-hello: takes no value")]
    [InlineData("--listen 5353", "--listen 5353: must be an IPv4 address and a port")]
    [InlineData("--listen ::1:5353", "--listen ::1:5353: must be")]
    [InlineData("--listen 127.0.0.1:0", "--listen 127.0.0.1:0: must be")]
    [InlineData("--listen 127.0.0.1:5353 --no-hello", "--no-hello: has no effect without a PATH")]
    [InlineData("p --id", "--id: its value is missing")]
    [InlineData("--id", "--id: its value is missing")]
    [InlineData("--script /no/file p", "--script /no/file: No such file or directory")]
    [InlineData("--script / p", "--script /: Permission denied")]
    [InlineData("p --delay", "--delay: its value is missing")]
    [InlineData("--id p",
        "at least one PATH to listen on is needed, or --listen (--id has taken 'p')")]
    [InlineData("--id a --id b p", "--id: given more than once")]
    [InlineData("--delay 1s --delay 2s p", "--delay: given more than once")]
    [InlineData("--no-hello --no-hello p", "--no-hello: given more than once")]
    public void WrongOption_IsNamed(string line, string expected) =>
        Assert.Contains(expected, Wrong(line), System.StringComparison.Ordinal);

    [Fact]
    public void ListenAndHealth_AreRead()
    {
        var settings = Read("--listen 127.0.0.1:5353 --drop-every 2");
        Assert.Equal("127.0.0.1:5353", settings.Listen?.ToString());
        Assert.Empty(settings.Paths);
        Assert.False(settings.OnlyAsksForHealth);
        Assert.True(Read("--health").OnlyAsksForHealth);
        Assert.Equal(["p"], Read("--health p").Paths);
        Assert.Null(Read("p").Listen);
    }

    [Fact]
    public void ScriptInPlaceOfAFile_IsRead() => Assert.Equal(
        new Misbehaviour { NoHello = true, DropEvery = 3 },
        Read("--script {\"noHello\":true,\"dropEvery\":2} --drop-every 3 p").Misbehaviour);

    [Fact]
    public void ScriptFile_IsReadAgainWithTheOtherOptionsOnTop()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, "{\"noHello\":true,\"dropEvery\":2}");
        var settings = Read($"--script {file} --drop-every 3 p");

        File.WriteAllText(file, "{\"crashAfter\":1,\"dropEvery\":2}");

        Assert.Equal(new Misbehaviour { CrashAfter = 1, DropEvery = 3 },
            settings.ReadScriptAgain!());
        File.Delete(file);
        Assert.Null(Read("--script {} p").ReadScriptAgain);
        Assert.Null(Read("p").ReadScriptAgain);
    }

    [Theory]
    [InlineData("-h")]
    [InlineData("-?")]
    [InlineData("--help")]
    [InlineData("--help --bogus")]
    public void Help_WinsOverOtherArguments(string line)
    {
        var options = new Options();

        var help = options.Text(options.Parse(line.Split(' ')));

        Assert.Contains("--crash-mid-frame-after <N>", help);
        Assert.Contains("-?, -h, --help", help);
    }

    [Fact]
    public void Version_HasTheName()
    {
        var options = new Options();

        Assert.Matches(@"^fake-binder \d+\.\d+\.\d+\S*\n$",
            options.Text(options.Parse(["--version"])));
        Assert.Null(options.Text(options.Parse(["p"])));
    }

    [Fact]
    public void PathOver107Bytes_IsRefused()
    {
        Assert.Equal("", Wrong(new string('x', 107)));
        Assert.NotEqual("", Wrong(new string('x', 108)));
        Assert.NotEqual("", Wrong(new string('ü', 54)));
    }
}
