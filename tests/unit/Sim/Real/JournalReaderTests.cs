// The journal as a backend writes it and as a run reads it, bytes and frames alike.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Real;
using Xunit;

namespace Tests.Unit.Sim.Real;

public sealed class JournalReaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("jr-").FullName;
    private readonly ObservedProcess _process = new(3, 0);
    private readonly JournalReader _reader;
    private readonly Journal _journal;

    public JournalReaderTests()
    {
        _reader = new JournalReader(_process);
        _journal = new Journal(Where);
    }

    private string Where => Path.Combine(_folder, "journal");

    public void Dispose()
    {
        _journal.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void NoFileYet_IsNothing()
    {
        _reader.Read(Path.Combine(_folder, "none"));

        Assert.False(_reader.IsListening);
        Assert.Empty(_process.Sessions);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    public void ControlSession_IsReadHoweverItIsCut(int piece)
    {
        _journal.Add(JournalKind.Listening, 1, 0, "5301");
        _journal.Add(JournalKind.Accepted, 10, 5, []);
        Cut(JournalKind.Read, 5, piece, [.. Words(1), .. Words(2, 0x7f010001, 40_000, 3), 1, 2, 3]);
        _journal.Add(JournalKind.Read, 500, 5, [.. Words(4)]);
        Cut(JournalKind.Written, 5, piece,
            [.. Words(1001), .. Words(1002, 0x7f010001, 40_000, 2), 8, 9]);
        _journal.Add(JournalKind.PeerEnded, 900, 5, []);
        _journal.Add(JournalKind.Over, 901, 5, "closed: end of stream");

        _reader.Read(Where);

        Assert.True(_reader.IsListening);
        var session = Assert.Single(_process.Sessions);
        Assert.True(session.IsControl);
        Assert.Equal(3, session.Backend);
        Assert.Equal(10, session.AcceptedAt);
        Assert.NotNull(session.HelloAt);
        Assert.Equal([500], session.Heartbeats);
        Assert.Equal(900, session.PeerEndedAt);
        Assert.Equal(("closed: end of stream", 901L), (session.Over, session.OverAt));
        var query = Assert.Single(session.Queries);
        Assert.Equal(("127.1.0.1", 40_000u), (query.Peer.ToString(), query.Port));
        Assert.Equal([1, 2, 3], query.Payload);
        Assert.Equal([8, 9], Assert.Single(session.Replies).Payload);
    }

    [Fact]
    public void Probes_AreNotClientsQueriesAndTheFirstGoodAnswerMakesReady()
    {
        _journal.Add(JournalKind.Accepted, 10, 5, []);
        _journal.Add(JournalKind.Read, 11, 5,
            [.. Words(1), .. Words(2, 0xc0000008, 53, 3), 1, 2, 3]);
        foreach (var (at, code) in ((long, byte)[])[(20, 2), (30, 5), (40, 3), (50, 0)])
        {
            _journal.Add(JournalKind.Written, at, 5,
                [.. Words(1002, 0xc0000008, 53, 4), 1, 2, 0x80, code]);
        }

        _reader.Read(Where);

        var session = Assert.Single(_process.Sessions);
        Assert.Empty(session.Queries);
        Assert.Empty(session.Replies);
        Assert.Equal([1, 2, 3], Assert.Single(session.Probes).Payload);
        Assert.Equal(4, session.ProbeAnswers.Count);
        Assert.Equal(40, session.ReadyAt);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    public void TcpSession_HasItsClientAndBytes(int piece)
    {
        _journal.Add(JournalKind.Accepted, 10, 5, []);
        Cut(JournalKind.Read, 5, piece, Words(3, 0x7f010001, 50_000));
        Cut(JournalKind.Written, 5, piece, [.. Words(1003), 4, 5]);
        Cut(JournalKind.Read, 5, piece, [1, 2, 3]);
        _journal.Add(JournalKind.HalfClosed, 800, 5, []);

        _reader.Read(Where);

        var session = Assert.Single(_process.Sessions);
        Assert.Equal(new Endpoint(new Ipv4(0x7f010001), 50_000), session.Client);
        Assert.NotNull(session.OkAt);
        Assert.Equal(0, session.EarlyBytes);
        Assert.Equal([1, 2, 3], session.FromClient);
        Assert.Equal([4, 5], session.ToClient);
        Assert.Equal(800, session.HalfClosedAt);
    }

    [Fact]
    public void BytesBeforeTheOk_AreCounted()
    {
        _journal.Add(JournalKind.Accepted, 10, 5, []);
        _journal.Add(JournalKind.Read, 11, 5, [.. Words(3, 0x7f010001, 50_000), 1, 2]);
        _journal.Add(JournalKind.Written, 12, 5, Words(1003));

        _reader.Read(Where);

        Assert.Equal(2, _process.Sessions[0].EarlyBytes);
    }

    [Fact]
    public void WrongFrameInThePlaceOfTheOk_IsUnruly()
    {
        _journal.Add(JournalKind.Accepted, 10, 5, []);
        _journal.Add(JournalKind.Read, 11, 5, Words(3, 0x7f010001, 50_000));
        _journal.Add(JournalKind.Written, 12, 5, [.. Words(1001), 7, 7]);

        _reader.Read(Where);

        Assert.True(_process.Sessions[0].IsUnruly);
        Assert.Empty(_process.Sessions[0].ToClient);
    }

    [Fact]
    public void JournalThatGrows_IsReadOn()
    {
        _journal.Add(JournalKind.Accepted, 10, 5, []);
        _reader.Read(Where);
        Assert.Empty(_process.Sessions[0].Queries);

        _journal.Add(JournalKind.Read, 11, 5, [.. Words(1), .. Words(2, 1, 2, 0)]);
        _reader.Read(Where);
        _reader.Read(Where);

        Assert.Single(_process.Sessions[0].Queries);
    }

    [Fact]
    public void RecordThatIsNotWhole_Waits()
    {
        _journal.Add(JournalKind.Accepted, 10, 5, []);
        _journal.Add(JournalKind.Over, 11, 5, "closed: as asked");
        _journal.Dispose();
        var bytes = File.ReadAllBytes(Where);

        var taken = _reader.Take(bytes.AsSpan(0, bytes.Length - 1));
        Assert.Null(Assert.Single(_process.Sessions).Over);

        Assert.Equal(bytes.Length - taken, _reader.Take(bytes.AsSpan(taken)));
        Assert.NotNull(_process.Sessions[0].Over);
    }

    private void Cut(JournalKind kind, long session, int piece, byte[] bytes)
    {
        foreach (var chunk in bytes.Chunk(piece))
            _journal.Add(kind, 100, session, chunk);
    }

    private static byte[] Words(params uint[] words)
    {
        var bytes = new List<byte>();
        Span<byte> word = stackalloc byte[4];
        foreach (var value in words)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(word, value);
            bytes.AddRange(word.ToArray());
        }
        return [.. bytes];
    }
}
