// A release and its notes: the notes are what CHANGELOG.md says of the version, and the workflow
// publishes those and no others.

using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace Tests.Unit;

public sealed class ReleaseTests
{
    private static readonly string Root = ArchitectureTests.Root;

    private static readonly string Version = XDocument
        .Load(Path.Combine(Root, "Directory.Build.props"))
        .Descendants("VersionPrefix").Single().Value;

    [Fact]
    public void Changelog_HasASectionForTheVersionThatIsBuilt()
    {
        var changes = File.ReadAllText(Path.Combine(Root, "CHANGELOG.md"));
        var headings = Regex.Matches(changes, @"^## (.*)$", RegexOptions.Multiline)
            .Select(heading => heading.Groups[1].Value).ToList();

        Assert.Single(headings, heading => heading.Split(' ')[0] == Version);
        Assert.All(headings, heading =>
            Assert.Matches(@"^(Unreleased|\d+\.\d+\.\d+( - \d{4}-\d\d-\d\d)?)$", heading));
    }

    [Fact]
    public void Notes_AreTheSectionOfTheVersionAndNothingElse()
    {
        var notes = Notes("1.2.0", """
            # Changes

            ## 1.2.1 - 2027-01-01

            - later

            ## 1.2.0 - 2026-12-01

            ### Added

            - this

            ## 1.1.0

            - before

            """);

        Assert.Equal((0, "### Added\n\n- this\n"), (notes.Status, notes.Output));
    }

    [Theory]
    [InlineData("3.0.0", "## 1.0.0\n\n- a\n", "has nothing under 3.0.0")]
    [InlineData("1.0.0", "## 1.0.0\n\n## 0.9.0\n\n- a\n", "has nothing under 1.0.0")]
    [InlineData("1.0.0", "## Unreleased\n\n- b\n\n## 1.0.0\n\n- a\n", "under Unreleased")]
    public void NotesThatAreMissingOrLeftBehind_AreAnError(
        string version, string changes, string complaint)
    {
        var notes = Notes(version, changes);

        Assert.Equal((1, ""), (notes.Status, notes.Output));
        Assert.Contains(complaint, notes.Error, System.StringComparison.Ordinal);
    }

    [Fact]
    public void Workflow_PublishesTheNotesThatTheReleaseWasMadeWith()
    {
        var release = File.ReadAllText(Path.Combine(Root, "scripts", "release"));
        var workflow = File.ReadAllText(
            Path.Combine(Root, ".github", "workflows", "release.yml"));

        Assert.Contains("scripts/notes \"$version\" >\"$out/release-notes.txt\"", release,
            System.StringComparison.Ordinal);
        Assert.Contains("--notes-file release-notes.txt", workflow,
            System.StringComparison.Ordinal);
        Assert.DoesNotContain("--notes ", workflow, System.StringComparison.Ordinal);
    }

    private static (int Status, string Output, string Error) Notes(string version, string changes)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, changes);
            using var process = Process.Start(new ProcessStartInfo(
                Path.Combine(Root, "scripts", "notes"), [version])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { ["CHANGELOG"] = file },
            })!;
            var output = process.StandardOutput.ReadToEnd();
            var error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, error);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
