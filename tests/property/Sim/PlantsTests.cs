// The planted bugs under sim/plants: each applies to the core as it is and compiles, and its head
// is whole; and a bug that is not there is not found, one that is there is.

using System;
using System.Collections.Concurrent;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Simulation.Planting;
using Xunit;

namespace Tests.Property.Sim;

public sealed class PlantsTests
{
    private static readonly string Root = CoreSource.FindRoot()!;
    private static readonly CoreSource Source = new(Root);

    [Fact]
    public void Patches_ApplyAndCompile()
    {
        var wrong = new ConcurrentBag<string>();
        Parallel.ForEach(Directory.GetFiles(Path.Combine(Root, PlantTool.Folder), "*.patch"),
            file =>
            {
                try
                {
                    Source.Check(PlantedBug.Read(file).Patch!);
                }
                catch (PatchException refused)
                {
                    wrong.Add(refused.Message);
                }
            });

        Assert.Empty(wrong.Order());
    }

    [Theory]
    [InlineData("public static void That(", "public static void Thet(", "definition for 'That'")]
    [InlineData("throw new", "throw now", "now")]
    [InlineData("namespace Balancer.Core;", "namespace Balancer.Other;", "Verify")]
    public void PatchThatBreaksThisFileOrAnother_DoesNotCompile(
        string words, string others, string complaint)
    {
        var line = File.ReadLines(Path.Combine(Root, VerifyFile)).First(
            line => line.Contains(words, StringComparison.Ordinal));
        using var folder = new TemporaryFolder();
        var patch = Simulation.Planting.Patch.Load(folder.Write("x.patch",
            Patch(VerifyFile, line, line.Replace(words, others, StringComparison.Ordinal))));

        var checkedOnly = Assert.Throws<PatchException>(() => Source.Check(patch));
        var compiled = Assert.Throws<PatchException>(() => Source.Compile(patch));

        Assert.Equal(compiled.Message, checkedOnly.Message);
        Assert.Contains("error CS", checkedOnly.Message, StringComparison.Ordinal);
        Assert.Contains(complaint, checkedOnly.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bugs_AreMany_AndEachHasItsOwnNumberAndName()
    {
        var bugs = PlantedBug.ReadAll(Path.Combine(Root, PlantTool.Folder));

        Assert.True(bugs.Length >= 75, $"only {bugs.Length} planted bugs");
        Assert.Equal(bugs.Length, bugs.Select(bug => bug.Name).Distinct().Count());
    }

    [Theory]
    [InlineData("Number: 5\nName: x\nWhat: y\nCheck: S1\n", "05-x.patch: no line 'Seeds: …'")]
    [InlineData("Number: 5\nName: x\nWhat: y\nCheck: S99\nSeeds: 1\n", "05-x.patch: Check: 'S99'")]
    [InlineData("Number: 0\nName: x\nWhat: y\nCheck: S1\nSeeds: 1\n", "05-x.patch: Number: '0'")]
    [InlineData("Number: 6\nName: x\nWhat: y\nCheck: S1\nSeeds: 1\n", "05-x.patch: by its head")]
    public void HeadThatIsNotWhole_IsRefused(string head, string complaint)
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("05-x.patch", head + Patch("a.cs", "a", "b"));

        var wrong = Assert.Throws<PatchException>(() => PlantedBug.Read(file));

        Assert.StartsWith(complaint, wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void PatchThatDoesNotApply_IsRefusedInOneLine()
    {
        var (status, output, error) = Try(Patch(VerifyFile, "no such line", "x"));

        Assert.Equal(64, status);
        Assert.Empty(output);
        Assert.StartsWith($"sim: x.patch: {VerifyFile}: hunk 1 (line 1) does not apply", error);
        Assert.Single(error.TrimEnd().Split('\n'));
    }

    [Fact]
    public void PatchThatDoesNotCompile_IsRefusedWithFileAndLine()
    {
        var (status, output, error) = Try(Patch(VerifyFile, VerifyLine, "nothing like C#;"));

        Assert.Equal(64, status);
        Assert.Empty(output);
        Assert.StartsWith("sim: x.patch: does not compile\n" + VerifyFile + "(", error);
        Assert.Contains("error CS", error, StringComparison.Ordinal);
    }

    [Fact]
    public void PatchThatChangesNothing_Escapes()
    {
        var (status, output, _) = Try(Patch(VerifyFile, VerifyLine, VerifyLine));

        Assert.Equal(1, status);
        Assert.EndsWith("x.patch: escaped any check in 3 seeds, from 1 on\n", output);
    }

    [Fact]
    public void PatchThatNeverEndsATurn_IsGivenUpAfterItsLimit()
    {
        // It sleeps, so that the thread that is left behind costs the other tests nothing.
        var (status, output, error) = Try(Patch("src/Balancer.Core/Loop/EventLoop.cs",
            "        Verify.That(!balancer.HasStopped, \"no turn follows a stop\");",
            "        while (!balancer.HasStopped) System.Threading.Thread.Sleep(1000);"),
            "--limit", "1s", "--jobs", "1");

        Assert.Equal(4, status);
        Assert.Empty(output);
        Assert.Equal("sim: seed 1 did not end within 1 s\n", error);
    }

    [Fact]
    public void PatchWithABug_IsFound()
    {
        using var text = new StringWriter();
        using var error = new StringWriter();
        var file = Directory.EnumerateFiles(
            Path.Combine(Root, PlantTool.Folder), "*-start-not-logged.patch").Single();

        var status = new PlantTool(text, error).Main(["plant", "try", file, "--seeds", "3"]);

        Assert.Equal(0, status);
        // On a slow machine it says how far it is.
        Assert.All(error.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries),
            line => Assert.EndsWith(" of 3 seeds", line, StringComparison.Ordinal));
        Assert.StartsWith($"{file}: found by S12 in seed 1, the 1st tried\n", text.ToString());
        Assert.EndsWith($"  sim replay 1 --plant {file}\n", text.ToString());
    }

    private static string VerifyFile { get; } = Path.GetRelativePath(Root, Directory
        .EnumerateFiles(Path.Combine(Root, "src/Balancer.Core"), "Verify.cs",
            SearchOption.AllDirectories).First()).Replace('\\', '/');

    private static string VerifyLine { get; } = File.ReadLines(Path.Combine(Root, VerifyFile))
        .First(line => line.StartsWith("using ", StringComparison.Ordinal));

    private static string Patch(string file, string line, string other) =>
        $"--- a/{file}\n+++ b/{file}\n@@ -1 +1 @@\n-{line}\n+{other}\n";

    private static (int Status, string Output, string Error) Try(
        string patch, params string[] options)
    {
        using var folder = new TemporaryFolder();
        using var output = new StringWriter();
        using var error = new StringWriter();
        var file = folder.Write("x.patch", patch);
        var status = new PlantTool(output, error).Main(
            ["plant", "try", file, "--seeds", "3", .. options]);
        return (status, output.ToString(), error.ToString());
    }

    private sealed class TemporaryFolder : IDisposable
    {
        private readonly string _path = Directory.CreateTempSubdirectory("plants-").FullName;

        public string Write(string name, string text)
        {
            var file = Path.Combine(_path, name);
            File.WriteAllText(file, text);
            return file;
        }

        public void Dispose() => Directory.Delete(_path, recursive: true);
    }
}
