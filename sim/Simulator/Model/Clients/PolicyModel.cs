// Owns a second version of which backend serves which remote, made from the rules for remotes and
// backends: which backends may be chosen, whose turn it is, and every remote with its primary and
// backup. It decides what the core should; ReferenceModel compares it with what the core did.
//
// It moves with the run, so it is small and mutable. Where the description leaves a freedom - which
// remotes of a fullest backend a rebalance takes, whom a full table forgets - the model takes over
// what the core tells if that is allowed (see RemoteModel). Ids and turns leave none.
//
// The policy is written down here and in the core, and nowhere else: the property tests of the
// policy run the core beside this model too.
//
// What always holds: nothing here reads the core; a backend's counts of remotes are those of the
// entries that name it.

using System;
using System.Collections.Generic;
using System.Text;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>The policy of one run.</summary>
internal sealed class PolicyModel(
    KernelPlan plan, ExpectedCounters counters, ReachedSituations reached)
{
    private const int WorstRank = 5;
    private const int ProvingRank = 4;
    private const int ColdRank = 1;

    private readonly bool _probes = plan.Probe;
    private readonly List<ExpectedBackend> _backends = [];
    private readonly LinkedList<ExpectedRemote> _newcomers = [];
    private readonly Dictionary<Ipv4, (ExpectedBackend Chosen, int Among)> _byHash = [];
    private int _lastChosen;

    /// <summary>
    /// Backends in the order of their ids. Changed only here; it is the list itself because it is
    /// walked many times in each turn, which as an interface costs memory each time.
    /// </summary>
    public List<ExpectedBackend> Backends => _backends;

    public Dictionary<Ipv4, ExpectedRemote> Remotes { get; } = [];

    /// <summary>Newcomers, the one that is silent for longest first.</summary>
    public IReadOnlyCollection<ExpectedRemote> Newcomers => _newcomers;

    public int Established => Remotes.Count - _newcomers.Count;

    /// <summary>So many newcomers there may be, and so many others.</summary>
    public int MostNewcomers { get; } =
        Math.Max(1, plan.MaxRemotes / SpecifiedLimits.NewcomersShare);

    public int MostEstablished => plan.MaxRemotes - MostNewcomers;

    /// <summary>A newcomer was forgotten so that this one can be remembered.</summary>
    public Ipv4? RoomMadeFor { get; set; }

    /// <summary>What the core says of whom it bound; a choice by hash is free.</summary>
    public LogEvent.RemoteAssigned? Told { get; set; }

    /// <summary>The binding that must be logged for the last choice; null for none.</summary>
    public Binding? LastBinding { get; private set; }

    /// <summary>Rebalances that were due, before this turn.</summary>
    public long Rebalances { get; set; }

    /// <summary>Primaries given so far, but for those that a rebalance made necessary.</summary>
    public long Bindings { get; private set; }

    // ---- Backends ----

    public ExpectedBackend? AtPath(ReadOnlySpan<byte> path)
    {
        foreach (var backend in _backends)
        {
            if (path.SequenceEqual(backend.PathBytes))
                return backend;
        }
        return null;
    }

    public ExpectedBackend? WithId(int id) => _backends.Find(backend => backend.Id == id);

    public void Add(ExpectedBackend backend)
    {
        var at = _backends.Count;
        while (at > 0 && _backends[at - 1].Id > backend.Id)
            at--;
        _backends.Insert(at, backend);
    }

    public void Forget(ExpectedBackend backend) => _backends.Remove(backend);

    /// <summary>The id that a new entry of this name gets.</summary>
    public int IdFor(ReadOnlySpan<byte> name)
    {
        var isNumber = name.Length > 0 && name.IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0
            && name.TrimStart((byte)'0').Length == 4;
        var number = isNumber
            ? int.Parse(Encoding.ASCII.GetString(name.TrimStart((byte)'0')),
                System.Globalization.CultureInfo.InvariantCulture)
            : 0;
        if (number is >= 5300 and <= 5399 && WithId(number) == null)
            return number;
        return _backends.Count == 0 ? 1 : _backends[^1].Id + 1;
    }

    // ---- Choosing ----

    /// <summary>
    /// The backend that a remote's query or connection goes to, null for none. `remote` is null
    /// if it is not remembered.
    /// </summary>
    public ExpectedBackend? Choose(
        Instant now, Ipv4 address, bool isTcp, out ExpectedRemote? remote)
    {
        var chosen = ChooseBound(now, address, isTcp, out remote);
        if (!isTcp || chosen == null || HasData(chosen) || !HasErredLately(chosen, now))
            return chosen;
        // It has said SERVFAIL and nothing better; one that has data is asked in its place.
        if (NextWithData(now, chosen, HasData) is not { } other)
            return chosen;
        reached.Add(Situation.TcpGoesWhereDataIs);
        return other;
    }

    private static bool HasData(ExpectedBackend backend) => backend.Session is { } session
        && (session.Given.HasGood || session.Probes.HasAnswered);

    private ExpectedBackend? ChooseBound(
        Instant now, Ipv4 address, bool isTcp, out ExpectedRemote? remote)
    {
        LastBinding = null;
        if (!Remotes.TryGetValue(address, out remote))
            return ChooseForNew(now, address, isTcp, out remote);
        remote.LastSeen = now;
        if (!remote.IsEstablished)
            OnNewcomerHeard(now, remote, isTcp);
        if (isTcp)
            remote.OnAnswered(now);
        return ChooseFor(now, remote, isTcp);
    }

    /// <summary>
    /// The backend for a query that is sent once more. It does not count as heard: an address not
    /// remembered stays so, and a remote's last-seen time stays as it is.
    /// </summary>
    public ExpectedBackend? ChooseAgain(Instant now, Ipv4 address)
    {
        LastBinding = null;
        return Remotes.TryGetValue(address, out var remote)
            ? ChooseFor(now, remote, isTcp: false) : NextInTurn(now);
    }

    private ExpectedBackend? ChooseFor(Instant now, ExpectedRemote remote, bool isTcp)
    {
        if (remote.Primary is not { Stage: not Stage.Removed } primary)
            return ChooseAnew(now, remote);
        if (MayServe(now, primary, isTcp, isWithIt: remote.Backup == null))
        {
            // One that drains serves UDP alone: for TCP the backup is still needed.
            reached.Add(primary.Stage == Stage.Draining, Situation.DrainingServes);
            reached.Add(remote.Backup != null && primary.Stage == Stage.Healthy,
                Situation.PrimaryServesAgain);
            if (primary.Stage == Stage.Healthy)
                SetBackup(remote, null);
            return primary;
        }
        if (remote.Backup is { } backup && MayServe(now, backup, isTcp, isWithIt: true))
        {
            reached.Add(Situation.BackupServesAgain);
            return backup;
        }
        if (NextInTurn(now) is not { } chosen)
            return null;
        SetBackup(remote, chosen);
        reached.Add(Situation.BackupIsBound);
        LastBinding = new Binding(remote.Address, chosen, IsBackup: true);
        return chosen;
    }

    /// <summary>
    /// The backend asked beside one that has no room, or does not answer; not a worse one, and
    /// none of these.
    /// </summary>
    public ExpectedBackend? NextBeside(
        Instant now, ExpectedBackend full, IReadOnlySet<ExpectedBackend>? asked = null) =>
        IsWorthIt(now, full, needsBetter: false, asked) ? NextInTurn(now, full, asked) : null;

    /// <summary>
    /// The backend asked instead of this one; only a better one, and none of these.
    /// </summary>
    public ExpectedBackend? NextBetter(
        Instant now, ExpectedBackend than, IReadOnlySet<ExpectedBackend> asked) =>
        IsWorthIt(now, than, needsBetter: true, asked) ? NextInTurn(now, than, asked) : null;

    /// <summary>
    /// Whether a backend has owed an answer for a while, so that it may turn out to hang.
    /// </summary>
    public static bool MayHang(ExpectedBackend backend, Instant now) =>
        backend.Session?.Silence is { } silence && silence.Phase switch
        {
            Silence.Phases.Asked => true,
            Silence.Phases.Waiting => !silence.WaitsForOld
                && now - silence.Since >= SpecifiedLimits.DoubtTime,
            _ => false,
        };

    /// <summary>
    /// Whether a backend may give errors for want of data: its hello is not old, or it gave errors
    /// lately and nothing better.
    /// </summary>
    public static bool MayLackData(ExpectedBackend backend, Instant now) =>
        backend.Session is { } session && (now - session.HelloAt < SpecifiedLimits.HoldTime
            || (!HasData(backend) && HasErredLately(backend, now)));

    private static bool HasErredLately(ExpectedBackend backend, Instant now) =>
        now < backend.Session?.Given.ErredAt + SpecifiedLimits.ShareMemory;

    /// <summary>
    /// Who gets a query in place of this one if no third backend may: the next by id of those that
    /// answer and have their data, who are no worse; if this one may hang, else of those that
    /// answer, and else of the cold ones among these. Null for none.
    /// </summary>
    public ExpectedBackend? NextForLastTime(Instant now, ExpectedBackend than)
    {
        var mayHang = MayHang(than, now);
        if (!mayHang && !MayLackData(than, now))
            return null;
        var most = Math.Min(RankOf(than, now), ProvingRank - 1);
        bool Answers(ExpectedBackend backend) =>
            IsChoosable(backend, now, most) && !MayHang(backend, now);
        if (NextOf(backend => Answers(backend) && !MayLackData(backend, now)) is { } best)
        {
            reached.Add(!mayHang, Situation.LoadedForLastTime);
            return best;
        }
        if (!mayHang)
            return null;
        if (NextOf(Answers) is { } next)
            return next;
        most = ColdRank;
        return NextOf(Answers);
    }

    private ExpectedBackend? NextOf(Predicate<ExpectedBackend> fits)
    {
        var next = _backends.Find(backend => backend.Id > _lastChosen && fits(backend))
            ?? _backends.Find(fits);
        if (next != null)
            _lastChosen = next.Id;
        return next;
    }

    /// <summary>The next by id of those that take queries, be they suspect.</summary>
    public ExpectedBackend? NextWithRoom() => NextOf(
        backend => backend is { Stage: Stage.Healthy, IsStuck: false });

    /// <summary>
    /// The next by id of those with data who are at ease, answer, and do not fail, and of these of
    /// who has had time for all of it; null for none.
    /// </summary>
    public ExpectedBackend? NextWithData(
        Instant now, ExpectedBackend not, Predicate<ExpectedBackend> hasData)
    {
        bool Fits(ExpectedBackend backend) => backend != not && hasData(backend)
            && IsChoosable(backend, now, ColdRank) && !MayHang(backend, now);
        return NextOf(backend => Fits(backend) && !MayLackData(backend, now)) ?? NextOf(Fits);
    }

    /// <summary>Whether another than this one may be chosen that is better, or as good.</summary>
    public bool IsWorthIt(Instant now, ExpectedBackend than, bool needsBetter,
        IReadOnlySet<ExpectedBackend>? asked = null)
    {
        var most = than.Stage != Stage.Healthy ? WorstRank
            : RankOf(than, now) - (needsBetter ? 1 : 0);
        return _backends.Exists(backend => backend != than && asked?.Contains(backend) != true
            && IsChoosable(backend, now, most));
    }

    /// <summary>The next healthy backend by id after the last one chosen.</summary>
    public ExpectedBackend? NextInTurn(Instant now, ExpectedBackend? except = null,
        IReadOnlySet<ExpectedBackend>? asked = null)
    {
        ExpectedBackend? first = null;
        ExpectedBackend? next = null;
        var worst = BestRank(now, except, asked);
        foreach (var backend in _backends)
        {
            if (backend == except || asked?.Contains(backend) == true
                || !IsChoosable(backend, now, worst))
            {
                continue;
            }
            first ??= backend;
            if (backend.Id > _lastChosen)
            {
                next = backend;
                break;
            }
        }
        next ??= first;
        if (next != null)
            _lastChosen = next.Id;
        return next;
    }

    /// <summary>Backends that may be chosen now; returns how many.</summary>
    public int Measure(
        Instant now, out ExpectedBackend? fullest, out int spread, out int surplus)
    {
        var sum = 0;
        var worst = BestRank(now);
        var healthy = 0;
        var fewest = int.MaxValue;
        fullest = null;
        foreach (var backend in _backends)
        {
            if (!IsChoosable(backend, now, worst))
                continue;
            healthy++;
            sum += backend.Remotes;
            fewest = Math.Min(fewest, backend.Remotes);
            if (fullest == null || backend.Remotes > fullest.Remotes)
                fullest = backend;
        }
        spread = fullest == null ? 0 : fullest.Remotes - fewest;
        surplus = fullest == null ? 0
            : fullest.Remotes - (int)Math.Ceiling(sum / (double)healthy);
        return healthy;
    }

    /// <summary>Whether any backend may be chosen now.</summary>
    public bool AnyChoosable() => _backends.Exists(backend => backend.Stage == Stage.Healthy);

    /// <summary>
    /// Whether a remote that is bound to a backend is served by it: if none is better, and, for one
    /// that drains, over UDP and if none is warm, trusted, not failing and not stuck. Who is with a
    /// backend stays, though it fails.
    /// </summary>
    public bool MayServe(Instant now, ExpectedBackend backend, bool isTcp, bool isWithIt)
    {
        var best = BestRank(now);
        var rank = isWithIt ? RankButForFailing(backend, now) : RankOf(backend, now);
        return rank <= best && backend.Stage switch
        {
            Stage.Healthy => true,
            Stage.Draining => !isTcp && best > 0,
            _ => false,
        };
    }

    // ---- Remotes ----

    public static void Unbind(ExpectedRemote remote)
    {
        SetBackup(remote, null);
        Count(remote, -1);
        remote.Primary = null;
    }

    private static void Count(ExpectedRemote remote, int change)
    {
        if (remote.Primary == null)
            return;
        if (remote.IsEstablished)
            remote.Primary.Remotes += change;
        else
            remote.Primary.Newcomers += change;
    }

    public void Forget(ExpectedRemote remote)
    {
        Unbind(remote);
        Remotes.Remove(remote.Address);
        LeaveNewcomers(remote);
    }

    private void LeaveNewcomers(ExpectedRemote remote)
    {
        if (remote.Place.List != null)
            _newcomers.Remove(remote.Place);
    }

    /// <summary>A query of this host was answered by a backend.</summary>
    public void OnAnswered(Instant now, Ipv4 address) =>
        Remotes.GetValueOrDefault(address)?.OnAnswered(now);

    /// <summary>Whether a newcomer is to be established when it asks now.</summary>
    public static bool MayBeEstablished(Instant now, ExpectedRemote newcomer, bool isTcp) =>
        isTcp || (newcomer.AnsweredMs >= 0
            && newcomer.SinceAnswered(now) >= SpecifiedLimits.ProvingTime);

    /// <summary>Where there is room for another one; else it is tried again next time.</summary>
    private void OnNewcomerHeard(Instant now, ExpectedRemote remote, bool isTcp)
    {
        reached.Add(MayBeEstablished(now, remote, isTcp) && Established >= MostEstablished,
            Situation.EstablishedAreFull);
        // Asked first: one that left the newcomers counts among the others.
        var isEstablished =
            MayBeEstablished(now, remote, isTcp) && Established < MostEstablished;
        LeaveNewcomers(remote);
        reached.Add(isEstablished,
            isTcp ? Situation.EstablishedOverTcp : Situation.EstablishedByTime);
        if (isEstablished)
            Establish(now, remote);
        else
            _newcomers.AddLast(remote.Place);
    }

    private void Establish(Instant now, ExpectedRemote remote)
    {
        Count(remote, -1);
        remote.IsEstablished = true;
        remote.CountedSince = now;
        Count(remote, 1);
        counters.Add(Counter.RemotesEstablished);
    }

    private ExpectedBackend? ChooseForNew(
        Instant now, Ipv4 address, bool isTcp, out ExpectedRemote? remote)
    {
        remote = null;
        var isCrowded = RoomMadeFor == address;
        RoomMadeFor = null;
        var isProven = isTcp && Established < MostEstablished;
        if ((isCrowded ? ByHash(now, address) : NextInTurn(now)) is not { } chosen)
            return null;
        remote = new ExpectedRemote(address, now) { LastSeen = now };
        Remotes.Add(address, remote);
        counters.Add(Counter.RemotesNew);
        Bind(now, remote, chosen);
        if (isProven)
            Establish(now, remote);
        else
            _newcomers.AddLast(remote.Place);
        if (isTcp)
            remote.OnAnswered(now);
        return chosen;
    }

    /// <summary>
    /// The core is free to choose any of those that may be chosen, but for one address always the
    /// same as long as these stay the same.
    /// </summary>
    private ExpectedBackend? ByHash(Instant now, Ipv4 address)
    {
        var worst = BestRank(now);
        var among = new HashCode();
        foreach (var backend in _backends)
        {
            if (IsChoosable(backend, now, worst))
                among.Add(backend.Id);
        }
        var set = among.ToHashCode();
        if (_byHash.TryGetValue(address, out var before) && before.Among == set)
        {
            reached.Add(Situation.CrowdedByHash);
            return before.Chosen;
        }
        var told = Told is { } line && line.Remote == address ? WithId(line.Backend.Value) : null;
        if (told == null || !IsChoosable(told, now, worst))
            return NextInTurn(now);
        _byHash[address] = (told, set);
        return told;
    }

    private ExpectedBackend? ChooseAnew(Instant now, ExpectedRemote remote)
    {
        reached.Add(remote.Primary is { Stage: Stage.Removed }, Situation.PrimaryWasRemoved);
        Unbind(remote);
        var chosen = NextInTurn(now);
        if (chosen != null)
            Bind(now, remote, chosen);
        return chosen;
    }

    /// <summary>The backend a rebalance should bind a remote to; null if there is none.</summary>
    public void Move(Instant now, ExpectedRemote remote)
    {
        LastBinding = null;
        var to = WithFewest(now);
        Unbind(remote);
        (remote.MovedAt, remote.MovedIn) = (now, Rebalances);
        if (to == null)
            return;
        Bind(now, remote, to);
        Bindings--;
    }

    /// <summary>Whose turn it would be among those with the fewest remotes.</summary>
    public ExpectedBackend? WithFewest(Instant now)
    {
        var worst = BestRank(now);
        ExpectedBackend? best = null;
        foreach (var backend in _backends)
        {
            if (IsChoosable(backend, now, worst)
                && (best == null || backend.Remotes < best.Remotes
                    || (backend.Remotes == best.Remotes && IsNextBefore(backend, best))))
            {
                best = backend;
            }
        }
        return best;
    }

    /// <summary>Of two that are equal, whose turn comes first after the last one chosen.</summary>
    private bool IsNextBefore(ExpectedBackend a, ExpectedBackend b) =>
        (a.Id <= _lastChosen, a.Id).CompareTo((b.Id <= _lastChosen, b.Id)) < 0;

    private void Bind(Instant now, ExpectedRemote remote, ExpectedBackend chosen)
    {
        remote.Primary = chosen;
        remote.CountedSince = now;
        Bindings++;
        Count(remote, 1);
        LastBinding = new Binding(remote.Address, chosen, IsBackup: false);
    }

    private static void SetBackup(ExpectedRemote remote, ExpectedBackend? backup)
    {
        if (remote.Backup != null)
            remote.Backup.Backups--;
        remote.Backup = backup;
        if (backup != null)
            backup.Backups++;
    }

    private bool IsChoosable(ExpectedBackend backend, Instant now, int worst) =>
        backend.Stage == Stage.Healthy && RankOf(backend, now) <= worst;

    /// <summary>
    /// The lower the better: warm, cold, failing, down by probe, suspect but answering again, and
    /// last who is silent or stuck.
    /// </summary>
    private int RankOf(ExpectedBackend backend, Instant now) =>
        Math.Max(RankButForFailing(backend, now), backend.IsFailing ? 2 : 0);

    private int RankButForFailing(ExpectedBackend backend, Instant now) =>
        backend.IsSilent || backend.IsStuck ? WorstRank
        : backend.IsSuspect ? ProvingRank
        : backend.IsDownByProbe ? 3
        : backend.IsMute ? 2 : ProbeModel.IsWarm(backend, now, _probes) ? 0 : 1;

    private int BestRank(Instant now, ExpectedBackend? except = null,
        IReadOnlySet<ExpectedBackend>? asked = null)
    {
        var best = WorstRank;
        foreach (var backend in _backends)
        {
            if (backend != except && asked?.Contains(backend) != true
                && backend.Stage == Stage.Healthy)
            {
                best = Math.Min(best, RankOf(backend, now));
            }
        }
        return best;
    }
}
