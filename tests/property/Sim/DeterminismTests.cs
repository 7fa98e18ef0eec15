// Same seed, same hash: in this process and in others that differ in all that the machine could
// smuggle into a run - culture, time zone, collector, compiler - and on every machine that this
// code was ever built on. The last is a file of hashes, __snapshots__/DeterminismTests.*; what is
// meant to change runs changes it: delete it, run the test, and look at what came.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.IO;
using System.Threading.Tasks;
using Simulation.Commands;
using Snapshooter.Xunit;
using Xunit;

namespace Tests.Property.Sim;

public sealed class DeterminismTests
{
    /// <summary>Two virtual minutes are enough for every kind of thing to happen.</summary>
    private static readonly ImmutableArray<string> Arguments =
        ["--seed", "1", "--seeds", "20", "--virtual", "120s"];

    private static readonly Lazy<ImmutableArray<string>> OwnHashes = new(() => Hash(Arguments));

    [Fact]
    public async Task OtherTimeZoneCollectorAndCompiler_GiveTheSameHashes()
    {
        var plainOne = Task.Run(() => Run(hasCultures: false, []));
        var other = Run(hasCultures: false, new()
        {
            ["TZ"] = "Asia/Kathmandu",
            ["DOTNET_gcServer"] = "1",
            // In hexadecimal digits: half a megabyte.
            ["DOTNET_GCgen0size"] = "80000",
            ["DOTNET_TieredCompilation"] = "0",
            ["DOTNET_TieredPGO"] = "0",
        });
        var plain = await plainOne;

        Assert.Equal(("00:00:00", "False"), (plain.Settings["zone"], plain.Settings["server"]));
        Assert.Equal(("05:45:00", "True"), (other.Settings["zone"], other.Settings["server"]));
        // What is compiled once and for all is compiled less often.
        Assert.True(Number(other, "compiled") < 0.8 * Number(plain, "compiled"));
        Assert.NotEqual(plain.Settings["collections"], other.Settings["collections"]);
        AssertOwn(plain);
        AssertOwn(other);
    }

    [CultureFact]
    public void OtherCulture_GivesTheSameHashes()
    {
        var turkish = Run(hasCultures: true, new()
        {
            ["LANG"] = "tr_TR.UTF-8",
            ["LC_ALL"] = "tr_TR.UTF-8",
        });

        Assert.Equal("", CultureInfo.CurrentCulture.Name);
        Assert.Equal(("tr-TR", "İ"), (turkish.Settings["culture"], turkish.Settings["upper"]));
        AssertOwn(turkish);
    }

    [Fact]
    public void FixedSeeds_HaveTheHashesTheyAlwaysHad() => Snapshot.Match(
        string.Join('\n', Hash(["--seed", "1", "--seeds", "5"])));

    /// <summary>Line by line, so that a failure names the first seed that differs.</summary>
    private static void AssertOwn(OtherProcess process) =>
        Assert.Equal(string.Join('\n', OwnHashes.Value), string.Join('\n', process.Hashes));

    private static int Number(OtherProcess process, string setting) =>
        int.Parse(process.Settings[setting], CultureInfo.InvariantCulture);

    private static OtherProcess Run(bool hasCultures, Dictionary<string, string> environment) =>
        OtherProcess.Run([.. Arguments], hasCultures, environment);

    /// <summary>What the other processes print, made here.</summary>
    private static ImmutableArray<string> Hash(ImmutableArray<string> arguments)
    {
        var lines = new List<string>();
        foreach (var profile in CommandLine.Profiles)
        {
            using var output = new StringWriter { NewLine = "\n" };
            var tool = new Tool(new RealSimulator(), output, output);
            Assert.Equal(0, tool.Main(["hashes", .. arguments, "--profile", profile]));
            lines.Add(profile);
            lines.AddRange(output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
        return [.. lines];
    }
}
