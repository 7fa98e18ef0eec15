// Owns a second telling of the policy, written from the description of remotes and backends and not
// from the code: immutable records, a state and what follows from it. Each command answers with the
// states that may come after it. Where the description leaves a freedom - which of the fullest
// backend's remotes are moved, which of several emptiest backends a moved one takes, when a backend
// that is down learns that its path is gone - every allowed answer is told, and who compares picks
// the one that the balancer shows, or finds that it is none of them.
//
// What always holds: a model never changes; nothing here is taken from the balancer but ids, which
// are numbers.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.Linq;

namespace Tests.Property.Core;

public enum ModelState
{
    Down,
    Healthy,

    /// <summary>Its session lives, but its path was unlinked.</summary>
    Draining,
    Removed,
}

/// <summary>A backend; WarmAt and DownSince are in milliseconds.</summary>
public sealed record ModelBackend(
    int Id, string Name, ModelState State, bool HasPath, long WarmAt, long DownSince);

/// <summary>A remote; 0 is no backend, LastSeen is in milliseconds.</summary>
public sealed record ModelRemote(int Ip, int Primary, int Backup, long LastSeen, bool WasMoved);

/// <summary>What a query may lead to: its target, 0 for a drop, and the state after it.</summary>
public sealed record Choice(int Target, PolicyModel After);

/// <summary>What a rebalance owes: so many remotes of any one of these backends.</summary>
public sealed record Moves(ImmutableArray<int> Fullest, int Count);

public sealed record PolicyModel(long WarmUp)
{
    private const long RemoteExpiry = 300_000;

    /// <summary>A hello's 30 s and the longest back-off's 32 s, and one to spare.</summary>
    private const long RemovalTakesAtMost = 63_000;

    public long Now { get; init; }

    public int LastAssigned { get; init; }

    public ImmutableSortedDictionary<int, ModelBackend> Backends { get; init; } =
        ImmutableSortedDictionary<int, ModelBackend>.Empty;

    public ImmutableSortedDictionary<int, ModelRemote> Remotes { get; init; } =
        ImmutableSortedDictionary<int, ModelRemote>.Empty;

    public long Forwarded { get; init; }
    public long Dropped { get; init; }
    public long Expired { get; init; }
    public long Moved { get; init; }

    public ModelBackend? Named(string name) => Backends.Values.FirstOrDefault(b => b.Name == name);

    public int CountOf(int id) => Remotes.Values.Count(remote => remote.Primary == id);

    // ---- Backends ----

    public PolicyModel Appear(string name)
    {
        if (Named(name) is not { } known)
        {
            var isNumber = int.TryParse(
                name, NumberStyles.None, CultureInfo.InvariantCulture, out var n);
            var id = isNumber && n is >= 5300 and <= 5399 && !Backends.ContainsKey(n)
                ? n : Backends.Keys.LastOrDefault() + 1;
            return With(new ModelBackend(id, name, ModelState.Down, true, 0, Now));
        }
        return With(known with
        {
            HasPath = true,
            // It is connected to at once; the old session retires, and counts for nothing.
            State = ModelState.Down,
            DownSince = Now,
        });
    }

    public PolicyModel Unlink(int id) => With(Backends[id] with
    {
        HasPath = false,
        State = Backends[id].State == ModelState.Healthy ? ModelState.Draining : Backends[id].State,
        DownSince = Math.Max(Now, Backends[id].DownSince),
    });

    public PolicyModel Hello(int id) => With(Backends[id] with
    {
        State = Backends[id].HasPath ? ModelState.Healthy : ModelState.Draining,
        WarmAt = Now + WarmUp,
    });

    public PolicyModel Fault(int id) =>
        With(Backends[id] with { State = ModelState.Down, DownSince = Now });

    /// <summary>A connect found no path; null if that cannot be.</summary>
    public PolicyModel? Absent(int id) => Backends[id] is { State: ModelState.Down, HasPath: false }
        ? With(Backends[id] with { State = ModelState.Removed }) : null;

    /// <summary>A backend gone for long is not kept; null if it must be.</summary>
    public PolicyModel? Forget(int id) => Backends[id].State == ModelState.Removed
        && Remotes.Values.All(remote => remote.Primary != id && remote.Backup != id)
        ? this with { Backends = Backends.Remove(id) } : null;

    /// <summary>Backends that should have found out by now that their path is gone.</summary>
    public IEnumerable<int> OverdueAbsences => Backends.Values
        .Where(b => b is { State: ModelState.Down, HasPath: false }
            && Now - b.DownSince > RemovalTakesAtMost)
        .Select(b => b.Id);

    // ---- Queries ----

    /// <summary>All that a query from a host may lead to.</summary>
    public IEnumerable<Choice> Query(int ip, bool isTcp)
    {
        if (!Remotes.TryGetValue(ip, out var remote))
            return Assign(new ModelRemote(ip, 0, 0, Now, false), asBackup: false, isKnown: false);
        remote = remote with { LastSeen = Now };
        if (remote.Primary != 0 && Backends[remote.Primary].State == ModelState.Removed)
            remote = remote with { Primary = 0, Backup = 0 };
        if (remote.Primary == 0)
            return Assign(remote, asBackup: false, isKnown: true);
        if (MayUse(remote.Primary, isTcp))
        {
            // A draining primary serves UDP alone, so the backup is still needed for TCP.
            var keepsBackup = Backends[remote.Primary].State == ModelState.Draining;
            return [Forward(remote.Primary, keepsBackup ? remote : remote with { Backup = 0 })];
        }
        return remote.Backup != 0 && MayUse(remote.Backup, isTcp)
            ? [Forward(remote.Backup, remote)]
            : Assign(remote, asBackup: true, isKnown: true);
    }

    private IEnumerable<Choice> Assign(ModelRemote remote, bool asBackup, bool isKnown)
    {
        var healthy = Choosable();
        if (healthy.IsEmpty)
        {
            var dropped = this with { Dropped = Dropped + 1 };
            return [new Choice(0, isKnown ? dropped.With(remote) : dropped)];
        }
        var fewest = healthy.Min(CountOf);
        var next = healthy.FirstOrDefault(id => id > LastAssigned, healthy[0]);
        ImmutableArray<int> allowed = remote.WasMoved && !asBackup
            ? healthy.RemoveAll(id => CountOf(id) > fewest) : [next];
        return allowed.Select(id => (this with { LastAssigned = id }).Forward(id, asBackup
            ? remote with { Backup = id }
            : remote with { Primary = id, Backup = 0, WasMoved = false }));
    }

    private Choice Forward(int target, ModelRemote remote) =>
        new(target, With(remote) with { Forwarded = Forwarded + 1 });

    /// <summary>Healthy, path and all, and warm unless nobody is, in the order of ids.</summary>
    private ImmutableArray<int> Choosable() => [.. Backends.Values
        .Where(b => b.State == ModelState.Healthy && (b.WarmAt <= Now || !AnyWarm))
        .Select(b => b.Id)];

    private bool AnyWarm =>
        Backends.Values.Any(b => b.State == ModelState.Healthy && b.WarmAt <= Now);

    /// <summary>Whether a remote that is bound to a backend may use it now.</summary>
    private bool MayUse(int id, bool isTcp) => Backends[id] is var b
        && (b.State == ModelState.Healthy || (b.State == ModelState.Draining && !isTcp))
        && (b.WarmAt <= Now || !AnyWarm);

    // ---- Time ----

    /// <summary>So many milliseconds pass; what falls due meanwhile is told by itself.</summary>
    public PolicyModel Tick(long milliseconds) => this with { Now = Now + milliseconds };

    /// <summary>Forgets who has been silent; due every 30 s.</summary>
    public PolicyModel Expire()
    {
        var silent = Remotes.Values.Where(r => Now - r.LastSeen >= RemoteExpiry).Select(r => r.Ip);
        var left = Remotes.RemoveRange(silent);
        return this with { Remotes = left, Expired = Expired + Remotes.Count - left.Count };
    }

    /// <summary>What a rebalance owes; due every 15 s.</summary>
    public Moves OwedMoves()
    {
        var healthy = Choosable();
        if (healthy.IsEmpty)
            return new Moves([], 0);
        var most = healthy.Max(CountOf);
        var spread = most - healthy.Min(CountOf);
        return spread <= healthy.Length ? new Moves([], 0) : new Moves(
            healthy.RemoveAll(id => CountOf(id) < most), spread - healthy.Length);
    }

    public PolicyModel Move(IReadOnlyCollection<int> ips) => this with
    {
        Remotes = Remotes.SetItems(ips.Select(ip => KeyValuePair.Create(
            ip, Remotes[ip] with { Primary = 0, Backup = 0, WasMoved = true }))),
        Moved = Moved + ips.Count,
    };

    private PolicyModel With(ModelBackend b) => this with { Backends = Backends.SetItem(b.Id, b) };

    private PolicyModel With(ModelRemote r) => this with { Remotes = Remotes.SetItem(r.Ip, r) };
}
