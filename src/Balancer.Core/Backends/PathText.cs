// Owns the text of paths for the log. A name may have any bytes but zero and slash, also a newline
// and the codes that move a terminal's cursor; whoever may make an entry must not write lines of a
// log with it, however that is shown.
//
// What always holds: the text is one line without control characters; what is not UTF-8 or may not
// be shown is U+FFFD.

using System;
using System.Text;

namespace Balancer.Core;

/// <summary>Makes text of paths.</summary>
internal static class PathText
{
    /// <summary>A path, or a part of one, as it may be logged.</summary>
    public static string Of(ReadOnlySpan<byte> path)
    {
        var text = Encoding.UTF8.GetString(path);
        return text.AsSpan().IndexOfAnyExceptInRange(' ', '~') < 0
            ? text
            : string.Create(text.Length, text, static (into, from) =>
            {
                for (var i = 0; i < into.Length; i++)
                    into[i] = IsShown(from[i]) ? from[i] : '\ufffd';
            });
    }

    /// <summary>No control character, and none that ends a line or turns its direction.</summary>
    private static bool IsShown(char c) => !char.IsControl(c)
        && c is not ('\u2028' or '\u2029') and not (>= '\u202a' and <= '\u202e')
            and not (>= '\u2066' and <= '\u2069');
}
