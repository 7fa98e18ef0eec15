// Owns the hosts that ask over TCP once chaos is over, to see that TCP is served: some that nobody
// has heard of, each with one question, on a new connection every two seconds until it is answered.
//
// What always holds: where a scenario's own connections may take all that the balancer admits, or
// all its descriptors, or where it cuts connections before an answer can come, nobody is owed a
// connection and nobody asks.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Real;

/// <summary>Asks over TCP until it is answered.</summary>
internal sealed class RealTcpProbes(
    Reactor reactor, Observations seen, RealHosts hosts, Func<Ipv4, Endpoint> serverOf)
    : IDisposable
{
    private const int Hosts = 3;
    private const long RetryAfterNs = 2_000_000_000;

    /// <summary>Connections that the tries of all hosts may be at most.</summary>
    private const int Room = 100;

    /// <summary>Above the id of any client of a scenario.</summary>
    private const int FirstId = 2_000_000;

    /// <summary>What a connection and its answer may take on a busy machine.</summary>
    private static readonly Duration AnswerTime = Duration.FromSeconds(1L);

    private readonly List<RealTcpClient> _tries = [];
    private bool _mayProbe = true;

    public void Probe(RealPlan plan)
    {
        var host = plan.Scenario.Kernel;
        var isOwed = plan.DescriptorLimit is null
            && host.TcpConnections >= plan.Scenario.TcpClients.Length + Room
            && host.TcpIdle >= AnswerTime && host.TcpLifetime >= AnswerTime;
        for (var n = 0; n < Hosts && isOwed; n++)
            Ask(n);
    }

    /// <summary>No more is asked.</summary>
    public void End() => _mayProbe = false;

    /// <summary>Reads what is there, once nothing more is to come.</summary>
    public void Finish() => _tries.ForEach(one => one.Finish());

    public void Dispose() => _tries.ForEach(one => one.Dispose());

    private void Ask(int number)
    {
        var planned = Ipv4.From(10, 254, 0, (byte)(number + 1));
        var host = hosts[planned];
        var probe = new ObservedProbe(new Endpoint(host, 0), Reactor.NowNs, overTcp: true);
        seen.Probes.Add(probe);
        Try(new TcpClientPlan(FirstId + number, planned, 0, Instant.Zero, 1, int.MaxValue,
            TcpManner.Proper, Duration.Zero), host, probe);
    }

    private void Try(TcpClientPlan plan, Ipv4 host, ObservedProbe probe)
    {
        if (probe.Answered is not null || !_mayProbe)
            return;
        probe.Tries++;
        var client = new RealTcpClient(reactor, seen, plan, host, serverOf(host))
        {
            OnAnswered = () => probe.Answered ??= Reactor.NowNs,
        };
        _tries.Add(client);
        client.Connect();
        reactor.After(RetryAfterNs, () => Try(plan, host, probe));
    }
}
