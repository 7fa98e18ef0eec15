// Planted bugs are for the simulator's own proof; the core that ships holds none. Asked twice: of
// the assembly's types, and of its bytes, in which every name of a type, a field, a method or an
// enum's member stands, and every literal too.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using Balancer.Core;
using Xunit;

namespace Tests.Unit;

public sealed class PlantTests
{
    private static readonly Assembly Core = typeof(LoadBalancer).Assembly;

    [Fact]
    public void OrdinaryCore_HasNoPlantedType() =>
        Assert.DoesNotContain(Core.GetTypes(),
            type => type.Name.Contains("Plant", StringComparison.OrdinalIgnoreCase));

    [Fact]
    public void OrdinaryCore_HasNoPlantedMember() =>
        Assert.DoesNotContain(Core.GetTypes().SelectMany(MembersOf),
            member => member.Name.Contains("Plant", StringComparison.OrdinalIgnoreCase));

    [Fact]
    public void OrdinaryAssembly_HoldsNoNameOfAPlantedBug()
    {
        var assembly = File.ReadAllBytes(Core.Location);
        var names = PlantedNames();

        Assert.True(names.Count >= 30, $"only {names.Count} planted bugs were found in the source");
        Assert.Equal(names.Count, names.Distinct(StringComparer.Ordinal).Count());
        Assert.DoesNotContain(names, name => Holds(assembly, name));
        Assert.False(Holds(assembly, "Plants"));
        Assert.False(Holds(assembly, "planted"));
    }

    [Theory]
    [InlineData(nameof(Counter.QueriesReceived))]
    [InlineData("_nextBackOff")]
    [InlineData("invariant broken: ")]
    public void NameThatIsThere_IsFoundInTheAssembly(string name) =>
        Assert.True(Holds(File.ReadAllBytes(Core.Location), name));

    [Fact]
    public void Sources_AskForPlantsOnlyWhereTheyAreCompiledForThem()
    {
        foreach (var path in Directory.EnumerateFiles(CoreFolder(), "*.cs"))
        {
            var outside = new List<string>();
            var isInside = false;
            foreach (var line in File.ReadLines(path))
            {
                if (line.StartsWith('#'))
                    isInside = line == "#if PLANT";
                else if (!isInside)
                    outside.Add(line);
            }
            Assert.DoesNotContain(
                outside, line => line.Contains("Plant", StringComparison.Ordinal));
        }
    }

    private static MemberInfo[] MembersOf(Type type) => type.GetMembers(BindingFlags.Public
        | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static
        | BindingFlags.DeclaredOnly);

    /// <summary>The members of the enum of planted bugs, out of its source.</summary>
    private static List<string> PlantedNames() =>
    [.. Regex.Matches(File.ReadAllText(Path.Combine(CoreFolder(), "Plants.cs")),
            @"^    (\w+) = [1-9][0-9]*,$", RegexOptions.Multiline)
        .Select(match => match.Groups[1].Value)];

    /// <summary>Names stand in an assembly as UTF-8, literals as UTF-16.</summary>
    private static bool Holds(byte[] assembly, string name) =>
        assembly.AsSpan().IndexOf(Encoding.UTF8.GetBytes(name)) >= 0
        || assembly.AsSpan().IndexOf(Encoding.Unicode.GetBytes(name)) >= 0;

    private static string CoreFolder()
    {
        var at = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(at, "Balancer.sln")))
        {
            at = Path.GetDirectoryName(at) ?? throw new InvalidOperationException(
                $"no Balancer.sln above {AppContext.BaseDirectory}");
        }
        return Path.Combine(at, "src", "Balancer.Core");
    }
}
