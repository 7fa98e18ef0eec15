// Owns as much of DNS as the demo asks and understands: one question in a query, and the text of
// the first TXT record in its reply.

using System;
using System.Buffers.Binary;
using System.Text;

namespace Demo;

/// <param name="Name">Without the dot at its end.</param>
/// <param name="Type">A (1) or TXT (16).</param>
/// <param name="Class">IN (1) or CH (3).</param>
internal sealed record DnsQuestion(string Name, ushort Type, ushort Class)
{
    /// <summary>RFC 4892: the name of the server that answers.</summary>
    public static readonly DnsQuestion WhoAnswers = new("id.server", Text, 3);

    public static readonly DnsQuestion AnAddress = new("www.example.com", 1, 1);

    private const ushort Text = 16;
    private const int HeaderBytes = 12;

    public byte[] Message(ushort id)
    {
        var labels = Name.Split('.');
        var message = new byte[HeaderBytes + Name.Length + 2 + 4];
        BinaryPrimitives.WriteUInt16BigEndian(message, id);
        message[2] = 1; // Recursion desired, as resolvers of hosts say.
        message[5] = 1; // One question.
        var at = HeaderBytes;
        foreach (var label in labels)
        {
            message[at++] = (byte)label.Length;
            at += Encoding.ASCII.GetBytes(label, message.AsSpan(at));
        }
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(at + 1), Type);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(at + 3), Class);
        return message;
    }

    public static bool IsReply(ReadOnlySpan<byte> message, ushort id) =>
        message.Length >= HeaderBytes && BinaryPrimitives.ReadUInt16BigEndian(message) == id
            && message[2] >> 7 == 1;

    /// <summary>The first string of the first record if that is TXT, else "".</summary>
    public static string FirstText(ReadOnlySpan<byte> message)
    {
        if (message[7] == 0)
            return "";
        var at = SkipName(message, HeaderBytes) + 4;
        at = SkipName(message, at);
        const int FixedBytes = 10;
        if (at + FixedBytes >= message.Length
            || BinaryPrimitives.ReadUInt16BigEndian(message[at..]) != Text)
        {
            return "";
        }
        at += FixedBytes;
        var length = message[at++];
        return at + length <= message.Length
            ? Encoding.ASCII.GetString(message.Slice(at, length))
            : "";
    }

    private static int SkipName(ReadOnlySpan<byte> message, int at)
    {
        while (at < message.Length && message[at] is > 0 and < 0xc0)
            at += 1 + message[at];
        return at + (at < message.Length && message[at] >= 0xc0 ? 2 : 1);
    }
}
