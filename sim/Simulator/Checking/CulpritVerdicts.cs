// Owns when S19 holds a killer for one that must be refused: which of its victims count, how many
// it takes, and for how long it is refused then.
//
// What always holds: a victim is counted once, or excused once with its reason.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed partial class S19OneCulprit
{
    /// <summary>A victim is known: whether that is one too many from now on.</summary>
    private void Count(Victim victim)
    {
        var now = Model.Now;
        if (!_culprits.TryGetValue(victim.Killer, out var culprit))
            _culprits.Add(victim.Killer, culprit = new Culprit());
        var written = victim.Written!;
        if (culprit.Term > Duration.Zero && written.QueuedAt <= culprit.RefusedUntil + Steps)
            return; // A copy that was sent before.
        if (victim.Excuse is { } excuse)
        {
            Excuse(excuse);
            return;
        }
        if (culprit.Victims is [.., var last]
            && victim.ReadAt - last.ReadAt > SpecifiedLimits.DeathsCountTogether - Steps)
        {
            culprit.Victims.Clear();
            culprit.Guesses = 0;
        }
        if (culprit.Victims is [.., var before] && IsSameTime(victim, before, culprit))
        {
            Excuse("Together");
            return;
        }
        culprit.Victims.Add(victim);
        Victims++;
        var own = KeyOf([], victim.Killer);
        var refusals = _refusals.FindAll(refusal => refusal.At >= victim.ReadAt - Steps
            && refusal.Backend.Value == written.Session!.Backend.Id);
        var isBack = culprit.Term > Duration.Zero && refusals.Exists(one => one.Key == own);
        // One refused at the first death itself; LetGo knows those that came after it.
        if (culprit.Victims.Count == 1 && refusals.Exists(one => one.Key != own))
        {
            culprit.Guesses++;
            Excuse("Guess");
        }
        var needed = Needed + culprit.Guesses
            + (!culprit.WasAnswered ? 0 : HasManyForms(victim.Killer) ? 2 : 1);
        if (culprit.Victims.Count >= needed || isBack)
        {
            Refuse(culprit, own, now);
            LetGoInThisTurn(culprit, own, victim);
        }
    }

    /// <summary>
    /// The core refused it in this turn, and then another one: victims are counted after both.
    /// </summary>
    private void LetGoInThisTurn(Culprit culprit, ulong own, Victim victim)
    {
        var refused = _refusals.FindLastIndex(
            refusal => refusal.Key == own && refusal.At >= victim.ReadAt - Steps);
        if (refused < 0 || refused == _refusals.Count - 1)
            return;
        culprit.RefusedUntil = Model.Now;
        Excuse("LetGo");
    }

    /// <summary>More than the balancer remembers until each is answered.</summary>
    private bool HasManyForms(KillerName killer) => _forms.TryGetValue(killer, out var forms)
        && forms.Count > SpecifiedLimits.FormsOfARefusal;

    private bool IsSameTime(Victim victim, Victim before, Culprit culprit) => victim.IsHang
        ? victim.Backend == before.Backend || victim.Written!.QueuedAt < before.SuspectedAt
        : (culprit.WasAnswered || WasAnsweredInOtherCase(victim.Killer))
            && victim.ReadAt - before.ReadAt < Together;

    /// <summary>Of what is asked in other case, an answer clears nothing, and yet counts.</summary>
    private bool WasAnsweredInOtherCase(KillerName killer) =>
        _questions.TryGetValue(killer, out var questions)
        && questions.Overlaps(_answered.Keys);

    private void Refuse(Culprit culprit, ulong own, Instant now)
    {
        if (now > culprit.RefusedUntil + SpecifiedLimits.LongestRefusal - Steps)
            culprit.Term = Duration.Zero;
        culprit.Term = Duration.Min(SpecifiedLimits.LongestRefusal, Duration.Max(
            SpecifiedLimits.FirstRefusal, culprit.Term + culprit.Term));
        // The core may have refused it since one of these victims was known.
        var since = now;
        foreach (var refusal in _refusals)
        {
            if (refusal.Key == own && refusal.At > culprit.RefusedUntil
                && now - refusal.At < culprit.Term)
            {
                since = Instant.Min(since, refusal.At);
            }
        }
        culprit.RefusedUntil = since + culprit.Term;
        (culprit.RefusedAt, culprit.RefusedIn) = (now, Model.Turn);
        culprit.Story = string.Join(" and ", culprit.Victims.Select(victim =>
            $"backend {victim.Backend} {(victim.IsHang ? "hung" : "ended")} at {victim.ReadAt}"));
        culprit.Victims.Clear();
        culprit.Guesses = 0;
        Convicted++;
    }
}
