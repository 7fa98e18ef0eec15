// Claims of datagrams: that what backends are given is what clients sent, no more often on one
// session and at most twice over all of them, since a query is sent once more where its backend
// dies or is silent (S1); but again for each error of a backend's, which the balancer may have held
// because that one lacked its data; and that what clients get is a whole reply that a backend gave
// for them, from the address they asked, no more often and not earlier (S5). Nobody gave a REFUSED
// of the quarantine, nor a SERVFAIL of a balancer that answers when no backend is healthy.
//
// It knows by what clients sent and got, and by the frames in the journals of backends. Datagrams
// that are equal are not told apart; they are counted. How many answers are the balancer's own is
// its own word; where that could not be read, any may be.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Real.Checks;

internal static class DatagramChecks
{
    private const int MaxPayload = 1500;
    private const int MostBackends = 2;
    private const int RefusedCode = 5;
    private const int FailureCode = 2;

    public static Violation? Conservation(Observations seen)
    {
        var sent = new Dictionary<DatagramKey, int>();
        foreach (var datagram in seen.Sent)
        {
            var key = DatagramKey.Of(
                datagram.From.Address, datagram.From.Port, datagram.Payload);
            sent[key] = sent.GetValueOrDefault(key) + 1;
        }
        var arrived = new Dictionary<DatagramKey, int>();
        var errors = seen.Sessions().SelectMany(session => session.Replies).Where(IsError)
            .CountBy(QuestionOf).ToDictionary();
        foreach (var session in seen.Sessions())
        {
            var errorsHere = session.Replies.Where(IsError).CountBy(QuestionOf).ToDictionary();
            var here = new Dictionary<DatagramKey, int>();
            foreach (var query in session.Queries)
            {
                var key = DatagramKey.Of(query.Peer, query.Port, query.Payload);
                var times = sent.GetValueOrDefault(key);
                here[key] = here.GetValueOrDefault(key) + 1;
                arrived[key] = arrived.GetValueOrDefault(key) + 1;
                var again = errors.GetValueOrDefault(QuestionOf(query));
                var againHere = errorsHere.GetValueOrDefault(QuestionOf(query));
                if (times > 0 && here[key] <= times + againHere
                    && arrived[key] <= MostBackends * times + again)
                {
                    continue;
                }
                var why = times == 0 ? "which nobody sent so"
                    : here[key] > times + againHere ? "which arrived once more than it was sent"
                    : "which arrived more than twice as often as it was sent";
                return RealChecks.Fail(seen, "S1", query.At,
                    $"backend {RealChecks.Name(seen, session.Backend)} was given "
                    + $"{query.Payload.Length} bytes from {query.Peer}:{query.Port}, {why}",
                    session.Backend);
            }
        }
        return null;
    }

    private static bool IsError(ObservedFrame reply) =>
        reply.Payload is [_, _, >= 0x80, var codes, ..]
        && (codes & 0x0F) is RefusedCode or FailureCode;

    /// <summary>Whose a query or a reply is, and its identifier.</summary>
    private static (Ipv4 Peer, uint Port, int Identifier) QuestionOf(ObservedFrame frame) =>
        (frame.Peer, frame.Port, frame.Payload is [var first, var second, ..]
            ? first << 8 | second : -1);

    public static Violation? NoInvention(Observations seen)
    {
        var given = new Dictionary<DatagramKey, Queue<long>>();
        var replies = seen.Sessions().SelectMany(session => session.Replies)
            .Where(reply => reply.Length <= MaxPayload).OrderBy(reply => reply.At);
        foreach (var reply in replies)
        {
            var key = DatagramKey.Of(reply.Peer, reply.Port, reply.Payload);
            if (!given.TryGetValue(key, out var times))
                given[key] = times = new Queue<long>();
            times.Enqueue(reply.At);
        }
        var own = seen.Balancer.Records is [.., { IsFinal: true } last]
            ? last["own_answers_sent"]
            : seen.Balancer.LogIsWhole ? 0 : long.MaxValue;
        foreach (var got in seen.Got.OrderBy(got => got.At))
        {
            var what = $"{got.To} got {got.Payload.Length} bytes";
            if (got.From != got.Asked)
            {
                return RealChecks.Fail(seen, "S5", got.At,
                    $"{what} from {got.From}; it asked {got.Asked}");
            }
            var key = DatagramKey.Of(got.To.Address, got.To.Port, got.Payload);
            if (!given.TryGetValue(key, out var times) || times.Count == 0)
            {
                if (IsOwnAnswer(seen, got) && own-- > 0)
                    continue;
                return RealChecks.Fail(seen, "S5", got.At, $"{what} that no backend gave for it"
                    + (times is null ? "" : " so often"));
            }
            if (times.Dequeue() > got.At)
                return RealChecks.Fail(seen, "S5", got.At, $"{what} before a backend gave them");
        }
        return null;
    }

    /// <summary>What the balancer says by itself to something that the client sent.</summary>
    private static bool IsOwnAnswer(Observations seen, GotDatagram got) =>
        got.Payload is [_, _, >= 0x80, var codes, ..] && ((codes & 0x0F) == RefusedCode
            || ((codes & 0x0F) == FailureCode
                && seen.Scenario.Kernel.AnswersWithoutBackend))
        && seen.Sent.Exists(sent => sent.From == got.To && sent.At <= got.At
            && sent.Payload.Length > 2 && sent.Payload.AsSpan(0, 2).SequenceEqual(
                got.Payload.AsSpan(0, 2)));
}
