// Patches of the core: read as `diff -u` and git write them, applied wherever their lines have
// moved to, and refused in one line that names the file and the hunk.

using System;
using System.Collections.Immutable;
using Simulation.Planting;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class PatchTests
{
    private const string Path = "src/Balancer.Core/A.cs";

    private const string Change = """
        What: b is changed

        diff --git a/src/Balancer.Core/A.cs b/src/Balancer.Core/A.cs
        index 1111111..2222222 100644
        --- a/src/Balancer.Core/A.cs
        +++ b/src/Balancer.Core/A.cs
        @@ -1,3 +1,4 @@ class A
         a
        -b
        +B
        +BB
         c

        """;

    [Fact]
    public void Patch_IsApplied() =>
        Assert.Equal("a\nB\nBB\nc\nd\n", Apply(Change, "a\nb\nc\nd\n"));

    [Fact]
    public void Hunk_IsFoundWhereItsLinesHaveMovedTo() =>
        Assert.Equal("x\ny\na\nB\nBB\nc\n", Apply(Change, "x\ny\na\nb\nc\n"));

    [Fact]
    public void OfEqualPlaces_TheNearestIsTaken() => Assert.Equal(
        "1\na\nB\nBB\nc\n2\n3\n4\na\nb\nc\n", Apply(Change, "1\na\nb\nc\n2\n3\n4\na\nb\nc\n"));

    [Fact]
    public void HunksThatFollow_AreLookedForBelow()
    {
        const string Both = """
            --- src/Balancer.Core/A.cs	2026-01-01
            +++ src/Balancer.Core/A.cs	2026-01-02
            @@ -1 +1,2 @@
            -a
            +A
            +AA
            @@ -9,2 +10 @@
             z
            -a
            \ No newline at end of file

            """;

        Assert.Equal("A\nAA\nz\n", Apply(Both, "a\nz\na\n"));
    }

    [Fact]
    public void ContextWhoseSpaceAnEditorTookOff_IsAnEmptyLine() => Assert.Equal("\nB\n", Apply(
        "--- a/src/Balancer.Core/A.cs\n+++ b/src/Balancer.Core/A.cs\n@@ -1,2 +1,2 @@\n\n-b\n+B\n",
        "\nb\n"));

    [Fact]
    public void NewFile_IsAdded()
    {
        const string Added = """
            --- /dev/null
            +++ b/src/Balancer.Core/B.cs
            @@ -0,0 +1 @@
            +b
            """;
        var sources = Patch.Parse("x.patch", Added)
            .Apply(ImmutableDictionary<string, string>.Empty.Add(Path, "a\n"));

        Assert.Equal("b", sources["src/Balancer.Core/B.cs"].TrimEnd());
        Assert.Equal("a\n", sources[Path]);
    }

    [Theory]
    [InlineData("nothing", "x.patch: no line '--- FILE'")]
    [InlineData("--- a/A.cs\n@@ -1 +1 @@\n", "x.patch: line 2: '+++ FILE' is missing")]
    [InlineData("--- a/A.cs\n+++ b/A.cs\n", "x.patch: A.cs: no hunk")]
    [InlineData("--- a/A.cs\n+++ b/A.cs\n@@ -x +1 @@\n", "x.patch: line 3: '@@ -x +1 @@'")]
    [InlineData("--- a/A.cs\n+++ b/A.cs\n@@ -1,3 +1,3 @@\n a\n", "x.patch: line 3: the hunk ")]
    [InlineData("--- a/A.cs\n+++ b/A.cs\n@@ -1,2 +1,1 @@\n a\nb\n", "has 'b' in it")]
    [InlineData("--- a/A.cs\n+++ b/A.cs\n@@ -1,1 +1,2 @@\n-a\n-b\n+c\n+d\n", "other lines")]
    [InlineData("--- a/A.cs\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "A.cs: a patch cannot remove")]
    public void WhatIsNotAPatch_IsRefused(string text, string complaint)
    {
        var wrong = Assert.Throws<PatchException>(() => Patch.Parse("x.patch", text));

        Assert.Contains(complaint, wrong.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', wrong.Message);
    }

    [Theory]
    [InlineData("a\nc\n", "x.patch: src/Balancer.Core/A.cs: hunk 1 (line 1) does not apply")]
    [InlineData("", "x.patch: src/Balancer.Core/A.cs: hunk 1 (line 1) does not apply")]
    public void PatchWhoseLinesAreGone_IsRefused(string source, string complaint)
    {
        var wrong = Assert.Throws<PatchException>(() => Apply(Change, source));

        Assert.StartsWith(complaint, wrong.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', wrong.Message);
    }

    [Fact]
    public void PatchOfAnotherFile_IsRefused() => Assert.Contains("no such file of the core",
        Assert.Throws<PatchException>(() => Patch.Parse("x.patch", Change)
            .Apply(ImmutableDictionary<string, string>.Empty)).Message, StringComparison.Ordinal);

    private static string Apply(string patch, string source) => Patch.Parse("x.patch", patch)
        .Apply(ImmutableDictionary<string, string>.Empty.Add(Path, source))[Path];
}
