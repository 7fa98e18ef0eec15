// Owns changes of a source text: pieces that are put in, or take another's place.
//
// What always holds: what is put in before a place stands before what is put in its stead, and what
// is put in behind it, behind; a change within one that takes its place is lost with it.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Microsoft.CodeAnalysis.Text;

namespace Simulation.Planting.Mutants;

/// <summary>One change.</summary>
/// <param name="Span">What is replaced; empty where something is put in.</param>
/// <param name="Text">What stands there then.</param>
internal readonly record struct Edit(TextSpan Span, string Text)
{
    public static Edit Insert(int at, string text) => new(new TextSpan(at, 0), text);
}

/// <summary>A text that is made of pieces, and which mutants each of some pieces is for.</summary>
internal sealed class SwitchedText
{
    private readonly StringBuilder _text = new();
    private readonly List<(int Start, int End, int First, int Last)> _pieces = [];

    public int Length => _text.Length;

    public void Append(string text) => _text.Append(text);

    /// <summary>Appends what is there for these mutants alone.</summary>
    public void Append(string text, int first, int last)
    {
        _pieces.Add((_text.Length, _text.Length + text.Length, first, last));
        _text.Append(text);
    }

    /// <summary>The mutants of the smallest piece that has this place; null if none has.</summary>
    public (int First, int Last)? MutantsAt(int place)
    {
        var pieces = _pieces.Where(piece => piece.Start <= place && place < piece.End)
            .OrderBy(piece => piece.End - piece.Start).ToList();
        return pieces.Count == 0 ? null : (pieces[0].First, pieces[0].Last);
    }

    public override string ToString() => _text.ToString();

    /// <summary>A part of a source with the changes that are in it.</summary>
    public static string Apply(string source, TextSpan part, IEnumerable<Edit> edits)
    {
        var text = new StringBuilder();
        var at = part.Start;
        foreach (var edit in edits.Where(edit => part.Contains(edit.Span))
            .OrderBy(edit => edit.Span.Start).ThenBy(edit => edit.Span.Length))
        {
            if (edit.Span.Start < at)
                continue;
            text.Append(source, at, edit.Span.Start - at).Append(edit.Text);
            at = edit.Span.End;
        }
        return text.Append(source, at, part.End - at).ToString();
    }

    /// <summary>Changes with one more, which takes away what is within its place.</summary>
    public static IEnumerable<Edit> With(IEnumerable<Edit> edits, Edit edit) => edits
        .Where(other => other.Span.End <= edit.Span.Start || other.Span.Start >= edit.Span.End)
        .Append(edit);
}
