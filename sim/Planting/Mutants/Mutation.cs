// Owns what a mutant is: one small change of one piece of the core's source, with where it is and
// how it is told.
//
// What always holds: numbers count from 1, in the order of files and places, and those of one body
// follow one another; the key of a mutant has no line number, so that it outlives what is changed
// elsewhere in its file.

using System;
using Microsoft.CodeAnalysis.Text;

namespace Simulation.Planting.Mutants;

/// <summary>What names a mutant for longer than its file stays as it is.</summary>
/// <param name="File">From the folder of the core, with slashes: Backends/Backend.cs.</param>
/// <param name="Member">Type and member: Backend.Flush.</param>
/// <param name="Original">The code that is changed, on one line.</param>
/// <param name="Mutated">What it becomes, on one line; ";" for nothing.</param>
/// <param name="Nth">From 1, where a member has the same more than once.</param>
public sealed record MutantKey(
    string File, string Member, string Original, string Mutated, int Nth)
{
    public override string ToString() =>
        $"{Member}: {Original} -> {Mutated}{(Nth == 1 ? "" : $" (no. {Nth})")}";
}

/// <summary>One mutant.</summary>
/// <param name="Number">From 1; 0 is the core as it is.</param>
/// <param name="Key">Its name.</param>
/// <param name="Line">The line, from 1, that the changed code begins in.</param>
/// <param name="Span">The code that is changed.</param>
/// <param name="Text">What stands in its place.</param>
/// <param name="Site">
/// What must be reached for the mutant to matter: a number of the statement that it is in, from 1;
/// 0 if that cannot be told, which is as good as always reached.
/// </param>
public sealed record Mutation(
    int Number, MutantKey Key, int Line, TextSpan Span, string Text, int Site)
{
    /// <summary>A piece of code on one line, as it is shown and kept.</summary>
    public static string OnOneLine(string code) => string.Join(' ',
        code.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
