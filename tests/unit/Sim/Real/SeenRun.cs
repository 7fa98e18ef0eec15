// What tests of the checks of real runs share: observations of a run in which all is well - two
// core backends, a client host at the first of them, a TCP connection at the second, an orderly
// stop - which each test then spoils in one place.

using System.Collections.Generic;
using System.Collections.Immutable;
using Balancer.Core;
using FakeBinder;
using Simulation.Real;
using Simulation.Scenarios;

namespace Tests.Unit.Sim.Real;

/// <summary>A run that is well.</summary>
internal sealed class SeenRun
{
    public const long Second = 1_000_000_000;

    public static readonly Endpoint Server = new(Ipv4.Loopback, 12_000);
    public static readonly Endpoint Client = new(Ipv4.From(127, 1, 0, 1), 40_000);
    public static readonly Endpoint TcpClient = new(Ipv4.From(127, 1, 0, 1), 50_000);
    public static readonly byte[] Question = [1, 2, 3];
    public static readonly byte[] Answer = [1, 2, 6, 7];

    public SeenRun(KernelPlan? kernel = null)
    {
        Seen = new Observations(new Scenario
        {
            Kernel = kernel ?? new KernelPlan(),
            HealAt = new Instant(10 * Second),
            End = new Instant(20 * Second),
            Backends =
            [
                new BackendPlan(0, "5301", Instant.Zero, true, Misbehaviour.None),
                new BackendPlan(1, "5302", Instant.Zero, true, Misbehaviour.None),
                new BackendPlan(2, "5303", Instant.Zero, false, Misbehaviour.None),
            ],
        })
        {
            HealedAt = 10 * Second,
            SettledAt = 20 * Second,
        };
        First = Control(0);
        Other = Control(1);
        Tcp = Session(1, 6 * Second);
        Tcp.Client = TcpClient;
        Tcp.OkAt = 6 * Second + 1000;
        Tcp.FromClient.AddRange(Question);
        Tcp.ToClient.AddRange(Answer);
        Tcp.PeerEndedAt = 7 * Second;
        Tcp.Over = "closed: end of stream";
        Tcp.OverAt = 7 * Second;
        Connection = new ObservedConnection(1000, TcpClient)
        {
            WasConnected = true,
            ConnectedAt = 6 * Second,
            End = ConnectionEnd.EndOfStream,
            EndedAt = 7 * Second,
        };
        Connection.Sent.AddRange(Question);
        Connection.Got.AddRange(Answer);
        Seen.Connections.Add(Connection);
        Seen.Read.Add(Client);
        Ask(5 * Second, First);
        Seen.Balancer.ReadyAt = Second / 2;
        Seen.Balancer.StopAskedAt = 21 * Second;
        Seen.Balancer.ExitedAt = 22 * Second;
        Seen.Balancer.ExitCode = 0;
        Seen.Balancer.LogIsWhole = true;
        var status = Record(isFinal: false);
        Seen.Balancer.Records.AddRange([status, Record(isFinal: true)]);
        Seen.Quiet = new QuietMoment(1, 0, 1, status);
    }

    public Observations Seen { get; }

    /// <summary>The control session of backend 0, and of backend 1.</summary>
    public ObservedSession First { get; }

    public ObservedSession Other { get; }

    public ObservedSession Tcp { get; }

    public ObservedConnection Connection { get; }

    /// <summary>A query of the client's that a backend reads and answers.</summary>
    public void Ask(long at, ObservedSession session)
    {
        Seen.Sent.Add(new SentDatagram(at, Client, Question));
        session.Queries.Add(Frame(at + 1000, Question));
        session.Replies.Add(Frame(at + 2000, Answer));
        Seen.Got.Add(new GotDatagram(at + 3000, Client, Server, Server, Answer));
    }

    public static ObservedFrame Frame(long at, byte[] payload) =>
        new(at, Client.Address, Client.Port, (uint)payload.Length, payload);

    /// <summary>Records with other values of some counters.</summary>
    public static CounterRecord Record(
        bool isFinal, params IEnumerable<(string Name, long Value)> others)
    {
        var counters = new Dictionary<string, long>
        {
            ["queries_received"] = 1,
            ["queries_forwarded"] = 1,
            ["queries_oversized"] = 0,
            ["replies_received"] = 1,
            ["replies_sent"] = 1,
            ["replies_denied"] = 0,
            ["connections_accepted"] = 1,
            ["connections_finished"] = 1,
            ["connections_retried"] = 0,
        };
        foreach (var (name, value) in others)
            counters[name] = value;
        return new CounterRecord(isFinal, 0, counters.ToImmutableSortedDictionary());
    }

    private ObservedSession Control(int backend)
    {
        var session = Session(backend, Second);
        session.IsControl = true;
        session.HelloAt = Second;
        session.Heartbeats.AddRange([6 * Second, 11 * Second, 16 * Second, 21 * Second]);
        session.PeerEndedAt = 22 * Second;
        Seen.Troubles.Add(new Trouble(backend, Second / 2, 2 * Second, Trouble.Starts));
        return session;
    }

    public ObservedSession Session(int backend, long at)
    {
        var session = new ObservedSession(backend, at);
        var process = Seen.Processes.Find(one => one.Backend == backend);
        if (process is null)
            Seen.Processes.Add(process = new ObservedProcess(backend, Second / 2));
        process.Sessions.Add(session);
        return session;
    }
}
