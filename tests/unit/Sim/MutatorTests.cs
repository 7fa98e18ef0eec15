// What `sim mutate` makes of a source: exactly the mutants that the rules say, none of what is left
// out, each as code that compiles and does nothing until it is switched on; and that the list of
// survivors names mutants that there are.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Microsoft.CodeAnalysis.CSharp;
using Simulation.Planting;
using Simulation.Planting.Mutants;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class MutatorTests
{
    private static readonly CoreSource Core = new(ArchitectureTests.Root);

    // ---- The rules ----

    [Theory]
    [InlineData("bool F(int a) => a < b;", "a < b -> a <= b", "a < b -> a >= b",
        "=> a < b -> => default")]
    [InlineData("bool F(int a) { return a == b; }", "a == b -> a != b",
        "return a == b; -> return default;")]
    [InlineData("void F() { x = a - b; }", "a - b -> a + b", "x = a - b; -> ;")]
    [InlineData("void F() { x += 7; }", "x += 7 -> x -= 7", "7 -> 8", "x += 7; -> ;")]
    [InlineData("void F() { x++; }", "x++ -> x--", "x++; -> ;")]
    [InlineData("void F() => Go();", "=> Go() -> => _ = 0")]
    [InlineData("int P { set => Go(); }", "=> Go() -> => _ = 0")]
    [InlineData("int P => Q;", "=> Q -> => default")]
    [InlineData("void F() { if (a && b) return; }", "a && b -> !(a && b)", "a && b -> (a || b)",
        "return; -> ;")]
    [InlineData("void F() { while (Goes()) break; }", "Goes() -> !(Goes())", "break; -> ;")]
    [InlineData("void F() { if (!a) Go(); }", "!a -> a", "Go(); -> ;")]
    [InlineData("void F() { if (a is null) Go(); }", "a is null -> !(a is null)", "Go(); -> ;")]
    [InlineData("bool F() => a is > 5;", "a is > 5 -> !(a is > 5)", "> 5 -> >= 5", "> 5 -> <= 5",
        "5 -> 6", "=> a is > 5 -> => default")]
    [InlineData("int F() => a ? b : c;", "a -> !(a)", "=> a ? b : c -> => default")]
    [InlineData("int F() => Math.Min(a, b);", "Math.Min(a, b) -> Math.Max(a, b)",
        "=> Math.Min(a, b) -> => default")]
    [InlineData("bool F() => true;", "true -> false")]
    [InlineData("bool f = true;", "true -> false")]
    [InlineData("int P { get; } = 4;", "4 -> 5")]
    [InlineData("void F() { a(); a(); }", "a(); -> ;", "a(); -> ; (no. 2)")]
    [InlineData("long F() => 0x10L;", "0x10L -> 17L")]
    [InlineData("int F() { switch (a) { case 3: Go(); break; } return 0; }", "3 -> 4",
        "Go(); -> ;", "0 -> 1")]
    public void Code_HasTheseMutants(string member, params string[] mutants) =>
        Assert.Equal(mutants.Order(StringComparer.Ordinal), MutantsOf(member));

    [Theory]
    [InlineData("void F() { Verify.That(a < b, \"no\"); }")]
    [InlineData("void F() { throw new E(1 + 2); }")]
    [InlineData("void F() => throw new E(1 + 2);")]
    [InlineData("const int A = 1; static readonly int B = 2; static int C { get; } = 3;")]
    [InlineData("[A(1 + 2)] void F() { }")]
    [InlineData("string F() { return \"a\"; }")]
    [InlineData("override string ToString() => a < b ? \"a\" : \"b\";")]
    [InlineData("override int GetHashCode() => a + b;")]
    [InlineData("object F() { return null; }")]
    public void WhatIsLeftOut_HasNone(string member) => Assert.Empty(MutantsOf(member));

    [Fact]
    public void TextThatGrows_HasNoDifference() => Assert.Equal(
        ["=> \"a\" + b + c -> => default"], MutantsOf("string F() => \"a\" + b + c;"));

    [Fact]
    public void Mutants_AreCountedThroughAllFiles()
    {
        var mutator = new Mutator();
        var first = Find(mutator, "A.cs", "class A { int F() => a - b; void G() { H(); } }");
        var second = Find(mutator, "B.cs", "class B { struct C { void G() { H(); } } }");

        Assert.Equal([1, 2, 3], first.Mutations.Select(one => one.Number));
        Assert.Equal(4, Assert.Single(second.Mutations).Number);
        Assert.Equal(new MutantKey("B.cs", "B.C.G", "H();", ";", 1),
            second.Mutations.Single().Key);
        Assert.Equal([1, 1, 2, 3],
            first.Mutations.Concat(second.Mutations).Select(one => one.Site));
    }

    // ---- The code ----

    [Fact]
    public void Methods_HaveTheirMutantsBesideThem() => Assert.Equal(
        [
            "class A { int F<T>(ref T a, out int b) { if (SWITCH.IsIn(1, 1)) "
            + "return F__all1<T>(ref a, out b);  return G(); }",
            "INLINE private int F__all1<T>(ref T a, out int b)  { switch (SWITCH.Active) { "
            + "case 1: return F__m1<T>(ref a, out b); default: "
            + "throw new global::System.InvalidOperationException(); } }",
            "private int F__m1<T>(ref T a, out int b)  { return default; } }",
        ],
        Switched("class A { int F<T>(ref T a, out int b) { return G(); } }").Split('\n'));

    [Fact]
    public void Constructors_HaveTheirMutantsWithin() => Assert.Equal(
        "class A { A() { if (SWITCH.Active == 1) { ; } else { G(); } } }",
        Switched("class A { A() { G(); } }"));

    [Fact]
    public void InitialValues_HaveTheirMutantsInPlace() => Assert.Equal(
        "class A { bool a = (SWITCH.Active == 1 ? (false) : (true)); }",
        Switched("class A { bool a = true; }"));

    [Fact]
    public void Loops_CountTheirRounds() => Assert.Equal(
        "class A { void F() { if (SWITCH.IsIn(1, 2)) { F__all1(); return; }  while (true) "
        + "{ SWITCH.Round(); G(); } } }",
        Switched("class A { void F() { while (true) G(); } }").Split('\n')[0] + " }");

    [Fact]
    public void Sites_AreMarked() => Assert.Equal(
        "class A { int P { get { SWITCH.Reached[1] = true; return b - c; } } void F() { "
        + "SWITCH.Reached[2] = true; if (P == Q) { SWITCH.Reached[3] = true; G(); } } }",
        Shown(SourceWriter.Marked(Find(
            new Mutator(), "A.cs", "class A { int P => b - c; void F() { if (P == Q) G(); } }"))));

    [Theory]
    [InlineData("Udp/RecentCount.cs", 0)]
    [InlineData("Clients/RemoteTable.cs", 12)]
    [InlineData("Backends/Frames.cs", 12)]
    [InlineData("Time.cs", 12)]
    public void Mutants_Compile(string file, int mostThatDoNot)
    {
        var (files, sites) = MutantCore.Find(Core, [file]);
        var core = MutantCore.Compile(Core, files, sites);

        Assert.NotEmpty(core.Mutations);
        Assert.InRange(core.Dropped, 0, mostThatDoNot);
    }

    // ---- The list of survivors ----

    [Fact]
    public void KnownSurvivors_AreMutants()
    {
        var known = Survivors.Parse(
            File.ReadAllText(Path.Combine(ArchitectureTests.Root, Survivors.File)));
        var mutants = MutantCore.Find(Core, []).Files
            .SelectMany(file => file.Mutations).Select(one => one.Key).ToHashSet();

        Assert.Superset(known.Rows.Select(row => row.Key).ToHashSet(), mutants);
    }

    [Fact]
    public void Words_AreThoseOfTheDocument()
    {
        var page = File.ReadAllText(Path.Combine(ArchitectureTests.Root, "docs", "simulator.md"));

        Assert.All(Survivors.Words, one => Assert.Contains(
            $"| `{one.Word}` | {one.Meaning} | {(one.Counts ? "yes" : "no")} |", page));
    }

    private static IEnumerable<string> MutantsOf(string member) =>
        Find(new Mutator(), "A.cs", $"class A {{ {member} }}").Mutations
            .Select(one => one.Key.ToString().Split(": ", 2)[1]).Order(StringComparer.Ordinal);

    private static MutableFile Find(Mutator mutator, string file, string source) =>
        mutator.Find(file, source, CSharpSyntaxTree.ParseText(source));

    private static string Switched(string source) =>
        Shown(SourceWriter.Switched(Find(new Mutator(), "A.cs", source), new HashSet<int>())
            .ToString());

    private static string Shown(string code) => code
        .Replace("[global::System.Runtime.CompilerServices.MethodImpl(global::System.Runtime"
            + ".CompilerServices.MethodImplOptions.NoInlining)]", "INLINE")
        .Replace("global::Balancer.Core.MutantSwitch", "SWITCH");
}
