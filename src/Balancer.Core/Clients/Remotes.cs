// Owns the association between client hosts and backends. A remote is a source IPv4 address with
// a primary backend and perhaps a backup, shared by UDP and TCP, so that an operator who runs
// `dig` on a host meets the same server that the host's other queries meet.
//
//   no primary            take the next healthy backend, round robin by id
//   primary healthy       use it, forget the backup
//   primary not healthy   use the backup if healthy, else choose a new backup, round robin
//   primary removed       forget both, choose again
//
// Anybody can send datagrams from addresses that are not his, as fast as the wire carries them, and
// backends answer those as well. So a source is a *newcomer* at first, and *established* when it
// asks again a second after one of its queries was answered, as only who waits for answers does, or
// over TCP, which is impossible from a forged address. Newcomers have a quarter of the
// table, and when that is full, the one that is silent for longest makes room for the next: they
// never push out an established one. An established one goes after five minutes of silence, or
// when there are as many as may be and another becomes established: forged addresses that are sent
// twice, which are known for a second or two, then push out each other.
//
// While newcomers push each other out, a new source's backend is chosen by a hash of its address,
// so that a host which comes back after it was forgotten meets the same one. That backend also
// serves a source that cannot be remembered because memory is short.
//
// Expiry is done in slices, one a turn, so that a million remotes stall nobody.
//
// What always holds: newcomers and established ones stay within their bounds, so there is room for
// the next of each; nothing allocates once the table has grown.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>All remotes of one balancer.</summary>
internal sealed class Remotes
{
    private const int NoPass = int.MaxValue;

    private readonly RemoteTable _table;
    private readonly Newcomers _newcomers;
    private readonly Bindings _bindings;
    private readonly Rebalance _rebalance;
    private readonly Backends _backends;
    private readonly TurnLimits _turn;
    private readonly Timers _timers;
    private readonly Counters _counters;
    private readonly IBalancerLog _log;
    private readonly NoBackendReport _noBackend;
    private readonly Timer _expiry;
    private int _evictionHand;
    private int _expiryCursor = NoPass;
    private int _expired;

    /// <param name="services">What all parts have.</param>
    /// <param name="backends">Those to choose from.</param>
    /// <param name="everyInterval">Called every Limits.RebalanceInterval.</param>
    public Remotes(Services services, Backends backends, Action everyInterval)
    {
        _table = new RemoteTable(services.Options.MaxRemotes, services.Options.HashKey,
            services.Network.Discard);
        _newcomers = new Newcomers(_table);
        _bindings = new Bindings(_table, backends, services.Log);
        _rebalance = new Rebalance(services, _table, backends, _bindings, everyInterval);
        _backends = backends;
        _turn = services.Turn;
        _timers = services.Timers;
        _counters = services.Counters;
        _log = services.Log;
        _noBackend = new NoBackendReport(services);
        _expiry = new Timer(OnExpiryDue);
    }

    /// <summary>Remotes that are remembered now.</summary>
    public int Count => _table.Count;

    /// <summary>Those of them that are not newcomers.</summary>
    public int Established => _table.Count - _newcomers.Count;

    /// <summary>An expiry or a rebalance has slices left for the next turn.</summary>
    public bool HasWork => _expiryCursor != NoPass || _rebalance.HasWork;

    private int MostNewcomers => Math.Max(_table.Limit / Limits.NewcomerShare, 1);

    public void Start(Instant now)
    {
        _timers.Arm(_expiry, now + Limits.ExpiryInterval);
        _rebalance.Start(now);
    }

    /// <summary>Ends expiry and rebalance, a pass under way included.</summary>
    public void Stop()
    {
        _timers.Disarm(_expiry);
        _rebalance.Stop();
        _expiryCursor = NoPass;
    }

    /// <summary>
    /// The backend for a remote that was just heard from, or null if none is healthy. A remote
    /// that is not known is remembered if there is a backend for it, and room. `index` names it
    /// until the next call that may forget remotes; it is -1 if it was not remembered.
    /// </summary>
    public Backend? Choose(Instant now, Ipv4 address, Traffic traffic, out int index)
    {
        index = _table.Find(address);
        Backend? chosen;
        if (index < 0)
        {
            chosen = ChooseForNew(now, address, traffic, out index);
        }
        else
        {
            ref var remote = ref _table[index];
            remote.LastSeen = now;
            if (!remote.IsEstablished)
                OnNewcomerHeard(now, index, traffic);
            if (traffic == Traffic.Tcp)
                NoteAnswered(now, ref remote);
            chosen = Choose(now, ref remote, index, traffic);
        }
        if (chosen is null)
            _noBackend.OnDropped(now, traffic);
        // Over TCP nothing can be asked again elsewhere, and what it says goes to the client.
        else if (traffic == Traffic.Tcp && chosen.LacksData(now))
            chosen = _backends.NextWithData(now, chosen) ?? chosen;
        return chosen;
    }

    /// <summary>A query of this host was answered by a backend.</summary>
    public void OnAnswered(Instant now, Ipv4 address)
    {
        var index = _table.Find(address);
        if (index >= 0)
            NoteAnswered(now, ref _table[index]);
    }

    /// <summary>
    /// Another backend for one connection that these did not take: the next in turn, or null. The
    /// remote keeps those that it is bound to.
    /// </summary>
    public Backend? ChooseAgain(Instant now, List<Backend> asked) =>
        _backends.NextInTurn(now, asked);

    /// <summary>
    /// The backend for one query that nobody takes who is at ease: the next in turn that is not
    /// stuck, or null. The remote keeps those that it is bound to.
    /// </summary>
    public Backend? ChooseWithRoom(Instant now) => _backends.NextWithRoom(now);

    /// <summary>
    /// Another backend for one query that a backend answered with an error: the next in turn that
    /// has given a good answer, or null. The remote keeps those that it is bound to.
    /// </summary>
    public Backend? ChooseWithData(Instant now, Backend erred) =>
        _backends.NextWithData(now, erred);

    /// <summary>
    /// The backend to ask next for a connection that one had no room for, or does not take: another
    /// that is not worse and was not asked, or null.
    /// </summary>
    public Backend? ChooseBeside(Instant now, Backend full, List<Backend>? asked = null) =>
        _backends.NextBeside(now, full, asked);

    /// <summary>
    /// The backend for a connection that should not wait for this one any longer, or null: there is
    /// none that is better.
    /// </summary>
    public Backend? ChooseBetter(Instant now, Backend than, List<Backend> asked) =>
        _backends.NextBetter(now, than, asked);

    /// <summary>
    /// The backend for a query that may not be sent to a third: as ChooseForResend, but not one
    /// that may have hung, or may lack its data, if another is as good. The remote keeps those that
    /// it is bound to.
    /// </summary>
    public Backend? ChooseForLastTime(Instant now, Ipv4 address)
    {
        var chosen = ChooseForResend(now, address);
        if (chosen is null)
            return null;
        return (chosen.IsDoubtful(now) ? _backends.NextUndoubted(now, chosen)
            : chosen.MayBeLoading(now) ? _backends.NextLoaded(now, chosen) : null) ?? chosen;
    }

    /// <summary>
    /// The backend for a query that is sent again, or null. It is not a new query: an address that
    /// is not known stays so.
    /// </summary>
    public Backend? ChooseForResend(Instant now, Ipv4 address)
    {
        var index = _table.Find(address);
        return index < 0
            ? _backends.NextInTurn(now)
            : Choose(now, ref _table[index], index, Traffic.Udp);
    }

    /// <summary>Whether a remote is established; -1, for none, is not.</summary>
    public bool IsEstablished(int index) => index >= 0 && _table[index].IsEstablished;

    /// <summary>Counts what became of a remote's query or connection; -1 for no remote.</summary>
    public void CountOutcome(int index, Traffic traffic, bool forwarded)
    {
        if (index < 0)
            return;
        ref var remote = ref _table[index];
        if (traffic == Traffic.Udp)
            _ = forwarded ? remote.UdpForwarded++ : remote.UdpDropped++;
        else
            _ = forwarded ? remote.TcpForwarded++ : remote.TcpDropped++;
    }

    /// <summary>As above, for a remote that may have been forgotten since.</summary>
    public void CountOutcome(Ipv4 address, Traffic traffic, bool forwarded) =>
        CountOutcome(_table.Find(address), traffic, forwarded);

    /// <summary>A backend became healthy: an outage, if there is one, is over.</summary>
    public void OnBackendHealthy(Instant now) => _noBackend.OnHealthy(now);

    /// <summary>Does one slice of what HasWork says.</summary>
    public void DoWork(Instant now)
    {
        if (_expiryCursor != NoPass)
            ExpireSlice(now);
        if (_rebalance.HasWork)
            _rebalance.DoWork(now);
    }

    /// <summary>
    /// Copies the first remote at or after the index, and moves the index behind it; false when
    /// there is none, or none among the next `limit` entries, the index being moved all the same.
    /// </summary>
    public bool TrySnapshot(ref int index, int limit, out RemoteSnapshot snapshot)
    {
        snapshot = default;
        for (var end = (int)Math.Min(_table.HighWater, (long)index + limit); index < end; index++)
        {
            if (!_table.IsInUse(index))
                continue;
            ref var remote = ref _table[index];
            snapshot = new RemoteSnapshot(
                remote.Address,
                remote.IsEstablished,
                _backends.IdAt(remote.Primary),
                _backends.IdAt(remote.Backup),
                Instant.Zero + Duration.FromSeconds(remote.FirstSeenSeconds),
                remote.LastSeen,
                remote.UdpForwarded,
                remote.UdpDropped,
                remote.TcpForwarded,
                remote.TcpDropped);
            index++;
            return true;
        }
        return false;
    }

    /// <summary>Entries that TrySnapshot may find: indices below this.</summary>
    public int SnapshotEnd => _table.HighWater;

    private Backend? Choose(Instant now, ref Remote remote, int index, Traffic traffic)
    {
        var primary = _backends.AtSlot(remote.Primary);
        if (primary is null || primary.State == BackendState.Removed)
            return Rebind(now, ref remote, index);
        if (_backends.MayServe(now, primary, traffic, isPresent: remote.Backup == 0))
        {
            // One whose path is gone serves UDP to its end, but its TCP needs the backup.
            if (remote.Backup != 0 && primary.State == BackendState.Healthy)
                _bindings.SetBackup(ref remote, null);
            return primary;
        }
        var backup = _backends.AtSlot(remote.Backup);
        if (backup is not null && _backends.MayServe(now, backup, traffic, isPresent: true))
            return backup;
        backup = _backends.NextInTurn(now);
        if (backup is null)
            return null;
        _bindings.SetBackup(ref remote, backup);
        _log.Write(new LogEvent.RemoteAssigned(remote.Address, backup.Id, IsBackup: true));
        return backup;
    }

    private Backend? Rebind(Instant now, ref Remote remote, int index)
    {
        _bindings.Unbind(index);
        var chosen = _backends.NextInTurn(now);
        if (chosen is not null)
            _bindings.Bind(index, chosen);
        return chosen;
    }

    private Backend? ChooseForNew(
        Instant now, Ipv4 address, Traffic traffic, out int index)
    {
        index = -1;
        if (_backends.HealthyCount == 0)
            return null;
        var isProven = traffic == Traffic.Tcp && TryMakeRoomForEstablished(now, address);
        var isCrowded =
            (!isProven && _newcomers.Count >= MostNewcomers) || !_table.TryReserve();
        var chosen = isCrowded ? _backends.NextByHash(now, address) : _backends.NextInTurn(now);
        if (chosen is null)
            return null;
        if (isCrowded && _newcomers.Count == 0)
        {
            _counters.Add(Counter.RemotesUnremembered);
            return chosen;
        }
        if (isCrowded)
            Evict(_newcomers.Oldest, address);
        index = Add(now, address);
        _bindings.Bind(index, chosen);
        if (isProven)
            Establish(index);
        if (traffic == Traffic.Tcp)
            NoteAnswered(now, ref _table[index]);
        return chosen;
    }

    private int Add(Instant now, Ipv4 address)
    {
        Verify.That(_table.TryReserve(), "who is forgotten leaves room");
        var index = _table.Add(address);
        ref var remote = ref _table[index];
        remote.LastSeen = now;
        remote.FirstSeenSeconds = (uint)(now.Nanoseconds / 1_000_000_000);
        _newcomers.Add(index);
        _counters.Add(Counter.RemotesNew);
        return index;
    }

    // ---- Newcomers and established ones ----

    private void OnNewcomerHeard(Instant now, int index, Traffic traffic)
    {
        var isProven = traffic == Traffic.Tcp
            || (_table[index].TryGetAnswered(now, out var ago) && ago >= Limits.ProvingTime);
        if (isProven && TryMakeRoomForEstablished(now, _table[index].Address))
            Establish(index);
        else
            _newcomers.OnHeard(index);
    }

    private void Establish(int index)
    {
        _newcomers.Remove(index);
        _bindings.Establish(index);
        _counters.Add(Counter.RemotesEstablished);
    }

    /// <summary>Of a newcomer the first answer counts, of others the last.</summary>
    private static void NoteAnswered(Instant now, ref Remote remote)
    {
        if (!remote.IsEstablished && (remote.Flags & RemoteFlags.WasAnswered) != 0)
            return;
        remote.Flags |= RemoteFlags.WasAnswered;
        remote.AnsweredMilliseconds = Remote.Milliseconds(now);
    }

    /// <summary>
    /// Whether another may be established; an established one is forgotten if there are as many as
    /// may be.
    /// </summary>
    private bool TryMakeRoomForEstablished(Instant now, Ipv4 address) =>
        Established < Math.Max(_table.Limit - MostNewcomers, 1)
            || TryEvictEstablished(now, address);

    /// <summary>
    /// Of a few established ones, from where the last search ended, the one goes that was known for
    /// the shortest time, in whole seconds, when it was last heard from; of equals the one unheard
    /// for longest. One that has been asking for long enough stays. False if none was found.
    /// </summary>
    private bool TryEvictEstablished(Instant now, Ipv4 address)
    {
        var chosen = -1;
        var met = 0;
        for (var n = 0; n < _turn.EvictionLooks && met < Limits.EvictionSample; n++)
        {
            if (++_evictionHand >= _table.HighWater)
                _evictionHand = 0;
            if (!_table.IsInUse(_evictionHand) || !_table[_evictionHand].IsEstablished)
                continue;
            met++;
            ref var remote = ref _table[_evictionHand];
            if (!KeepsAsking(now, in remote)
                && (chosen < 0 || GoesBefore(in remote, in _table[chosen])))
            {
                chosen = _evictionHand;
            }
        }
        if (chosen < 0)
            return false;
        Evict(chosen, address);
        return true;
    }

    private static bool KeepsAsking(Instant now, in Remote remote) =>
        remote.SecondsKnown >= Limits.KeptSeconds
        && now - remote.LastSeen < Duration.FromSeconds(Limits.KeptSeconds);

    private static bool GoesBefore(in Remote remote, in Remote other) =>
        remote.SecondsKnown != other.SecondsKnown
            ? remote.SecondsKnown < other.SecondsKnown
            : remote.LastSeen < other.LastSeen;

    private void Evict(int index, Ipv4 forAddress)
    {
        _log.Write(new LogEvent.RemoteEvicted(_table[index].Address, forAddress));
        Forget(index);
        _counters.Add(Counter.RemotesEvicted);
    }

    private void Forget(int index)
    {
        _bindings.Unbind(index);
        if (!_table[index].IsEstablished)
            _newcomers.Remove(index);
        _table.Remove(index);
    }

    // ---- Expiry ----

    private void OnExpiryDue(Instant now)
    {
        _timers.Arm(_expiry, now + Limits.ExpiryInterval);
        // A pass that is still under way goes on; what it has passed waits for the next.
        if (_expiryCursor != NoPass)
            return;
        _expiryCursor = 0;
        _expired = 0;
        _table.Retry();
    }

    /// <summary>
    /// Ends the pass when nothing is left above the cursor, be it that the top chunk became empty.
    /// </summary>
    private void ExpireSlice(Instant now)
    {
        var end = _expiryCursor + _turn.RemotesPerTurn;
        for (; _expiryCursor < Math.Min(end, _table.HighWater); _expiryCursor++)
        {
            if (!_table.IsInUse(_expiryCursor))
                continue;
            ref var remote = ref _table[_expiryCursor];
            if (now - remote.LastSeen < Limits.RemoteExpiry)
                continue;
            _log.Write(new LogEvent.RemoteExpired(remote.Address));
            Forget(_expiryCursor);
            _expired++;
            _counters.Add(Counter.RemotesExpired);
        }
        if (_expiryCursor < _table.HighWater)
            return;
        _expiryCursor = NoPass;
        if (_expired > 0)
            _log.Write(new LogEvent.RemotesExpired(_expired));
    }
}
