// Claims that a client which asks little loses nothing to one that floods the same backend: a query
// is dropped because its client has more than its share only if that client has 16 queries in
// flight, or it is not established and 16 of such clients are; and another client is there whom it
// would harm. As the core may take some of others' for a client's, half as many are enough here.
//
// It does not ask how the share is found. It counts each client's datagrams that came in, answered
// or not, since a silent backend may have what another has answered; forgets those that no session
// can have any more; and compares how many the core says that it dropped in a turn with how many
// such clients sent in it.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class S18Shares() : Check("S18")
{
    private const int Least = SpecifiedLimits.AnyonesShare / 2;

    private readonly Dictionary<Ipv4, Queue<Instant>> _asked = [];
    private readonly Queue<Instant> _newcomersAsked = [];

    /// <summary>
    /// As many may be others' in a run: a client is taken for a loud one that shares both of its
    /// cells, and for several that share one each.
    /// </summary>
    private const int ByChance = 16;

    private int _mayBeDropped;
    private long _ofOthers;
    private long _dropped;

    /// <summary>
    /// In flight for 10 s, again when it is sent again before it is 5 s old, and for longer after
    /// standstills, of which one may follow the other.
    /// </summary>
    private static readonly Duration Longest = SpecifiedLimits.AnswerTime
        + SpecifiedLimits.AnswerTime + SpecifiedLimits.ResendTime + Duration.FromSeconds(120L);

    public override void OnReceived(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        if (!_asked.TryGetValue(header.Peer.Address, out var asked))
            _asked.Add(header.Peer.Address, asked = new());
        while (asked.TryPeek(out var oldest) && Model.Now - oldest > Longest)
            asked.Dequeue();
        var isNewcomer = !Model.Policy.Remotes.TryGetValue(header.Peer.Address, out var remote)
            || !remote.IsEstablished;
        if ((asked.Count >= Least || (isNewcomer && HaveNewcomersAsked)) && _asked.Count > 1)
            _mayBeDropped++;
        asked.Enqueue(Model.Now);
        if (isNewcomer)
            _newcomersAsked.Enqueue(Model.Now);
    }

    private bool HaveNewcomersAsked
    {
        get
        {
            while (_newcomersAsked.TryPeek(out var oldest) && Model.Now - oldest > Longest)
                _newcomersAsked.Dequeue();
            return _newcomersAsked.Count >= Least;
        }
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        var dropped = core.Counters[Counter.QueriesOverShare] - _dropped;
        _ofOthers += Math.Max(0, dropped - _mayBeDropped);
        if (_ofOthers > ByChance)
        {
            Fail($"{dropped} queries were dropped at {now} for their clients' shares; clients with"
                + $" {Least} queries lately sent {_mayBeDropped}; {_ofOthers} by now were others'");
        }
        _dropped += dropped;
        _mayBeDropped = 0;
    }
}
