// Owns the answers that the balancer gives itself: a header with an error and the question, if it
// can be read, and nothing else. They are no longer than the queries, so a forged source address
// gains no amplification.
//
// They are gathered into batches. Whoever adds some also flushes the last batch; a full one is
// sent at once.
//
// What always holds: each answer is in exactly one of the two counters; a query that is not a QUERY
// gets none, and neither does a datagram that is too short to be one.

using System;

namespace Balancer.Core;

/// <summary>Gathers and sends answers of the balancer's own.</summary>
internal sealed class OwnAnswers(Services services)
{
    private readonly DatagramBatch _batch = new();
    private readonly byte[] _answer = new byte[Limits.MaxUdpPayload];

    /// <summary>Answers a query with an error, if it is a query at all.</summary>
    /// <param name="client">Who asked, and hears it.</param>
    /// <param name="local">The balancer's address that was asked; it leaves from there.</param>
    /// <param name="query">The query.</param>
    /// <param name="error">The error.</param>
    public void Add(Endpoint client, Ipv4 local, ReadOnlySpan<byte> query, ResponseCode error)
    {
        if (!DnsQuestion.IsQuery(query))
            return;
        if (_batch.IsFull)
            Flush();
        var length = DnsQuestion.WriteError(query, (byte)error, _answer);
        Verify.That(_batch.TryAdd(client, local, _answer.AsSpan(0, length)),
            "an answer fits into a batch that was flushed when it was full");
    }

    /// <summary>
    /// Sends what was gathered; called after each batch of queries, new or sent again.
    /// </summary>
    public void Flush()
    {
        var next = 0;
        while (next < _batch.Count)
        {
            var result = services.Network.SendDatagrams(_batch, next);
            // A full socket takes none of the rest; any other error is about this answer.
            var done = result.IsOk ? result.Count
                : result.Status == IoStatus.WouldBlock ? _batch.Count - next : 1;
            services.Counters.Add(
                result.IsOk ? Counter.OwnAnswersSent : Counter.OwnAnswersFailed, done);
            next += done;
        }
        _batch.Clear();
    }
}
