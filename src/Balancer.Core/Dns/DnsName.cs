// Owns the one name that an operator gives: how its text becomes the bytes of a question. It is
// strict, because a name that is not quite right would be asked for ever, and every backend would
// refuse it.
//
// What always holds: bytes that were written are a name as RFC 1035 has it, of labels of 1 to 63
// letters, digits, hyphens and underscores, and of 255 bytes with its end at most.

using System.Collections.Generic;
using System.Collections.Immutable;

namespace Balancer.Core;

/// <summary>Reads names.</summary>
public static class DnsName
{
    private const int LongestLabel = 63;
    private const int Longest = 255;

    /// <summary>
    /// The bytes of a name that is written with dots, one at its end or not; false if it is none.
    /// </summary>
    public static bool TryParse(string text, out ImmutableArray<byte> name)
    {
        var bytes = new List<byte>();
        name = [];
        foreach (var label in (text.EndsWith('.') ? text[..^1] : text).Split('.'))
        {
            if (label.Length is < 1 or > LongestLabel)
                return false;
            bytes.Add((byte)label.Length);
            foreach (var c in label)
            {
                if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_'))
                    return false;
                bytes.Add((byte)c);
            }
        }
        bytes.Add(0);
        if (bytes.Count > Longest)
            return false;
        name = [.. bytes];
        return true;
    }
}
