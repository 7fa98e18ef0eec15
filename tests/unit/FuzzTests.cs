// What is fuzzed (make fuzz) passes on its corpus, in which the findings of earlier runs are kept.

using System.IO;
using System.Linq;
using Simulation.Planting;
using Tests.Fuzz;
using Xunit;

namespace Tests.Unit;

public sealed class FuzzTests
{
    private static readonly string Folder = Path.Combine(CoreSource.FindRoot()!, "tests/fuzz");

    public static TheoryData<string, string> Corpus()
    {
        var data = new TheoryData<string, string>();
        foreach (var target in Target.All)
        {
            foreach (var file in Directory.EnumerateFiles(
                Path.Combine(Folder, "corpus", target.Name)).Order())
            {
                data.Add(target.Name, Path.GetFileName(file));
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Corpus))]
    public void InputOfTheCorpus_Passes(string target, string file) =>
        Target.All.Single(any => any.Name == target)
            .Run(File.ReadAllBytes(Path.Combine(Folder, "corpus", target, file)));

    [Fact]
    public void EachTarget_HasACorpusAndIsFuzzed()
    {
        var names = Target.All.Select(target => target.Name).ToList();
        var folders = Directory.EnumerateDirectories(Path.Combine(Folder, "corpus"))
            .Select(folder => Path.GetFileName(folder)!);

        Assert.Equal(names.Order(), folders.Order());
        Assert.Contains($"targets=({string.Join(' ', names)})",
            File.ReadAllText(Path.Combine(Folder, "../../scripts/fuzz")));
    }
}
