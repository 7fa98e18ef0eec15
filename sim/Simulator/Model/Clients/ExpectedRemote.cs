// Owns what the model knows of one client host: whom it is bound to, since when it is known, when
// it was answered and moved, and its counters; and by that when a rebalance may take it, or must.
//
// What always holds: an address has one at most, which is in PolicyModel's table.

using System.Collections.Generic;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>One client host.</summary>
internal sealed class ExpectedRemote
{
    public ExpectedRemote(Ipv4 address, Instant firstSeen)
    {
        (Address, FirstSeen) = (address, firstSeen);
        Place = new LinkedListNode<ExpectedRemote>(this);
    }

    public Ipv4 Address { get; }
    public Instant FirstSeen { get; }

    /// <summary>Its place among the newcomers, while it is one.</summary>
    public LinkedListNode<ExpectedRemote> Place { get; }

    public ExpectedBackend? Primary { get; set; }
    public ExpectedBackend? Backup { get; set; }
    public Instant LastSeen { get; set; }

    /// <summary>When a rebalance took its primary last; Never if none did.</summary>
    public Instant MovedAt { get; set; } = Instant.Never;

    /// <summary>It is not a newcomer any more.</summary>
    public bool IsEstablished { get; set; }

    /// <summary>Since when it is among those that its primary counts.</summary>
    public Instant CountedSince { get; set; }

    /// <summary>
    /// When it was answered, a newcomer first, others last, in milliseconds; -1 for never.
    /// </summary>
    public long AnsweredMs { get; private set; } = -1;

    /// <summary>Since then it was answered within the last minute at any time.</summary>
    public Instant AnsweredSince { get; private set; }

    public Duration SinceAnswered(Instant now) => AnsweredMs < 0
        ? Duration.FromSeconds(1_000_000L) : Duration.FromMilliseconds(Ms(now) - AnsweredMs);

    public void OnAnswered(Instant now)
    {
        if (!IsEstablished && AnsweredMs >= 0)
            return;
        if (SinceAnswered(now) >= SpecifiedLimits.AnsweredLately)
            AnsweredSince = now;
        AnsweredMs = Ms(now);
    }

    /// <summary>From the second of its first query to that of its last.</summary>
    public Duration Known =>
        Duration.FromSeconds(Ms(LastSeen) / 1000 - Ms(FirstSeen) / 1000);

    /// <summary>It was known for long when it asked last, which was lately.</summary>
    public bool KeepsAsking(Instant now) => Known >= SpecifiedLimits.KeptTime
        && now - LastSeen < SpecifiedLimits.KeptTime;

    /// <summary>How many rebalances had been due then.</summary>
    public long MovedIn { get; set; }

    /// <summary>Whether a rebalance may take its primary now.</summary>
    public bool MayBeMoved(Instant now) => IsEstablished
        && SinceAnswered(now) < SpecifiedLimits.AnsweredLately
        && (MovedAt == Instant.Never || now - MovedAt >= SpecifiedLimits.MovesApart);

    /// <summary>
    /// Whether one must, if it looks at it at any time since then, and so many rebalances were due
    /// by now. That of its move is one of them, and so may be the one that looks at it.
    /// </summary>
    public bool MustBeMoved(Instant since, Instant now, long rebalances) => MayBeMoved(now)
        && AnsweredSince <= since && CountedSince <= since
        && (MovedAt == Instant.Never || (since - MovedAt >= SpecifiedLimits.MovesSurelyApart
            && rebalances - MovedIn > SpecifiedLimits.MovesBetween + 1));

    private static long Ms(Instant time) => time.Nanoseconds / 1_000_000;
    public uint UdpForwarded { get; set; }
    public uint UdpDropped { get; set; }
    public uint TcpForwarded { get; set; }
    public uint TcpDropped { get; set; }
}

/// <summary>Whom the core must say that it bound a remote to.</summary>
internal readonly record struct Binding(Ipv4 Remote, ExpectedBackend Backend, bool IsBackup);
