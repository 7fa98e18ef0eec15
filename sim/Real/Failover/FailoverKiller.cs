// Owns the queries that end the backend which reads them. Each is one that node-mname 1.5.1, or the
// Binder that is built on it, throws an error about:
//
//   Edns20, Edns0    a client that takes no more bytes than that: the question does not fit
//   Reverse          PTR of constructor.in-addr.arpa, which every object of JavaScript "has"
//   LongAnswer       an answer of which the OPT record's last field lies behind 1024 bytes exactly
//   TooLongAnswer    an answer of more than 65,530 bytes, over TCP
//   SecondEdns       of two EDNS records the last, which is the one that it takes, offers 20 bytes;
//                    the name is another one each time
//
// fake-binder is ended by the first label "crash" alone, so that stands in the place of what ends
// node-mname.
//
// What always holds: but for its id, and for a number in its name where that changes, a killer is
// the same each time that it is asked.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace Simulation.Real.Failover;

/// <summary>A query that ends backends.</summary>
/// <param name="Type">What it asks for.</param>
/// <param name="NodeLabel">The first label of its name, if node-mname is asked.</param>
/// <param name="Labels">The others.</param>
/// <param name="EdnsBytes">The size that it says it takes; null without EDNS.</param>
/// <param name="OverTcp">It is asked over TCP.</param>
internal sealed record FailoverKiller(
    ushort Type, string NodeLabel, IReadOnlyList<string> Labels, ushort? EdnsBytes, bool OverTcp)
{
    private const int HeaderBytes = 12;
    private const ushort TypeA = 1;
    private const ushort TypePtr = 12;
    private const ushort TypeTxt = 16;
    private const ushort TypeOpt = 41;
    private const ushort ClassIn = 1;
    private const string DeadlyLabel = "crash";
    private const string AnyLabel = "www";

    /// <summary>As long as any that is set.</summary>
    private const string Number = "00000000";

    /// <summary>What every object of JavaScript has.</summary>
    private const string Inherited = "constructor";

    public static readonly FailoverKiller Edns20 = new(TypeA, AnyLabel, ["test"], 20, false);

    public static readonly FailoverKiller Edns0 = new(TypeA, AnyLabel, ["test"], 0, false);

    public static readonly FailoverKiller Reverse =
        new(TypePtr, Inherited, ["in-addr", "arpa"], null, false);

    public static readonly FailoverKiller ReverseOverTcp = Reverse with { OverTcp = true };

    /// <summary>Three strings of 255 bytes, and a name of 194 bytes in front of them.</summary>
    public static readonly FailoverKiller LongAnswer = new(TypeTxt, "size-700",
        [new string('f', 63), new string('f', 63), new string('f', 55)], 1400, false);

    public static readonly FailoverKiller TooLongAnswer =
        new(TypeTxt, "size-66000", ["test"], null, true);

    public static readonly FailoverKiller SecondEdns =
        new(TypeA, AnyLabel, [Number, "test"], 4096, false) { SecondEdnsBytes = 20 };

    /// <summary>The size in a second EDNS record; null if there is none.</summary>
    public ushort? SecondEdnsBytes { get; private init; }

    /// <summary>The second label is a number, another one each time.</summary>
    public bool HasNumber => Labels[0] == Number;

    /// <summary>Writes a number into the second label of a query that has one.</summary>
    public static void SetNumber(Span<byte> query, long number)
    {
        var first = query[HeaderBytes..];
        var digits = first.Slice(1 + first[0] + 1, Number.Length);
        for (var at = digits.Length - 1; at >= 0; at--, number /= 10)
            digits[at] = (byte)('0' + number % 10);
    }

    /// <summary>The query with id 0.</summary>
    public byte[] ToBytes(bool isForNode)
    {
        var bytes = new List<byte>(new byte[HeaderBytes]);
        bytes[2] = 1; // RD
        bytes[5] = 1; // One question.
        foreach (var label in Labels.Prepend(isForNode ? NodeLabel : DeadlyLabel))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(label));
        }
        bytes.Add(0);
        Add(bytes, Type);
        Add(bytes, ClassIn);
        // fake-binder reads no message that has two.
        ushort?[] sizes = isForNode ? [EdnsBytes, SecondEdnsBytes] : [SecondEdnsBytes ?? EdnsBytes];
        foreach (var size in sizes.OfType<ushort>())
        {
            bytes[11]++; // One additional record more, whose TTL and data are zero and none.
            bytes.Add(0);
            Add(bytes, TypeOpt);
            Add(bytes, size);
            bytes.AddRange(new byte[6]);
        }
        return [.. bytes];
    }

    private static void Add(List<byte> bytes, ushort number)
    {
        Span<byte> two = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(two, number);
        bytes.AddRange((ReadOnlySpan<byte>)two);
    }
}
