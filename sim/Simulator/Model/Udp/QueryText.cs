// Owns what of a query is read to tell whether it is refused: as two texts, of which the core's
// fingerprint and form are hashes. It is written from docs/behaviour.md alone and shares no code
// with the core.
//
// What always holds: queries with the same form have the same kind.

using System;
using System.Globalization;
using System.Linq;
using System.Text;

namespace Simulation.Model;

/// <summary>Tells queries apart.</summary>
internal readonly ref struct QueryText
{
    private const int HeaderBytes = 12;
    private const int OptionsType = 41;
    private const int RecordHeaderBytes = 10;
    private const int LongestName = 255;

    /// <param name="query">The query, whatever its bytes are.</param>
    /// <param name="isCut">
    /// These are its first bytes; it counts as if the rest were there, and nothing behind it.
    /// </param>
    /// <param name="hasForm">Whether its form is wanted, which takes longer to tell.</param>
    public QueryText(ReadOnlySpan<byte> query, bool isCut, bool hasForm = true)
    {
        Form = "";
        if (query.Length < HeaderBytes)
        {
            Kind = "no header";
            if (hasForm)
            {
                Form = "bytes " + Convert.ToHexString(query[Math.Min(2, query.Length)..])
                    + " of " + query.Length.ToString(CultureInfo.InvariantCulture);
            }
            return;
        }
        var kind = new StringBuilder();
        var form = hasForm
            ? new StringBuilder(Convert.ToHexString(query[2..HeaderBytes])).Append(' ') : null;
        var tail = query[HeaderBytes..];
        AddQuestion(query, ref tail, kind, form);
        var (records, edns) = (false, "");
        while (tail.Length > 0
            && TryAddRecord(ref tail, isCut, form, ref edns, out var isOptions))
        {
            records |= !isOptions;
        }
        var isRest = tail.Length > 0 && !isCut;
        if (isRest)
            form?.Append("rest ").Append(Convert.ToHexString(tail));
        // Few clients offer less than 512 bytes, and a deadly one may have any name.
        if (edns.StartsWith("edns 0 ", StringComparison.Ordinal)
            && ExpectedQuery.QuestionBytes(query) > 0)
        {
            kind.Clear().Append("any question ");
        }
        Kind = HeaderKind(query) + " " + kind.Append(records ? "records " : "")
            .Append(isRest ? "rest " : "").Append(edns).ToString();
        Form = form?.ToString() ?? "";
    }

    /// <summary>The same for all that a server would treat alike: what is refused.</summary>
    public string Kind { get; }

    /// <summary>
    /// The same only where hardly anything differs: what an answer clears. Empty if not wanted.
    /// </summary>
    public string Form { get; }

    private static string HeaderKind(ReadOnlySpan<byte> query)
    {
        var opcode = query[2] >> 3 & 15;
        var recursion = query[2] & 1;
        var others = (query[2] & 0x86) + (query[3] & 0xcf) > 0;
        int[] counts = [Number(query[4..]), Number(query[6..]), Number(query[8..]),
            Number(query[10..])];
        return $"{opcode} {recursion} {others} {counts[0] == 1} {counts[1] + counts[2] > 0} "
            + $"{counts[3] > 0}";
    }

    private static void AddQuestion(ReadOnlySpan<byte> query, ref ReadOnlySpan<byte> tail,
        StringBuilder kind, StringBuilder? form)
    {
        if (ExpectedQuery.QuestionOf(query) is { } text)
        {
            var question = ExpectedQuery.QuestionBytesOf(query);
            kind.Append(text).Append(' ');
            form?.Append(Convert.ToHexString(tail[..question])).Append(' ');
            tail = tail[question..];
            return;
        }
        var name = Number(query[4..]) == 0 ? 0 : NameBytes(tail);
        if (name == 0 || name + 4 > tail.Length)
        {
            kind.Append("no question");
            form?.Append("bytes ").Append(Convert.ToHexString(tail));
            tail = [];
            return;
        }
        kind.Append("pointed ");
        form?.Append("pointed ").Append(Convert.ToHexString(tail[..(name + 4)])).Append(' ');
        tail = tail[(name + 4)..];
    }

    /// <summary>Adds the first record and takes it; false if it is not whole.</summary>
    private static bool TryAddRecord(ref ReadOnlySpan<byte> tail, bool isCut, StringBuilder? form,
        ref string edns, out bool isOptions)
    {
        isOptions = false;
        var name = NameBytes(tail);
        if (name == 0 || name + RecordHeaderBytes > tail.Length)
            return false;
        var header = tail.Slice(name, RecordHeaderBytes);
        var end = name + RecordHeaderBytes + Number(header[8..]);
        if (end > tail.Length && !isCut)
            return false;
        end = Math.Min(end, tail.Length);
        isOptions = Number(header) == OptionsType && edns.Length == 0;
        var codes = "";
        if (isOptions)
        {
            if (!TryReadOptions(tail[(name + RecordHeaderBytes)..end], isCut, out codes,
                out var hasCommon, out var hasOthers))
            {
                return false;
            }
            int[] classes = [512, 513, 1233, 4097];
            var size = Number(header[2..]);
            edns = $"edns {classes.Count(least => size >= least)} {header[5] != 0} "
                + $"{header[6] >> 7} {hasCommon} {hasOthers}";
            if (form != null)
                codes = Convert.ToHexString(header[4..8]) + codes;
        }
        form?.Append(Convert.ToHexString(tail[..name])).Append(' ')
            .Append(Convert.ToHexString(header[..4])).Append(' ').Append(isOptions)
            .Append(codes).Append(" | ");
        tail = tail[end..];
        return true;
    }

    private static bool TryReadOptions(ReadOnlySpan<byte> options, bool isCut, out string codes,
        out bool hasCommon, out bool hasOthers)
    {
        var text = new StringBuilder();
        (codes, hasCommon, hasOthers) = ("", false, false);
        for (var rest = options; rest.Length > 0;)
        {
            var length = rest.Length < 4 ? int.MaxValue : 4 + Number(rest[2..]);
            if (length > rest.Length && !isCut)
                return false;
            if (rest.Length >= 4)
            {
                var code = Number(rest);
                hasCommon |= code is 3 or 8 or 10 or 11 or 12;
                hasOthers |= code is not (3 or 8 or 10 or 11 or 12);
                text.Append(' ').Append(code);
            }
            rest = rest[Math.Min(length, rest.Length)..];
        }
        codes = text.ToString();
        return true;
    }

    /// <summary>Bytes of the name in front, which may end in a pointer; 0 for none.</summary>
    private static int NameBytes(ReadOnlySpan<byte> bytes)
    {
        var name = 0;
        while (name < bytes.Length && bytes[name] is > 0 and < 64)
            name += 1 + bytes[name];
        if (name >= Math.Min(bytes.Length, LongestName) || bytes[name] is > 0 and < 0xc0)
            return 0;
        name += bytes[name] == 0 ? 1 : 2;
        return name > bytes.Length ? 0 : name;
    }

    private static int Number(ReadOnlySpan<byte> bytes) => bytes[0] << 8 | bytes[1];
}
