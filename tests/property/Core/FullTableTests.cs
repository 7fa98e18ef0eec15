// Newcomers against a list in the order of last hearing: nobody answers, so nobody is established,
// and the one that makes room for another is the one unheard for longest.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Property.Core;

/// <summary>A query of one host, or enough silence that all are forgotten.</summary>
public sealed record HostStep(int Host, bool IsSilence)
{
    public override string ToString() => IsSilence ? "silence" : $"host {Host} asks";
}

/// <summary>Newcomers that a table may hold.</summary>
public sealed record Room(int Remotes);

public static class FullTableArbitraries
{
    public static Arbitrary<Room> Rooms() => Arb.From(
        Gen.Choose(1, 16).Select(n => new Room(n)),
        room => Scripts.Towards(1, room.Remotes).Select(n => new Room(n)));

    public static Arbitrary<Script<HostStep>> Steps() => Scripts.Of(
        from host in Gen.Choose(1, 24)
        from isSilence in Gen.Frequency((60, Gen.Constant(false)), (1, Gen.Constant(true)))
        select new HostStep(host, isSilence),
        min: 0, max: 120);
}

public sealed class FullTableTests
{
    private static readonly byte[] Packet = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];

    /// <summary>Expiry, the time between two looks for it, and a little.</summary>
    private static readonly Duration Silence = Duration.FromSeconds(331L);

    [Property(Arbitrary = [typeof(FullTableArbitraries)], MaxTest = 100)]
    public void AnyQueries_TheLongestUnheardMakesRoom(Room room, Script<HostStep> steps)
    {
        var sim = new SimBalancer(options: new BalancerOptions { MaxRemotes = room.Remotes * 4 });
        _ = new SimBackend(sim.Kernel, "5301");
        _ = new SimBackend(sim.Kernel, "5302");
        sim.Run(Duration.FromSeconds(2L));
        // The first was heard from longest ago.
        var heard = new List<int>();
        long evicted = 0;
        long expired = 0;
        foreach (var step in steps.Steps)
        {
            if (step.IsSilence)
            {
                expired += heard.Count;
                heard.Clear();
                sim.Run(Silence);
            }
            else
            {
                evicted += Hear(heard, step.Host, room.Remotes);
                var from = new Endpoint(Ipv4.From(10, 1, 0, (byte)step.Host), 1024);
                sim.Kernel.InjectDatagram(from, Packet);
                sim.Run(Duration.FromMilliseconds(1));
            }
            Assert.Equal(heard.Order(), Remembered(sim));
            Assert.Equal(evicted, sim.Counters[Counter.RemotesEvicted]);
            Assert.Equal(expired, sim.Counters[Counter.RemotesExpired]);
            Assert.Equal(0, sim.Core.SnapshotBackends().Sum(backend => backend.Remotes));
        }
        Assert.Equal(evicted, sim.Log.Count<LogEvent.RemoteEvicted>());
        Assert.Equal(expired, sim.Log.Of<LogEvent.RemotesExpired>().Sum(logged => logged.Count));
    }

    /// <summary>Follows one query in the model; how many had to make room for it, 0 or 1.</summary>
    private static int Hear(List<int> heard, int host, int room)
    {
        if (!heard.Remove(host) && heard.Count == room)
        {
            heard.RemoveAt(0);
            heard.Add(host);
            return 1;
        }
        heard.Add(host);
        return 0;
    }

    private static IEnumerable<int> Remembered(SimBalancer sim)
    {
        var hosts = new List<int>();
        for (var index = 0; sim.Core.TrySnapshotRemote(ref index, out var remote);)
            hosts.Add((int)(remote.Address.Value & 255));
        return hosts.Order();
    }
}
