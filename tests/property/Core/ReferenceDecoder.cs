// Owns a second reading of the wire protocol's backend side, as simple as it can be: all bytes at
// once, from the front, no state. What FrameReader makes of the same bytes, however they are cut,
// must be this.

using System;
using System.Collections.Generic;

namespace Tests.Property.Core;

/// <summary>One thing that a decoder told: a frame, or the error that ended it.</summary>
public sealed record Decoded(string What, uint Address, uint Port, uint Length, string Payload);

public static class ReferenceDecoder
{
    /// <summary>
    /// What bytes mean. `isMidFrame` says whether they end within a frame; it means nothing after
    /// an error.
    /// </summary>
    public static List<Decoded> Decode(byte[] bytes, out bool isMidFrame)
    {
        var told = new List<Decoded>();
        var at = 0L;
        while (at + 4 <= bytes.Length)
        {
            var type = Word(bytes, at);
            if (type is 1001 or 1003 or 1004)
            {
                told.Add(new Decoded($"frame {type}", 0, 0, 0, ""));
                at += 4;
                continue;
            }
            if (type != 1002)
            {
                told.Add(new Decoded("unknown", 0, 0, type, ""));
                isMidFrame = false;
                return told;
            }
            if (at + 16 > bytes.Length)
                break;
            var length = Word(bytes, at + 12);
            if (length > 65_535)
            {
                told.Add(new Decoded(
                    "too large", Word(bytes, at + 4), Word(bytes, at + 8), length, ""));
                isMidFrame = false;
                return told;
            }
            if (length <= 1500 && at + 16 + length > bytes.Length)
                break;
            var payload = length > 1500
                ? "" : Convert.ToHexString(bytes, (int)at + 16, (int)length);
            told.Add(new Decoded(
                "frame 1002", Word(bytes, at + 4), Word(bytes, at + 8), length, payload));
            at += 16 + length;
        }
        isMidFrame = at != bytes.Length;
        return told;
    }

    private static uint Word(byte[] bytes, long at) =>
        bytes[at] + 0x100u * bytes[at + 1] + 0x10000u * bytes[at + 2] + 0x1000000u * bytes[at + 3];
}
