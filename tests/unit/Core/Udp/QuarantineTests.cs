// Quarantine: which queries are refused after backends died, for how long, and that nobody's names
// are refused for long along with them (docs/behaviour.md, section 5).

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class QuarantineTests : CoreTest
{
    private static readonly byte[] Killer = QueryFor("killer");

    private readonly Dictionary<string, SimBackend> _backends = [];
    private int _id;

    public QuarantineTests()
    {
        foreach (var backend in HealthyBackends("5301", "5302", "5303"))
        {
            backend.EchoesQueries = false;
            _backends.Add(backend.Name, backend);
        }
    }

    [Fact]
    public void InFlightAtTwoDeaths_IsRefusedToEverybody()
    {
        KillTwiceWith(Killer);
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        var before = Kernel.Datagrams.Sent.Count;

        Ask(9, Killer);

        var sent = Kernel.Datagrams.Sent.Skip(before).Single();
        Assert.Equal(Client(9), sent.To);
        Assert.Equal(5, sent.Payload[3] & 0xf);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        Assert.Equal(1, Count(Counter.OwnAnswersSent));
        AssertCountersAddUp();
    }

    [Fact]
    public void InFlightAtOneDeath_IsAnsweredByAnother()
    {
        Ask(1, Killer);
        KillWhoHas(Killer);

        Assert.NotNull(WhoHas(Killer));
        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void AnswerInBetween_ClearsIt()
    {
        Ask(1, Killer);
        KillWhoHas(Killer);
        Answer(Killer);
        Ask(1, Killer);
        KillWhoHas(Killer);

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void MoreThanAMinuteBetween_DoesNotCountTogether()
    {
        Ask(1, Killer);
        KillWhoHas(Killer);
        // Meanwhile it timed out.
        Run(61);
        Ask(1, Killer);
        KillWhoHas(Killer);

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void OrderlyStop_IsNoDeath()
    {
        Ask(1, Killer);
        WhoHas(Killer)!.Stop();
        Run(0.1);
        WhoHas(Killer)!.Stop();
        Run(0.1);

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void OthersInFlightAtBothDeaths_AreNotRefused()
    {
        for (var n = 0; n < 300; n++)
            Ask(1, QueryFor($"slow{n}"));
        Ask(1, Killer);
        KillWhoHas(Killer);
        KillWhoHas(Killer);

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        Ask(2, Killer);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        for (var n = 0; n < 300; n++)
            Ask(2, QueryFor($"slow{n}"));
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
    }

    [Fact]
    public void WrongGuess_IsLetGoAtTheNextDeath()
    {
        // The first backend lived on with the killer for longer than with the innocent query.
        Ask(1, Killer);
        Run(0.2);
        Ask(1, QueryFor("innocent"));
        KillWhoHas(Killer);
        KillWhoHas(Killer);
        Ask(2, QueryFor("innocent"));
        Assert.Equal(1, Count(Counter.QueriesQuarantined));

        Run(2);
        Ask(3, Killer);
        KillWhoHas(Killer);

        Assert.Equal(2, Count(Counter.QuarantinesBegun));
        Ask(2, QueryFor("innocent"));
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        Ask(2, Killer);
        Assert.Equal(2, Count(Counter.QueriesQuarantined));
    }

    [Fact]
    public void TermIsAMinute_ThenTwiceAsLongForOneMoreDeath()
    {
        KillTwiceWith(Killer);
        Run(59);
        Ask(3, Killer);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        Run(2);
        Ask(3, Killer);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));

        KillWhoHas(Killer);

        Assert.Equal(2, Count(Counter.QuarantinesBegun));
        Assert.Null(WhoHas(Killer));
        Run(119);
        Ask(3, Killer);
        Assert.Equal(2, Count(Counter.QueriesQuarantined));
        Run(2);
        Ask(3, Killer);
        Assert.Equal(2, Count(Counter.QueriesQuarantined));
    }

    [Fact]
    public void AnotherQuestion_IsNotRefused()
    {
        KillTwiceWith(Killer);

        Ask(3, QueryFor("killer2"));
        Ask(3, QueryFor("killer", type: 28));

        Assert.Equal(0, Count(Counter.QueriesQuarantined));
    }

    /// <summary>A query for NAME.example, class IN; the id is the next one.</summary>
    private static byte[] QueryFor(string name, byte type = 1) =>
    [
        0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,
        (byte)name.Length, .. System.Text.Encoding.ASCII.GetBytes(name),
        7, .. "example"u8, 0, 0, type, 0, 1,
    ];

    private void KillTwiceWith(byte[] query)
    {
        Ask(1, query);
        KillWhoHas(query);
        KillWhoHas(query);
    }

    private new void Ask(int client, byte[] query)
    {
        var asked = query.ToArray();
        _id++;
        (asked[0], asked[1]) = ((byte)(_id >> 8), (byte)_id);
        base.Ask(client, asked);
    }

    /// <summary>The backend that lives and was sent this question last, or null.</summary>
    private SimBackend? WhoHas(byte[] query) => _backends.Values
        .Where(backend => LastAsked(backend, query) is not null)
        .MaxBy(backend => LastAsked(backend, query));

    private static Instant? LastAsked(SimBackend backend, byte[] query) => backend.Queries
        .LastOrDefault(got => got.Session == backend.Control
            && got.Payload.AsSpan(2).SequenceEqual(query.AsSpan(2)))?.At;

    private void KillWhoHas(byte[] query)
    {
        var victim = WhoHas(query)!;
        victim.Crash();
        victim.Rebind();
        Run(0.1);
    }

    private void Answer(byte[] query)
    {
        foreach (var backend in _backends.Values)
        {
            foreach (var got in backend.Queries.ToArray())
            {
                if (got.Session == backend.Control
                    && got.Payload.AsSpan(2).SequenceEqual(query.AsSpan(2)))
                {
                    SimBackend.Reply(got, got.Payload);
                }
            }
        }
        Run(0.001);
    }
}
