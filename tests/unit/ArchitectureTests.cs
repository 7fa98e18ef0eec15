// The architecture, read out of the tree itself: imports go one way (Core ← Linux ← Balancer; Core
// ← the simulator's projects), the core needs nothing but the runtime, and what the core must not
// touch is a compile error there that nothing switches off.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Xml.Linq;
using Xunit;

namespace Tests.Unit;

public sealed class ArchitectureTests
{
    internal static readonly string Root = FindRoot();
    private static readonly string Core = Path.Combine(Root, "src", "Balancer.Core");

    /// <summary>The picture in docs/architecture.md is drawn from the project files.</summary>
    [Fact]
    public void Imports_AreThoseOfTheDocument() =>
        Assert.Equal(Documented(), Projects().Select(project =>
            string.Join(' ', [project.Key + ":", .. project.Value])).Order(StringComparer.Ordinal));

    [Fact]
    public void Imports_GoInNoCircle()
    {
        var left = Projects();
        while (left.Keys.FirstOrDefault(name => !left[name].Any(left.ContainsKey)) is { } lowest)
            left.Remove(lowest);
        Assert.Empty(left);
    }

    [Theory]
    [InlineData("Balancer.Core")]
    [InlineData("FakeBinder")]
    [InlineData("Kernel", "Balancer.Core")]
    [InlineData("Balancer.Linux", "Balancer.Core")]
    [InlineData("Real", "Balancer.Core", "FakeBinder", "Scenarios")]
    public void Reach_IsAsFarAs(string project, params string[] all)
    {
        var projects = Projects();
        var reached = new SortedSet<string>(StringComparer.Ordinal);
        var next = new Stack<string>(projects[project]);
        while (next.TryPop(out var one))
        {
            if (reached.Add(one))
                projects[one].ForEach(next.Push);
        }
        Assert.Equal(all, reached);
    }

    [Theory]
    [InlineData("Balancer.Core", "Balancer.Linux", "Simulation", "FakeBinder", "Tests")]
    [InlineData("Balancer.Linux", "Simulation", "FakeBinder", "Tests")]
    [InlineData("Balancer", "Simulation", "FakeBinder", "Tests")]
    public void Sources_NameNoNamespaceAboveTheirs(string folder, params string[] above) =>
        Assert.DoesNotContain(Sources(Path.Combine(Root, "src", folder)), source =>
            above.Any(name => source.Text.Contains($"using {name}", StringComparison.Ordinal)));

    [Fact]
    public void FakeBinder_NamesNothingOfTheBalancers() =>
        Assert.DoesNotContain(Sources(Path.Combine(Root, "fake-binder")), source =>
            source.Text.Contains("using Balancer", StringComparison.Ordinal)
            || source.Text.Contains("Balancer.Core.", StringComparison.Ordinal));

    /// <summary>A file opens with what it owns, and fits beside another on a screen.</summary>
    [Theory]
    [InlineData("src")]
    [InlineData("fake-binder")]
    [InlineData("sim")]
    [InlineData("tests")]
    public void EveryFile_OpensWithAnEssayAndHas100ColumnsAtMost(string folder)
    {
        var sources = Sources(Path.Combine(Root, folder)).ToList();

        Assert.NotEmpty(sources);
        Assert.Empty(sources.Where(source => !source.Text.TrimStart('\uFEFF')
            .StartsWith("// ", StringComparison.Ordinal)).Select(source => source.Path));
        Assert.Empty(sources.SelectMany(source => source.Text.Split('\n')
            .Where(line => line.TrimEnd('\r').Length > 100)
            .Select(line => $"{source.Path}: {line}")));
    }

    [Fact]
    public void Core_NeedsNoPackageAtRunTime()
    {
        var packages = XDocument.Load(Path.Combine(Core, "Balancer.Core.csproj"))
            .Descendants("PackageReference").ToList();

        Assert.Contains(packages, package =>
            Include(package) == "Microsoft.CodeAnalysis.BannedApiAnalyzers");
        Assert.All(packages, package => Assert.Equal(
            "all", (string?)package.Attribute("PrivateAssets")));
        // What ships with the core is the core and the runtime's own libraries.
        var referenced = typeof(Balancer.Core.LoadBalancer).Assembly.GetReferencedAssemblies();
        Assert.All(referenced, name => Assert.StartsWith("System.", name.Name));
        Assert.DoesNotContain(referenced, name => name.Name is "System.Net.Sockets"
            or "System.Threading.ThreadPool" or "System.Net.Primitives" or "System.Console");
    }

    [Fact]
    public void LibraryForOthersTests_NeedsTestcontainersAlone() => Assert.Equal(
        ["Testcontainers"],
        XDocument.Load(Path.Combine(
                Root, "src", "Balancer.Testing", "Balancer.Testing.csproj"))
            .Descendants("PackageReference").Select(Include));

    [Theory]
    [InlineData("System.Net.Sockets")]
    [InlineData("System.Threading.Tasks")]
    [InlineData("System.Random")]
    [InlineData("System.HashCode")]
    [InlineData("System.DateTime.Now")]
    [InlineData("System.DateTime.UtcNow")]
    [InlineData("System.Diagnostics.Stopwatch")]
    [InlineData("System.Environment")]
    [InlineData("System.IO")]
    public void WhatTheCoreMustNotTouch_IsBanned(string symbol)
    {
        var banned = File.ReadLines(Path.Combine(Core, "BannedSymbols.txt"))
            .Select(line => line.Split(';')[0].Split(':', 2)).ToList();

        // A ban of a namespace covers those within it.
        Assert.Contains(banned, ban => ban[1] == symbol
            || (ban[0] == "N" && symbol.StartsWith(ban[1] + ".", StringComparison.Ordinal)));
    }

    [Fact]
    public void Bans_AreErrorsThatNothingSwitchesOff()
    {
        var project = XDocument.Load(Path.Combine(Core, "Balancer.Core.csproj"));
        var common = XDocument.Load(Path.Combine(Root, "Directory.Build.props"));
        Assert.Contains(project.Descendants("AdditionalFiles"),
            file => Include(file) == "BannedSymbols.txt");
        Assert.Equal("true", common.Descendants("TreatWarningsAsErrors").Single().Value);
        Assert.Empty(project.Descendants("TreatWarningsAsErrors"));

        List<string> settings =
        [
            project.ToString(), common.ToString(),
            File.ReadAllText(Path.Combine(Root, "Directory.Packages.props")),
            .. FurtherSettings(),
        ];
        Assert.All(settings, text => Assert.DoesNotContain("RS0030", text));
        Assert.All(settings, text => Assert.DoesNotContain("WarningsNotAsErrors", text));
        Assert.All(settings, text => Assert.DoesNotContain("RunAnalyzers", text));
        Assert.NotEmpty(Sources(Core));
        Assert.All(Sources(Core), source => Assert.DoesNotContain("RS0030", source.Text));
        Assert.All(Sources(Core), source => Assert.DoesNotContain("#pragma", source.Text));
    }

    private static IEnumerable<string> FurtherSettings() =>
        from folder in (List<string>)[Root, Path.Combine(Root, "src"), Core]
        from name in (List<string>)[".editorconfig", ".globalconfig", "Directory.Build.targets"]
        where File.Exists(Path.Combine(folder, name))
        select File.ReadAllText(Path.Combine(folder, name));

    /// <summary>Each project that is no test, with the names of those it references.</summary>
    private static SortedDictionary<string, List<string>> Projects()
    {
        var projects = new SortedDictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var path in ((List<string>)["src", "sim", "fake-binder"]).SelectMany(folder =>
            Directory.EnumerateFiles(
                Path.Combine(Root, folder), "*.csproj", SearchOption.AllDirectories)))
        {
            var document = XDocument.Load(path);
            Assert.Empty(document.Descendants("Reference"));
            projects.Add(Path.GetFileNameWithoutExtension(path),
            [
                .. document.Descendants("ProjectReference").Select(reference =>
                    Path.GetFileNameWithoutExtension(Include(reference)))
                    .Order(StringComparer.Ordinal),
            ]);
        }
        return projects;
    }

    /// <summary>The lines of the block under "What imports what".</summary>
    private static IEnumerable<string> Documented() =>
        File.ReadLines(Path.Combine(Root, "docs", "architecture.md"))
            .SkipWhile(line => line != "## What imports what")
            .SkipWhile(line => !line.StartsWith("```", StringComparison.Ordinal)).Skip(1)
            .TakeWhile(line => line != "```").Order(StringComparer.Ordinal);

    private static string Include(XElement item) =>
        ((string?)item.Attribute("Include") ?? "").Replace('\\', '/');

    /// <summary>The C# files of a project, without those that the build makes.</summary>
    private static List<(string Path, string Text)> Sources(string folder)
    {
        return [.. Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Where(path => !Path.GetRelativePath(folder, path).Split('/')
                .Any(part => part is "obj" or "bin"))
            .Select(path => (path, File.ReadAllText(path)))];
    }

    private static string FindRoot()
    {
        var at = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(at, "Balancer.sln")))
        {
            at = Path.GetDirectoryName(at) ?? throw new InvalidOperationException(
                $"no Balancer.sln above {AppContext.BaseDirectory}");
        }
        return at;
    }
}
