// Owns the addresses of a run's client hosts: each of the scenario's becomes one of 127.0.0.0/8,
// all of which is this host, so that the balancer takes each for a host of its own.
//
// What always holds: different addresses stay different; none becomes one that the balancer listens
// on or that is a broadcast address.

using System.Collections.Generic;
using System.Net;
using Balancer.Core;

namespace Simulation.Real;

/// <summary>Maps the scenario's hosts to this one's addresses.</summary>
internal sealed class RealHosts
{
    private const uint Loopback = 127u << 24;
    private const uint HostBits = 0xff_ffff;
    private const uint FirstHost = 16;

    private readonly Dictionary<Ipv4, Ipv4> _hosts = [];
    private readonly HashSet<Ipv4> _taken = [];

    public Ipv4 this[Ipv4 planned]
    {
        get
        {
            if (_hosts.TryGetValue(planned, out var host))
                return host;
            var bits = planned.Value & HostBits;
            while (bits is < FirstHost or HostBits || !_taken.Add(new Ipv4(Loopback | bits)))
                bits = (bits + 0x1_0001) & HostBits;
            return _hosts[planned] = new Ipv4(Loopback | bits);
        }
    }

    public static IPEndPoint ToSystem(Endpoint at) =>
        new(IPAddress.Parse(at.Address.ToString()), at.Port);

    public static Endpoint FromSystem(IPEndPoint at) =>
        new(FromSystem(at.Address), (ushort)at.Port);

    private static Ipv4 FromSystem(IPAddress address)
    {
        var value = 0u;
        foreach (var octet in address.GetAddressBytes())
            value = value << 8 | octet;
        return new Ipv4(value);
    }
}
