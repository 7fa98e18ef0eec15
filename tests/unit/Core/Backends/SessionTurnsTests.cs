// How backends that flood share a turn: what a turn takes of their replies, that queries come every
// turn, and that a quiet backend's answer does not wait for them.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class SessionTurnsTests() : CoreTest
{
    [Theory]
    [InlineData(0)]
    [InlineData(48)]
    [InlineData(1000)]
    [InlineData(Limits.MaxUdpPayload)]
    public void OneBackendFloods_ATurnTakesItsBudgetAndMoreThanATurnsQueries(int payload)
    {
        Kernel.BackendToBalancer = new PipeSize(8_000_000);
        var backend = HealthyBackends("5301")[0];
        Ask(1);
        Answer(backend, replies: 5000, payload);
        var most = MostRepliesOfATurn(turns: 100);

        Assert.InRange(most,
            TurnLimits.Standard.DatagramBatchesPerTurn * Limits.DatagramsPerBatch + 1,
            TurnLimits.Standard.FramesPerTurn);
        Run(0.1);
        Assert.Equal(5001, Count(Counter.RepliesSent));
        AssertCountersAddUp();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(48)]
    public void SixteenBackendsFlood_ATurnIsBoundedAndEachGetsItsShare(int payload)
    {
        Kernel.BackendToBalancer = new PipeSize(4_000_000);
        var backends = HealthyBackends(
            Enumerable.Range(5301, 16).Select(id => $"{id}").ToArray());
        for (var client = 1; client <= 16; client++)
            Ask(client);
        foreach (var backend in backends)
            Answer(backend, replies: 2000, payload);
        var most = MostRepliesOfATurn(turns: 100);

        Assert.InRange(most, 1, TurnLimits.Standard.FramesPerTurn);
        Run(0.1);
        Assert.Equal(32_016, Count(Counter.RepliesSent));
        AssertCountersAddUp();
    }

    [Fact]
    public void ManyHaveMuchToBeReadAfterAStandstill_NoneIsAtFaultForWhatLiesUnread()
    {
        Kernel.BackendToBalancer = new PipeSize(4_000_000);
        var backends = HealthyBackends(
            Enumerable.Range(5301, 80).Select(id => $"{id}").ToArray());
        Ask(1);
        Run(4);
        foreach (var backend in backends)
            backend.AnswersHeartbeats = false;
        Run(2);
        // While the balancer stands still, each sends a backlog of replies and then its answer.
        foreach (var backend in backends)
        {
            Flood(backend, 1, replies: 100, payload: 0);
            backend.Control!.SendHeartbeat();
            backend.AnswersHeartbeats = true;
        }
        Kernel.Pass(Seconds(30));
        Run(10);

        Assert.Empty(Log.Of<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void RepliesNeverEndAndAHeartbeatIsNotAnswered_IsAtFaultAllTheSame()
    {
        Kernel.BackendToBalancer = new PipeSize(4_000_000);
        var backend = HealthyBackends("5301")[0];
        Ask(1);
        backend.AnswersHeartbeats = false;
        Run(19);
        for (var n = 0; n < 3000 && Log.Count<LogEvent.BackendFaulted>() == 0; n++)
        {
            Flood(backend, 1, replies: 1000, payload: 0);
            Kernel.Pass(Duration.FromMilliseconds(1));
            Balancer.Turn();
        }

        Assert.Equal(FaultCause.HeartbeatTimeout,
            Log.Of<LogEvent.BackendFaulted>().First().Fault.Cause);
    }

    [Fact]
    public void SixteenBackendsFlood_AQuietOnesAnswerIsSentInTheTurnAfterItCame()
    {
        Kernel.BackendToBalancer = new PipeSize(4_000_000);
        var backends = HealthyBackends(
            Enumerable.Range(5301, 17).Select(id => $"{id}").ToArray());
        for (var client = 1; client <= 17; client++)
            Ask(client);
        var quiet = backends.Single(backend => backend.Queries.Any(
            query => query.Source.Address == Client(17).Address));
        quiet.EchoesQueries = false;
        Ask(17, new byte[12]);
        foreach (var backend in backends)
        {
            if (backend != quiet)
                Answer(backend, replies: 2000, payload: 48);
        }
        for (var n = 0; n < 5; n++)
            Balancer.Turn();
        var sent = Kernel.Datagrams.Sent.Count;
        quiet.Reply(Client(17), new byte[7]);
        Balancer.Turn();
        Balancer.Turn();

        Assert.Contains(Kernel.Datagrams.Sent.Skip(sent),
            datagram => datagram.Payload.Length == 7);
    }

    /// <summary>Whatever frame lies there, a read must be able to take all of it.</summary>
    [Theory]
    [InlineData(160, 2)]
    [InlineData(161, 1)]
    public void LittleIsLeftOfATurn_ItReadsOnWhileAReadTakesAnyOneFrame(int frames, int reads)
    {
        var reader = new EndlessReader(frames);
        var turns = new SessionTurns(TurnLimits.Standard);
        turns.Add(reader);

        Assert.True(turns.Serve(Instant.Zero));
        Assert.Equal(reads, reader.Asked.Count);
        Assert.True(reader.Asked.Min() >= Limits.LeastSessionReadBytes);
    }

    [Fact]
    public void WriteFailsWhileMuchLiesUnread_SixteenMoreReadsAreTaken()
    {
        Kernel.BackendToBalancer = new PipeSize(8_000_000);
        var backend = HealthyBackends("5301")[0];
        Flood(backend, 1, replies: 4000, Limits.MaxUdpPayload);
        var usual = MostRepliesOfATurn(turns: 3);
        backend.Crash();
        Kernel.InjectDatagram(Client(1), Query(1));
        var before = Count(Counter.RepliesReceived);
        Balancer.Turn();
        Run(1);

        const int Most = Limits.LastReads * Limits.ReadBytes
            / (Frames.UdpHeaderBytes + Limits.MaxUdpPayload);
        Assert.Equal(IoStatus.BrokenPipe,
            Log.Of<LogEvent.BackendFaulted>().First().Fault.Io.Status);
        Assert.InRange(
            Count(Counter.RepliesReceived) - before, usual + Most - 2, usual + Most + 2);
    }

    [Fact]
    public void StopEndsWhileMuchLiesUnread_SoManySharesMoreAreTaken()
    {
        Kernel.BackendToBalancer = new PipeSize(4_000_000);
        var backends = HealthyBackends(
            Enumerable.Range(5301, 16).Select(id => $"{id}").ToArray());
        foreach (var backend in backends)
            Flood(backend, 1, replies: 4000, payload: 0);
        Kernel.RequestStop();
        Kernel.RequestStop();
        Run(1);

        Assert.True(Balancer.HasStopped);
        Assert.InRange(Count(Counter.RepliesReceived),
            Limits.LastShares * TurnLimits.Standard.FramesPerTurn - 2000,
            (Limits.LastShares + 2) * TurnLimits.Standard.FramesPerTurn);
    }

    /// <summary>
    /// Gets so many queries of the first client that asked it to a backend, and answers all of them
    /// at once.
    /// </summary>
    private void Answer(SimBackend backend, int replies, int payload)
    {
        var client = backend.Queries[0].Source.Address;
        backend.EchoesQueries = false;
        for (var n = 0; n < replies; n++)
        {
            Kernel.InjectDatagram(new Endpoint(client, (ushort)(1000 + n)), new byte[12]);
            if (n % 64 == 63)
                Run(0.000_001);
        }
        Run(0.000_001);
        for (var n = 0; n < replies; n++)
            backend.Reply(new Endpoint(client, (ushort)(1000 + n)), new byte[payload]);
    }

    /// <summary>Replies to nobody's query; they are read as any.</summary>
    private static void Flood(SimBackend backend, int client, int replies, int payload)
    {
        for (var n = 0; n < replies; n++)
            backend.Reply(Client(client), new byte[payload]);
    }

    /// <summary>A session of which each read has so many frames.</summary>
    private sealed class EndlessReader(int frames) : ISessionReader
    {
        private SessionTurn _turn;

        /// <summary>Bytes that each read asked for.</summary>
        public List<int> Asked { get; } = [];

        public ref SessionTurn Turn => ref _turn;

        public int Read(Instant now, int mostBytes, out bool mayHaveMore)
        {
            Asked.Add(mostBytes);
            mayHaveMore = true;
            return frames;
        }
    }

    private long MostRepliesOfATurn(int turns)
    {
        var most = 0L;
        for (var n = 0; n < turns; n++)
        {
            var before = Count(Counter.RepliesReceived);
            Balancer.Turn();
            most = Math.Max(most, Count(Counter.RepliesReceived) - before);
        }
        return most;
    }
}
