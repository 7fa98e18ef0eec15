// Claims that, once chaos is over, every client that retries is answered within 22 s of a healthy
// core backend being there.
//
// A query is owed an answer from its first sending on if a core backend has been healthy and warm
// all the time since. It is excused while one of its tries was not queued by the kernel, was beyond
// its client's share (S18), or was sent by the policy to a backend that never heals, or to a
// session that ended meanwhile: those are what the 22 s are for, and a client whose four tries are
// over has none left to be answered.
//
// It knows by the clients' own words, by where the model routed each try, and by the bytes of
// backends. A query is told by its client, port and id.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Model;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class L1Answers : Check
{
    /// <summary>From the first of four tries, 2 s apart, to the end of what is owed.</summary>
    private static readonly Duration Owed = Duration.FromSeconds(22);

    private readonly Dictionary<(Endpoint From, int Id), Asked> _asked = [];
    private readonly Queue<(Endpoint From, int Id, Instant At)> _due = new();
    private readonly Dictionary<int, UdpClientPlan> _clients = [];
    private Instant _healthySince = Instant.Never;
    private Instant _healedAt = Instant.Never;

    public L1Answers()
        : base("L1")
    {
    }

    private sealed class Asked(int client, Instant at)
    {
        public int Client => client;
        public Instant At => at;
        public bool IsExcused { get; set; }
        public ExpectedSession? Session { get; set; }
        public int Tries { get; set; }
    }

    public override void OnHealed(Instant now)
    {
        _healedAt = now;
        Model.Arrivals.OnRouted = OnRouted;
        Model.Arrivals.OnOverShare = OnOverShare;
        foreach (var client in Model.Scenario.UdpClients)
            _clients[client.Id] = client;
    }

    public override void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued)
    {
        if (_healedAt == Instant.Never || !_clients.TryGetValue(client, out var plan)
            || !plan.Retries || from.Address != plan.Address || from.Port == 0
            || ArrivalModel.IsEchoPort(from.Port) || ArrivalModel.IsNobodys(from.Address)
            || from.Port == Model.Directory.Listen.Port
            || Model.Probes.IsFromProbeAddress(from.Address)
            || payload.Length is < 12 or > 1500 || (payload[2] & 0x80) != 0
            || !IsQuestion(plan, from))
        {
            return;
        }
        var key = (from, ArrivalModel.IdOf(payload));
        if (!_asked.TryGetValue(key, out var asked))
        {
            asked = new Asked(client, now);
            _asked.Add(key, asked);
            _due.Enqueue((key.from, key.Item2, now));
        }
        asked.Tries++;
        asked.IsExcused |= !queued;
    }

    public override void OnClientAnswered(Instant now, int client, int query)
    {
        if (!_clients.TryGetValue(client, out var plan)
            || (uint)query >= (uint)plan.Queries.Length)
        {
            return;
        }
        _asked.Remove((new Endpoint(plan.Address, plan.Queries[query].Port),
            DnsQuestions.IdOf(client, query)));
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (_healedAt == Instant.Never)
            return;
        FollowHealth(now);
        while (_due.TryPeek(out var due) && now > due.At + Owed)
        {
            _due.Dequeue();
            if (!_asked.Remove((due.From, due.Id), out var asked) || asked.At != due.At)
                continue;
            var isOwed = _healthySince <= asked.At && asked.Tries >= 4 && !asked.IsExcused
                && asked.Session is not { IsClosed: true };
            if (isOwed)
            {
                Fail($"{due.From} asked {asked.Tries} times from {asked.At} on and is unanswered at"
                    + $" {now}; a core backend is healthy since {_healthySince}",
                    asked.Session?.Backend.PlanId ?? -1, asked.Client);
            }
        }
    }

    /// <summary>All queries from this port are questions.</summary>
    private static bool IsQuestion(UdpClientPlan plan, Endpoint from)
    {
        foreach (var query in plan.Queries)
        {
            if (query.Port == from.Port && (query.Kind != QueryKind.Question || query.Copies > 1))
                return false;
        }
        return true;
    }

    private void OnOverShare(Endpoint from, int id)
    {
        if (_asked.TryGetValue((from, id), out var asked))
            asked.IsExcused = true;
    }

    private void OnRouted(Endpoint from, int id, ExpectedBackend? backend)
    {
        if (!_asked.TryGetValue((from, id), out var asked))
            return;
        var session = backend?.Session;
        asked.IsExcused |= backend is { IsCore: false }
            || (asked.Session != null && asked.Session != session);
        asked.Session = session ?? asked.Session;
    }

    private void FollowHealth(Instant now)
    {
        var isHealthy = false;
        foreach (var backend in Model.Policy.Backends)
            isHealthy |= backend is { IsCore: true, Stage: Stage.Healthy } && now >= backend.WarmAt;
        if (!isHealthy || !Model.IsCalm)
            _healthySince = Instant.Never;
        else if (_healthySince == Instant.Never)
            _healthySince = now;
    }
}
