// What the tests of the core share: a balancer on a simulated host, and words for what they do to
// it. Time is virtual, so a test of five minutes takes microseconds and always goes the same way.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public abstract class CoreTest
{
    protected static readonly BalancerOptions NoWarmUp = new() { WarmUp = Duration.Zero };

    protected CoreTest(BalancerOptions? options = null) =>
        Balancer = new SimBalancer(options: options ?? NoWarmUp);

    protected SimBalancer Balancer { get; }

    protected SimKernel Kernel => Balancer.Kernel;

    protected SimLog Log => Balancer.Log;

    protected static Duration Seconds(double seconds) => Duration.FromSeconds(seconds);

    /// <summary>A client host: 10.0.0.0 plus a number, with a port of its own.</summary>
    protected static Endpoint Client(int number) =>
        new(new Ipv4(0x0a000000u + (uint)number), (ushort)(40_000 + number % 1000));

    /// <summary>Something with a DNS header: id, flags of a query, and a tail.</summary>
    protected static byte[] Query(int id, int length = 20)
    {
        var query = new byte[length];
        if (length > 1)
            (query[0], query[1]) = ((byte)(id >> 8), (byte)id);
        return query;
    }

    protected SimBackend Backend(string name) => new(Kernel, name) { EchoesQueries = true };

    /// <summary>Well-behaved backends of these names, with their sessions up.</summary>
    protected SimBackend[] HealthyBackends(params string[] names)
    {
        var backends = names.Select(Backend).ToArray();
        Run(0.1);
        foreach (var backend in backends)
            Assert.Equal(BackendState.Healthy, State(backend.Name));
        return backends;
    }

    protected void Run(double seconds) => Balancer.Run(Seconds(seconds));

    /// <summary>Sends a query and lets the balancer deal with it and its reply.</summary>
    protected void Ask(int client, byte[]? query = null)
    {
        Assert.True(Kernel.InjectDatagram(Client(client), query ?? Query(client)));
        Run(0.001);
    }

    /// <summary>Has these hosts ask until they are no newcomers any more.</summary>
    protected void Establish(params System.Collections.Generic.IEnumerable<int> clients)
    {
        var all = clients.ToList();
        foreach (var client in all)
            Ask(client);
        Run(1);
        foreach (var client in all)
            Ask(client);
    }

    protected BackendSnapshot Snapshot(string name) =>
        Balancer.Core.SnapshotBackends().Single(
            b => b.Path.EndsWith("/" + name, StringComparison.Ordinal));

    protected BackendState State(string name) => Snapshot(name).State;

    protected RemoteSnapshot? Remote(int client)
    {
        for (var index = 0; Balancer.Core.TrySnapshotRemote(ref index, out var remote);)
        {
            if (remote.Address == Client(client).Address)
                return remote;
        }
        return null;
    }

    protected long Count(Counter counter) => Balancer.Counters[counter];

    protected void AssertCountersAddUp()
    {
        var counters = Balancer.Counters;
        Assert.Equal(counters[Counter.QueriesReceived],
            counters[Counter.QueriesForwarded] + counters.Sum(Counters.QueryDrops));
        Assert.Equal(counters[Counter.RepliesReceived],
            counters[Counter.RepliesSent] + counters.Sum(Counters.ReplyDrops));
        Assert.Equal(counters[Counter.ConnectionsAccepted],
            Balancer.Core.ConnectionCount + counters.Sum(Counters.ConnectionEnds));
    }
}
