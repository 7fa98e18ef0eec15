// Owns the table of what runs have reached (L6): for each fault of the scenario language how often
// it happened, for each reaction of the core how often it came, and for each pair how often the
// reaction came while the fault lasted or within 70 s of virtual time after it - 70 s are a hello's
// time and the longest back-off. A fault is a kind of FaultPlan, or something that a backend's
// script does wrong; a script's misdeed counts once for each backend that has it, and lasts until
// chaos is over, or for good. A counter that grows counts once a turn. And how often each situation
// was met that the model names.
//
// Of the pairs most are chance: any reaction can follow any fault, since many happen at a time. So
// L6 owes what means something: every fault, every reaction but those that OwedCoverage excuses,
// and the pairs that it lists.
//
// One is filled by watching a run; those of many runs are added up.
//
// What always holds: adding is commutative, so runs may be added in any order, and the table of a
// seed is the same each time; a run that passes reaches the same with and without it.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Model;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Checking;

/// <summary>Counts faults and what followed them.</summary>
public sealed class Coverage : RunObserver
{
    private const string ScriptPrefix = "script:";
    private static readonly Duration Within = Duration.FromSeconds(70);
    private static readonly int Kinds = Enum.GetValues<FaultKind>().Length;

    private readonly ReachedSituations _situations = new();
    private readonly long[] _faults = new long[FaultNames.Length];
    private readonly long[] _reactions = new long[ReactionNames.Length];
    private readonly long[] _pairs = new long[FaultNames.Length * ReactionNames.Length];

    // Of the run that is watched: which faults happened, and until when what comes follows them.
    private readonly List<int> _happened = [];
    private readonly Instant[] _until = new Instant[FaultNames.Length];
    private readonly long[] _counters = new long[ExpectedCounters.Kinds];
    private readonly bool _answersWithoutBackend;
    private bool _hasResent;

    /// <summary>An empty table, to add others to.</summary>
    public Coverage()
    {
    }

    /// <summary>For one run of the scenario.</summary>
    public Coverage(Scenario scenario)
    {
        _answersWithoutBackend = scenario.Kernel.AnswersWithoutBackend;
        foreach (var backend in scenario.Backends)
        {
            if (backend.Script == FakeBinder.Misbehaviour.None)
                continue;
            for (var i = 0; i < Misdeeds.All.Length; i++)
            {
                if (Misdeeds.All[i].Value(backend.Script) is not null)
                    Happen(Kinds + i, backend.IsCore ? scenario.HealAt + Within : Instant.Never);
            }
        }
    }

    /// <summary>All faults, those of scripts as "script:NoHello".</summary>
    public static ImmutableArray<string> FaultNames { get; } = MakeFaultNames();

    /// <summary>All reactions.</summary>
    public static ImmutableArray<string> ReactionNames => Reactions.Names;

    /// <summary>All situations that the model names.</summary>
    public static ImmutableArray<string> SituationNames => OwedSituations.Names;

    /// <summary>How often a fault happened.</summary>
    public long Faults(int fault) => _faults[fault];

    /// <summary>How often a reaction came, after a fault or not.</summary>
    public long Reaction(int reaction) => _reactions[reaction];

    /// <summary>How often a situation was met.</summary>
    public long Situations(int situation) => _situations.Times((Situation)situation);

    /// <summary>How often the reaction came after the fault.</summary>
    public long Pair(int fault, int reaction) =>
        _pairs[fault * ReactionNames.Length + reaction];

    /// <summary>How many different reactions came after the fault.</summary>
    public int ReactionsAfter(int fault)
    {
        var count = 0;
        for (var i = 0; i < ReactionNames.Length; i++)
            count += Pair(fault, i) > 0 ? 1 : 0;
        return count;
    }

    /// <summary>How many different faults the reaction came after.</summary>
    public int FaultsBefore(int reaction)
    {
        var count = 0;
        for (var i = 0; i < FaultNames.Length; i++)
            count += Pair(i, reaction) > 0 ? 1 : 0;
        return count;
    }

    /// <summary>Adds what another run reached.</summary>
    public void Add(Coverage other)
    {
        Add(_faults, other._faults);
        Add(_reactions, other._reactions);
        Add(_pairs, other._pairs);
        _situations.Add(other._situations);
    }

    /// <summary>Adds what the model of a run has met.</summary>
    internal void Add(ReachedSituations met) => _situations.Add(met);

    /// <summary>What so many seeds owe of situations and have not met.</summary>
    internal IEnumerable<string> MissingSituations(long seeds) =>
        OwedSituations.Missing(_situations, seeds);

    public override void OnFault(Instant now, FaultPlan fault, bool began)
    {
        if (began)
            Happen((int)fault.Kind, now + fault.For + Within);
    }

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        if (Reactions.Of(logged) is >= 0 and var reaction)
            Hit(now, reaction);
        _hasResent |= logged is LogEvent.QueriesResent;
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        var counters = core.Counters;
        if (_answersWithoutBackend)
            FollowServfails(now, counters);
        for (var i = 0; i < _counters.Length; i++)
        {
            var value = counters[(Counter)i];
            if (value == _counters[i])
                continue;
            _counters[i] = value;
            Hit(now, i);
        }
    }

    /// <summary>
    /// What a turn answers by itself is told by what else it counts; a turn that refuses a query as
    /// well, or answers one that has just come, is not looked at for the others.
    /// </summary>
    private void FollowServfails(Instant now, Counters counters)
    {
        var hasResent = _hasResent;
        _hasResent = false;
        if (!Grew(Counter.OwnAnswersSent) && !Grew(Counter.OwnAnswersFailed))
            return;
        if (Grew(Counter.QueriesQuarantined) || Grew(Counter.UnansweredQuarantined))
            return;
        if (Grew(Counter.QueriesWithoutBackend))
            Hit(now, Reactions.ServfailToQuery);
        else if (Grew(Counter.UnansweredLost))
            Hit(now, hasResent ? Reactions.ServfailToLost : Reactions.ServfailToHeld);

        bool Grew(Counter counter) => counters[counter] > _counters[(int)counter];
    }

    private static void Add(long[] to, long[] from)
    {
        for (var i = 0; i < to.Length; i++)
            to[i] += from[i];
    }

    private void Happen(int fault, Instant until)
    {
        if (_faults[fault]++ == 0)
            _happened.Add(fault);
        _until[fault] = until > _until[fault] ? until : _until[fault];
    }

    private void Hit(Instant now, int reaction)
    {
        _reactions[reaction]++;
        foreach (var fault in _happened)
        {
            if (now <= _until[fault])
                _pairs[fault * ReactionNames.Length + reaction]++;
        }
    }

    private static ImmutableArray<string> MakeFaultNames()
    {
        var names = ImmutableArray.CreateBuilder<string>();
        foreach (var kind in Enum.GetValues<FaultKind>())
            names.Add(kind.ToString());
        foreach (var misdeed in Misdeeds.All)
            names.Add(ScriptPrefix + misdeed.Name);
        return names.ToImmutable();
    }
}
