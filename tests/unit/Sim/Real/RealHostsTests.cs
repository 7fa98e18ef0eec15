// The addresses that client hosts have in a real run.

using System.Collections.Generic;
using System.Net;
using Balancer.Core;
using Simulation.Real;
using Xunit;

namespace Tests.Unit.Sim.Real;

public sealed class RealHostsTests
{
    private readonly RealHosts _hosts = new();

    [Fact]
    public void Host_KeepsItsLastThreeOctets()
    {
        Assert.Equal(Ipv4.From(127, 1, 0, 5), _hosts[Ipv4.From(10, 1, 0, 5)]);
        Assert.Equal(Ipv4.From(127, 1, 0, 5), _hosts[Ipv4.From(10, 1, 0, 5)]);
    }

    [Theory]
    [InlineData(127, 0, 0, 1)]
    [InlineData(10, 0, 0, 2)]
    [InlineData(10, 255, 255, 255)]
    public void AddressThatNoHostMayHave_BecomesAnother(byte a, byte b, byte c, byte d)
    {
        var host = _hosts[Ipv4.From(a, b, c, d)];

        Assert.True(host.IsLoopback);
        Assert.InRange(host.Value & 0xff_ffff, 16u, 0xff_fffeu);
    }

    [Fact]
    public void DifferentHosts_StayDifferent()
    {
        var seen = new HashSet<Ipv4>();
        for (byte first = 1; first < 100; first++)
            Assert.True(seen.Add(_hosts[Ipv4.From(first, 1, 0, 5)]));
    }

    [Fact]
    public void Endpoints_AreTranslatedBothWays()
    {
        var at = new Endpoint(Ipv4.From(127, 1, 2, 3), 4711);

        Assert.Equal(new IPEndPoint(IPAddress.Parse("127.1.2.3"), 4711), RealHosts.ToSystem(at));
        Assert.Equal(at, RealHosts.FromSystem(RealHosts.ToSystem(at)));
    }
}
