// Plain DNS: answers without frames, and the misbehaviour that is not about frames.

using System.Collections.Generic;
using FakeBinder;
using Xunit;

namespace Tests.Unit.FakeBinder;

public sealed class PlainDnsTests
{
    private readonly List<(uint Address, ushort Port, byte[] Answer)> _sent = [];

    [Fact]
    public void Query_IsAnsweredToWhoAsked()
    {
        Ask(Made(new Misbehaviour()), SessionDriver.Query("www.example.com"));

        var (address, port, answer) = Assert.Single(_sent);
        Assert.Equal((0x7f000002u, (ushort)4242), (address, port));
        Assert.Equal([0x12, 0x34], answer[..2]);
        Assert.Equal(0x80, answer[2] & 0x80);
    }

    [Fact]
    public void WhatIsNotAQuery_IsNotAnswered()
    {
        var plain = Made(new Misbehaviour());

        Ask(plain, [1, 2, 3]);
        Ask(plain, [0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

        Assert.Empty(_sent);
    }

    [Fact]
    public void Replies_AreShapedRepeatedAndSentElsewhere()
    {
        Ask(Made(new Misbehaviour
        {
            ReplyLength = 700,
            DuplicateReplies = 2,
            ReplyAddress = 0x0a000001,
            ReplyPort = 53,
        }), SessionDriver.Query("a"));

        Assert.Equal(3, _sent.Count);
        Assert.All(_sent, sent => Assert.Equal(
            (0x0a000001u, (ushort)53, 700), (sent.Address, sent.Port, sent.Answer.Length)));
    }

    [Fact]
    public void DelayedAnswers_ComeWhenTheyAreDue()
    {
        var plain = Made(new Misbehaviour { DelayNs = 5 });

        Ask(plain, SessionDriver.Query("a"));
        Assert.Empty(_sent);
        Assert.Equal(5, plain.NextDeadlineNs);
        plain.OnDeadline(4);
        Assert.Empty(_sent);
        plain.OnDeadline(5);

        Assert.Single(_sent);
        Assert.Null(plain.NextDeadlineNs);
    }

    [Fact]
    public void Crash_IsAnActionAndEndsEverything()
    {
        var plain = Made(new Misbehaviour { CrashAfter = 1 });

        Ask(plain, SessionDriver.Query("a"));
        Ask(plain, SessionDriver.Query("b"));

        Assert.Single(_sent);
        Assert.True(plain.Outbox.TryTake(out var action));
        Assert.Equal(SessionActionKind.CrashProcess, action.Kind);
    }

    [Fact]
    public void TcpConnection_NeedsNoHandshake()
    {
        var session = new BinderSession(
            "id", Misbehaviour.None, new BinderShared(0), isPlain: true);
        session.OnConnected(0);

        session.OnBytes(0, SessionDriver.Framed(SessionDriver.Query("a")));

        Assert.True(session.Outbox.TryTake(out var first));
        Assert.Equal(SessionActionKind.Write, first.Kind);
        // A length, and behind it the id of the query: no INBOUND_TCP_OK came before.
        Assert.Equal([0x12, 0x34], first.Bytes.Span.Slice(2, 2).ToArray());
        Assert.False(session.Outbox.TryTake(out _));
    }

    private PlainDns Made(Misbehaviour misbehaviour) => new(
        "id", misbehaviour, new BinderShared(0),
        (address, port, answer) => _sent.Add((address, port, answer.ToArray())));

    private static void Ask(PlainDns plain, byte[] datagram) =>
        plain.OnDatagram(0, 0x7f000002, 4242, datagram);
}
