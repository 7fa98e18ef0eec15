// Owns as much of the DNS message format as the tests need, written on its own so that neither
// the balancer nor the fake backend can share a mistake with it: queries of one question, and the
// header and text of an answer.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Net;
using System.Text;

namespace Tests.Integration.Harness;

/// <summary>What a test looks at in an answer.</summary>
public sealed record DnsMessage(
    ushort Id, bool IsResponse, bool IsTruncated, int Rcode, IReadOnlyList<string> Answers,
    int Length);

/// <summary>Makes queries and reads answers.</summary>
public static class DnsWire
{
    public const ushort A = 1;
    public const ushort Txt = 16;
    public const ushort Aaaa = 28;
    public const ushort ClassIn = 1;
    public const ushort ClassChaos = 3;
    public const int ServFail = 2;

    private const int HeaderBytes = 12;

    public static byte[] Query(
        ushort id, string name, ushort type = A, ushort cls = ClassIn, bool isResponse = false)
    {
        var bytes = new List<byte>
        {
            (byte)(id >> 8), (byte)id, (byte)(isResponse ? 0x81 : 0x01), 0, 0, 1, 0, 0, 0, 0, 0, 0,
        };
        foreach (var label in name.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(label));
        }
        bytes.AddRange([0, (byte)(type >> 8), (byte)type, (byte)(cls >> 8), (byte)cls]);
        return [.. bytes];
    }

    /// <summary>The question that a backend answers with its own id.</summary>
    public static byte[] WhoAreYou(ushort id) => Query(id, "id.server", Txt, ClassChaos);

    /// <summary>A query with the two bytes of length that TCP puts before it.</summary>
    public static byte[] Framed(byte[] message)
    {
        var framed = new byte[message.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)message.Length);
        message.CopyTo(framed, 2);
        return framed;
    }

    public static DnsMessage Parse(ReadOnlySpan<byte> message)
    {
        var answers = new List<string>();
        var flags = U16(message, 2);
        var at = HeaderBytes;
        for (var i = U16(message, 4); i > 0; i--)
            at = AfterName(message, at) + 4;
        for (var i = U16(message, 6); i > 0; i--)
        {
            at = AfterName(message, at);
            var type = U16(message, at);
            var length = U16(message, at + 8);
            answers.Add(Text(type, message.Slice(at + 10, length)));
            at += 10 + length;
        }
        return new DnsMessage(U16(message, 0), (flags & 0x8000) != 0, (flags & 0x0200) != 0,
            flags & 15, answers, message.Length);
    }

    private static string Text(ushort type, ReadOnlySpan<byte> data)
    {
        if (type == A)
            return new IPAddress(data).ToString();
        if (type != Txt)
            return Convert.ToHexString(data);
        var text = new StringBuilder();
        for (var at = 0; at < data.Length; at += 1 + data[at])
            text.Append(Encoding.ASCII.GetString(data.Slice(at + 1, data[at])));
        return text.ToString();
    }

    private static int AfterName(ReadOnlySpan<byte> message, int at)
    {
        while (message[at] is > 0 and < 0xc0)
            at += 1 + message[at];
        return at + (message[at] == 0 ? 1 : 2);
    }

    private static ushort U16(ReadOnlySpan<byte> message, int at) =>
        BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
}
