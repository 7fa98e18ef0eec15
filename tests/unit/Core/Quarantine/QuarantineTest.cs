// What the tests of refused queries share: three backends that answer nothing by themselves, and
// ways to have a query end or hang those that read it.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public abstract class QuarantineTest : CoreTest
{
    protected static readonly byte[] Killer = QueryFor("killer");

    private int _id;

    protected QuarantineTest()
    {
        foreach (var backend in HealthyBackends("5301", "5302", "5303"))
        {
            backend.EchoesQueries = false;
            Binders.Add(backend.Name, backend);
        }
    }

    protected Dictionary<string, SimBackend> Binders { get; } = [];

    /// <summary>A query for NAME.example, class IN; the id is the next one.</summary>
    protected static byte[] QueryFor(string name, byte type = 1) =>
    [
        0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,
        (byte)name.Length, .. System.Text.Encoding.ASCII.GetBytes(name),
        7, .. "example"u8, 0, 0, type, 0, 1,
    ];

    protected void KillTwiceWith(byte[] query)
    {
        Ask(1, query);
        KillWhoHas(query);
        KillWhoHas(query);
    }

    protected new void Ask(int client, byte[] query)
    {
        var asked = query.ToArray();
        _id++;
        (asked[0], asked[1]) = ((byte)(_id >> 8), (byte)_id);
        base.Ask(client, asked);
    }

    protected void AskOverTcp(int host, byte[] query)
    {
        var client = Kernel.ConnectClient(Client(host) with { Port = (ushort)(2000 + ++_id) });
        Run(0.001);
        client.Send([0, (byte)query.Length, .. query]);
        Run(0.01);
    }

    /// <summary>The backend that lives and was sent this question last, or null.</summary>
    protected SimBackend? WhoHas(byte[] query) => Binders.Values
        .Where(backend => LastAsked(backend, query) is not null)
        .MaxBy(backend => LastAsked(backend, query));

    protected static Instant? LastAsked(SimBackend backend, byte[] query) => backend.Queries
        .LastOrDefault(got => got.Session == backend.Control
            && got.Payload.AsSpan(2).SequenceEqual(query.AsSpan(2)))?.At;

    protected static bool Has(SimBackend backend, byte[] query) =>
        LastAsked(backend, query) is not null;

    /// <summary>Asks every backend that lives.</summary>
    protected void AskAll(byte[] query)
    {
        for (var client = 1; client <= 3; client++)
            Ask(client, query);
    }

    /// <summary>Asks, and says which backend was asked.</summary>
    protected SimBackend BackendOf(int client, byte[] query)
    {
        Ask(client, query);
        return WhoHas(query)!;
    }

    /// <summary>Asks for it once more to see.</summary>
    protected void AssertRefused(byte[] query, bool isRefused)
    {
        var before = Count(Counter.QueriesQuarantined);
        Ask(9, query);
        Assert.Equal(isRefused ? 1 : 0, Count(Counter.QueriesQuarantined) - before);
    }

    protected void KillWhoHas(byte[] query, SimBackend? but = null, bool rebinds = true) =>
        Kill(Binders.Values
            .Where(backend => backend != but && LastAsked(backend, query) is not null)
            .MaxBy(backend => LastAsked(backend, query))!, rebinds);

    protected void Kill(SimBackend victim, bool rebinds = true)
    {
        victim.Crash();
        if (rebinds)
            victim.Rebind();
        Run(0.1);
    }

    /// <summary>
    /// Asks a query, and whoever reads it hangs, for a second and a half. When it is busy, six
    /// others ask a hundred times a second meanwhile, and are answered by those that live.
    /// </summary>
    protected void HangWith(byte[]? query, bool isBusy = false)
    {
        var answered = Binders.Values.ToDictionary(backend => backend, _ => 0);
        var all = query ?? Killer;
        if (query is not null)
            Ask(1, query);
        for (var n = 0; n < 150; n++)
        {
            foreach (var backend in Binders.Values.Where(backend => backend.Reads))
            {
                for (; answered[backend] < backend.Queries.Count; answered[backend]++)
                {
                    var asked = backend.Queries[answered[backend]];
                    if (asked.Payload.AsSpan(2).SequenceEqual(all.AsSpan(2)))
                    {
                        backend.Hang();
                        break;
                    }
                    if (isBusy)
                        SimBackend.Reply(asked, asked.Payload);
                }
            }
            for (var client = 1; client <= 6 && isBusy; client++)
                Ask(client, QueryFor($"other{n}of{client}"));
            Run(isBusy ? 0.004 : 0.01);
        }
    }

    /// <summary>So often that it is remembered as answered lately.</summary>
    protected void AnswerOften(byte[] query)
    {
        for (var n = 0; n < Limits.QuarantineSample; n++)
        {
            Ask(1, query);
            Answer(query);
        }
    }

    /// <summary>All die in one turn, and are back soon.</summary>
    protected void KillAll()
    {
        foreach (var backend in Binders.Values)
            backend.Crash();
        Run(0.05);
        foreach (var backend in Binders.Values)
            backend.Rebind();
        Run(2);
    }

    /// <summary>Those that do not hang answer it.</summary>
    protected void Answer(byte[] query)
    {
        foreach (var backend in Binders.Values.Where(backend => backend.Reads))
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
