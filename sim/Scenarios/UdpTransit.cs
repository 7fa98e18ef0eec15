// Owns what happens to datagrams on their way to the balancer: for each, whether it is lost, comes
// twice, comes late.
//
// What always holds: each datagram's fate is a function of the seed, its client, its query and its
// attempt, and of the faults of the time; no stream is used up, so that taking one datagram, client
// or fault away leaves the fates of all others.

using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>The way to the balancer; each rate is one in so many, 0 for never.</summary>
public sealed class UdpTransit(ulong seed)
{
    private const int Loss = 0;
    private const int Twice = 1;
    private const int Late = 2;

    public long LossOneIn { get; set; }

    public long TwiceOneIn { get; set; }

    /// <summary>Datagrams come late by up to this, in nanoseconds.</summary>
    public long LateByUpTo { get; set; }

    public bool IsLost(int client, int query, int attempt) =>
        IsOneIn(LossOneIn, client, query, attempt, Loss);

    public bool ComesTwice(int client, int query, int attempt) =>
        IsOneIn(TwiceOneIn, client, query, attempt, Twice);

    public Duration Lateness(int client, int query, int attempt) => LateByUpTo <= 0
        ? Duration.Zero
        : new Duration((long)(Draw(client, query, attempt, Late) % (ulong)(LateByUpTo + 1)));

    private bool IsOneIn(long oneIn, int client, int query, int attempt, int purpose) =>
        oneIn > 0 && Draw(client, query, attempt, purpose) % (ulong)oneIn == 0;

    private ulong Draw(int client, int query, int attempt, int purpose) => SimRandom.Mix(
        SimRandom.Derive(seed, Streams.UdpClient, client, Streams.Transit)
        ^ SimRandom.Mix((ulong)query << 20 ^ (ulong)(uint)attempt << 4 ^ (ulong)purpose));
}
