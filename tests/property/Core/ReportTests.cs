// The status report against the tables as they are: totals, every backend, and the remotes, each
// once and a thousand at most, told a few a turn without waiting for anything else to happen.

using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Property.Core;

/// <summary>So many hosts are known when the operator asks.</summary>
public sealed record KnownHosts(int Count);

public static class ReportArbitraries
{
    public static Arbitrary<KnownHosts> Hosts() => Arb.From(
        Scripts.Sizes(1300, 0, 1, 63, 64, 65, 128, 999, 1000, 1001).Select(n => new KnownHosts(n)),
        hosts => Scripts.Towards(0, hosts.Count).Select(n => new KnownHosts(n)));
}

public sealed class ReportTests
{
    private static readonly byte[] Packet = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];

    [Property(Arbitrary = [typeof(ReportArbitraries)], MaxTest = 40)]
    public void AnyNumberOfRemotes_EachIsLoggedOnceUpToAThousand(KnownHosts hosts, bool asksTwice)
    {
        var sim = new SimBalancer();
        _ = new SimBackend(sim.Kernel, "5301");
        _ = new SimBackend(sim.Kernel, "5302") { AnswersHello = false };
        sim.Run(Duration.FromSeconds(2L));
        for (var host = 0; host < hosts.Count; host++)
        {
            sim.Kernel.InjectDatagram(new Endpoint(new Ipv4(0x0a010000 + (uint)host), 53), Packet);
            if (host % 100 == 99)
                sim.Run(Duration.FromMilliseconds(1));
        }
        sim.Run(Duration.FromMilliseconds(1));

        sim.Kernel.RequestStatus();
        // Between two heartbeats nothing else wakes the loop.
        sim.Turn();
        var logged = sim.Log.Of<LogEvent.Status>().Single();
        Assert.Equal((2, 1, hosts.Count, 0),
            (logged.Backends, logged.Healthy, logged.Remotes, logged.Connections));
        Assert.Equal(sim.Core.SnapshotBackends(),
            sim.Log.Of<LogEvent.BackendStatus>().Select(line => line.Backend));
        Assert.InRange(sim.Log.Count<LogEvent.RemoteStatus>(), 0, 64);
        if (asksTwice)
            sim.Kernel.RequestStatus();
        sim.Run(Duration.FromMilliseconds(10));

        // Who asks again while remotes are left gets the one report, else another.
        var reports = asksTwice && hosts.Count <= 64 ? 2 : 1;
        Assert.Equal(reports, sim.Log.Count<LogEvent.Status>());
        var remotes = sim.Log.Of<LogEvent.RemoteStatus>().Select(line => line.Remote.Address)
            .GroupBy(address => address).ToList();
        Assert.Equal(System.Math.Min(hosts.Count, 1000), remotes.Count);
        Assert.All(remotes, remote => Assert.Equal(reports, remote.Count()));
    }
}
