// Claims that no question over UDP is lost while one backend at most is in trouble (S17): it was
// killed, stopped, hung, restarted or had its sessions ended, and another one was healthy and warm
// all the while and did nothing wrong. Then each question is answered, if by the second backend
// that it was sent to, within seconds; in virtual time the simulator claims it to the millisecond.
//
// Nothing is claimed of what the kernel may have dropped, of a run in which more was to be sent
// again than the budget has, and of a time in which the balancer itself or its directory was in
// trouble.
//
// It knows by what clients sent and got, and by the sessions in the journals of backends.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Real.Checks;

internal static class LossCheck
{
    private const long Second = 1_000_000_000;

    /// <summary>From a question to its answer, on a busy machine.</summary>
    private const long AnswerNs = 8 * Second;

    /// <summary>What was wrong before may still be at work.</summary>
    private const long BeforeNs = 2 * Second;

    private const int MaxPayload = 1500;

    /// <summary>What a backend may suffer and its clients lose nothing by.</summary>
    private static bool CostsNothing(Trouble trouble) => trouble.What == Trouble.Starts
        || trouble.What == RealBackend.Absence
        || trouble.Kind is RealFaultKind.Crash or RealFaultKind.Stop or RealFaultKind.Unlink
            or RealFaultKind.Pause or RealFaultKind.Reset or RealFaultKind.End;

    public static Violation? Judge(Observations seen)
    {
        if (seen is not { Quiet: { Lost: 0, Record: { } record } }
            || record["resends_over_budget"] > 0)
            return null;
        var stop = seen.Balancer.StopAskedAt ?? long.MaxValue;
        var answers = seen.Got.Where(got => DnsQuestions.IdOfResponse(got.Payload) is not null)
            .ToLookup(got => KeyOf(got.To, got.Payload), got => got.At);
        foreach (var sent in seen.Sent)
        {
            var until = sent.At + AnswerNs;
            if (until > stop || !IsQuestion(seen, sent)
                || answers[KeyOf(sent.From, sent.Payload)]
                    .Any(at => at >= sent.At && at <= until)
                || !IsOwed(seen, sent.At - BeforeNs, until))
                continue;
            return RealChecks.Fail(seen, "S17", sent.At,
                $"{sent.From} asked at {RealChecks.Moment(seen, sent.At)} and was not answered in "
                + "8 s; one backend at most was in trouble, and another healthy all the while");
        }
        return null;
    }

    private static (Endpoint Client, ushort Id) KeyOf(Endpoint client, byte[] payload) =>
        (client, (ushort)((payload[0] << 8) | payload[1]));

    private static bool IsQuestion(Observations seen, SentDatagram sent) =>
        sent.Payload.Length <= MaxPayload && seen.Read.Contains(sent.From)
        && DnsQuestions.IsQuestion(sent.Payload);

    private static bool IsOwed(Observations seen, long from, long until)
    {
        var troubled = new HashSet<int>();
        foreach (var trouble in seen.Troubles)
        {
            if (trouble.From > until || trouble.Until < from)
                continue;
            if (trouble.Backend < 0 || !CostsNothing(trouble))
                return false;
            troubled.Add(trouble.Backend);
        }
        return troubled.Count <= 1 && seen.Scenario.Backends.Any(plan =>
            !troubled.Contains(plan.Id)
            && seen.WarmSince(plan.Id, from, until) is { } warm && warm < from);
    }
}
