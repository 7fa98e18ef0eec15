// More remotes than one turn looks at: whatever their number, a rebalance moves as many as it said,
// each once, and evens the backends out; and after enough silence all are forgotten, told in one
// line and counted.

using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Property.Core;

/// <summary>Client hosts that ask, once each.</summary>
public sealed record Crowd(int Hosts);

public static class CrowdArbitraries
{
    public static Arbitrary<Crowd> Crowds() => Arb.From(
        Gen.OneOf(Gen.Elements(2047, 2048, 2049, 4096, 4097), Gen.Choose(1500, 7000))
            .Select(n => new Crowd(n)),
        crowd => Scripts.Towards(2, crowd.Hosts).Select(n => new Crowd(n)));
}

public sealed class LargeTableTests
{
    private static readonly byte[] Packet = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];

    /// <summary>Expiry, the time between two looks for it, and a little.</summary>
    private static readonly Duration Silence = Duration.FromSeconds(331L);

    [Property(Arbitrary = [typeof(CrowdArbitraries)], MaxTest = 15)]
    public void AnyCrowd_IsSpreadAndThenForgotten(Crowd crowd)
    {
        var sim = new SimBalancer();
        var first = new SimBackend(sim.Kernel, "5301") { Records = false, EchoesQueries = true };
        sim.Run(Duration.FromSeconds(2L));
        AskAll(sim, crowd.Hosts);
        sim.Run(Duration.FromSeconds(1L));
        AskAll(sim, crowd.Hosts);
        Assert.Equal(2 * crowd.Hosts, sim.Counters[Counter.QueriesForwarded]);
        var second = new SimBackend(sim.Kernel, "5302") { Records = false };
        sim.Run(Duration.FromSeconds(20L));

        var rebalance = sim.Log.Of<LogEvent.Rebalancing>().First();
        Assert.Equal(crowd.Hosts, rebalance.Spread);
        Assert.Equal(crowd.Hosts / 2, rebalance.ToMove);
        Assert.Equal([crowd.Hosts - crowd.Hosts / 2, crowd.Hosts / 2],
            sim.Core.SnapshotBackends().Select(backend => backend.Remotes));
        Assert.Equal(rebalance.ToMove, sim.Counters[Counter.RemotesMoved]);
        Assert.Equal(rebalance.ToMove, sim.Log.Of<LogEvent.RemoteMoved>()
            .Select(moved => moved.Remote).Distinct().Count());
        Assert.Equal(crowd.Hosts, sim.Core.RemoteCount);
        sim.Run(Silence);
        Assert.Equal(0, sim.Core.RemoteCount);
        Assert.Equal(crowd.Hosts, sim.Counters[Counter.RemotesExpired]);
        Assert.Equal(crowd.Hosts, Assert.Single(sim.Log.Of<LogEvent.RemotesExpired>()).Count);
        Assert.All(sim.Core.SnapshotBackends(), backend => Assert.Equal(0, backend.Remotes));
        Assert.NotNull(first.Control);
        Assert.NotNull(second.Control);
    }

    private static void AskAll(SimBalancer sim, int hosts)
    {
        for (var n = 0; n < hosts; n++)
        {
            sim.Kernel.InjectDatagram(new Endpoint(new Ipv4(0x0a010000 + (uint)n), 1024), Packet);
            if (n % 500 == 499)
                sim.Run(Duration.FromMilliseconds(1));
        }
        sim.Run(Duration.FromMilliseconds(1));
    }
}
