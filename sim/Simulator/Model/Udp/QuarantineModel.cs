// Owns which queries should be refused because backends died of them. It tells queries apart by a
// text that has all that counts, and keeps a list of deaths; it shares neither hash nor table with
// the core.
//
// It judges a death only when it has the whole picture of it: for each question when it was first
// sent to the backend that died. Whoever is refused has a list of the deaths that this is for, and
// is let go when another is refused who was there at so many of these that one is left at most.
//
// What always holds: one query at most is refused for a death or a hang; what was answered has
// no case.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows the queries that backends die of.</summary>
internal sealed class QuarantineModel(ReferenceModel model)
{
    private const int HeaderBytes = 12;

    private readonly Dictionary<string, Case> _cases = [];
    private readonly Queue<(string Key, string Form)> _remembered = new();
    private int _deaths;
    private long _order;
    private long _answersSeen;

    private sealed class Case
    {
        /// <summary>
        /// Which deaths it was there at. One that was at the same time as the last one that counts
        /// does not.
        /// </summary>
        public List<(int Number, bool Counts)> Deaths { get; } = [];

        public int Counted => Deaths.Count(death => death.Counts);

        /// <summary>When the last one that counts was.</summary>
        public Instant CountedAt { get; set; }

        /// <summary>Of two, the first that hung with them got the lower one first.</summary>
        public long FirstOrder { get; set; }

        /// <summary>Who it was.</summary>
        public int CountedOn { get; set; }

        /// <summary>The longest life of those that died together then.</summary>
        public Duration OutlivedThen { get; set; }

        /// <summary>
        /// As what it was there and has not been answered since; of more, only that there were.
        /// </summary>
        public HashSet<string> Forms { get; } = [];

        public bool HasMoreForms { get; set; }

        /// <summary>
        /// Somebody had an answer to it lately, or since it was there, as whatever it was asked.
        /// </summary>
        public bool WasAnsweredAsAny { get; set; }

        /// <summary>Answers cannot clear it, though there are some.</summary>
        public bool IsInDoubt => HasMoreForms && WasAnsweredAsAny;

        /// <summary>Whatever of it was there last had a form that was answered lately.</summary>
        public bool WasAnswered { get; set; }

        /// <summary>A TCP client asked it, too.</summary>
        public bool IsOverTcp { get; set; }

        /// <summary>How long the backends lived on with it, one and all.</summary>
        public Duration Outlived { get; set; }

        public Instant DiedAt { get; set; }
        public Duration Term { get; set; }
        public Instant RefusedAt { get; set; }
        public Instant RefusedUntil { get; set; }

        /// <summary>As it was logged when it was refused.</summary>
        public string Query { get; set; } = "";

        /// <summary>Who died or hung, each once, the last one last.</summary>
        public List<(ExpectedBackend Who, Instant At)> Victims { get; } = [];

        public bool WasRefused => Term > Duration.Zero;

        public bool HasQuestion { get; init; }

        /// <summary>Deaths that it takes.</summary>
        public int Needed => IsInDoubt ? SpecifiedLimits.SureDeaths : WasAnswered ? 3 : 2;

        public bool MayRelapse => WasRefused && !IsInDoubt;

        public bool ComesFirst => HasQuestion || Counted >= SpecifiedLimits.SureDeaths;
    }

    public int RefusedCount => _cases.Values.Count(held => model.Now < held.RefusedUntil);

    public bool IsRefused(ReadOnlySpan<byte> query, bool isCut = false) => _cases.Count > 0
        && _cases.TryGetValue(KeyOf(query, isCut), out var held) && model.Now < held.RefusedUntil;

    public void OnAnswered(byte[] query, ReadOnlySpan<byte> reply, bool isCut = false)
    {
        var isRemembered = ++_answersSeen % SpecifiedLimits.AnswersOfASample == 0;
        if (_cases.Count == 0 && !isRemembered)
            return;
        var text = new QueryText(query, isCut);
        var (key, form) = (text.Kind, text.Form);
        var isTruncated = reply.Length >= HeaderBytes && (reply[2] >> 1 & 1) == 1;
        if (_cases.TryGetValue(key, out var held) && !(isTruncated && held.IsOverTcp))
        {
            held.WasAnsweredAsAny = true;
            if (held.Forms.Remove(form) && held.Forms.Count == 0 && !held.HasMoreForms)
            {
                model.Reached(Situation.SuspectCleared);
                _cases.Remove(key);
                OweRelease(held, QueryRelease.Answered);
            }
        }
        if (isRemembered && !isTruncated)
            _remembered.Enqueue((key, form));
        if (_remembered.Count > SpecifiedLimits.AnswersRemembered)
            _remembered.Dequeue();
    }

    /// <summary>
    /// A backend's session ended by itself, with these queries in flight, newest first, and these
    /// of TCP clients; those that were sent by then were charged when it hung. If it was silent
    /// when it ended, others got copies from then on.
    /// </summary>
    public void OnDeath(ExpectedSession session, IEnumerable<ExpectedQuery> queries,
        IEnumerable<ExpectedAsk> asks)
    {
        var (backend, chargedUntil) = (session.Backend, session.InFlight.ChargedUntil);
        var countedAt = session.Silence.IsSilent ? session.Silence.SilentSince : model.Now;
        _deaths++;
        foreach (var held in _cases.Values)
            DropOld(held);
        ForgetOld();
        var walked = queries.Take(SpecifiedLimits.RefusalCases)
            .Where(query => query.SentAt > chargedUntil).ToArray();
        asks = asks.Where(ask => ask.SentAt > chargedUntil).ToArray();
        var overUdp = walked
            .Where(query => query.Pair is not { IsAnswered: true })
            .Select(query => new Suspect(
                KeyOf(query.Packet), query.Client, query.SentAt, query.Packet, IsTcp: false));
        var overTcp = asks.Where(ask => ask.Message != null).Select(ask => new Suspect(
            KeyOf(ask.Message!, ask.IsCut), ask.Client, ask.SentAt, ask.Message!, IsTcp: true,
            ask.IsCut));
        // What nobody can name may have done it, and what is refused now may have.
        var excused = Instant.Zero;
        var nameless = Instant.Zero;
        foreach (var ask in asks.Where(ask => ask.Message == null))
            nameless = Instant.Max(nameless, ask.SentAt);
        model.ReachedIf(nameless > Instant.Zero, Situation.NamelessAskExcuses);
        foreach (var query in walked.Where(query => query.Pair is { IsAnswered: true }))
        {
            if (_cases.TryGetValue(KeyOf(query.Packet), out var late)
                && model.Now < late.RefusedUntil)
            {
                excused = Instant.Max(excused, query.SentAt);
                excused = Instant.Max(excused, late.RefusedAt);
            }
        }
        var answered = AnsweredLately();
        var present = new List<(Suspect Newest, Instant SentAt)>();
        var unremembered = Instant.Zero;
        foreach (var same in overUdp.Concat(overTcp).GroupBy(suspect => suspect.Key))
        {
            if (_cases.TryGetValue(same.Key, out var known) && model.Now < known.RefusedUntil)
            {
                foreach (var suspect in same)
                    excused = Instant.Max(excused, suspect.SentAt);
                excused = Instant.Max(excused, known.RefusedAt);
            }
            else if (known != null || _cases.Count < SpecifiedLimits.RefusalCases)
            {
                var first = same.Min(suspect => suspect.SentAt);
                present.Add((same.First(), first));
                Charge([.. same], first, backend, answered, countedAt);
            }
            else
            {
                unremembered = Instant.Max(unremembered, same.Max(suspect => suspect.SentAt));
                model.Counters.Add(Counter.QuarantineFull, same.Count());
            }
        }
        var culprit = Culprit(present, unremembered, MayBeRefused);
        if (culprit is var (newest, _))
            Convict(backend, newest);

        bool MayBeRefused((Suspect Newest, Instant SentAt) one) => one.SentAt > excused
            && (one.SentAt > nameless
                || _cases[one.Newest.Key].Counted >= SpecifiedLimits.SureDeaths);
    }

    /// <summary>
    /// Whether the first few that a session was sent behind everything that it answered, or what
    /// came over TCP, have one among them that was there when another hung or died within a minute.
    /// </summary>
    public bool HungAnother(ExpectedSession session)
    {
        var since = session.InFlight.LastAnswered?.SentAt ?? Instant.Zero;
        return session.InFlight.Unanswered(session.Written)
            .Take(SpecifiedLimits.RefusalCases)
            .Where(query => query.Pair is not { IsAnswered: true })
            .Take(SpecifiedLimits.FirstOfAHang)
            .Select(query => KeyOf(query.Packet))
            .Concat(model.Asked.InFlightOn(session)
                .Where(ask => ask.Message != null && MayHaveBeenLeft(ask, since))
                .Select(ask => KeyOf(ask.Message!, ask.IsCut)))
            .Any(key => _cases.TryGetValue(key, out var held)
                && model.Now - held.DiedAt <= SpecifiedLimits.DeathsCountTogether
                && held.CountedOn != session.Backend.Id);
    }

    /// <summary>
    /// A backend is silent for a while: it hangs, perhaps of one of the first that it was sent
    /// behind everything that it answered.
    /// </summary>
    public void OnHang(ExpectedSession session, List<ExpectedAsk> asks)
    {
        _deaths++;
        foreach (var held in _cases.Values)
            DropOld(held);
        ForgetOld();
        (session.InFlight.WasJudged, session.InFlight.JudgedAt) = (true, model.Now);
        var since = session.InFlight.LastAnswered?.SentAt ?? Instant.Zero;
        asks = asks.FindAll(ask => MayHaveBeenLeft(ask, since));
        var isNameless = asks.Exists(ask => ask.Message == null
            && ask.SentAt < session.Silence.SilentSince);
        var needed = isNameless ? SpecifiedLimits.SureDeaths : 0;
        var all = session.InFlight.Unanswered(session.Written)
            .Take(SpecifiedLimits.RefusalCases)
            .Select(query => (query.Pair is { IsAnswered: true }, new Suspect(
                KeyOf(query.Packet), query.Client, query.SentAt, query.Packet, IsTcp: false)))
            .Concat(asks.Where(ask => ask.Message != null).Select(ask => (false, new Suspect(
                KeyOf(ask.Message!, ask.IsCut), ask.Client, ask.SentAt, ask.Message!,
                IsTcp: true, ask.IsCut))));
        var answered = AnsweredLately();
        var first = new List<Suspect>();
        var excused = Instant.Zero;
        var unanswered = 0;
        foreach (var (isAnswered, suspect) in all.OrderBy(one => one.Item2.SentAt.Nanoseconds))
        {
            // Behind the first ones, those that are charged with a hang or a death already, this
            // one included.
            if (!isAnswered && (unanswered++ < SpecifiedLimits.FirstOfAHang
                || _cases.ContainsKey(suspect.Key)
                || first.Exists(one => one.Key == suspect.Key)))
            {
                first.Add(suspect);
            }
            if (!isAnswered && !first.Contains(suspect))
                continue;
            // It was sent before that was known, and may be what hangs this one.
            if (_cases.TryGetValue(suspect.Key, out var late) && model.Now < late.RefusedUntil)
            {
                excused = Instant.Max(excused, suspect.SentAt);
                excused = Instant.Max(excused, late.RefusedAt);
            }
        }
        var charged = new List<(Suspect Suspect, Instant SentAt)>();
        foreach (var same in first.GroupBy(suspect => suspect.Key))
        {
            var isKnown = _cases.TryGetValue(same.Key, out var known);
            if (isKnown && model.Now < known!.RefusedUntil)
                continue;
            if (!isKnown && _cases.Count >= SpecifiedLimits.RefusalCases)
            {
                model.Counters.Add(Counter.QuarantineFull, same.Count());
                continue;
            }
            charged.Add((same.First(), same.First().SentAt));
            Charge([.. same], same.First().SentAt, session.Backend, answered,
                session.Silence.SilentSince, isHang: true);
        }
        // One only, which is the one that the first backend got first: the next got copies, the
        // newest first.
        var sure = charged.FindAll(one => one.SentAt > excused && IsSure(one.Suspect.Key));
        if (sure.Count > 0)
        {
            Convict(session.Backend, sure.MinBy(one => (
                _cases[one.Suspect.Key].ComesFirst ? 0 : 1,
                _cases[one.Suspect.Key].FirstOrder)).Suspect);
        }

        bool IsSure(string key) =>
            _cases[key].Counted + (_cases[key].MayRelapse ? 1 : 0)
                >= Math.Max(needed, _cases[key].Needed);
    }

    /// <summary>When it is looked whether refusals last longer; Never for not.</summary>
    public Instant DueAt { get; private set; } = Instant.Never;

    /// <summary>Of two deadlines at one instant the lower one comes first.</summary>
    public long DueOrder { get; private set; }

    /// <summary>
    /// What is soon refused no more is refused for longer if one of the last two that it ended is
    /// there, and has said nothing since.
    /// </summary>
    public void OnDue()
    {
        DueAt = Instant.Never;
        var prolonged = new List<object>();
        foreach (var held in _cases.Values)
        {
            if (model.Now >= held.RefusedUntil)
                continue;
            var isSoon = held.RefusedUntil <= model.Now + SpecifiedLimits.RefusalLook;
            var until = Instant.Min(held.RefusedUntil + SpecifiedLimits.FirstRefusal,
                held.RefusedAt + SpecifiedLimits.LongestRefusal);
            var silent = held.Victims.TakeLast(2).LastOrDefault(victim =>
                victim.Who.AliveAt <= victim.At && victim.Who.Stage != Stage.Removed).Who;
            if (isSoon && silent != null && until > held.RefusedUntil)
            {
                model.Reached(Situation.RefusedForLonger);
                prolonged.Add(new ProlongedLine(
                    silent.Id, until - held.RefusedUntil, held.Query));
                held.RefusedUntil = until;
            }
            if (held.RefusedUntil > model.Now + SpecifiedLimits.RefusalLook)
                LookAt(held.RefusedUntil);
        }
        if (prolonged.Count > 0)
            model.Repeats.OnConditions(Repeat.RefusalProlonged, 0, prolonged);
    }

    private void LookAt(Instant end)
    {
        if (end - SpecifiedLimits.RefusalLook >= DueAt)
            return;
        DueAt = end - SpecifiedLimits.RefusalLook;
        DueOrder = model.Deadlines.NextOrder();
    }

    private readonly record struct Suspect(
        string Key, Endpoint Client, Instant SentAt, byte[] Packet, bool IsTcp, bool IsCut = false)
    {
        public bool HasQuestion => ExpectedQuery.QuestionBytes(Packet) > 0;
    }

    /// <summary>The queries that were answered lately, and as what.</summary>
    private HashSet<string> AnsweredLately() =>
        [.. _remembered.Select(one => one.Key), .. _remembered.Select(one => one.Form)];

    private void ForgetOld()
    {
        foreach (var (key, held) in _cases.ToArray())
        {
            var remembered = held.WasRefused
                ? held.RefusedUntil + SpecifiedLimits.LongestRefusal
                : held.DiedAt + SpecifiedLimits.DeathsCountTogether;
            if (model.Now > remembered)
                _cases.Remove(key);
        }
    }

    /// <summary>Deaths that are too many take their share of the time along.</summary>
    private void DropOld(Case held)
    {
        while (held.Deaths.Count > 0
            && held.Deaths[0].Number <= _deaths - SpecifiedLimits.DeathsRemembered)
        {
            if (held.Deaths[0].Counts)
                held.Outlived -= new Duration(held.Outlived.Nanoseconds / held.Counted);
            held.Deaths.RemoveAt(0);
        }
    }

    private void Charge(Suspect[] alike, Instant sentAt, ExpectedBackend backend,
        HashSet<string> answered, Instant countedAt, bool isHang = false)
    {
        var key = alike[0].Key;
        if (!_cases.TryGetValue(key, out var held))
            _cases.Add(key, held = new Case { HasQuestion = alike[0].HasQuestion });
        foreach (var form in alike.Select(suspect => FormOf(suspect.Packet, suspect.IsCut)))
        {
            if (held.Forms.Count < SpecifiedLimits.FormsOfARefusal)
                held.Forms.Add(form);
            held.HasMoreForms |= !held.Forms.Contains(form);
        }
        model.ReachedIf(held.HasMoreForms, Situation.ManyFormsOfOne);
        model.ReachedIf(
            alike.Any(suspect => suspect.IsCut), Situation.CutMessageIsCharged);
        held.WasAnswered = alike.All(
            suspect => answered.Contains(FormOf(suspect.Packet, suspect.IsCut)));
        var wasAnyForm = answered.Contains(key);
        held.WasAnsweredAsAny |= wasAnyForm;
        held.IsOverTcp |= alike.Any(suspect => suspect.IsTcp);
        var isBackAfterTerm = held.WasRefused && held.DiedAt < held.RefusedUntil;
        if (isBackAfterTerm || model.Now - held.DiedAt > SpecifiedLimits.DeathsCountTogether)
        {
            held.Deaths.Clear();
            held.Outlived = Duration.Zero;
        }
        // What all ask is everywhere when backends die together, so another died of it only if it
        // was sent since; what hangs is copied as soon as that is noticed, and hangs another.
        var isSame = held.Deaths.Count > 0 && (isHang
            ? sentAt < held.CountedAt || backend.Id == held.CountedOn
            : wasAnyForm && sentAt <= held.CountedAt
                && model.Now - held.CountedAt < SpecifiedLimits.LostWaitFor);
        if (held.Deaths.Count == 0)
            held.FirstOrder = ++_order;
        var longest = model.Now - sentAt;
        model.ReachedIf(isSame, Situation.DeathsCountAsOne);
        if (isSame)
        {
            longest = Duration.Max(longest, held.OutlivedThen);
            held.Outlived -= held.OutlivedThen;
        }
        else
        {
            held.CountedAt = countedAt;
            held.CountedOn = backend.Id;
        }
        held.Victims.RemoveAll(victim => victim.Who == backend);
        held.Victims.Add((backend, countedAt));
        held.Deaths.Add((_deaths, !isSame));
        held.OutlivedThen = longest;
        held.Outlived += longest;
        held.DiedAt = model.Now;
    }

    /// <summary>
    /// Who was refused before and was the last that was sent at all; else who was there at the most
    /// deaths, and left its backends the shortest lives.
    /// </summary>
    private (Suspect, Instant)? Culprit(
        List<(Suspect Newest, Instant SentAt)> present, Instant unremembered,
        Func<(Suspect, Instant), bool> mayBeRefused)
    {
        if (present.Count == 0)
            return null;
        var latest = present.Max(one => one.SentAt);
        var last = present.FindAll(one => one.SentAt == latest);
        if (last.Count == 1 && latest > unremembered && _cases[last[0].Newest.Key].MayRelapse
            && mayBeRefused(last[0]))
        {
            return last[0];
        }
        return present
            .Where(one => mayBeRefused(one) && _cases[one.Newest.Key].Counted
                >= _cases[one.Newest.Key].Needed)
            .OrderBy(one => _cases[one.Newest.Key].ComesFirst ? 0 : 1)
            .ThenByDescending(one => _cases[one.Newest.Key].Counted)
            .ThenBy(one => _cases[one.Newest.Key].Outlived)
            .Select(one => ((Suspect, Instant)?)one)
            .FirstOrDefault();
    }

    private void Convict(ExpectedBackend backend, Suspect query)
    {
        var convict = _cases[query.Key];
        foreach (var held in _cases.Values)
        {
            var numbers = convict.Deaths.Select(death => death.Number).ToHashSet();
            var isHere = held.Deaths.Exists(death => death.Number == _deaths);
            var shares = held.Deaths.Exists(death => numbers.Contains(death.Number));
            var others = held.Deaths.Count(
                death => death.Counts && !numbers.Contains(death.Number));
            var isAsSure = query.HasQuestion || !held.HasQuestion;
            if (!held.WasRefused || isHere || !shares || others >= 2 || !isAsSure)
                continue;
            model.ReachedIf(held.RefusedUntil > model.Now, Situation.RefusedForAnothersDeath);
            OweRelease(held, QueryRelease.Explained);
            held.RefusedUntil = Instant.Min(held.RefusedUntil, model.Now);
        }
        model.ReachedIf(convict.WasRefused, Situation.RefusedAgain);
        var term = convict.Term + convict.Term;
        convict.Term = term < SpecifiedLimits.FirstRefusal ? SpecifiedLimits.FirstRefusal
            : Duration.Min(term, SpecifiedLimits.LongestRefusal);
        convict.RefusedAt = model.Now;
        convict.RefusedUntil = model.Now + convict.Term;
        LookAt(convict.RefusedUntil);
        model.Counters.Add(Counter.QuarantinesBegun);
        convict.Query = Convert.ToHexString(query.Packet);
        model.Lines.Owe(new RefusalLine(
            backend.Id, query.Client, convict.Term, convict.Query));
    }

    private void OweRelease(Case held, QueryRelease why)
    {
        if (model.Now < held.RefusedUntil)
            model.Lines.Owe(new ReleaseLine(held.Query, why, model.Now - held.RefusedAt));
    }

    /// <summary>
    /// What was sent over TCP a little before the last query that was answered may be read later.
    /// </summary>
    private static bool MayHaveBeenLeft(ExpectedAsk ask, Instant lastAnswered) =>
        ask.SentAt + SpecifiedLimits.PipelineDelay >= lastAnswered;

    // ---- What makes two queries the same ----

    private static string KeyOf(ReadOnlySpan<byte> query, bool isCut = false) =>
        new QueryText(query, isCut, hasForm: false).Kind;

    private static string FormOf(ReadOnlySpan<byte> query, bool isCut = false) =>
        new QueryText(query, isCut).Form;
}

/// <summary>What the log should say of a query that is refused from now on.</summary>
internal sealed record RefusalLine(int Backend, Endpoint Client, Duration Term, string Query)
{
    public static RefusalLine Of(LogEvent.QueryQuarantined logged) => new(logged.Id.Value,
        logged.Client, logged.Term, Convert.ToHexString(logged.Query));
}

/// <summary>What it should say of one that is refused no more.</summary>
internal sealed record ReleaseLine(string Query, QueryRelease Why, Duration Refused)
{
    public static ReleaseLine Of(LogEvent.QueryReleased logged) =>
        new(Convert.ToHexString(logged.Query), logged.Why, logged.Refused);
}

/// <summary>What it should say of one that is refused for longer.</summary>
internal sealed record ProlongedLine(int Backend, Duration By, string Query)
{
    public static ProlongedLine Of(LogEvent.QueryRefusalProlonged logged) =>
        new(logged.Id.Value, logged.By, Convert.ToHexString(logged.Query));
}
