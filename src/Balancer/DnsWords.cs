// Owns how the question of a query reads in the log. The bytes are a client's, so whatever is no
// letter, digit, hyphen or underscore is escaped as master files do it (RFC 1035, 5.1).

using System;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Balancer;

/// <summary>Questions as text.</summary>
internal static class DnsWords
{
    private const int HeaderBytes = 12;

    /// <summary>
    /// Name and type of a query's first question, as dig shows them; false if they cannot be read.
    /// </summary>
    public static bool TryReadQuestion(
        ReadOnlySpan<byte> query, out string name, out string type)
    {
        (name, type) = ("", "");
        var labels = new StringBuilder();
        var at = HeaderBytes;
        while (at < query.Length && query[at] != 0)
        {
            var label = query[at];
            if (label > 63 || at + 1 + label >= query.Length)
                return false;
            foreach (var b in query.Slice(at + 1, label))
                Append(labels, b);
            labels.Append('.');
            at += 1 + label;
        }
        if (at + 5 > query.Length || labels.Length > 1024)
            return false;
        name = labels.Length == 0 ? "." : labels.ToString();
        type = TypeOf(BinaryPrimitives.ReadUInt16BigEndian(query[(at + 1)..]));
        return true;
    }

    private static void Append(StringBuilder name, byte b)
    {
        if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'-' or (byte)'_')
            name.Append((char)b);
        else
            name.Append('\\').Append(b.ToString("000", CultureInfo.InvariantCulture));
    }

    private static string TypeOf(int type) => type switch
    {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        255 => "ANY",
        _ => string.Create(CultureInfo.InvariantCulture, $"TYPE{type}"),
    };
}
