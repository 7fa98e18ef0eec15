// Owns the set of backends: their slots, their order by id, whose turn it is, and who has the most
// remotes. What finds them is Discovery; what one of them does is Backend.
//
// A backend's id is the entry's name as a number if that is 5300 to 5399 and free, otherwise the
// highest id in use plus one. Its slot is an index for the table of remotes, 1 and up, given out
// again only when nobody is bound to it any more.
//
// "Healthy" for choosing means: said hello, no fault since, its path still there, and of the best
// rank that any such backend has: warm and at ease before cold, cold before failing or mute, that
// before down by probe, that before suspect but answering again, and last who is silent or stuck. A
// backend that has just said hello is not warm, because Binder says hello before it has its data.
// One that fails, and is not mute, keeps the clients that are with it: what it answers them may be
// the truth.
//
// What always holds: _byId is sorted by id and has each backend once; a backend in it is at its
// slot in _bySlot; at most Limits.MaxBackends are known.

using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;

namespace Balancer.Core;

/// <summary>The backends of one balancer.</summary>
internal sealed class Backends
{
    private readonly Backend?[] _bySlot = new Backend?[Limits.MaxBackends + 1];
    private readonly Backend[] _byId = new Backend[Limits.MaxBackends];
    private readonly FlushList _flushList = new();
    private readonly SessionTurns _turns;
    private readonly QueryPairs _pairs;
    private readonly Quarantine _quarantine;
    private readonly Services _services;
    private readonly IBackendReports _reports;
    private readonly IBackendNeighbours _neighbours;
    private readonly LogGatesByStatus<LogEvent.ConnectWithoutResources> _withoutResources;
    private BackendId _lastChosen;

    public Backends(Services services, QueryPairs pairs, Quarantine quarantine,
        IBackendReports reports, IBackendNeighbours neighbours)
    {
        _neighbours = neighbours;
        _quarantine = quarantine;
        _pairs = pairs;
        _services = services;
        _reports = reports;
        _turns = new SessionTurns(services.Turn);
        _withoutResources = new(services.Gates);
    }

    /// <summary>How good a healthy backend is; the lower the better.</summary>
    private enum Rank
    {
        /// <summary>Warm, and neither suspect nor stuck.</summary>
        Best,

        /// <summary>Cold, and neither suspect nor stuck.</summary>
        Cold,

        /// <summary>
        /// Its answers are far worse than another's, or it gives none; neither suspect nor stuck.
        /// </summary>
        Failing,

        /// <summary>It fails probes; neither suspect nor stuck.</summary>
        Down,

        /// <summary>Suspect, but it answers again; not stuck.</summary>
        Proving,

        /// <summary>Suspect and silent, or stuck.</summary>
        Uneasy,
    }

    /// <summary>Backends that are known, removed ones included.</summary>
    public int Count { get; private set; }

    /// <summary>All of them, in the order of their ids.</summary>
    public ReadOnlySpan<Backend> All => _byId.AsSpan(0, Count);

    public int HealthyCount
    {
        get
        {
            var healthy = 0;
            foreach (var backend in All)
                healthy += backend.State == BackendState.Healthy ? 1 : 0;
            return healthy;
        }
    }

    /// <summary>
    /// Reads what sessions have, as much as a turn may; false if that left nothing.
    /// </summary>
    public bool ReadSessions(Instant now) => _turns.Serve(now);

    /// <summary>A connect to a backend could not be made, and it is not at fault.</summary>
    public void OnWithoutResources(Instant now, Backend backend, IoResult why)
    {
        _services.Counters.Add(Counter.ConnectsWithoutResources);
        _withoutResources[why.Status].Write(
            now, new LogEvent.ConnectWithoutResources(backend.Id, backend.Path, why, 0));
    }

    /// <summary>The backend at a slot; null for slot 0 and free ones.</summary>
    public Backend? AtSlot(int slot) => _bySlot[slot];

    public BackendId IdAt(int slot) => _bySlot[slot]?.Id ?? BackendId.None;

    /// <summary>The backend whose entry has this name, or null.</summary>
    public Backend? FindByName(ReadOnlySpan<byte> name)
    {
        foreach (var backend in All)
        {
            if (backend.Name.SequenceEqual(name))
                return backend;
        }
        return null;
    }

    /// <summary>
    /// Adds a backend for an entry that no backend has; null if there are as many as may be and
    /// none of them can be forgotten: one that was removed, or else one that is long dead.
    /// </summary>
    public Backend? TryAdd(Instant now, ReadOnlySpan<byte> directory, ReadOnlySpan<byte> name)
    {
        if (Count == Limits.MaxBackends && !TryForgetOne(now) && !TryForgetDead(now))
            return null;
        var slot = 1;
        while (_bySlot[slot] is not null)
            slot++;
        var backend = new Backend(
            _services, _reports, _neighbours, _flushList, _turns, _pairs, _quarantine,
            IdFor(name), slot, directory, name);
        var at = Count++;
        for (; at > 0 && _byId[at - 1].Id.Value > backend.Id.Value; at--)
            _byId[at] = _byId[at - 1];
        Verify.That(at == 0 || _byId[at - 1].Id.Value < backend.Id.Value, "an id is given once");
        _byId[at] = backend;
        _bySlot[slot] = backend;
        return backend;
    }

    /// <summary>Forgets backends that were removed long ago and have no remotes.</summary>
    public void ForgetOld(Instant now)
    {
        for (var i = Count - 1; i >= 0; i--)
        {
            if (_byId[i].IsLongGone(now))
                Forget(now, i);
        }
    }

    /// <summary>
    /// Whether a remote that is bound to a backend may use it: not while there are better ones,
    /// where one that fails is as good as others to a remote that is with it now (`isPresent`). One
    /// whose path is gone takes no TCP, and no UDP while one of the best rank is there.
    /// </summary>
    public bool MayServe(Instant now, Backend backend, Traffic traffic, bool isPresent)
    {
        var rank = RankOf(now, backend, isPresent);
        if (backend.State == BackendState.Healthy)
        {
            return rank == Rank.Best || rank <= BestRank(now);
        }
        if (backend.State != BackendState.Draining || traffic != Traffic.Udp)
            return false;
        var best = BestRank(now);
        return best != Rank.Best && rank <= best;
    }

    /// <summary>
    /// Compares a backend's answers with those of each other healthy one that gave enough: it fails
    /// when they are far worse than one's, and no longer when they are near them all; or when it
    /// gives none and another does or may.
    /// </summary>
    public void Judge(Instant now, Backend backend)
    {
        var answers = backend.Answers;
        if (backend.AnswersNothing(now))
        {
            if (MayAnotherAnswer(now, backend))
                backend.BeginMute(now);
            return;
        }
        var isCompared = answers.IsLow;
        foreach (var other in All)
        {
            if (other == backend || other.State != BackendState.Healthy
                || !other.Answers.IsTelling(now))
            {
                continue;
            }
            isCompared = true;
            if (!(backend.IsFailing
                ? answers.IsStillAbove(other.Answers) : answers.IsFarAbove(other.Answers)))
            {
                continue;
            }
            if (!backend.IsFailing)
                backend.BeginFailing(now, than: other);
            return;
        }
        if (backend.IsFailing && isCompared)
            backend.EndFailing(now);
    }

    /// <summary>
    /// Whether another backend that clients can go to has given a good answer.
    /// </summary>
    public bool HasAnotherGoodAnswer(Backend than)
    {
        foreach (var backend in All)
        {
            if (backend != than && backend.State == BackendState.Healthy && backend.IsAtEase
                && backend.HasGoodAnswer)
            {
                return true;
            }
        }
        return false;
    }

    private bool MayAnotherAnswer(Instant now, Backend than)
    {
        foreach (var backend in All)
        {
            if (backend != than && backend.State == BackendState.Healthy && backend.IsAtEase
                && !backend.IsFailing && backend.IsWarm(now) && backend.MayAnswer(now))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>One may hang: asks the others for a heartbeat that owe no answer.</summary>
    public void AskOthers(Instant now, Backend? doubtful)
    {
        foreach (var backend in All)
        {
            if (backend != doubtful)
                backend.AskBeside(now);
        }
    }

    /// <summary>Whether a reply may still come that somebody waits for.</summary>
    public bool AwaitReplies(Instant now)
    {
        foreach (var backend in All)
        {
            if (backend.AwaitsReply(now))
                return true;
        }
        return false;
    }

    /// <summary>
    /// The next healthy backend in the order of ids after the one last chosen, whose turn is then
    /// over; null if there is none. `except` is passed over.
    /// </summary>
    public Backend? NextInTurn(Instant now, Backend? except = null) =>
        TakeTurn(now, BestRank(now, except), except);

    /// <summary>As NextInTurn, but none of these.</summary>
    public Backend? NextInTurn(Instant now, List<Backend> asked) =>
        TakeTurn(now, BestRank(now, null, asked), null, asked);

    /// <summary>
    /// As NextInTurn, but another than this one, which has no room for a connection or does not
    /// take it: one that is as good as it, or better, and none of those that were asked.
    /// </summary>
    public Backend? NextBeside(Instant now, Backend full, List<Backend>? asked = null)
    {
        var best = BestRank(now, except: full, asked);
        return full.State != BackendState.Healthy || best <= RankOf(now, full)
            ? TakeTurn(now, best, except: full, asked)
            : null;
    }

    /// <summary>
    /// As NextInTurn, but one that is better than this one, and none of those that were asked.
    /// </summary>
    public Backend? NextBetter(Instant now, Backend than, List<Backend> asked)
    {
        var best = BestRank(now, except: than, asked);
        return than.State != BackendState.Healthy || best < RankOf(now, than)
            ? TakeTurn(now, best, except: than, asked)
            : null;
    }

    /// <summary>
    /// As NextInTurn, but one that is not doubtful, suspect or stuck: it is no worse than this
    /// one, and has its data if there is such a one; or else one that is cold, which answers if it
    /// has its data.
    /// </summary>
    public Backend? NextUndoubted(Instant now, Backend doubtful) =>
        NextLoaded(now, doubtful)
            ?? NextUndoubted(now, RankOf(now, doubtful)) ?? NextUndoubted(now, Rank.Cold);

    /// <summary>
    /// As NextInTurn, but one that is no worse than this one, not doubtful, suspect or stuck, and
    /// has its data, as far as is known.
    /// </summary>
    public Backend? NextLoaded(Instant now, Backend than) =>
        NextUndoubted(now, RankOf(now, than), isLoaded: true);

    private Backend? NextUndoubted(Instant now, Rank worst, bool isLoaded = false) =>
        TakeTurn((now, worst, isLoaded), static (candidate, limits) =>
            IsChoosable(limits.now, candidate, limits.worst) && candidate.IsAtEase
            && !candidate.IsDoubtful(limits.now)
            && !(limits.isLoaded && candidate.MayBeLoading(limits.now)));

    /// <summary>
    /// As NextInTurn, but another than this one, at ease and not doubtful, that has given a good
    /// answer; first of those that have had the time to load the rest of their data.
    /// </summary>
    public Backend? NextWithData(Instant now, Backend except) =>
        NextWithData(now, except, isLoaded: true) ?? NextWithData(now, except, isLoaded: false);

    private Backend? NextWithData(Instant now, Backend except, bool isLoaded) =>
        TakeTurn((now, except, isLoaded), static (candidate, limits) =>
            candidate != limits.except && candidate.HasGoodAnswer
            && IsChoosable(limits.now, candidate, Rank.Cold)
            && !candidate.IsDoubtful(limits.now)
            && !(limits.isLoaded && candidate.MayBeLoading(limits.now)));

    /// <summary>As NextInTurn, but one that is not stuck, be it suspect.</summary>
    public Backend? NextWithRoom(Instant now) =>
        TakeTurn(now, static (candidate, now) =>
            !candidate.IsStuck && IsChoosable(now, candidate, Rank.Uneasy));

    private Backend? TakeTurn(
        Instant now, Rank best, Backend? except, List<Backend>? asked = null) =>
        TakeTurn((now, best, except, asked), static (candidate, limits) =>
            candidate != limits.except && limits.asked?.Contains(candidate) != true
            && IsChoosable(limits.now, candidate, limits.best));

    /// <summary>
    /// The first after the one last chosen that fits, whose turn is then over. Nothing is
    /// allocated: what `fits` needs is handed to it.
    /// </summary>
    private Backend? TakeTurn<T>(T limits, Func<Backend, T, bool> fits)
    {
        var first = FirstAfterLastChosen();
        for (var n = 0; n < Count; n++)
        {
            var candidate = _byId[(first + n) % Count];
            if (fits(candidate, limits))
            {
                _lastChosen = candidate.Id;
                return candidate;
            }
        }
        return null;
    }

    /// <summary>
    /// A healthy one with the fewest remotes, of equals the next in turn; the turn stays as it is.
    /// Null if there is none.
    /// </summary>
    public Backend? WithFewestRemotes(Instant now)
    {
        var best = BestRank(now);
        var first = FirstAfterLastChosen();
        Backend? fewest = null;
        for (var n = 0; n < Count; n++)
        {
            var candidate = _byId[(first + n) % Count];
            if (IsChoosable(now, candidate, best)
                && (fewest is null || candidate.RemoteCount < fewest.RemoteCount))
            {
                fewest = candidate;
            }
        }
        return fewest;
    }

    /// <summary>
    /// A healthy backend that depends on the address alone while the same ones can be chosen, and
    /// when one goes or comes, changes for its share of the addresses only. The turn stays.
    /// </summary>
    public Backend? NextByHash(Instant now, Ipv4 address)
    {
        var best = BestRank(now);
        Backend? chosen = null;
        var most = -1;
        foreach (var backend in All)
        {
            if (!IsChoosable(now, backend, best))
                continue;
            var weight = KeyedHash.Of(
                ((ulong)(uint)backend.Id.Value << 32) | address.Value, _services.Options.HashKey);
            if (weight > most)
                (chosen, most) = (backend, weight);
        }
        return chosen;
    }

    /// <summary>
    /// Measures the healthy backends: the one with the most remotes (of equals, the first by id),
    /// how many there are, most − fewest, and what the fullest has above an even share, rounded
    /// up. False if there are none.
    /// </summary>
    public bool TryMeasureSpread(Instant now, [NotNullWhen(true)] out Backend? fullest,
        out int healthy, out int spread, out int surplus)
    {
        var best = BestRank(now);
        fullest = null;
        healthy = 0;
        spread = 0;
        surplus = 0;
        var sum = 0;
        var fewest = int.MaxValue;
        foreach (var backend in All)
        {
            if (!IsChoosable(now, backend, best))
                continue;
            healthy++;
            sum += backend.RemoteCount;
            fewest = Math.Min(fewest, backend.RemoteCount);
            if (fullest is null || backend.RemoteCount > fullest.RemoteCount)
                fullest = backend;
        }
        if (fullest is null)
            return false;
        spread = fullest.RemoteCount - fewest;
        surplus = fullest.RemoteCount - (sum + healthy - 1) / healthy;
        return true;
    }

    /// <summary>Writes once to each backend that has bytes and whose stream takes them.</summary>
    public void Flush(Instant now) => _flushList.Flush(now);

    private static bool IsChoosable(Instant now, Backend backend, Rank worst) =>
        backend.State == BackendState.Healthy && RankOf(now, backend) <= worst;

    private static Rank RankOf(Instant now, Backend backend, bool mayFail = false) =>
        backend.IsProving ? Rank.Proving
        : !backend.IsAtEase ? Rank.Uneasy
        : backend.IsDownByProbe ? Rank.Down
        : backend.IsMute || (backend.IsFailing && !mayFail) ? Rank.Failing
        : backend.IsWarm(now) ? Rank.Best : Rank.Cold;

    /// <summary>The best rank that a healthy backend has; the worst if there is none.</summary>
    private Rank BestRank(Instant now, Backend? except = null, List<Backend>? asked = null)
    {
        var best = Rank.Uneasy;
        foreach (var backend in All)
        {
            if (backend == except || backend.State != BackendState.Healthy
                || asked?.Contains(backend) == true)
            {
                continue;
            }
            var rank = RankOf(now, backend);
            if (rank == Rank.Best)
                return rank;
            if (rank < best)
                best = rank;
        }
        return best;
    }

    private int FirstAfterLastChosen()
    {
        for (var i = 0; i < Count; i++)
        {
            if (_byId[i].Id.Value > _lastChosen.Value)
                return i;
        }
        return 0;
    }

    private BackendId IdFor(ReadOnlySpan<byte> name)
    {
        if (NamedId(name) is { } named && !IsInUse(named))
            return named;
        return new BackendId(Count == 0 ? 1 : _byId[Count - 1].Id.Value + 1);
    }

    /// <summary>The id that a name asks for: digits, 5300 to 5399; null for other names.</summary>
    internal static BackendId? NamedId(ReadOnlySpan<byte> name)
    {
        var value = 0;
        foreach (var c in name)
        {
            if (c is < (byte)'0' or > (byte)'9' || value > Limits.LastNamedId)
                return null;
            value = value * 10 + (c - '0');
        }
        return value is >= Limits.FirstNamedId and <= Limits.LastNamedId
            ? new BackendId(value)
            : null;
    }

    private bool IsInUse(BackendId id)
    {
        foreach (var backend in All)
        {
            if (backend.Id == id)
                return true;
        }
        return false;
    }

    private bool TryForgetOne(Instant now)
    {
        var oldest = -1;
        for (var i = 0; i < Count; i++)
        {
            if (_byId[i].MayBeForgotten
                && (oldest < 0 || _byId[i].RemovedAt < _byId[oldest].RemovedAt))
            {
                oldest = i;
            }
        }
        if (oldest < 0)
            return false;
        Forget(now, oldest);
        return true;
    }

    /// <summary>Forgets the dead one that may give way for longest, if there is one.</summary>
    private bool TryForgetDead(Instant now)
    {
        var first = 0;
        for (var i = 1; i < Count; i++)
        {
            if (_byId[i].MayGiveWayAt < _byId[first].MayGiveWayAt)
                first = i;
        }
        if (_byId[first].MayGiveWayAt > now)
            return false;
        _byId[first].Shutdown(now);
        Forget(now, first);
        return true;
    }

    private void Forget(Instant now, int at)
    {
        var backend = _byId[at];
        Verify.That(!backend.IsInFlushList, "a removed backend has nothing to write");
        Verify.That(_bySlot[backend.Slot] == backend, "a backend that is known is at its slot");
        _bySlot[backend.Slot] = null;
        Array.Copy(_byId, at + 1, _byId, at, Count - at - 1);
        Array.Clear(_byId, --Count, 1);
        backend.OnForgotten(now);
    }
}
