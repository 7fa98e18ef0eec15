// DnsQuestion: which messages may be about the same question, what an error looks like, and that no
// bytes, however hostile, are read beyond their end.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class DnsQuestionTests
{
    private const int HeaderBytes = 12;

    [Theory]
    [InlineData(new byte[0], 0)]
    [InlineData(new byte[] { 0x12 }, 0x1200)]
    [InlineData(new byte[] { 0x12, 0x34 }, 0x1234)]
    [InlineData(new byte[] { 0x12, 0x34, 0x56 }, 0x1234)]
    public void Id_IsTheFirstTwoBytesAndMissingOnesAreZero(byte[] message, int id) =>
        Assert.Equal(id, DnsQuestion.IdOf(message));

    [Theory]
    [InlineData(0x00, true)]
    [InlineData(0x01, true)]
    [InlineData(0x07, true)]
    [InlineData(0x80, true)]
    [InlineData(0x08, false)]
    [InlineData(0x20, false)]
    [InlineData(0x28, false)]
    [InlineData(0x40, false)]
    public void Opcode_SaysWhetherItIsAQuery(byte flags, bool isQuery)
    {
        var message = Message("a.example");
        message[2] = flags;

        Assert.Equal(isQuery, DnsQuestion.IsQuery(message));
    }

    [Fact]
    public void WithoutAWholeHeader_IsNotAQuery()
    {
        Assert.False(DnsQuestion.IsQuery(new byte[HeaderBytes - 1]));
        Assert.True(DnsQuestion.IsQuery(new byte[HeaderBytes]));
    }

    [Theory]
    [InlineData("a.example", "a.example", true)]
    [InlineData("a.example", "A.eXAMPLE", true)]
    [InlineData("", "", true)]
    [InlineData("a.example", "b.example", false)]
    [InlineData("a.example", "a.example.org", false)]
    [InlineData("a.example", "", false)]
    [InlineData("ab.c", "a.bc", false)]
    public void Names_AreTheSameInAnyCase(string asked, string answered, bool same) =>
        Assert.Equal(same, DnsQuestion.MayBeSame(Message(asked), Message(answered)));

    [Fact]
    public void BytesThatDifferByTheCaseBitButAreNotLetters_AreNotTheSame()
    {
        // '[' and '{' differ as a letter does from its capital; so do a label of 31 and one of 63.
        Assert.False(DnsQuestion.MayBeSame(Message("[.example"), Message("{.example")));
        Assert.False(DnsQuestion.MayBeSame(
            Message("\u00c0.example"), Message("\u00e0.example")));
    }

    [Fact]
    public void NameWithOtherBytes_IsTheSameInAnyCase() => Assert.True(DnsQuestion.MayBeSame(
        Message("B\u00fccher.example"), Message("b\u00fcCHER.example")));

    [Fact]
    public void TypeAndClass_AreCompared()
    {
        var asked = Message("a.example", type: 1, @class: 1);

        Assert.False(DnsQuestion.MayBeSame(asked, Message("a.example", type: 28, @class: 1)));
        Assert.False(DnsQuestion.MayBeSame(asked, Message("a.example", type: 1, @class: 3)));
        // 0x41 and 0x61 are letters in a name, and just numbers in a type.
        Assert.False(DnsQuestion.MayBeSame(
            Message("a.example", type: 0x41), Message("a.example", type: 0x61)));
    }

    [Fact]
    public void WhatFollowsTheQuestion_IsNotCompared()
    {
        byte[] asked = [.. Message("a.example"), 1, 2, 3];
        byte[] answered = [.. Message("a.example"), 9];
        (answered[2], answered[3], answered[7]) = (0x84, 3, 1);

        Assert.True(DnsQuestion.MayBeSame(asked, answered));
    }

    [Fact]
    public void OneWithoutAQuestion_MayBeAboutAnything()
    {
        var asked = Message("a.example");
        var none = new byte[HeaderBytes];

        Assert.True(DnsQuestion.MayBeSame(asked, none));
        Assert.True(DnsQuestion.MayBeSame(none, asked));
        Assert.True(DnsQuestion.MayBeSame(asked, []));
        Assert.True(DnsQuestion.MayBeSame([], []));
    }

    [Fact]
    public void QuestionCountOfZero_HasNoQuestionWhateverFollows()
    {
        var other = Message("b.example");
        other[5] = 0;
        Assert.True(DnsQuestion.MayBeSame(Message("a.example"), other));
        // 256 of them are some.
        other[4] = 1;
        Assert.False(DnsQuestion.MayBeSame(Message("a.example"), other));
    }

    [Fact]
    public void CutAnywhere_IsAQuestionOnlyWhenItIsWhole()
    {
        var asked = Message("a.example");
        var other = Message("b.example.org");
        for (var length = 0; length <= other.Length; length++)
        {
            Assert.Equal(length < other.Length,
                DnsQuestion.MayBeSame(asked, other.AsSpan(0, length)));
            Assert.Equal(length < other.Length,
                DnsQuestion.MayBeSame(other.AsSpan(0, length), asked));
        }
    }

    [Theory]
    [InlineData(63, true)]
    [InlineData(64, false)]
    [InlineData(0x80, false)]
    [InlineData(0xc0, false)]
    [InlineData(0xff, false)]
    public void LabelOverSixtyThreeOrAPointer_IsNotAQuestion(int length, bool isQuestion)
    {
        var message = new byte[HeaderBytes + 300];
        (message[5], message[HeaderBytes]) = (1, (byte)length);

        // A message that has no question may be about that of any other.
        Assert.Equal(!isQuestion, DnsQuestion.MayBeSame(Message("a.example"), message));
    }

    [Theory]
    [InlineData(61, true)]
    [InlineData(62, false)]
    public void NameOver255Bytes_IsNotAQuestion(int lastLabel, bool isQuestion)
    {
        // Three labels of 63 with their lengths are 192 bytes; the last one's and the root's are 2.
        string[] labels = [.. Enumerable.Repeat(new string('x', 63), 3), new('x', lastLabel)];

        Assert.Equal(!isQuestion, DnsQuestion.MayBeSame(
            Message("a.example"), Message(string.Join('.', labels))));
    }

    [Fact]
    public void NameWithoutAnEnd_IsNotAQuestion()
    {
        var message = new byte[Limits.MaxUdpPayload];
        Array.Fill(message, (byte)1);

        Assert.True(DnsQuestion.MayBeSame(Message("a.example"), message));
    }

    [Fact]
    public void Error_HasIdOpcodeRecursionDesiredAndTheQuestionAlone()
    {
        byte[] query = [.. Message("a.example"), 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0];
        (query[0], query[1], query[2], query[3], query[11]) = (0xab, 0xcd, 0x07, 0x30, 1);
        var answer = new byte[Limits.MaxUdpPayload];
        Array.Fill(answer, (byte)0xee);

        var length = DnsQuestion.WriteError(query, 2, answer);

        var expected = Message("a.example");
        (expected[0], expected[1], expected[2], expected[3]) = (0xab, 0xcd, 0x81, 2);
        Assert.Equal(expected, answer[..length]);
    }

    [Fact]
    public void ErrorForAMessageWithoutAQuestion_IsAHeader()
    {
        var query = Message("a.example")[..^1];
        (query[0], query[1]) = (1, 2);
        var answer = new byte[Limits.MaxUdpPayload];

        Assert.Equal(HeaderBytes, DnsQuestion.WriteError(query, 2, answer));
        Assert.Equal([1, 2, 0x80, 2, 0, 0, 0, 0, 0, 0, 0, 0], answer[..HeaderBytes]);
    }

    [Fact]
    public void AnyBytes_AreReadAndNeverBeyondTheirEnd()
    {
        var random = new Random(1);
        var answer = new byte[Limits.MaxUdpPayload];
        for (var n = 0; n < 20_000; n++)
        {
            var a = Any(random);
            var b = Any(random);
            _ = DnsQuestion.IdOf(a);
            Assert.True(DnsQuestion.MayBeSame(a, a));
            Assert.Equal(DnsQuestion.MayBeSame(a, b), DnsQuestion.MayBeSame(b, a));
            if (DnsQuestion.IsQuery(a))
                Assert.InRange(DnsQuestion.WriteError(a, 2, answer), HeaderBytes, a.Length);
        }
    }

    /// <summary>Bytes of any length, of which the first are small ones as in real labels.</summary>
    private static byte[] Any(Random random)
    {
        var bytes = new byte[random.Next(random.Next(2) == 0 ? 40 : Limits.MaxUdpPayload)];
        random.NextBytes(bytes);
        for (var at = 0; at < bytes.Length && random.Next(20) != 0; at++)
            bytes[at] &= 7;
        return bytes;
    }

    private static byte[] Message(string name, ushort type = 1, ushort @class = 1)
    {
        var message = new List<byte> { 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
        foreach (var label in name.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            message.Add((byte)label.Length);
            message.AddRange(Encoding.Latin1.GetBytes(label));
        }
        message.Add(0);
        message.AddRange([(byte)(type >> 8), (byte)type, (byte)(@class >> 8), (byte)@class]);
        return [.. message];
    }
}
