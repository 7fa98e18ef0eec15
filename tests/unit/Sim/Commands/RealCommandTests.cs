// `sim real` as far as it comes without processes: wrong usage, and executables that are not there.

using System.Linq;
using Simulation.Commands;
using Xunit;

namespace Tests.Unit.Sim.Commands;

public sealed class RealCommandTests
{
    [Theory]
    [InlineData("real")]
    [InlineData("real 7 --corpus")]
    [InlineData("real 7 --count 3")]
    [InlineData("real 7 --virtual 9s")]
    [InlineData("real --corpus --jobs 0")]
    public void WrongUsage_IsOneLineAnd64(string arguments)
    {
        var run = CommandRun.Of(arguments);

        Assert.Equal(Tool.Usage, run.Code);
        Assert.Empty(run.Output);
        Assert.Matches("^sim: [^\n]+\n$", run.Error);
    }

    [Theory]
    [InlineData("real 7 --bbal /no/such/bbal", "--bbal")]
    [InlineData("real 7 --bbal /bin/sh --fake-binder /no/such/binder", "--fake-binder")]
    public void ExecutableThatIsMissing_IsOneLineThatNamesItsOption(
        string arguments, string option)
    {
        var run = CommandRun.Of(arguments);

        Assert.Equal(Tool.Usage, run.Code);
        Assert.Contains("no such executable", run.Error);
        Assert.Contains(option, run.Error);
    }

    [Fact]
    public void OptionThatThereIsNot_IsNamed()
    {
        var run = CommandRun.Of("real --bogus 3");

        Assert.Equal("sim: '--bogus': no such option (try --help)\n", run.Error);
    }

    [Fact]
    public void ExecutableThatIsNone_IsOneLine()
    {
        var run = CommandRun.Of("real 7 --bbal /bin/sh --fake-binder /etc/passwd");

        Assert.Equal(Tool.Usage, run.Code);
        Assert.Equal("sim: /etc/passwd: not executable\n", run.Error);
    }

    [Theory]
    [InlineData("", "swarm calm udp tcp restart swarm calm")]
    [InlineData(" --profile swarm", "swarm swarm swarm swarm swarm swarm swarm")]
    [InlineData(" --profile tcp", "tcp tcp tcp tcp tcp tcp tcp")]
    public void SeedsBehindTheCorpus_AreOfEachProfileInTurnUnlessOneIsNamed(
        string options, string profiles)
    {
        var request = CommandLine.Parse(
            ("real --corpus --virtual 20s" + options).Split(' ')).Request!;

        var seeds = RealCommand.Seeds(request).Take(7).ToArray();

        Assert.Equal(profiles, string.Join(' ', seeds.Select(seed => seed.Choice.Profile)));
        Assert.Equal("2000006", seeds[6].Seed);
        Assert.All(seeds, seed => Assert.Equal(20_000_000_000,
            seed.Choice.Virtual!.Value.Nanoseconds));
    }

    [Fact]
    public void Defaults_AreThoseOfTheHelp()
    {
        var request = CommandLine.Parse(["real", "--corpus"]).Request!;

        Assert.True(request.IsCorpus);
        Assert.Equal(20, request.Count);
        Assert.InRange(request.Jobs, 1, 16);
        Assert.Equal(30_000_000_000, request.Choice.Virtual!.Value.Nanoseconds);
    }
}
