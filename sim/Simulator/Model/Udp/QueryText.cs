// Owns what of a query is read to tell whether it is refused: as two texts, of which the core's
// fingerprint and form are hashes; all that clients do not send is one kind, whatever it asks, and
// so is what is not read to its end. It is written from docs/behaviour.md alone and shares no code
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
    /// These are its first bytes; its form is that of these, and no other message's.
    /// </param>
    /// <param name="hasForm">Whether its form is wanted, which takes longer to tell.</param>
    public QueryText(ReadOnlySpan<byte> query, bool isCut, bool hasForm = true)
    {
        Form = "";
        if (query.Length < HeaderBytes)
        {
            Kind = "no question";
            if (hasForm)
            {
                Form = "bytes " + Convert.ToHexString(query[Math.Min(2, query.Length)..])
                    + " of " + query.Length.ToString(CultureInfo.InvariantCulture);
            }
            return;
        }
        var form = hasForm
            ? new StringBuilder(Convert.ToHexString(query[2..HeaderBytes])).Append(' ') : null;
        var tail = query[HeaderBytes..];
        Kind = ReadQuestion(query, ref tail, form);
        var reader = new RecordReader(query, query.Length - tail.Length, isCut, form);
        while (!reader.IsComplete && reader.TryTake(ref tail))
        {
        }
        var isRest = tail.Length > 0 && !isCut;
        if (isRest)
            form?.Append("rest ").Append(Convert.ToHexString(tail));
        Form = form is null ? "" : (isCut ? "cut " : "") + form;
        if (ExpectedQuery.QuestionBytes(query) == 0)
            return;
        var isPlain = (query[2] & 0xfe) + (query[3] & 0xcf) == 0 && Number(query[4..]) == 1;
        var isAll = !isCut && reader.IsComplete;
        Kind = isPlain && isAll && !reader.HasOddCounts && !reader.IsOdd
            ? $"{Kind} {query[2]} {reader.Options}{(reader.IsSigned ? "signed " : "")}"
                + (isRest ? "rest" : "")
            : "odd question";
    }

    /// <summary>The same for all that a server would treat alike: what is refused.</summary>
    public string Kind { get; }

    /// <summary>
    /// The same only where hardly anything differs: what an answer clears. Empty if not wanted.
    /// </summary>
    public string Form { get; }

    private static string ReadQuestion(
        ReadOnlySpan<byte> query, ref ReadOnlySpan<byte> tail, StringBuilder? form)
    {
        if (ExpectedQuery.QuestionOf(query) is { } text)
        {
            var question = tail[..ExpectedQuery.QuestionBytesOf(query)];
            form?.Append(Convert.ToHexString(question)).Append(' ');
            tail = tail[question.Length..];
            return NameAsRead(question[..^4]) + text[^4..^2];
        }
        var name = Number(query[4..]) == 0 ? 0 : NameBytes(tail);
        if (name == 0 || name + 4 > tail.Length)
        {
            form?.Append("bytes ").Append(Convert.ToHexString(tail));
            tail = [];
            return "no question";
        }
        form?.Append("pointed ").Append(Convert.ToHexString(tail[..(name + 4)])).Append(' ');
        tail = tail[(name + 4)..];
        return "pointed question";
    }

    /// <summary>
    /// Labels in lower case with dots between them, of 7 bits a byte; a dot in a label is one more.
    /// </summary>
    private static string NameAsRead(ReadOnlySpan<byte> name)
    {
        var labels = new StringBuilder();
        while (name[0] != 0)
        {
            foreach (var octet in name.Slice(1, name[0]))
                labels.Append(char.ToLowerInvariant((char)(octet & 127)));
            labels.Append('.');
            name = name[(1 + name[0])..];
        }
        return labels.Append(' ').ToString();
    }

    /// <summary>Takes records one by one, and says what is odd about them.</summary>
    private ref struct RecordReader(
        ReadOnlySpan<byte> query, int questionEnd, bool isCut, StringBuilder? form)
    {
        private const int TransferType = 251;
        private const int AuthorityType = 6;
        private const int SignatureType = 250;

        private readonly ReadOnlySpan<byte> _query = query;
        private int _taken;

        private readonly int Total => Count(6) + Count(8) + Count(10);

        /// <summary>A transfer of what is new says in an SOA what there is.</summary>
        private readonly bool IsTransfer => Count(6) == 0 && Count(8) == 1
            && Number(_query[(questionEnd - 4)..]) == TransferType;

        public readonly bool IsComplete => _taken == Total;

        public readonly bool HasOddCounts => Count(6) > 0 || (Count(8) > 0 && !IsTransfer);

        public bool IsOdd { get; private set; }

        public bool IsSigned { get; private set; }

        /// <summary>What there is of EDNS.</summary>
        public string Options { get; private set; } = "";

        /// <summary>Takes a record; false if it is not whole.</summary>
        public bool TryTake(ref ReadOnlySpan<byte> tail)
        {
            var name = NameBytes(tail);
            if (name == 0 || name + RecordHeaderBytes > tail.Length)
                return false;
            var header = tail.Slice(name, RecordHeaderBytes);
            var end = name + RecordHeaderBytes + Number(header[8..]);
            if (end > tail.Length && !isCut)
                return false;
            end = Math.Min(end, tail.Length);
            var data = tail[(name + RecordHeaderBytes)..end];
            var isAdditional = _taken >= Count(6) + Count(8);
            var isWell = Number(header) switch
            {
                OptionsType => TakeOptions(header, data) && name == 1 && isAdditional,
                SignatureType => isAdditional && _taken == Total - 1
                    && IsSignature(tail[..name], data),
                AuthorityType => _taken == 0 && IsTransfer && IsAuthority(tail[..name], data),
                _ => false,
            };
            IsOdd |= !isWell;
            IsSigned |= isWell && Number(header) == SignatureType;
            form?.Append(Convert.ToHexString(tail[..name])).Append(' ')
                .Append(Convert.ToHexString(header[..4])).Append(' ')
                .Append(Number(header) == OptionsType ? "" : isWell.ToString()).Append(" | ");
            tail = tail[end..];
            _taken++;
            return true;
        }

        /// <summary>Notes what an EDNS record has; whether there is nothing odd in it.</summary>
        private bool TakeOptions(ReadOnlySpan<byte> header, ReadOnlySpan<byte> data)
        {
            var isFirst = Options.Length == 0;
            var isWhole = ReadOptions(
                data, isCut, out var codes, out var hasCommon, out var hasOthers);
            var size = Number(header[2..]);
            int[] classes = [513, 1233, 4097];
            Options = $"edns {classes.Count(least => size >= least)} {header[6] >> 7} "
                + $"{hasCommon} {hasOthers} ";
            form?.Append(isWhole).Append(Convert.ToHexString(header[4..8])).Append(codes);
            return isFirst && isWhole && size >= 512 && header[5] == 0;
        }

        private static bool IsSignature(ReadOnlySpan<byte> owner, ReadOnlySpan<byte> data)
        {
            if (IsPointed(owner))
                return false;
            var name = NameBytes(data);
            if (name == 0 || IsPointed(data[..name]) || data.Length < name + 10)
                return false;
            // Time and fudge, then the MAC, the old id, an error, and what else there is.
            var mac = name + 8;
            var rest = mac + 2 + Number(data[mac..]) + 4;
            return rest + 2 <= data.Length && rest + 2 + Number(data[rest..]) == data.Length;
        }

        private readonly bool IsAuthority(ReadOnlySpan<byte> owner, ReadOnlySpan<byte> data)
        {
            if (!LeadsSomewhere(owner))
                return false;
            for (var names = 0; names < 2; names++)
            {
                var name = NameBytes(data);
                if (name == 0 || !LeadsSomewhere(data[..name]))
                    return false;
                data = data[name..];
            }
            return data.Length == 20;
        }

        /// <summary>It has no pointer, or one to a label of the question's name.</summary>
        private readonly bool LeadsSomewhere(ReadOnlySpan<byte> name)
        {
            if (!IsPointed(name))
                return true;
            var target = Number(name[^2..]) & 0x3fff;
            for (var at = HeaderBytes; at < questionEnd - 4; at += 1 + _query[at])
            {
                if (at == target)
                    return true;
            }
            return false;
        }

        private readonly int Count(int at) => Number(_query[at..]);
    }

    private static bool IsPointed(ReadOnlySpan<byte> name)
    {
        var label = 0;
        while (name[label] is > 0 and < 64)
            label += 1 + name[label];
        return name[label] != 0;
    }

    private static bool ReadOptions(ReadOnlySpan<byte> options, bool isCut, out string codes,
        out bool hasCommon, out bool hasOthers)
    {
        var text = new StringBuilder();
        (hasCommon, hasOthers) = (false, false);
        var isWhole = true;
        for (var rest = options; rest.Length > 0;)
        {
            var length = rest.Length < 4 ? int.MaxValue : 4 + Number(rest[2..]);
            isWhole &= length <= rest.Length || isCut;
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
        return isWhole;
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
