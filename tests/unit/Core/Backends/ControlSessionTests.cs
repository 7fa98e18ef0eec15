// ControlSession: what may be queued while the stream takes all, some or nothing, how often it is
// written, what is in flight, and that a session begins from nothing.

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class ControlSessionTests
{
    private static readonly Endpoint Client = new(Ipv4.From(10, 0, 0, 1), 4000);
    private static readonly byte[] Hello = [1, 0, 0, 0];
    private static readonly byte[] Heartbeat = [4, 0, 0, 0];
    private static readonly IoResult WouldBlock = IoResult.Failed(IoStatus.WouldBlock);

    private readonly ScriptedNetwork _network = new();
    private readonly ControlSession _session;

    public ControlSessionTests()
    {
        var services = new Services(_network, new StreamOwners(), new Timers(), new Counters(),
            new SimLog(new SimKernel().Clock), new BalancerOptions(), TurnLimits.Standard);
        _session = new ControlSession(services, new QueryPairs(),
            new Quarantine(services));
        Begin();
    }

    [Fact]
    public void StreamTakesEverything_OneFlushIsOneWriteOfAllThatWaits()
    {
        _session.SendHello();
        for (var n = 0; n < 10; n++)
            Assert.True(TryForward([1, 2, 3]));
        Assert.Equal(0, _network.Writes);

        Assert.True(_session.Flush(Instant.Zero).IsOk);

        Assert.Equal(1, _network.Writes);
        Assert.Equal(4 + 10 * (Frames.UdpHeaderBytes + 3), _network.Written.Count);
        Assert.Equal(0, _session.QueuedBytes);
        Assert.Equal(Readiness.Read, _network.StreamInterest);
    }

    [Fact]
    public void NothingWaits_NothingIsWritten()
    {
        Assert.True(_session.Flush(Instant.Zero).IsOk);

        Assert.Equal(0, _network.Writes);
    }

    [Fact]
    public void StreamTakesAPart_RestWaitsUntilItIsWritableAndQueriesAreStillQueued()
    {
        _network.WriteAnswers.Enqueue(IoResult.Ok(3));
        _session.SendHello();
        _session.Flush(Instant.Zero);
        Assert.Equal(Readiness.Read | Readiness.Write, _network.StreamInterest);

        Assert.True(TryForward([9]));
        _session.Flush(Instant.Zero);
        Assert.Equal(1, _network.Writes);

        _session.OnWritable();
        _session.Flush(Instant.Zero);
        Assert.Equal(2, _network.Writes);
        Assert.Equal(Hello, _network.Written.Take(4));
        Assert.Equal(4 + Frames.UdpHeaderBytes + 1, _network.Written.Count);
        Assert.Equal(Readiness.Read, _network.StreamInterest);
    }

    [Fact]
    public void StreamTakesNothing_NoQueryIsQueuedUntilAllIsOut()
    {
        _network.WriteAnswers.Enqueue(WouldBlock);
        _session.SendHello();
        Assert.True(_session.Flush(Instant.Zero).IsOk);
        Assert.False(TryForward([1]));

        _network.WriteAnswers.Enqueue(IoResult.Ok(1));
        _session.OnWritable();
        _session.Flush(Instant.Zero);
        Assert.False(TryForward([1]));

        _session.OnWritable();
        _session.Flush(Instant.Zero);
        Assert.True(TryForward([1]));
        Assert.Equal(Hello, _network.Written);
        Assert.Equal(Readiness.Read, _network.StreamInterest);
    }

    [Fact]
    public void QueueFullOfQueries_StillHasRoomForAHeartbeat()
    {
        var payload = new byte[Limits.MaxUdpPayload];
        while (TryForward(payload))
        {
        }
        while (TryForward([]))
        {
        }
        Assert.True(_session.QueuedBytes > Limits.BackendQueueBytes - 100);

        _session.SendHello();
        _session.SendHeartbeat();
        _session.Flush(Instant.Zero);

        Assert.Equal([.. Hello, .. Heartbeat], _network.Written.TakeLast(8));
    }

    /// <summary>The stream is writable all the same, so a wait for that would not wait.</summary>
    [Fact]
    public void NoMemoryForAWrite_NothingIsWrittenOrWaitedForUntilItIsTriedAgain()
    {
        _network.WriteAnswers.Enqueue(IoResult.Failed(IoStatus.NoBuffers, 105));
        _session.SendHello();
        Assert.True(_session.Flush(Instant.Zero).IsOk);
        Assert.True(_session.AwaitsMemory);
        Assert.Equal(Readiness.Read, _network.StreamInterest);
        Assert.False(_session.IsStuck);
        Assert.True(TryForward([1]));
        _session.Flush(Instant.Zero);
        Assert.Equal(1, _network.Writes);

        _session.Retry();
        Assert.True(_session.Flush(Instant.Zero).IsOk);
        Assert.False(_session.AwaitsMemory);
        Assert.Equal(0, _session.QueuedBytes);
        Assert.Equal(4 + Frames.UdpHeaderBytes + 1, _network.Written.Count);
    }

    /// <summary>It is readable all the same, and may have hung up.</summary>
    [Fact]
    public void NoMemoryForARead_NothingIsWaitedForUntilItIsTriedAgain()
    {
        _network.ReadAnswer = IoResult.Failed(IoStatus.NoBuffers, 12);
        Assert.Equal(IoStatus.WouldBlock, _session.Read(Instant.Zero, new byte[10]).Status);
        Assert.True(_session.AwaitsMemory);
        Assert.Equal(Readiness.None, _network.StreamInterest);

        _session.Retry();
        Assert.Equal(Readiness.Read, _network.StreamInterest);
        _network.ReadAnswer = IoResult.Ok(1);
        Assert.True(_session.Read(Instant.Zero, new byte[10]).IsOk);
        Assert.False(_session.AwaitsMemory);
    }

    [Fact]
    public void NoMemoryAgainAndAgain_PausesGrowUpToABound()
    {
        Assert.Equal([10, 20, 40, 80, 100, 100], Enumerable.Range(0, 6)
            .Select(_ => _session.TakeMemoryPause().Nanoseconds / 1_000_000));

        _network.WriteAnswers.Enqueue(IoResult.Failed(IoStatus.NoBuffers, 105));
        _session.SendHello();
        _session.Flush(Instant.Zero);
        _session.Retry();
        _session.Flush(Instant.Zero);
        Assert.Equal(Limits.FirstMemoryPause, _session.TakeMemoryPause());
    }

    [Fact]
    public void WriteFails_FlushSaysWhy()
    {
        _network.WriteAnswers.Enqueue(IoResult.Failed(IoStatus.BrokenPipe, 32));
        _session.SendHello();

        Assert.Equal(IoResult.Failed(IoStatus.BrokenPipe, 32), _session.Flush(Instant.Zero));
    }

    [Fact]
    public void NextSession_BeginsFromNothing()
    {
        _network.WriteAnswers.Enqueue(WouldBlock);
        TryForward([1, 2, 3]);
        _session.Flush(Instant.Zero);
        ReadOnlyHalfOfAFrame();
        var old = _session.Stream;

        Assert.Equal(1, _session.TakeInFlight().Count);
        _session.End(Instant.Zero);
        Assert.Equal([old], _network.Closed);
        Assert.True(_session.Stream.IsNone);
        Begin();

        Assert.Equal(0, _session.QueuedBytes);
        Assert.Equal(0, _session.InFlight.Count);
        Assert.Equal(Readiness.Read, _network.StreamInterest);
        Assert.True(TryForward([]));
        _session.Flush(Instant.Zero);
        Assert.Equal(Frames.UdpHeaderBytes, _network.Written.Count);
        Assert.Equal([FrameType.ServerHello], Read([0xe9, 3, 0, 0]));
    }

    [Fact]
    public void QueryThatIsQueued_IsInFlightAndOneThatIsNotIsNot()
    {
        Assert.True(TryForward([1, 2, 3]));
        Assert.Equal(1, _session.InFlight.Count);
        _network.WriteAnswers.Enqueue(WouldBlock);
        _session.Flush(Instant.Zero);

        Assert.True(_session.IsStuck);
        Assert.False(TryForward([4, 5, 6]));
        Assert.Equal(1, _session.InFlight.Count);
        _session.OnWritable();
        _session.Flush(Instant.Zero);
        Assert.False(_session.IsStuck);
    }

    [Fact]
    public void EndingWithQueriesThatNobodyTook_IsABug()
    {
        TryForward([1]);

        Assert.Throws<VerificationException>(() => _session.End(Instant.Zero));
    }

    [Fact]
    public void BeginningTwice_IsABug() => Assert.Throws<VerificationException>(Begin);

    private bool TryForward(byte[] payload) => _session.TryForward(
        Instant.Zero, new Query(Client, Ipv4.Loopback, Instant.Zero), payload);

    private void Begin()
    {
        _network.ConnectBackend("/5301"u8, out var stream);
        _session.Begin(stream);
    }

    private void ReadOnlyHalfOfAFrame() => Assert.Empty(Read([0xe9, 3]));

    private List<FrameType> Read(byte[] bytes)
    {
        var types = new List<FrameType>();
        System.ReadOnlySpan<byte> input = bytes;
        while (_session.Reader.Next(ref input, out var frame) == FrameStatus.Frame)
            types.Add(frame.Type);
        return types;
    }
}
