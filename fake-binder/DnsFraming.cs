// Owns how DNS messages lie in a TCP stream: each behind its length in two bytes, most
// significant first (RFC 1035 section 4.2.2), cut anywhere, any number behind each other.

using System;
using System.Buffers.Binary;

namespace FakeBinder;

/// <summary>Takes messages from a stream's bytes and writes their lengths.</summary>
public static class DnsFraming
{
    /// <summary>Bytes of the length before a message.</summary>
    public const int LengthBytes = 2;

    /// <summary>
    /// Takes the message at the beginning of the bytes and moves them behind it; false when it
    /// is not whole yet.
    /// </summary>
    public static bool TryTake(ref ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> message)
    {
        message = default;
        if (bytes.Length < LengthBytes)
            return false;
        var length = BinaryPrimitives.ReadUInt16BigEndian(bytes);
        if (bytes.Length < LengthBytes + length)
            return false;
        message = bytes.Slice(LengthBytes, length);
        bytes = bytes[(LengthBytes + length)..];
        return true;
    }

    /// <summary>Writes the length of a message of at most 65,535 bytes.</summary>
    public static void WriteLength(Span<byte> into, int length) =>
        BinaryPrimitives.WriteUInt16BigEndian(into, checked((ushort)length));
}
