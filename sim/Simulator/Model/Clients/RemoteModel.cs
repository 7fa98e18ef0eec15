// Owns the freedoms of the policy: whom an expiry pass has reached, whom a rebalance takes, whom a
// full table forgets. The core logs each of these; the model takes it over if it is allowed,
// and otherwise that is a violation. What the core does without logging it shows when the two are
// compared, remote by remote (S4, S12).
//
// And when passes and rebalances are due: each so long after the turn in which the one before was,
// and in no other turn, as long as one turn does all of it.
//
// What always holds: a remote leaves the model for a reason that the description gives, or a
// violation was reported.

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows how remotes are moved and forgotten.</summary>
internal sealed class RemoteModel(ReferenceModel model)
{
    /// <summary>Turns in which a pass over all remotes ends, if none of them comes late.</summary>
    private const int TurnsOfAPass = 64;

    private static readonly Duration Spare = Duration.FromSeconds(1L);

    private ExpectedBackend? _fullest;
    private int _mayMove;
    private Instant _beganAt;
    private Instant _lastWasBound;
    private bool _isOfOneTurn;
    private int _expired;
    private Instant _nextLook;
    private int _mostRemotes;
    private Instant _partedAt;
    private Duration _partedFor;
    private readonly Schedule _passes = new(SpecifiedLimits.ExpiryInterval);
    private readonly Schedule _rebalances = new(SpecifiedLimits.RebalanceInterval);
    private Instant _turnAt;
    private Instant _walkedFrom;
    private long _rebalancedIn;
    private Measured? _before;

    /// <summary>When something is due that comes at even times, which no call shows.</summary>
    private sealed class Schedule(Duration interval)
    {
        /// <summary>When it is due next; Never if that is not known.</summary>
        public Instant Due { get; private set; } = Instant.Never;

        public bool IsNow { get; private set; }

        public void Begin(Instant now) => Due = now + interval;

        public void OnTurnBegan(Instant now) => IsNow = now >= Due;

        /// <summary>A turn with too many deadlines may have left this one to the next.</summary>
        public void OnTurnEnded(Instant now, bool isServed)
        {
            if (IsNow)
                Due = isServed ? now + interval : Instant.Never;
        }
    }

    /// <summary>What a rebalance would find, and one of the remotes that it must move.</summary>
    private sealed record Measured(int Healthy, ExpectedBackend Fullest, int Spread,
        long Changes, ExpectedRemote Movable);

    /// <summary>A turn is enough for all remotes that there ever were.</summary>
    private bool AreFew => System.Math.Max(_mostRemotes, model.Policy.Remotes.Count)
        <= model.Work.RemotesPerTurn;

    /// <summary>A pass has forgotten somebody, and has not said that it is over.</summary>
    public bool IsExpiring => _expired > 0;

    /// <summary>A rebalance has somebody left that it must move.</summary>
    public bool IsMoving => _mayMove > 0 && !_isOfOneTurn && FirstToMove(_walkedFrom) is not null;

    // ---- Times ----

    /// <summary>The balancer has started.</summary>
    public void OnStarted()
    {
        _passes.Begin(model.Now);
        _rebalances.Begin(model.Now);
    }

    public void OnTurnBegan()
    {
        _turnAt = model.Now;
        _passes.OnTurnBegan(model.Now);
        _rebalances.OnTurnBegan(model.Now);
        _before = _rebalances.IsNow ? Measure() : null;
    }

    /// <summary>What must be done when a rebalance is due now; null for nothing.</summary>
    private Measured? Measure()
    {
        var healthy = model.Policy.Measure(
            model.Now, out var fullest, out var spread, out var surplus);
        model.ReachedIf(healthy > 1 && spread == healthy, Situation.SpreadJustAllowed);
        if (fullest == null || spread <= healthy || surplus <= 0 || _mayMove > 0 || !AreFew
            || model.Policy.WithFewest(model.Now) == fullest)
        {
            return null;
        }
        var movable = model.Policy.Remotes.Values.FirstOrDefault(remote =>
            remote.Primary == fullest
            && remote.MustBeMoved(model.Now, model.Now, model.Policy.Rebalances));
        model.ReachedIf(movable == null, Situation.RebalanceFindsNobody);
        return movable == null ? null
            : new Measured(healthy, fullest, spread, Changes, movable);
    }

    /// <summary>Grows with each remote that comes, goes or is bound again.</summary>
    private long Changes => model.Policy.Bindings + model.Counters[Counter.RemotesNew]
        + model.Counters[Counter.RemotesExpired] + model.Counters[Counter.RemotesEvicted]
        + model.Counters[Counter.RemotesEstablished] + model.Counters[Counter.RemotesMoved];

    /// <summary>
    /// What is due in this turn was done in it, if it had to be done at its beginning and still has
    /// to at its end. A turn with many deadlines may leave it to the next.
    /// </summary>
    private void CheckTimes()
    {
        var isServed = model.MostTimers <= model.Work.TimersPerTurn;
        if (_rebalances.IsNow && isServed && _rebalancedIn != model.Turn && _before is { } must
            && Measure() == must)
        {
            model.Report(ViolationKind.WronglyMoved, $"no rebalance came at {model.Now}; it was due"
                + $" {_rebalances.Due}, with a spread of {must.Spread} over {must.Healthy} healthy"
                + $" backends, and {must.Movable.Address} could be moved from {must.Fullest}",
                must.Fullest);
        }
        if (_passes.IsNow && isServed && AreFew)
            CheckPassed();
        if (_rebalances.IsNow)
        {
            _walkedFrom = _turnAt;
            model.Policy.Rebalances++;
        }
        _passes.OnTurnEnded(_turnAt, isServed);
        _rebalances.OnTurnEnded(_turnAt, isServed);
    }

    /// <summary>A pass came by in this turn: it forgets all who are silent for so long.</summary>
    private void CheckPassed()
    {
        foreach (var remote in model.Policy.Remotes.Values)
        {
            if (model.Now - remote.LastSeen < SpecifiedLimits.RemoteExpiry)
                continue;
            model.Report(ViolationKind.Unbounded, $"{remote.Address} is remembered at {model.Now},"
                + $" and was heard from last at {remote.LastSeen}; a check was due"
                + $" {_passes.Due}", remote.Primary);
            return;
        }
    }

    // ---- Rebalances ----

    /// <summary>The core begins to move remotes; the model must compute the same spread.</summary>
    public void OnRebalancing(LogEvent.Rebalancing logged)
    {
        model.Resends.Finish();
        var healthy = model.Policy.Measure(
            model.Now, out var fullest, out var spread, out var owed);
        if (spread <= healthy)
            owed = 0;
        var named = model.Policy.WithId(logged.Fullest.Value);
        if (named == null || fullest == null || named.Remotes != fullest.Remotes
            || logged.Spread != spread || logged.ToMove != owed || owed <= 0)
        {
            model.Report(ViolationKind.WronglyMoved, owed <= 0
                ? $"it takes {logged.ToMove} remotes of backend {logged.Fullest}; none is due,"
                    + $" a spread of {spread} is no more than {healthy} healthy backends"
                : $"a rebalance takes {logged.ToMove} remotes of backend"
                + $" {logged.Fullest} for a spread of {logged.Spread}; it should be {owed} of"
                + $" {fullest} for {spread} over {healthy} backends", named);
        }
        if (AreFew && !_rebalances.IsNow && _rebalances.Due != Instant.Never)
        {
            model.Report(ViolationKind.WronglyMoved,
                $"a rebalance came at {model.Now}; due {_rebalances.Due}", named);
        }
        model.ReachedIf(spread == healthy + 1, Situation.SpreadJustTooWide);
        model.ReachedIf(logged.ToMove == 1, Situation.RebalanceOfOne);
        _rebalancedIn = model.Turn;
        _fullest = named;
        _mayMove = logged.ToMove;
        _beganAt = model.Now;
        _lastWasBound = Instant.Never;
        _isOfOneTurn = named?.Remotes <= model.Work.RemotesPerTurn
            && logged.ToMove <= model.Work.MovesPerTurn;
    }

    public void OnMoved(LogEvent.RemoteMoved logged)
    {
        model.Resends.Finish();
        model.Counters.Add(Counter.RemotesMoved);
        if (!model.Policy.Remotes.TryGetValue(logged.Remote, out var remote)
            || remote.Primary is not { } primary || primary != _fullest || _mayMove == 0
            || primary.Id != logged.From.Value)
        {
            model.Report(ViolationKind.WronglyMoved,
                $"{logged.Remote} was taken from backend {logged.From};"
                + $" a rebalance may take {_mayMove} of {_fullest?.ToString() ?? "nobody"}",
                _fullest);
            return;
        }
        if (!remote.MayBeMoved(model.Now))
        {
            model.Report(ViolationKind.WronglyMoved,
                $"{logged.Remote} was taken from backend {logged.From}; it was answered"
                + $" {remote.SinceAnswered(model.Now)} ago, and moved last at {remote.MovedAt}",
                _fullest);
        }
        if (remote.CountedSince > _lastWasBound)
        {
            model.Report(ViolationKind.WronglyMoved,
                $"{logged.Remote}, bound at {remote.CountedSince}, was taken after one that was"
                + $" bound at {_lastWasBound}; those bound last are moved first", _fullest);
        }
        _lastWasBound = remote.CountedSince;
        _mayMove--;
        model.Policy.Move(model.Now, remote);
        model.Arrivals.OweBinding();
    }

    // ---- Remotes that are forgotten ----

    public void OnExpired(LogEvent.RemoteExpired logged)
    {
        model.Resends.Finish();
        model.Counters.Add(Counter.RemotesExpired);
        _expired++;
        if (!model.Policy.Remotes.TryGetValue(logged.Remote, out var remote))
        {
            model.Report(ViolationKind.RemoteForgotten,
                $"{logged.Remote} was forgotten; nobody knew it");
            return;
        }
        var silence = model.Now - remote.LastSeen;
        if (silence < SpecifiedLimits.RemoteExpiry)
        {
            model.Report(ViolationKind.RemoteForgotten,
                $"{logged.Remote} was forgotten after a silence of"
                + $" {silence}; it should be kept for {SpecifiedLimits.RemoteExpiry}",
                remote.Primary);
        }
        if (AreFew && !_passes.IsNow && _passes.Due != Instant.Never)
        {
            model.Report(ViolationKind.RemoteForgotten, $"{logged.Remote} was forgotten at"
                + $" {model.Now}; a check is due {_passes.Due}", remote.Primary);
        }
        Forget(remote);
    }

    /// <summary>A pass is over; it says how many it forgot, and nothing if none.</summary>
    public void OnPassEnded(LogEvent.RemotesExpired logged)
    {
        if (logged.Count != _expired || _expired == 0)
        {
            model.Report(ViolationKind.Untrue,
                $"a pass logged {logged.Count} remotes that expired; it should"
                + $" be {_expired}");
        }
        _expired = 0;
    }

    /// <summary>
    /// One made room for another: the newcomer that is silent for longest for a newcomer, and one
    /// of the established that are for one who is to be established.
    /// </summary>
    public void OnEvicted(LogEvent.RemoteEvicted logged)
    {
        var isNeeded = model.Arrivals.DrainToOneThatNeedsRoom(logged.For, logged.Remote);
        var known = model.Policy.Remotes.GetValueOrDefault(logged.Remote);
        model.Counters.Add(Counter.RemotesEvicted);
        if (known == null)
        {
            model.Report(ViolationKind.RemoteForgotten,
                $"{logged.Remote} was evicted; nobody knew it");
            return;
        }
        if (!isNeeded)
        {
            model.Report(ViolationKind.RemoteForgotten, $"{logged.Remote} was evicted from"
                + $" {model.Policy.Newcomers.Count} newcomers and {model.Policy.Established}"
                + $" others; {logged.For} did not come, or there was room for it", known.Primary);
        }
        else if (known.IsEstablished ? !IsNewestOfSome(known)
            : model.Policy.Newcomers.First() != known)
        {
            model.Report(ViolationKind.RemoteForgotten,
                $"{logged.Remote}, known for {known.Known} and heard from {known.LastSeen}, was"
                + " evicted; it cannot be the " + (known.IsEstablished
                ? $"one known for the shortest time of {SpecifiedLimits.EvictionSample}"
                : "longest unheard of all newcomers"),
                known.Primary);
        }
        model.Reached(known.IsEstablished
            ? Situation.EstablishedEvicted : Situation.NewcomerEvicted);
        if (!known.IsEstablished)
            model.Policy.RoomMadeFor = logged.For;
        Forget(known);
    }

    /// <summary>
    /// One that is to be established finds no room, and nobody was forgotten for it. So a sample
    /// was met of whom all keep asking; there may be one if so many do.
    /// </summary>
    public void OnNoRoomMade(Ipv4 address)
    {
        var established = model.Policy.Established;
        if (model.Scenario.Kernel.MaxRemotes - established
            > SpecifiedLimits.EvictionLooks - SpecifiedLimits.EvictionSample)
        {
            // So many other entries may be met that the search ends before it has a sample.
            return;
        }
        var keep = model.Policy.Remotes.Values.Count(
            remote => remote.IsEstablished && remote.KeepsAsking(model.Now));
        if (keep >= System.Math.Min(SpecifiedLimits.EvictionSample, established))
            return;
        model.Report(ViolationKind.RemoteForgotten, $"{address} should have been established, and"
            + $" one of {established} others evicted for it, of whom {keep} keep asking");
    }

    public void OnTurnEnded(LoadBalancer core)
    {
        CheckMoves();
        if (!model.Life.HasStopped)
            CheckTimes();
        // Its walk is over, be it that nobody is left who may be moved.
        if (core.NextWake > model.Now && !IsMoving)
            _mayMove = 0;
        NoteParting();
        if (model.Now < _nextLook || model.TurnsSinceStall < TurnsOfAPass)
            return;
        _nextLook = model.Now + SpecifiedLimits.ExpiryInterval;
        CheckSilent();
    }

    private void Forget(ExpectedRemote remote)
    {
        model.Policy.Forget(remote);
        model.Status.OnForgotten(remote.Address);
    }

    /// <summary>Whether it may be the one of a sample that is known for the shortest.</summary>
    private bool IsNewestOfSome(ExpectedRemote remote)
    {
        if (remote.KeepsAsking(model.Now))
            return false;
        var kept = 0;
        var owed = System.Math.Min(SpecifiedLimits.EvictionSample, model.Policy.Established) - 1;
        foreach (var other in model.Policy.Remotes.Values)
        {
            if (kept >= owed)
                return true;
            kept += other != remote && other.IsEstablished && (other.KeepsAsking(model.Now)
                || (other.Known, other.LastSeen).CompareTo((remote.Known, remote.LastSeen)) >= 0)
                ? 1 : 0;
        }
        return kept >= owed;
    }

    /// <summary>
    /// When a walk along the fullest's remotes is over, all were moved that it said, or else all
    /// that it could. One that takes more than a turn may end because there is nobody better any
    /// more; that the rest follows then is L4's.
    /// </summary>
    private void CheckMoves()
    {
        if (_mayMove == 0 || !_isOfOneTurn)
            return;
        if (FirstToMove(_beganAt) is { } left && !model.Life.HasStopped)
        {
            model.Report(ViolationKind.WronglyMoved, $"a rebalance of {_fullest} ended with"
                + $" {_mayMove} still to be moved, and {left.Address} is with it", _fullest);
        }
        _mayMove = 0;
    }

    /// <summary>Who must be moved since then, if there is anybody to be moved to.</summary>
    private ExpectedRemote? FirstToMove(Instant since) =>
        model.Policy.WithFewest(model.Now) is { } other && other != _fullest
            ? model.Policy.Remotes.Values.FirstOrDefault(remote =>
                remote.Primary == _fullest
                && remote.MustBeMoved(since, model.Now, model.Policy.Rebalances))
            : null;

    /// <summary>
    /// A pass over more remotes than a slice has may be parted by a stall. It goes on after it, and
    /// where the next was due meanwhile, that one does not come: whom it had passed waits.
    /// </summary>
    private void NoteParting()
    {
        _mostRemotes = System.Math.Max(_mostRemotes, model.Policy.Remotes.Count);
        if (model.TurnsSinceStall != 0 || _mostRemotes <= model.Work.RemotesPerTurn)
            return;
        _partedAt = model.Now;
        _partedFor = model.Lateness;
    }

    private Duration LongestSilence()
    {
        var longest = SpecifiedLimits.RemoteExpiry + SpecifiedLimits.ExpiryInterval
            + model.Lateness + Spare;
        var isParted = _mostRemotes > model.Work.RemotesPerTurn
            && model.Now < _partedAt + SpecifiedLimits.ExpiryInterval
                + SpecifiedLimits.ExpiryInterval;
        return isParted ? longest + _partedFor + SpecifiedLimits.ExpiryInterval : longest;
    }

    /// <summary>A pass must have reached each remote that was silent for long enough.</summary>
    private void CheckSilent()
    {
        if (model.Life.HasStopped)
            return;
        var longest = LongestSilence();
        foreach (var remote in model.Policy.Remotes.Values)
        {
            var silence = model.Now - remote.LastSeen;
            if (silence > longest)
            {
                model.Report(ViolationKind.Unbounded,
                    $"{remote.Address} is remembered after a silence of"
                    + $" {silence}; it should be forgotten after {SpecifiedLimits.RemoteExpiry} and"
                    + $" {SpecifiedLimits.ExpiryInterval} at most", remote.Primary);
                return;
            }
        }
    }
}
