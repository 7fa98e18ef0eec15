// Owns the association between client hosts and backends. A remote is a source IPv4 address with
// a primary backend and perhaps a backup, shared by UDP and TCP, so that an operator who runs
// `dig` on a host meets the same server that the host's other queries meet.
//
//   no primary            take the next healthy backend, round robin by id; if a rebalance took
//                         the last one, the backend with the fewest remotes instead
//   primary healthy       use it, forget the backup
//   primary not healthy   use the backup if healthy, else choose a new backup, round robin
//   primary removed       forget both, choose again
//
// A remote is forgotten after five minutes of silence, and earlier if the table is full and a new
// one must have room. Every 15 s the spread over the healthy backends is measured, and if it is
// more than their number, the surplus loses its backend and chooses again when next heard from.
// Expiry and rebalance are done in slices, one a turn, so that a million remotes stall nobody.
//
// What always holds: each backend's number of remotes is the number of entries whose primary it
// is, and those entries are linked in its list, oldest binding first; nothing allocates once the
// table has grown.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>All remotes of one balancer.</summary>
internal sealed class Remotes
{
    private const int NoPass = int.MaxValue;

    private readonly RemoteTable _table;
    private readonly Backends _backends;
    private readonly Timers _timers;
    private readonly Counters _counters;
    private readonly IBalancerLog _log;
    private readonly NoBackendReport _noBackend;
    private readonly Timer _expiry;
    private readonly Timer _rebalance;

    private readonly Action _everyInterval;
    private int _evictionHand;
    private int _expiryCursor = NoPass;
    private int _expired;
    private Backend? _fullest;
    private int _toMove;

    /// <param name="services">What all parts have.</param>
    /// <param name="backends">Those to choose from.</param>
    /// <param name="everyInterval">Called every Limits.RebalanceInterval.</param>
    public Remotes(Services services, Backends backends, Action everyInterval)
    {
        _table = new RemoteTable(services.Options.MaxRemotes, services.Options.HashKey);
        _backends = backends;
        _everyInterval = everyInterval;
        _timers = services.Timers;
        _counters = services.Counters;
        _log = services.Log;
        _noBackend = new NoBackendReport(services);
        _expiry = new Timer(OnExpiryDue);
        _rebalance = new Timer(OnRebalanceDue);
    }

    /// <summary>Remotes that are remembered now.</summary>
    public int Count => _table.Count;

    /// <summary>An expiry or a rebalance has slices left for the next turn.</summary>
    public bool HasWork => _expiryCursor < _table.HighWater || _toMove > 0;

    public void Start(Instant now)
    {
        _timers.Arm(_expiry, now + Limits.ExpiryInterval);
        _timers.Arm(_rebalance, now + Limits.RebalanceInterval);
    }

    /// <summary>Ends expiry and rebalance, a pass under way included.</summary>
    public void Stop()
    {
        _timers.Disarm(_expiry);
        _timers.Disarm(_rebalance);
        _expiryCursor = NoPass;
        _toMove = 0;
    }

    /// <summary>
    /// The backend for a remote that was just heard from, or null if none is healthy. A remote
    /// that is not known is remembered if there is a backend for it. `index` names it until the
    /// next call that may forget remotes; it is -1 if it was not remembered.
    /// </summary>
    public Backend? Choose(Instant now, Ipv4 address, Traffic traffic, out int index)
    {
        index = _table.Find(address);
        Backend? chosen;
        if (index < 0)
        {
            chosen = _backends.NextInTurn(now);
            if (chosen is not null)
            {
                index = Add(now, address);
                Bind(ref _table[index], index, chosen);
            }
        }
        else
        {
            ref var remote = ref _table[index];
            remote.LastSeen = now;
            chosen = Choose(now, ref remote, index, traffic);
        }
        if (chosen is null)
            _noBackend.OnDropped(now, traffic);
        return chosen;
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
    /// that may have hung, if another is as good. The remote keeps those that it is bound to.
    /// </summary>
    public Backend? ChooseForLastTime(Instant now, Ipv4 address)
    {
        var chosen = ChooseForResend(now, address);
        return chosen is not null && chosen.IsDoubtful(now)
            ? _backends.NextUndoubted(now, chosen) ?? chosen
            : chosen;
    }

    /// <summary>
    /// The backend for a query that is sent again, or null. Nobody was heard from: an address that
    /// is not known stays so.
    /// </summary>
    public Backend? ChooseForResend(Instant now, Ipv4 address)
    {
        var index = _table.Find(address);
        return index < 0
            ? _backends.NextInTurn(now)
            : Choose(now, ref _table[index], index, Traffic.Udp);
    }

    /// <summary>Counts what became of a remote's query or connection; -1 is nobody.</summary>
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
        if (_expiryCursor < _table.HighWater)
            ExpireSlice(now);
        if (_toMove > 0)
            MoveSlice();
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
            ref var remote = ref _table[index];
            if ((remote.Flags & RemoteFlags.InUse) == 0)
                continue;
            snapshot = new RemoteSnapshot(
                remote.Address,
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
                SetBackup(ref remote, null);
            return primary;
        }
        var backup = _backends.AtSlot(remote.Backup);
        if (backup is not null && _backends.MayServe(now, backup, traffic, isPresent: true))
            return backup;
        backup = _backends.NextInTurn(now);
        if (backup is null)
            return null;
        SetBackup(ref remote, backup);
        _log.Write(new LogEvent.RemoteAssigned(remote.Address, backup.Id, IsBackup: true));
        return backup;
    }

    private Backend? Rebind(Instant now, ref Remote remote, int index)
    {
        Unbind(ref remote, index);
        var chosen = (remote.Flags & RemoteFlags.Moved) != 0
            ? _backends.NextWithFewestRemotes(now)
            : _backends.NextInTurn(now);
        if (chosen is not null)
            Bind(ref remote, index, chosen);
        return chosen;
    }

    private int Add(Instant now, Ipv4 address)
    {
        if (_table.IsFull)
            EvictOne();
        var index = _table.Add(address);
        ref var remote = ref _table[index];
        remote.LastSeen = now;
        remote.FirstSeenSeconds = (uint)(now.Nanoseconds / 1_000_000_000);
        return index;
    }

    /// <summary>
    /// Makes room in a full table: of a few entries, from where the last search ended, the one
    /// unheard for longest goes. Clients that keep asking are hardly ever it, whatever floods in.
    /// </summary>
    private void EvictOne()
    {
        var oldest = -1;
        for (var n = 0; n < Limits.EvictionSample; n++)
        {
            if (++_evictionHand >= _table.HighWater)
                _evictionHand = 0;
            if ((_table[_evictionHand].Flags & RemoteFlags.InUse) != 0
                && (oldest < 0 || _table[_evictionHand].LastSeen < _table[oldest].LastSeen))
            {
                oldest = _evictionHand;
            }
        }
        Verify.That(oldest >= 0, "a full table has no free entries");
        _log.Write(new LogEvent.RemoteEvicted(_table[oldest].Address));
        Forget(oldest);
        _counters.Add(Counter.RemotesEvicted);
    }

    private void Forget(int index)
    {
        Unbind(ref _table[index], index);
        _table.Remove(index);
    }

    /// <summary>
    /// Makes a backend the primary of a remote that has none; newest in its list.
    /// </summary>
    private void Bind(ref Remote remote, int index, Backend backend)
    {
        Verify.That(remote.Primary == 0, "a remote is in one backend's list at most");
        remote.Primary = (ushort)backend.Slot;
        remote.Flags &= ~RemoteFlags.Moved;
        remote.Older = backend.NewestRemote;
        remote.Newer = 0;
        if (backend.NewestRemote != 0)
            _table[backend.NewestRemote - 1].Newer = index + 1;
        else
            backend.OldestRemote = index + 1;
        backend.NewestRemote = index + 1;
        backend.RemoteCount++;
        _log.Write(new LogEvent.RemoteAssigned(remote.Address, backend.Id, IsBackup: false));
    }

    /// <summary>Takes primary and backup away.</summary>
    private void Unbind(ref Remote remote, int index)
    {
        SetBackup(ref remote, null);
        var primary = _backends.AtSlot(remote.Primary);
        if (primary is null)
            return;
        Verify.That(primary.RemoteCount > 0, "a backend counts every remote that is bound to it");
        if (remote.Older != 0)
            _table[remote.Older - 1].Newer = remote.Newer;
        else
            primary.OldestRemote = remote.Newer;
        if (remote.Newer != 0)
            _table[remote.Newer - 1].Older = remote.Older;
        else
            primary.NewestRemote = remote.Older;
        Verify.That(remote.Older != 0 || remote.Newer != 0 || primary.RemoteCount == 1,
            "the list of a backend's remotes is whole");
        primary.RemoteCount--;
        remote.Primary = 0;
        remote.Older = 0;
        remote.Newer = 0;
    }

    private void SetBackup(ref Remote remote, Backend? backup)
    {
        if (_backends.AtSlot(remote.Backup) is { } before)
        {
            Verify.That(before.BackupCount > 0, "a backend counts the remotes it is backup of");
            before.BackupCount--;
        }
        remote.Backup = (ushort)(backup?.Slot ?? 0);
        if (backup is not null)
            backup.BackupCount++;
    }

    private void OnExpiryDue(Instant now)
    {
        _timers.Arm(_expiry, now + Limits.ExpiryInterval);
        // A pass that is still under way goes on; what it has passed waits for the next.
        if (_expiryCursor != NoPass)
            return;
        _expiryCursor = 0;
        _expired = 0;
    }

    private void ExpireSlice(Instant now)
    {
        var end = Math.Min(_table.HighWater, _expiryCursor + Limits.RemotesPerTurn);
        for (; _expiryCursor < end; _expiryCursor++)
        {
            ref var remote = ref _table[_expiryCursor];
            if ((remote.Flags & RemoteFlags.InUse) == 0
                || now - remote.LastSeen < Limits.RemoteExpiry)
            {
                continue;
            }
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

    private void OnRebalanceDue(Instant now)
    {
        _timers.Arm(_rebalance, now + Limits.RebalanceInterval);
        _everyInterval();
        if (_toMove > 0
            || !_backends.TryMeasureSpread(now, out _fullest, out var n, out var spread)
            || spread <= n)
        {
            return;
        }
        _toMove = spread - n;
        _log.Write(new LogEvent.Rebalancing(_fullest.Id, spread, _toMove));
    }

    /// <summary>
    /// Takes the backend from those bound to the fullest one for the longest time.
    /// </summary>
    private void MoveSlice()
    {
        var fullest = _fullest!;
        for (var n = 0; n < Limits.RemotesPerTurn && _toMove > 0; n++, _toMove--)
        {
            if (fullest.OldestRemote == 0)
            {
                _toMove = 0;
                return;
            }
            var index = fullest.OldestRemote - 1;
            ref var remote = ref _table[index];
            Unbind(ref remote, index);
            remote.Flags |= RemoteFlags.Moved;
            _log.Write(new LogEvent.RemoteMoved(remote.Address, fullest.Id));
            _counters.Add(Counter.RemotesMoved);
        }
    }
}
