// How backends that flood share a turn: what a turn takes of their replies, that queries come every
// turn, and that a quiet backend's answer does not wait for them.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class SessionTurnsTests() : CoreTest
{
    private const int ReplyBytes = 16 + 48;

    [Fact]
    public void OneBackendFloods_ATurnTakesOneReadOfIt()
    {
        Kernel.BackendToBalancer = new PipeSize(4_000_000);
        var backend = HealthyBackends("5301")[0];
        Ask(1);
        Flood(backend, 1, replies: 5000);
        var most = MostRepliesOfATurn(turns: 100);

        Assert.Equal(Limits.SessionReadBytes / ReplyBytes, most);
        Run(0.1);
        Assert.Equal(5001, Count(Counter.RepliesSent));
        AssertCountersAddUp();
    }

    [Fact]
    public void SixteenBackendsFlood_ATurnIsBoundedAndEachGetsItsShare()
    {
        Kernel.BackendToBalancer = new PipeSize(4_000_000);
        var backends = HealthyBackends(
            Enumerable.Range(5301, 16).Select(id => $"{id}").ToArray());
        Ask(1);
        foreach (var backend in backends)
            Flood(backend, 1, replies: 2000);
        var most = MostRepliesOfATurn(turns: 100);

        var perRead = Limits.SessionReadBytes / ReplyBytes;
        Assert.InRange(most, 1, Limits.FramesPerTurn + perRead);
        Run(0.1);
        Assert.Equal(32_001, Count(Counter.RepliesSent));
        AssertCountersAddUp();
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
        foreach (var backend in backends)
        {
            if (backend != quiet)
                Flood(backend, 1, replies: 20_000);
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

    private static void Flood(SimBackend backend, int client, int replies)
    {
        for (var n = 0; n < replies; n++)
            backend.Reply(Client(client), new byte[ReplyBytes - 16]);
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
