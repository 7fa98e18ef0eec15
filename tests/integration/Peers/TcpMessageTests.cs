// TCP messages as the tests of other balancers and resolvers have them: cut in the middle of their
// length, long and late, by the hundred to a client that stalls, answered in another order, and
// with bytes behind their end. The balancer knows nothing of messages, so all of it must pass as it
// came; most of it is seen from both ends, by a backend that the test plays by hand.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Peers;

public sealed class TcpMessageTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly RawBackend _backend;
    private readonly BalancerProcess _balancer;
    private readonly TcpHost _client;
    private readonly RawSession _session;

    public TcpMessageTests()
    {
        _backend = new RawBackend(_folder["5301"]);
        _balancer = BalancerProcess.Start(_folder.FullName);
        _backend.AcceptControl().AnswerHeartbeats();
        _balancer.WaitHealthy(5301);
        _client = new TcpHost(_balancer.Endpoint);
        // A backend is looked for when its client has asked something.
        var opening = DnsWire.Framed(DnsWire.Query(9, "opening.example.com"));
        _client.Send(opening);
        _session = _backend.AcceptTcp(out _);
        _session.Write(Frame.U32(Frame.InboundTcpOk));
        _session.Expect(opening);
        _session.Write(opening);
        _client.ReceiveExactly(opening.Length);
    }

    public void Dispose()
    {
        _client.Dispose();
        _balancer.Dispose();
        _backend.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void LengthCutInTwo_PassesBothWays()
    {
        var query = DnsWire.Framed(DnsWire.Query(1, "cut.example.com"));
        var answer = DnsWire.Framed(DnsWire.Query(1, "cut.example.com", isResponse: true));

        // A first message is passed on when it is whole; the rest is sent when the first byte has
        // arrived, so that no read has both.
        _client.Send(query.AsSpan(0, 1));
        Assert.False(_session.HasNews(300), "a first message was passed on in part");
        _client.Send(query.AsSpan(1));
        _session.Expect(query);
        _session.Write(answer.AsSpan(0, 1));
        Assert.Equal(answer[..1], _client.ReceiveExactly(1));
        _session.Write(answer.AsSpan(1));

        Assert.Equal(answer[1..], _client.ReceiveExactly(answer.Length - 1));
    }

    [Fact]
    public void QueryOf7680BytesWhoseLastByteComesLate_PassesWithoutIt_ThenWhole()
    {
        var query = DnsWire.Framed(
            [.. DnsWire.Query(2, "long.example.com"), .. Noise(7680 - 34)]);
        Assert.Equal(7682, query.Length);

        _client.Send(query.AsSpan(0, query.Length - 1));
        _session.Expect(query[..^1]);
        Assert.False(_session.HasNews(1000), "more came than was sent");
        _client.Send(query.AsSpan(query.Length - 1));

        _session.Expect(query[^1..]);
        _session.Write(DnsWire.Framed(DnsWire.Query(2, "long.example.com", isResponse: true)));
        Assert.Equal(2, _client.ReceiveMessage().Id);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(100)]
    public void PipelinedQueriesAnsweredInReverse_ArriveInThatOrder(int count)
    {
        _client.Send([.. Enumerable.Range(1, count).SelectMany(
            id => DnsWire.Framed(DnsWire.Query((ushort)id, $"n{id}.example.com")))]);
        var queries = Enumerable.Range(1, count).Select(_ => ReadMessage()).ToList();
        Assert.Equal(Enumerable.Range(1, count), queries.Select(Id));

        foreach (var query in Enumerable.Reverse(queries))
        {
            query[2] |= 0x80;
            _session.Write(DnsWire.Framed(query));
        }

        Assert.Equal(Enumerable.Range(1, count).Reverse(),
            Enumerable.Range(1, count).Select(_ => (int)_client.ReceiveMessage().Id));
    }

    [Fact]
    public void BytesBehindTheMessage_AreKeptBothWays()
    {
        byte[] query = [.. DnsWire.Query(3, "trailing.example.com"), .. Noise(9)];
        byte[] answer =
        [
            .. DnsWire.Query(3, "trailing.example.com", isResponse: true), .. Noise(11),
        ];

        _client.SendMessage(query);
        Assert.Equal(query, ReadMessage());
        _session.Write(DnsWire.Framed(answer));

        Assert.Equal(DnsWire.Framed(answer), _client.ReceiveExactly(answer.Length + 2));
    }

    private static int Id(byte[] message) => BinaryPrimitives.ReadUInt16BigEndian(message);

    private static byte[] Noise(int bytes)
    {
        var noise = new byte[bytes];
        new Random(bytes).NextBytes(noise);
        return noise;
    }

    private byte[] ReadMessage() =>
        _session.Read(BinaryPrimitives.ReadUInt16BigEndian(_session.Read(2)));
}

public sealed class StalledClientTests
{
    [Fact]
    public void TwoHundredAndTwoAnswersToAClientThatStallsForASecond_AllArriveWhole()
    {
        const int Count = 202;
        const int Bytes = 48_000;
        using var cluster = new Cluster(1);
        // Some 10 MB of answers: far more than the kernel and the balancer hold for one client.
        using var client = new TcpHost(cluster.Balancer.Endpoint, receiveBuffer: 4096);
        client.Send([.. Enumerable.Range(1, Count).SelectMany(id => DnsWire.Framed(
            DnsWire.Query((ushort)id, $"size-{Bytes}.example.com", DnsWire.Txt)))]);

        Thread.Sleep(1000);

        var answers = new List<DnsMessage>();
        while (answers.Count < Count)
            answers.Add(client.ReceiveMessage());
        Assert.Equal(Enumerable.Range(1, Count), answers.Select(answer => (int)answer.Id));
        Assert.All(answers, answer => Assert.Equal(Bytes, answer.Length));
        Assert.Single(answers.Select(answer => answer.Answers[0]).Distinct());
        Assert.Empty(cluster.Balancer.All(Log.Faulted));
    }
}
