// Owns what differs from one balancer to another. All else is the same everywhere, and in Limits.

using System.Collections.Immutable;

namespace Balancer.Core;

/// <summary>
/// What an operator may set, checked by whoever reads the command line; the core takes any values
/// within the bounds given here.
/// </summary>
public sealed record BalancerOptions
{
    /// <summary>See Limits.WarmUp; zero for none, an hour at most.</summary>
    public Duration WarmUp { get; init; } = Limits.WarmUp;

    /// <summary>
    /// The name that each backend is asked for every second, as DnsName writes it; empty for none.
    /// </summary>
    public ImmutableArray<byte> Probe { get; init; } = [];

    /// <summary>See Limits.ProbeRise; 1 or more.</summary>
    public int ProbeRise { get; init; } = Limits.ProbeRise;

    /// <summary>See Limits.ProbeFall; 1 or more.</summary>
    public int ProbeFall { get; init; } = Limits.ProbeFall;

    /// <summary>See Limits.TcpConnections; 1 or more.</summary>
    public int TcpConnections { get; init; } = Limits.TcpConnections;

    /// <summary>See Limits.TcpConnectionsPerClient; 1 or more.</summary>
    public int TcpConnectionsPerClient { get; init; } = Limits.TcpConnectionsPerClient;

    /// <summary>See Limits.TcpIdleTimeout; above zero.</summary>
    public Duration TcpIdleTimeout { get; init; } = Limits.TcpIdleTimeout;

    /// <summary>See Limits.TcpMessageTime; above zero.</summary>
    public Duration TcpMessageTime { get; init; } = Limits.TcpMessageTime;

    /// <summary>See Limits.TcpNotReading; 1 or more.</summary>
    public int TcpNotReading { get; init; } = Limits.TcpNotReading;

    /// <summary>See Limits.TcpLifetime; above zero.</summary>
    public Duration TcpLifetime { get; init; } = Limits.TcpLifetime;

    /// <summary>
    /// A query that finds no healthy backend is answered with SERVFAIL instead of silence, so that
    /// its client asks another server at once. The original is silent.
    /// </summary>
    public bool AnswersWithoutBackend { get; init; }

    /// <summary>
    /// See Limits.FirstQuarantine; Limits.LongestQuarantine at most, and zero for no quarantine.
    /// </summary>
    public Duration Quarantine { get; init; } = Limits.FirstQuarantine;

    /// <summary>See Limits.StopGrace; zero for none, an hour at most.</summary>
    public Duration StopTime { get; init; } = Limits.StopGrace;

    /// <summary>
    /// See Limits.MaxRemotes; Limits.LeastRemotes or more.
    /// </summary>
    public int MaxRemotes { get; init; } = Limits.MaxRemotes;

    /// <summary>
    /// Bytes of memory that sessions may take for what they have in flight and in their queues;
    /// zero or more.
    /// </summary>
    public long SessionMemory { get; init; } = long.MaxValue;

    /// <summary>
    /// The key of the hashes of what clients choose: their addresses, so that nobody outside can
    /// choose some that share a bucket, and their queries, so that nobody can make one that counts
    /// as another (Fingerprint). Drawn by the daemon at start. What can be observed of it is which
    /// backend an address has while newcomers push each other out.
    /// </summary>
    public ulong HashKey { get; init; }
}
