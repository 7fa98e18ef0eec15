// The documents, held to the tree: what README and docs/ link to or name is there, and what the
// sources name of the documents (a section, a check, a fault, a decision) is there, too. Sources
// cite a document by its path: "docs/behaviour.md, section 4", "docs/original-faults.md, fault 12".
//
// What always holds: a finding is a line that says which file names what; a test that looks at
// nothing fails.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text.RegularExpressions;
using Balancer;
using Balancer.Core;
using Balancer.Linux;
using Simulation.Checking;
using Xunit;

namespace Tests.Unit;

public sealed partial class DocumentTests
{
    private static readonly string Root = ArchitectureTests.Root;

    /// <summary>Every file of the tree that somebody wrote, by its path from the root.</summary>
    private static readonly HashSet<string> Files = [.. Walk(Root)];

    private static readonly HashSet<string> Names =
        [.. Files.Select(file => Path.GetFileName(file))];

    private static readonly List<string> Documents =
        [.. Files.Where(file => file.EndsWith(".md", StringComparison.Ordinal))];

    /// <summary>Sources, with their comments in one line each.</summary>
    private static readonly List<(string Path, string Text)> Sources =
        [.. Files.Where(IsSource).Select(file => (file, Unwrapped(Read(file))))];

    private static readonly HashSet<string> Words = [.. Files
        .Where(file => IsSource(file) && file != "tests/unit/DocumentTests.cs")
        .SelectMany(file => Identifier().Matches(Read(file))).Select(match => match.Value)];

    // ---- The documents ----

    [Fact]
    public void Links_LeadToAFileAndToAHeadingInIt()
    {
        var links = Documents.SelectMany(file => Link().Matches(WithoutCode(Read(file)))
            .Select(link => (File: file, To: link.Groups[1].Value))).ToList();

        Assert.NotEmpty(links);
        Nothing(links.Where(link => !IsElsewhere(link.To) && !Leads(link.File, link.To))
            .Select(link => $"{link.File} links to {link.To}"));
    }

    [Fact]
    public void Paths_ThatDocumentsName_AreThere()
    {
        var named = Spans().Where(span => TreePath().IsMatch(span.Text)).ToList();

        Assert.NotEmpty(named);
        Nothing(named.Where(span => !IsThere(span.Text.TrimEnd('/')))
            .Select(span => $"{span.File} names {span.Text}"));
    }

    [Fact]
    public void FileNamesInDocuments_Exist()
    {
        var named = Spans().Where(span => SourceName().IsMatch(span.Text)).ToList();

        Assert.NotEmpty(named);
        Nothing(named.Where(span => !Names.Contains(span.Text))
            .Select(span => $"{span.File} names {span.Text}"));
    }

    /// <summary>A type, a member or a test that was renamed is renamed in the documents.</summary>
    [Fact]
    public void NamesOfCode_ThatDocumentsUse_AreInTheSources()
    {
        var named = Spans().Where(span => NameOfCode().IsMatch(span.Text)).ToList();

        Assert.NotEmpty(named);
        Nothing(named.Where(span => !IsWord(span.Text))
            .Select(span => $"{span.File} names {span.Text}"));
    }

    // ---- What the sources say of the documents ----

    [Fact]
    public void DocumentsThatSourcesName_AreThere() => Nothing(
        from source in Sources
        from Match named in DocumentName().Matches(source.Text)
        where !Files.Contains(named.Value) && !Names.Contains(named.Value)
        select $"{source.Path} names {named.Value}");

    [Fact]
    public void SectionsThatSourcesName_AreInTheDocumentThatTheyName()
    {
        // What SpecifiedRules.cs quotes is compared with its document whole, by its own test.
        var named = Sources
            .Where(source => !source.Path.EndsWith("/SpecifiedRules.cs", StringComparison.Ordinal))
            .SelectMany(source => Section().Matches(source.Text)
                .Select(match => (source.Path, Match: match))).ToList();

        Assert.NotEmpty(named);
        Nothing(named.Where(section => !IsSection(section.Match))
            .Select(section => $"{section.Path}: {section.Match.Value}"));
    }

    [Fact]
    public void ChecksThatAreNamed_AreInTheirDocument()
    {
        var known = Headings("docs/invariants.md")
            .Select(heading => heading.Split(' ')[0]).ToHashSet();
        var named =
            from file in Files.Where(file => IsSource(file) || IsDocument(file))
            from Match check in CheckId().Matches(WithoutTestData(file))
            select (File: file, Id: check.Value);

        Assert.Contains("S13", known);
        Nothing(named.Where(check => !known.Contains(check.Id)).Distinct()
            .Select(check => $"{check.File} names {check.Id}"));
    }

    /// <summary>Where a line of the product belongs can be looked up, file by file.</summary>
    [Fact]
    public void EachFileOfTheProduct_IsInTheArchitecture() =>
        AssertNames("docs/architecture.md", ProductSource());

    [Fact]
    public void EachFileOfTheSimulatorAndOfTheFakes_IsInTheListOfThem() =>
        AssertNames("docs/files.md", OtherSource());

    [Fact]
    public void EachCheck_IsDescribedWithItsFile()
    {
        var checks = Names.Select(name => CheckFile().Match(name)).Where(file => file.Success)
            .ToDictionary(file => file.Groups[1].Value, file => file.Value);
        var text = Read("docs/invariants.md");

        Assert.Equal(23, checks.Count);
        Assert.All(Headings("docs/invariants.md").Where(heading => CheckId().IsMatch(heading)),
            heading => Assert.Equal(
                heading, $"{heading.Split(' ')[0]} {CheckNames.Of(heading.Split(' ')[0])}"));
        Assert.All(checks, check => Assert.Matches(
            $@"### {check.Key} [^#]*`{Regex.Escape(check.Value)}`", text));
    }

    [Fact]
    public void FaultsOfTheOriginal_AreNineteenAndTestsNameNoOthers()
    {
        var faults = Headings("docs/original-faults.md")
            .Where(heading => heading.StartsWith("Fault ", StringComparison.Ordinal)).ToList();

        Assert.Equal(Enumerable.Range(1, 19).Select(number => $"Fault {number}"), faults);
        Nothing(
            from source in Sources
            from Match fault in FaultNumber().Matches(source.Text)
            where !faults.Contains($"Fault {int.Parse(fault.Groups[1].Value, null)}")
            select $"{source.Path} names {fault.Value}");
    }

    [Fact]
    public void EachCounter_IsDescribed()
    {
        var described = Rows("docs/operating/counters.md").ToHashSet();
        var counters = Enum.GetNames<Counter>().Select(SnakeCase).ToList();

        Assert.Empty(counters.Except(described));
        Assert.Empty(described
            .Where(name => name.StartsWith("queries_", StringComparison.Ordinal)
                || name.StartsWith("replies_", StringComparison.Ordinal)
                || name.StartsWith("connections_", StringComparison.Ordinal)
                || name.StartsWith("remotes_", StringComparison.Ordinal)).Except(counters));
    }

    [Fact]
    public void EachCauseOfAFault_IsDescribed()
    {
        var described = Span().Matches(Read("docs/protocol.md"))
            .Select(span => span.Groups[1].Value).ToHashSet();

        Assert.Empty(Enum.GetNames<FaultCause>().Select(SnakeCase).Except(described));
    }

    private static IEnumerable<PropertyInfo> OfATurn =>
        typeof(TurnLimits).GetProperties(BindingFlags.Public | BindingFlags.Instance);

    [Fact]
    public void EachLimit_IsDescribedWithItsValue()
    {
        var limits = typeof(Limits).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(field => (field.Name, Value: field.GetValue(null)!))
            .Concat(OfATurn.Select(of => (of.Name, Value: of.GetValue(TurnLimits.Standard)!)))
            .Select(limit => $"| `{limit.Name}` | {InWords(limit.Value)} |").ToList();
        var described = LimitRow().Matches(Read("docs/behaviour.md"))
            .Select(row => row.Value.TrimEnd()).ToList();

        Assert.NotEmpty(limits);
        Nothing(limits.Except(described).Select(row => "docs/behaviour.md lacks " + row));
        Nothing(described.Except(limits).Select(row => "docs/behaviour.md says " + row));
    }

    /// <summary>Those of the process around the core, by the names of their constants.</summary>
    [Fact]
    public void LimitsOutsideOfTheCore_AreDescribedWithTheirValues()
    {
        var rows = LimitTable("outer limits");

        Assert.Equal(11, rows.Count);
        Assert.All(rows, row =>
        {
            var name = row[0].Trim('`').Split('.');
            var field = new[] { typeof(Limits), typeof(LinuxNetworkOptions), typeof(Options) }
                .SelectMany(known => known.Assembly.GetTypes()).Single(one => one.Name == name[0])
                .GetField(name[1],
                    BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic);
            Assert.NotNull(field);
            Assert.Equal(InWords(field.GetValue(null)!), row[1]);
        });
    }

    /// <summary>
    /// Each says what an operator can set and see of it, or why there is nothing.
    /// </summary>
    [Fact]
    public void EachLimit_HasAnOptionAndACounterOrSaysWhyNot()
    {
        var help = Options.Parse(["--help"], _ => null).Text!;
        var options = LongOption().Matches(help).Select(option => option.Value).ToHashSet();
        var counters = Enum.GetNames<Counter>().Select(SnakeCase)
            .Concat(["connects_failed"]).ToHashSet();
        var events = Headings("docs/operating/log-events.md")
            .Select(heading => Span().Match(heading).Groups[1].Value).ToHashSet();
        var rows = LimitTable("limits").Concat(LimitTable("outer limits")).ToList();

        Assert.True(rows.Count > 150);
        Nothing(rows.Where(row => row.Length != 6 || !Is(row[3], options))
            .Select(row => $"{row[0]}: no such option as {row[3]}"));
        Nothing(rows.Where(row => !Is(row[4], counters)
                && !(Reason().IsMatch(row[4])
                    && Span().Matches(row[4]).All(name => events.Contains(name.Groups[1].Value))))
            .Select(row => $"{row[0]}: no such counter as {row[4]}"));

        static bool Is(string cell, HashSet<string> names) =>
            names.Contains(cell.Trim('`')) || PlainReason().IsMatch(cell);
    }

    [Fact]
    public void QueueOfTheLog_IsAsLongAsIsDescribed() => Assert.Contains(
        $"Up to {InWords(LogOutput.QueueLength)} records are queued",
        Unwrapped(Read("docs/behaviour.md")), StringComparison.Ordinal);

    /// <summary>Each is in the table once, and so has a reason why nobody reaches it.</summary>
    [Fact]
    public void EachVerification_IsDescribed()
    {
        var sources = Files.Where(file => VerifyingSource().IsMatch(file)).Select(Read).ToList();
        var verified = sources.SelectMany(text => Verification().Matches(text))
            .Select(call => call.Groups[1].Value).ToList();
        var table = VerificationTable().Match(Read("docs/invariants.md")).Value;
        var described = VerificationRow().Matches(table)
            .SelectMany(row => Quoted().Matches(row.Groups[1].Value))
            .Select(message => message.Value.Trim('"')).ToList();

        Assert.Equal(sources.Sum(text => VerifyCall().Count(text)), verified.Count);
        Nothing(verified.Except(described).Select(one => "docs/invariants.md lacks " + one));
        Nothing(described.Except(verified).Select(one => "docs/invariants.md says " + one));
        Assert.Equal(described.Distinct(), described);
    }

    [Fact]
    public void EachOption_IsDescribed()
    {
        var help = Options.Parse(["--help"], _ => null).Text!;
        var options = LongOption().Matches(help).Select(option => option.Value).Distinct().ToList();
        var described = LongOption().Matches(Read("docs/operating/options.md"))
            .Select(option => option.Value).ToHashSet();

        Assert.Contains("--backend-path", options);
        Assert.Empty(options.Except(described));
        Assert.Empty(described.Except(options));
    }

    [Fact]
    public void Decisions_AreNumberedInTurnAndListed()
    {
        var records = Names.Where(name => DecisionName().IsMatch(name))
            .Order(StringComparer.Ordinal).ToList();
        var list = Read("docs/decisions/README.md");

        Assert.NotEmpty(records);
        Assert.Equal(Enumerable.Range(1, records.Count),
            records.Select(name => int.Parse(name[..4], null)));
        Assert.All(records, name => Assert.Contains($"]({name})", list, StringComparison.Ordinal));
        Assert.All(records, name => Assert.StartsWith(
            $"# {name[..4]}: ", Read($"docs/decisions/{name}"), StringComparison.Ordinal));
    }

    // ---- How they are read ----

    private static void Nothing(IEnumerable<string> findings)
    {
        var found = findings.Distinct().ToList();
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    private static IEnumerable<string> Walk(string folder)
    {
        foreach (var entry in Directory.EnumerateFileSystemEntries(folder))
        {
            var name = Path.GetFileName(entry);
            if (name is ".git" or "bin" or "obj" or "node_modules" or "TestResults" or "dist"
                || Path.GetRelativePath(Root, entry) == "build")
            {
                continue;
            }
            if (!Directory.Exists(entry))
                yield return Path.GetRelativePath(Root, entry);
            else
                foreach (var file in Walk(entry))
                    yield return file;
        }
    }

    private static bool IsSource(string file) => Path.GetExtension(file) is ".cs" or ".csproj"
            or ".props" or ".yml" or ".yaml" or ".service" or ".patch" or ".js"
        || file is "Makefile" or ".ci/run" or "deploy/Dockerfile" or "deploy/smf/bbal.xml"
        || file.StartsWith("scripts/", StringComparison.Ordinal);

    private static bool IsDocument(string file) => file.EndsWith(".md", StringComparison.Ordinal);

    private static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    /// <summary>A sentence may go on behind the next line's comment mark.</summary>
    private static string Unwrapped(string text) => CommentLine().Replace(text, " ");

    private static bool IsThere(string path) => Files.Contains(path)
        || Files.Any(file => file.StartsWith(path + "/", StringComparison.Ordinal));

    /// <summary>Tests ask for checks that there are not, between quotes.</summary>
    private static string WithoutTestData(string file) =>
        file.StartsWith("tests/", StringComparison.Ordinal)
            ? Quoted().Replace(Read(file), "")
            : Read(file);

    private static bool IsElsewhere(string link) =>
        link.Contains("://", StringComparison.Ordinal)
        || link.StartsWith("mailto:", StringComparison.Ordinal);

    private static bool Leads(string from, string link)
    {
        var parts = link.Split('#', 2);
        var folder = Path.GetDirectoryName(from)!;
        var file = parts[0].Length == 0 ? from : Path.GetRelativePath(
            Root, Path.GetFullPath(Path.Combine(Root, folder, parts[0])));
        return parts.Length == 1
            ? IsThere(file)
            : Files.Contains(file) && Headings(file).Select(Anchor).Contains(parts[1]);
    }

    /// <summary>As GitHub makes them: small letters, hyphens for blanks, no other signs.</summary>
    private static string Anchor(string heading) =>
        NotInAnchors().Replace(heading.ToLowerInvariant(), "").Replace(' ', '-');

    private static List<string> Headings(string file) =>
        [.. Heading().Matches(WithoutFences(Read(file))).Select(match => match.Groups[1].Value)];

    private static string WithoutFences(string text) => Fence().Replace(text, "");

    private static string WithoutCode(string text) => Span().Replace(WithoutFences(text), "");

    /// <summary>What documents have between backticks, outside of blocks.</summary>
    private static IEnumerable<(string File, string Text)> Spans() =>
        from file in Documents
        where file is not "CHANGELOG.md"
        from Match span in Span().Matches(WithoutFences(Read(file)))
        select (file, span.Groups[1].Value);

    private static void AssertNames(string document, Regex sources)
    {
        var named = Span().Matches(Read(document))
            .Select(span => Path.GetFileName(span.Groups[1].Value)).ToHashSet();
        var files = Files.Where(file => sources.IsMatch(file)).ToList();

        Assert.NotEmpty(files);
        Nothing(files.Where(file => !named.Contains(Path.GetFileName(file)))
            .Select(file => $"{document} lacks {file}"));
    }

    /// <summary>The names in the first columns of a document's tables.</summary>
    private static IEnumerable<string> Rows(string file) =>
        Row().Matches(Read(file)).SelectMany(row => Span().Matches(row.Value))
            .Select(span => span.Groups[1].Value);

    /// <summary>The rows of one of the tables of limits, cell by cell.</summary>
    private static List<string[]> LimitTable(string mark)
    {
        var text = Read("docs/behaviour.md");
        var begin = text.IndexOf($"<!-- {mark} -->", StringComparison.Ordinal);
        var end = text.IndexOf($"<!-- /{mark} -->", StringComparison.Ordinal);
        return [.. text[begin..end].Split('\n')
            .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(line => line.Trim().Trim('|').Split('|').Select(cell => cell.Trim()))
            .Select(cells => cells.ToArray())];
    }

    private static bool IsWord(string name) => name.EndsWith('…')
        ? Words.Any(word => word.StartsWith(name[..^1], StringComparison.Ordinal))
        : name.Split('.').All(Words.Contains);

    /// <summary>Whether a section has its document in front of it, and the document it.</summary>
    private static bool IsSection(Match section)
    {
        if (section.Groups["rfc"].Success)
            return true;
        var file = section.Groups["file"].Value;
        return Files.Contains(file) && SectionNumber().Matches(section.Groups["numbers"].Value)
            .All(number => Headings(file).Any(heading => heading.StartsWith(
                number.Value + ". ", StringComparison.Ordinal)));
    }

    private static string InWords(object value) => value is Duration
        ? value.ToString()!
        : string.Create(CultureInfo.InvariantCulture, $"{value:N0}");

    private static string SnakeCase(string name) =>
        Hump().Replace(name, "_$0").TrimStart('_').ToLowerInvariant();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^ *```.*?^ *```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^src/(Balancer\.Core|Balancer\.Linux|Balancer|Shared)/.*\.cs$")]
    private static partial Regex ProductSource();

    [GeneratedRegex(@"^(sim|fake-binder|src/Balancer\.Testing)/.*\.cs$")]
    private static partial Regex OtherSource();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Span();

    [GeneratedRegex(@"^#+ (.+?)\s*$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();

    [GeneratedRegex(@"^\| ([^|]*)\|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"^(src|sim|tests|docs|deploy|scripts|fake-binder|\.github|\.ci)"
        + @"(/[\w.-]+)*/?$")]
    private static partial Regex TreePath();

    [GeneratedRegex(@"^\w[\w.-]*\.(cs|csproj|props|sln|txt)$")]
    private static partial Regex SourceName();

    [GeneratedRegex(@"^([A-Z][a-z0-9]+){2,}\w*…?(\.([A-Z][a-z0-9]+)+)*$")]
    private static partial Regex NameOfCode();

    [GeneratedRegex(@"\b[A-Za-z_]\w+\b")]
    private static partial Regex Identifier();

    [GeneratedRegex(@"\r?\n[ \t]*(///?|#|\*)?[ \t]*")]
    private static partial Regex CommentLine();

    [GeneratedRegex(@"(?<![\w./*-])[\w-][\w./-]*\.md\b")]
    private static partial Regex DocumentName();

    [GeneratedRegex(@"((?<rfc>RFC \d+),? |(?<file>docs/[\w./-]+\.md),? )?\b[Ss]ections? "
        + @"(?<numbers>\d+(\.\d+)*((, | and | to )\d+)*)")]
    private static partial Regex Section();

    [GeneratedRegex(@"\d+(\.\d+)*")]
    private static partial Regex SectionNumber();

    [GeneratedRegex(@"(?<![\w.])[SL]\d{1,2}(?![\w])")]
    private static partial Regex CheckId();

    [GeneratedRegex(@"^([SL]\d+)[A-Z]\w+\.cs$")]
    private static partial Regex CheckFile();

    [GeneratedRegex(@"(?:\bFault|original-faults\.md, faults? )(\d+)(?:_|\b)")]
    private static partial Regex FaultNumber();

    [GeneratedRegex(@"^\| `[A-Z]\w+` \| [^|]+ \|", RegexOptions.Multiline)]
    private static partial Regex LimitRow();

    [GeneratedRegex(@"^– \w[\w ,:-]*(`\w+`)?$")]
    private static partial Regex Reason();

    [GeneratedRegex(@"^– \w[\w ,-]*$")]
    private static partial Regex PlainReason();

    [GeneratedRegex(@"^src/.*\.cs$")]
    private static partial Regex VerifyingSource();

    [GeneratedRegex(@"\bVerify\.That\(")]
    private static partial Regex VerifyCall();

    [GeneratedRegex(@"\bVerify\.That\([^;""]*""([^""]+)""\)")]
    private static partial Regex Verification();

    [GeneratedRegex("<!-- verify -->.*<!-- /verify -->", RegexOptions.Singleline)]
    private static partial Regex VerificationTable();

    [GeneratedRegex(@"^\| [^|]* \| ([^|]*) \| [^|]+ \|$", RegexOptions.Multiline)]
    private static partial Regex VerificationRow();

    [GeneratedRegex(@"--[a-z][a-z-]+")]
    private static partial Regex LongOption();

    [GeneratedRegex(@"^\d{4}-[\w-]+\.md$")]
    private static partial Regex DecisionName();

    [GeneratedRegex("\"[^\"\n]*\"")]
    private static partial Regex Quoted();

    [GeneratedRegex("[A-Z]")]
    private static partial Regex Hump();
}
