// Owns the count of the answers that a TCP client got: DNS messages are taken out of what it reads,
// in whatever pieces that comes, and each that answers one of its questions counts.
//
// What always holds: answers come in the order of the questions, unless some were left out.

using System;
using FakeBinder;

namespace Simulation.Scenarios;

/// <summary>The answers of one connection.</summary>
public sealed class AnswerCount(TcpClientPlan plan)
{
    private readonly Reassembly _input = new();

    /// <summary>Answers so far.</summary>
    public int Value { get; private set; }

    /// <summary>Takes what the client has read.</summary>
    public void Take(ReadOnlySpan<byte> bytes)
    {
        var input = _input.Join(bytes);
        while (DnsFraming.TryTake(ref input, out var message))
        {
            if (DnsQuestions.IdOfResponse(message) is { } && IsMine(message))
                Value++;
        }
        _input.Keep(input);
    }

    private bool IsMine(ReadOnlySpan<byte> message)
    {
        for (var query = Value; query < plan.Queries; query++)
        {
            if (DnsQuestions.Answers(message, plan, query))
                return true;
        }
        return false;
    }
}
