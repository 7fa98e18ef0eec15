// Claims of datagrams: that what backends are given is what clients sent, no more often (S1), and
// that what clients get is a whole reply that a backend gave for them, from the address they asked,
// no more often and not earlier (S5).
//
// It knows by what clients sent and got, and by the frames in the journals of backends. Datagrams
// that are equal are not told apart; they are counted.

using System.Collections.Generic;
using System.Linq;
using Simulation.Scenarios;

namespace Simulation.Real.Checks;

internal static class DatagramChecks
{
    private const int MaxPayload = 1500;

    public static Violation? Conservation(Observations seen)
    {
        var sent = new Dictionary<DatagramKey, int>();
        foreach (var datagram in seen.Sent)
        {
            var key = DatagramKey.Of(
                datagram.From.Address, datagram.From.Port, datagram.Payload);
            sent[key] = sent.GetValueOrDefault(key) + 1;
        }
        foreach (var session in seen.Sessions())
        {
            foreach (var query in session.Queries)
            {
                var key = DatagramKey.Of(query.Peer, query.Port, query.Payload);
                var left = sent.GetValueOrDefault(key);
                if (left == 0)
                {
                    var why = sent.ContainsKey(key)
                        ? "which arrived once more than it was sent"
                        : "which nobody sent so";
                    return RealChecks.Fail(seen, "S1", query.At,
                        $"backend {RealChecks.Name(seen, session.Backend)} was given "
                        + $"{query.Payload.Length} bytes from {query.Peer}:{query.Port}, {why}",
                        session.Backend);
                }
                sent[key] = left - 1;
            }
        }
        return null;
    }

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
                return RealChecks.Fail(seen, "S5", got.At, $"{what} that no backend gave for it"
                    + (times is null ? "" : " so often"));
            }
            if (times.Dequeue() > got.At)
                return RealChecks.Fail(seen, "S5", got.At, $"{what} before a backend gave them");
        }
        return null;
    }
}
