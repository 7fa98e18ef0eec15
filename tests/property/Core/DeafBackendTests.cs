// A backend that answers and closes while its client still sends: whatever the sizes and in
// whatever pieces, the client gets the whole answer and its end, what it still sends is taken off
// its hands and thrown away, and the connection counts as failed by the backend, once, when the
// client ends.

using System;
using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Property.Core;

/// <summary>Bytes of the answer, and bytes that the client sends piece by piece after it.</summary>
/// <param name="Reads">Whether the client reads between two pieces, or only in the end.</param>
public sealed record LateTalk(int Answer, Script<int> Pieces, bool Reads);

public static class LateTalkArbitraries
{
    public static Arbitrary<LateTalk> Talks() => Arb.From(
        from answer in Scripts.Sizes(200_000, 0, 1, 16_384, 150_000)
        from pieces in Scripts.Of(Scripts.Sizes(30_000, 1, 16_384).Where(n => n > 0), 1, 8)
            .Generator
        from reads in Gen.Elements(true, false)
        select new LateTalk(answer, pieces, reads),
        talk => Scripts.Towards(0, talk.Answer).Select(n => talk with { Answer = n }));
}

public sealed class DeafBackendTests
{
    private static readonly Duration Moment = Duration.FromMilliseconds(1);

    private readonly byte[] _buffer = new byte[65_536];
    private int _read;
    private bool _sawEnd;

    [Property(Arbitrary = [typeof(LateTalkArbitraries)], MaxTest = 200)]
    public void BackendClosesBehindItsAnswer_ClientGetsAllOfIt(LateTalk talk)
    {
        // What the backend writes at once the kernel holds, as it does for one that exits.
        var kernel = new SimKernel { BackendToBalancer = new PipeSize(1_000_000) };
        var backend = new SimBackend(kernel, "5301");
        var sim = new SimBalancer(kernel);
        sim.Run(Duration.FromSeconds(2L));
        var client = kernel.ConnectClient(new Endpoint(Ipv4.From(10, 1, 0, 1), 4000));
        client.Send([byte.MaxValue]);
        sim.Run(Moment);
        var session = backend.TcpSessions.Single();
        session.Send(Answer(talk.Answer));
        session.Close();
        (_read, _sawEnd) = (0, false);

        foreach (var piece in talk.Pieces.Steps)
        {
            // Part of one long query: nobody waits for an answer to it.
            client.Send(Enumerable.Repeat(byte.MaxValue, piece).ToArray());
            sim.Run(Moment);
            if (talk.Reads)
                Read(client, talk.Answer);
        }
        for (var n = 0; n < 1000 && !_sawEnd; n++)
        {
            Read(client, talk.Answer);
            sim.Run(Moment);
        }

        Assert.Equal(talk.Answer, _read);
        Assert.True(_sawEnd, "the end comes behind the answer");
        Assert.Equal(0, client.Unsent);
        Assert.Equal(1, sim.Core.ConnectionCount);
        client.Close();
        sim.Run(Moment);
        Assert.Equal(0, sim.Core.ConnectionCount);
        Assert.Equal(1, sim.Counters.Sum(Counters.ConnectionEnds));
        Assert.Equal(1, sim.Counters[Counter.ConnectionsFailedByBackend]);
        Assert.Equal(0, kernel.Calls[SimCall.Abort]);
    }

    private static byte ByteAt(int place) => unchecked((byte)(place * 31 + (place >> 8)));

    private static byte[] Answer(int bytes) => [.. Enumerable.Range(0, bytes).Select(ByteAt)];

    private void Read(SimStream client, int answer)
    {
        while (!_sawEnd)
        {
            var result = client.Read(_buffer);
            _sawEnd = result.Status == IoStatus.EndOfStream;
            if (!result.IsOk)
                return;
            for (var i = 0; i < result.Count; i++)
                Assert.Equal(ByteAt(_read++), _buffer[i]);
            Assert.True(_read <= answer);
        }
    }
}
