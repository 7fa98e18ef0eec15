// Owns as much of TSIG (RFC 8945) as shows that a signed message passed untouched: the signature
// covers every byte, so whoever can check it has the bytes that were signed. Keys are HMAC-SHA256.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Security.Cryptography;
using System.Text;

namespace Tests.Integration.Peers;

/// <summary>One key, which signs messages and checks them.</summary>
/// <param name="name">The key's name, a single label.</param>
/// <param name="secret">What both ends know.</param>
internal sealed class Tsig(string name, byte[] secret)
{
    private const int AdditionalCountAt = 10;
    private const int MacBytes = 32;
    private const ushort Fudge = 300;

    private static readonly byte[] Algorithm = Name("hmac-sha256");

    private readonly byte[] _name = Name(name);

    /// <summary>As dig takes it.</summary>
    public string ForDig => $"hmac-sha256:{name}:{Convert.ToBase64String(secret)}";

    /// <summary>Adds the record to a message; an answer's signature covers its query's.</summary>
    public byte[] Sign(byte[] message, byte[]? queryMac = null, DateTimeOffset? at = null)
    {
        var time = U48((at ?? DateTimeOffset.UtcNow).ToUnixTimeSeconds());
        var mac = Mac(message, time, queryMac ?? []);
        byte[] data =
        [
            .. Algorithm, .. time, .. U16(Fudge), .. U16(MacBytes), .. mac,
            message[0], message[1], 0, 0, 0, 0,
        ];
        byte[] signed =
        [
            .. message, .. _name, 0, 250, 0, 255, 0, 0, 0, 0, .. U16((ushort)data.Length), .. data,
        ];
        signed[AdditionalCountAt + 1]++;
        return signed;
    }

    /// <summary>The signature of a message if it is right, else null.</summary>
    public byte[]? Check(byte[] signed, byte[]? queryMac = null)
    {
        byte[] head = [.. _name, 0, 250, 0, 255, 0, 0, 0, 0];
        var record = signed.AsSpan().LastIndexOf(head);
        if (record < 0)
            return null;
        var data = signed.AsSpan(record + head.Length + 2);
        if (!data.StartsWith(Algorithm))
            return null;
        data = data[Algorithm.Length..];
        var time = data[..6].ToArray();
        var mac = data.Slice(10, MacBytes).ToArray();
        var message = signed[..record];
        message[AdditionalCountAt + 1]--;
        return mac.SequenceEqual(Mac(message, time, queryMac ?? [])) ? mac : null;
    }

    private byte[] Mac(byte[] message, byte[] time, byte[] queryMac)
    {
        List<byte> covered = [];
        if (queryMac.Length > 0)
            covered.AddRange([.. U16((ushort)queryMac.Length), .. queryMac]);
        covered.AddRange(
        [
            .. message, .. _name, 0, 255, 0, 0, 0, 0, .. Algorithm, .. time, .. U16(Fudge),
            0, 0, 0, 0,
        ]);
        return HMACSHA256.HashData(secret, covered.ToArray());
    }

    private static byte[] Name(string label) =>
        [(byte)label.Length, .. Encoding.ASCII.GetBytes(label), 0];

    private static byte[] U16(ushort value) => [(byte)(value >> 8), (byte)value];

    private static byte[] U48(long value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        return bytes[2..];
    }
}
