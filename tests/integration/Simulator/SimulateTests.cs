// What the simulator must find nothing in, on every run of the tests: the corpus, seeds that are
// the same each time, one that is too long for the corpus, seeds that no run before had - they
// begin with the commit's hash - and two processes that come to the same; and that it does find a
// bug that is there. `make simulate` runs these alone.
//
// They use all cores for ten minutes, beside tests that wait most of the time
// (scripts/integration). So they have only what nobody else wants: with SCHED_IDLE they neither
// take time from a balancer that is being tested nor keep it waiting.

using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using Tests.Integration.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Tests.Integration.Simulator;

public sealed class SimulateTests(ITestOutputHelper output)
{
    /// <summary>A hang, not a slow machine: alone, the longest of them takes some 300 s.</summary>
    private const int Seconds = 2400;
    private const string CommitSeed = "COMMIT";

    [Theory]
    [InlineData("run --seed 1000000 --count 2000 --owe-coverage")]
    [InlineData("run --seed 1000000 --count 300 --profile calm")]
    [InlineData("run --seed 1000000 --count 300 --profile udp")]
    [InlineData("run --seed 1000000 --count 300 --profile tcp")]
    [InlineData("run --seed 1000000 --count 300 --profile restart")]
    [InlineData("run --seed COMMIT --count 100")]
    [InlineData("run --seed 5042 --count 1")]
    [InlineData("det --seeds 200")]
    public void Simulator_FindsNothing(string arguments) => Pass(arguments);

    /// <summary>A bug planted in the core: that nothing else is found is no accident.</summary>
    [Fact]
    public void PlantedBug_IsFound() => Pass("plant run 5");

    [Fact]
    public void Corpus_HasNotComeBack() => Pass("corpus run --directory "
        + Path.Combine(Places.Root, "sim", "corpus"));

    private void Pass(string arguments)
    {
        var folder = Directory.CreateTempSubdirectory("sim-").FullName;
        var file = Path.Combine(folder, "least.json");
        var words = arguments.Replace(CommitSeed, Commit(), StringComparison.Ordinal).Split(' ');
        string[] more = words[0] == "run" ? ["--output", file] : [];
        using var sim = new ManagedProcess("chrt", ["--idle", "0", Places.Sim, .. words, .. more]);
        var code = sim.WaitForExit(Seconds);
        var last = string.Join('\n', sim.Lines.TakeLast(code == 0 ? 5 : 80).Concat(sim.Errors));
        output.WriteLine($"sim {string.Join(' ', words)}\n{last}");
        Assert.True(code == 0, $"sim {string.Join(' ', words)} exited {code}\n{last}\n"
            + (File.Exists(file) ? File.ReadAllText(file) : ""));
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>64 bits of the commit's hash; without history, of the executable's.</summary>
    private static string Commit()
    {
        var hash = GitHead() ?? Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(Places.Sim)));
        return ulong.Parse(hash[..16], NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            .ToString(CultureInfo.InvariantCulture);
    }

    private static string? GitHead()
    {
        try
        {
            using var git = new ManagedProcess("git", ["-C", Places.Root, "rev-parse", "HEAD"]);
            return git.WaitForExit() == 0 ? git.Lines[0] : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // There is no git; the tree may have come as an archive.
            return null;
        }
    }
}
