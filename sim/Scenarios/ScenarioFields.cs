// Owns the fields of a scenario file but for those of scripts (Misdeeds) and faults (FaultFields):
// the scenario itself, its host, backends, clients and queries, each with its default.
//
// What always holds: the defaults of an item depend on nothing but its place in its list, so that
// a file can leave out all that no reader needs to see; backends are read before the faults that
// name them.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using FakeBinder;

namespace Simulation.Scenarios;

/// <summary>The fields of everything but scripts and faults.</summary>
internal static class ScenarioFields
{
    private const string Place = "its place in the list, from 0";

    /// <summary>The time between queries of one that is repeated, and how often it is.</summary>
    private sealed record Repeated(QueryPlan Query, int Times, Duration Every);

    public static readonly ImmutableArray<FileField<KernelPlan>> Kernel =
    [
        Of("listen", FileValues.Address, "10.99.99.1", k => k.Listen,
            (k, v) => k with { Listen = v },
            "The address both sockets are bound to; 0.0.0.0 for every one: clients then ask"
                + " 10.99.99.1 and 10.99.99.2 in turn."),
        Of("unixBufferBytes", FileValues.Count(1), "212992", k => k.UnixBufferBytes,
            (k, v) => k with { UnixBufferBytes = v },
            "Bytes of the buffers of AF_UNIX streams, each way."),
        Of("tcpBufferBytes", FileValues.Count(1), "131072", k => k.TcpBufferBytes,
            (k, v) => k with { TcpBufferBytes = v },
            "Bytes of the buffers of TCP connections, each way."),
        Of("descriptorLimit", FileValues.Count(0), "4096", k => k.DescriptorLimit,
            (k, v) => k with { DescriptorLimit = v },
            "Descriptors that the balancer may have open."),
        Of("datagramQueue", FileValues.Count(0), "1024", k => k.DatagramQueue,
            (k, v) => k with { DatagramQueue = v },
            "Datagrams that wait in the receive queue at most."),
        Of("clockStep", FileValues.Duration, "0s", k => k.ClockStep,
            (k, v) => k with { ClockStep = v },
            "The clock moves in steps of this; 0s for nanoseconds."),
        Of("maxReadBytes", FileValues.Count(1), "no limit", k => k.MaxReadBytes,
            (k, v) => k with { MaxReadBytes = v },
            "Bytes that one read of a stream takes at most, for the first 100,000 reads."),
        Of("maxWriteBytes", FileValues.Count(1), "no limit", k => k.MaxWriteBytes,
            (k, v) => k with { MaxWriteBytes = v },
            "Bytes that one write to a stream takes at most, for the first 100,000 writes."),
        Of("tellsChanges", FileValues.Flag, "true", k => k.TellsChanges,
            (k, v) => k with { TellsChanges = v },
            "Whether changes of the directory are announced, as inotify does."),
        Of("warmUp", FileValues.Duration, "1s", k => k.WarmUp, (k, v) => k with { WarmUp = v },
            "The balancer's --warm-up."),
        Of("probe", FileValues.Flag, "false", k => k.Probe, (k, v) => k with { Probe = v },
            $"Whether backends are probed, as by --probe {SpecifiedLimits.ProbeName}."),
        Of("probeRise", FileValues.Count(1, 1000), "1", k => k.ProbeRise,
            (k, v) => k with { ProbeRise = v }, "The balancer's --probe-rise."),
        Of("probeFall", FileValues.Count(1, 1000), "3", k => k.ProbeFall,
            (k, v) => k with { ProbeFall = v }, "The balancer's --probe-fall."),
        Of("noBackend", FileValues.Word(["silence", "servfail"]), "silence",
            k => k.AnswersWithoutBackend ? 1L : 0L,
            (k, v) => k with { AnswersWithoutBackend = v == 1 }, "The balancer's --no-backend."),
        Of("tcpConnections", FileValues.Count(1), "10000", k => k.TcpConnections,
            (k, v) => k with { TcpConnections = v }, "The balancer's --tcp-connections."),
        Of("tcpConnectionsPerClient", FileValues.Count(1), "1000",
            k => k.TcpConnectionsPerClient, (k, v) => k with { TcpConnectionsPerClient = v },
            "The balancer's --tcp-connections-per-client."),
        Of("tcpIdle", FileValues.Duration, "2m", k => k.TcpIdle,
            (k, v) => k with { TcpIdle = v }, "The balancer's --tcp-idle; above 0s."),
        Of("tcpMessage", FileValues.Duration, "30s", k => k.TcpMessage,
            (k, v) => k with { TcpMessage = v }, "The balancer's --tcp-message; above 0s."),
        Of("tcpNotReading", FileValues.Count(1), "256", k => k.TcpNotReading,
            (k, v) => k with { TcpNotReading = v }, "The balancer's --tcp-not-reading."),
        Of("tcpLifetime", FileValues.Duration, "1h", k => k.TcpLifetime,
            (k, v) => k with { TcpLifetime = v }, "The balancer's --tcp-lifetime; above 0s."),
        Of("maxRemotes", FileValues.Count(4), "1000000", k => k.MaxRemotes,
            (k, v) => k with { MaxRemotes = v },
            "Client addresses that the balancer remembers at most."),
        new("turn", "What the balancer does in one turn at most; see below.", "as a daemon's",
            () => ScenarioSchema.Object(TurnBounds.Fields),
            k => FileFields.Write(TurnBounds.Fields, k.Turn, TurnLimits.Standard),
            (k, node, place) => k with
            {
                Turn = FileFields.Read(TurnBounds.Fields, node, place, TurnLimits.Standard),
            }),
    ];

    public static readonly ImmutableArray<FileField<BackendPlan>> Backends =
    [
        FileFields.Make<BackendPlan, int>("id", FileValues.Count(0), Place,
            b => b.Id, (b, v) => b with { Id = v },
            "Its number, unique among the backends; what is drawn at random depends on it."),
        FileFields.Make<BackendPlan, string>("name", FileValues.Text,
            "5301 for the first, 5302 for the second, and so on",
            b => b.Name, (b, v) => b with { Name = v },
            "Its socket's name in the directory, unique, without a slash.") with
        {
            IsAlwaysWritten = true,
        },
        FileFields.Make<BackendPlan, Instant>("startAt", FileValues.Instant, "0s",
            b => b.StartAt, (b, v) => b with { StartAt = v }, "When it binds its socket."),
        FileFields.Make<BackendPlan, bool>("isCore", FileValues.Flag, "true",
            b => b.IsCore, (b, v) => b with { IsCore = v },
            "It heals at healAt, whatever happened to it; others stay as they are then."),
        FileFields.Make<BackendPlan, Misbehaviour>("script", Script, "it does nothing wrong",
            b => b.Script, (b, v) => b with { Script = v },
            "How it misbehaves from its start on; see the misbehaviours."),
    ];

    public static readonly ImmutableArray<FileField<QueryPlan>> Queries =
    [
        FileFields.Make<QueryPlan, Instant>("at", FileValues.Instant, null,
            q => q.At, (q, v) => q with { At = v }, "When it is sent."),
        FileFields.Make<QueryPlan, int>("port", FileValues.Count(0, 65_535), "40000",
            q => q.Port, (q, v) => q with { Port = (ushort)v }, "The source port."),
        FileFields.Make<QueryPlan, QueryKind>("kind", FileValues.Name<QueryKind>(), "question",
            q => q.Kind, (q, v) => q with { Kind = v },
            "A proper question; bytes at random with QR clear; a proper header with QR set; a"
                + " question that ends or hangs the process that reads it, see the killers,"
                + " `bytes` being its number; that with its first label in capitals, which is"
                + " answered; or a proper question that no backend answers."),
        FileFields.Make<QueryPlan, int>("bytes", FileValues.Count(0, 65_507), "0",
            q => q.Bytes, (q, v) => q with { Bytes = v },
            "Its size; a shorter question is padded to it, a longer one keeps its own."),
        FileFields.Make<QueryPlan, int>("copies", FileValues.Count(1), "1",
            q => q.Copies, (q, v) => q with { Copies = v },
            "How many are sent at once; if over 1, from consecutive addresses, the client's"
                + " first."),
        FileFields.Make<QueryPlan, int>("variant", FileValues.Count(0, DnsQuestions.LastVariant),
            "0", q => q.Variant, (q, v) => q with { Variant = v },
            "How a killer differs from others with its number; see the killers."),
    ];

    public static readonly ImmutableArray<FileField<UdpClientPlan>> UdpClients =
    [
        FileFields.Make<UdpClientPlan, int>("id", FileValues.Count(0), Place,
            c => c.Id, (c, v) => c with { Id = v },
            "Its number, unique among all clients; what is drawn at random depends on it."),
        FileFields.Make<UdpClientPlan, Ipv4>("address", FileValues.Address,
            "10.1.0.1 for the first, 10.1.0.2 for the second, and so on",
            c => c.Address, (c, v) => c with { Address = v }, "The client host."),
        FileFields.Make<UdpClientPlan, bool>("retries", FileValues.Flag, "true",
            c => c.Retries, (c, v) => c with { Retries = v },
            "Whether it asks its questions again, every 2 s, 3 times, until they are answered."),
        new("queries", "What it asks. One with times and every stands for several alike.",
            null, () => QueryList.Schema(), c => QueryList.Write(c.Queries),
            (c, node, place) => c with { Queries = QueryList.Read(node, place) }),
    ];

    public static readonly ImmutableArray<FileField<TcpClientPlan>> TcpClients =
    [
        FileFields.Make<TcpClientPlan, int>("id", FileValues.Count(0),
            "its place in the list, from the number of UDP clients on",
            c => c.Id, (c, v) => c with { Id = v },
            "Its number, unique among all clients; what is drawn at random depends on it."),
        FileFields.Make<TcpClientPlan, Ipv4>("address", FileValues.Address,
            "10.2.0.1 for the first, 10.2.0.2 for the second, and so on",
            c => c.Address, (c, v) => c with { Address = v }, "The client host."),
        FileFields.Make<TcpClientPlan, int>("port", FileValues.Count(0, 65_535), "50000",
            c => c.Port, (c, v) => c with { Port = (ushort)v }, "Its source port."),
        FileFields.Make<TcpClientPlan, Instant>("at", FileValues.Instant, null,
            c => c.At, (c, v) => c with { At = v }, "When it connects."),
        FileFields.Make<TcpClientPlan, int>("queries", FileValues.Count(0, 100_000), "1",
            c => c.Queries, (c, v) => c with { Queries = v },
            "Questions that it sends, without waiting for answers between; 0 sends nothing."),
        FileFields.Make<TcpClientPlan, int>("chunkBytes", FileValues.Count(1, 65_536), "65536",
            c => c.ChunkBytes, (c, v) => c with { ChunkBytes = v },
            "It sends pieces of this size, each 1 ms after the one before."),
        FileFields.Make<TcpClientPlan, TcpManner>("manner", FileValues.Name<TcpManner>(),
            "proper", c => c.Manner, (c, v) => c with { Manner = v },
            "How it behaves besides; see the manners."),
        FileFields.Make<TcpClientPlan, Duration>("after", FileValues.Duration, "0s",
            c => c.After, (c, v) => c with { After = v },
            "When the manners resets and leaves act, counted from its connect; "
            + "the time between two bytes of trickles."),
        FileFields.Make<TcpClientPlan, int>("killer", FileValues.Count(0, 65_536), "0",
            c => c.Killer, (c, v) => c with { Killer = v },
            "Its last question is a killer, see there: its number and one more; 0 for none."),
        FileFields.Make<TcpClientPlan, int>("padding", FileValues.Count(0, 60_000), "0",
            c => c.Padding, (c, v) => c with { Padding = v },
            "Bytes of EDNS padding that its killer has; 0 for no EDNS."),
        FileFields.Make<TcpClientPlan, int>("empty", FileValues.Count(0, 100), "0",
            c => c.Empty, (c, v) => c with { Empty = v },
            "Empty messages that it sends in front of its killer."),
        FileFields.Make<TcpClientPlan, Duration>("late", FileValues.Duration, "0s",
            c => c.Late, (c, v) => c with { Late = v },
            "How late its other questions are answered: whole milliseconds, 60s at most."),
    ];

    /// <summary>Shorthand for queries that repeat; never written.</summary>
    private static readonly ImmutableArray<FileField<Repeated>> Repeats =
    [
        FileFields.Make<Repeated, int>("times", FileValues.Count(1, 100_000), "1",
            r => r.Times, (r, v) => r with { Times = v }, "How many times it is sent."),
        FileFields.Make<Repeated, Duration>("every", FileValues.Duration, "1s",
            r => r.Every, (r, v) => r with { Every = v },
            "The time between two, which comes with times; 0s sends them all at once."),
    ];

    public static readonly ImmutableArray<FileField<Scenario>> Scenarios =
    [
        Of("seed", FileValues.Seed, "0", s => s.Seed, (s, v) => s with { Seed = v },
            "The seed of all that is drawn at random during the run.") with
        {
            IsAlwaysWritten = true,
        },
        Of("profile", FileValues.Text, "hand-made", s => s.Profile,
            (s, v) => s with { Profile = v }, "The profile it was made with, in one word."),
        Of("healAt", FileValues.Instant, null, s => s.HealAt, (s, v) => s with { HealAt = v },
            "Chaos ends: core backends heal, no fault is left, and liveness is owed."),
        Of("end", FileValues.Instant, null, s => s.End, (s, v) => s with { End = v },
            "An orderly stop is asked for; what is planned for later happens during it."),
        Of("stopAgain", FileValues.Duration, "0s", s => s.StopAgain,
            (s, v) => s with { StopAgain = v },
            "How long after end a stop is asked for again; 0s for never."),
        Of("kernel", KernelValue, "a usual host", s => s.Kernel, (s, v) => s with { Kernel = v },
            "The host that the balancer runs on, and the balancer's options."),
        Of("backends", NamedBackends, "none", s => s.Backends,
            (s, v) => s with { Backends = v }, "The backends."),
        Of("udpClients", UdpList, "none", s => s.UdpClients,
            (s, v) => s with { UdpClients = v }, "The clients that ask over UDP."),
        new("tcpClients", "The connections that clients make over TCP.", "none",
            () => TcpList(0).Schema(), s => TcpList(s.UdpClients.Length).Write(s.TcpClients),
            (s, node, place) => s with
            {
                TcpClients = TcpList(s.UdpClients.Length).Read(node, place),
            }),
        new("faults", "What goes wrong, and when.", "none", ScenarioSchema.Faults,
            s => FaultList(s).Write(s.Faults),
            (s, node, place) => s with { Faults = FaultList(s).Read(node, place) }),
    ];

    /// <summary>The fields of a query as a person may write it.</summary>
    public static IEnumerable<(string Name, string Words, string? Default, FileNode Schema)>
        QueryFields() =>
        Queries.Select(field => (field.Name, field.Words, field.Default, field.Schema()))
            .Concat(Repeats.Select(
                field => (field.Name, field.Words, field.Default, field.Schema())));

    private static FileValue<Misbehaviour> Script => new(
        () => ScenarioSchema.Object(Misdeeds.Fields),
        (node, place) => FileFields.Read(Misdeeds.Fields, node, place, Misbehaviour.None),
        script => FileFields.Write(Misdeeds.Fields, script, Misbehaviour.None));

    private static FileValue<KernelPlan> KernelValue => new(
        () => ScenarioSchema.Object(Kernel),
        (node, place) => FileFields.Read(Kernel, node, place, new KernelPlan()),
        kernel => FileFields.Write(Kernel, kernel, new KernelPlan()));

    private static FileValue<ImmutableArray<BackendPlan>> BackendList => FileValues.List(
        () => ScenarioSchema.Object(Backends),
        (node, place, item) => FileFields.Read(Backends, node, place, Backend(item)),
        (backend, item) => FileFields.Write(Backends, backend, Backend(item)));

    /// <summary>Checked before faults name them: who renames one may give a name twice.</summary>
    private static FileValue<ImmutableArray<BackendPlan>> NamedBackends => BackendList with
    {
        Read = (node, place) =>
        {
            var backends = BackendList.Read(node, place);
            return ScenarioCheck.FindBackend(backends) is var (item, name, what)
                ? throw place.At(item, node.Items[item])
                    .Of(name, node.Items[item].Find(name) ?? node.Items[item]).Wrong(what)
                : backends;
        },
    };

    private static FileValue<ImmutableArray<UdpClientPlan>> UdpList => FileValues.List(
        () => ScenarioSchema.Object(UdpClients),
        (node, place, item) => FileFields.Read(UdpClients, node, place, UdpClient(item)),
        (client, item) => FileFields.Write(UdpClients, client, UdpClient(item)));

    private static FileValue<ImmutableArray<TcpClientPlan>> TcpList(int udpClients) =>
        FileValues.List(
            () => ScenarioSchema.Object(TcpClients),
            (node, place, item) =>
                FileFields.Read(TcpClients, node, place, TcpClient(item, udpClients)),
            (client, item) =>
                FileFields.Write(TcpClients, client, TcpClient(item, udpClients)));

    private static FileValue<ImmutableArray<FaultPlan>> FaultList(Scenario scenario) =>
        FileValues.List(ScenarioSchema.Faults,
            (node, place, item) => FaultFields.Read(node, place, item, scenario.Backends),
            (fault, item) => FaultFields.Write(fault, item, scenario.Backends));

    /// <summary>Queries, in the order of their times whatever the file's.</summary>
    private static FileValue<ImmutableArray<QueryPlan>> QueryList
    {
        get
        {
            var each = FileValues.List(ScenarioSchema.Query,
                (node, place, _) => ReadRepeated(node, place),
                (repeated, _) => FileFields.Write(
                    Queries, repeated.Query, Query));
            return new FileValue<ImmutableArray<QueryPlan>>(each.Schema,
                (node, place) => [.. each.Read(node, place).SelectMany(AllOf)
                    .OrderBy(query => query.At)],
                queries => each.Write(
                    [.. queries.Select(query => new Repeated(query, 1, Duration.Zero))]));
        }
    }

    private static QueryPlan Query => new(Instant.Zero, 40_000, QueryKind.Question, 0);

    private static BackendPlan Backend(int item) => new(item,
        $"{Limits.FirstNamedId + 1 + item}", Instant.Zero, IsCore: true, Misbehaviour.None);

    private static UdpClientPlan UdpClient(int item) =>
        new(item, Host(1, item), Retries: true, []);

    private static TcpClientPlan TcpClient(int item, int udpClients) => new(udpClients + item,
        Host(2, item), 50_000, Instant.Zero, 1, 65_536, TcpManner.Proper, Duration.Zero);

    /// <summary>10.net.0.1 for the first, and no address that ends in 0.</summary>
    private static Ipv4 Host(byte net, int item) =>
        Ipv4.From(10, net, (byte)(item / 250), (byte)(1 + item % 250));

    private static Repeated ReadRepeated(FileNode node, FilePlace place)
    {
        if (node.Kind != FileNodeKind.Object)
            throw place.Wrong("must be an object, in { }");
        var own = FileNode.Object();
        var repeats = FileNode.Object();
        foreach (var field in node.Fields)
            (Repeats.Any(repeat => repeat.Name == field.Name) ? repeats : own).Fields.Add(field);
        var query = FileFields.Read(
            Queries, own, place, Query, [.. Repeats.Select(repeat => repeat.Name)]);
        var repeated = FileFields.Read(Repeats, repeats, place,
            new Repeated(query, 1, Duration.FromSeconds(1L)));
        if (repeats.Find("every") is { } every && repeats.Find("times") is null)
            throw place.Of("every", every).Wrong("comes with times, how many times it is sent");
        return repeated;
    }

    private static IEnumerable<QueryPlan> AllOf(Repeated repeated)
    {
        var query = repeated.Query;
        for (var i = 0; i < repeated.Times; i++)
        {
            yield return query;
            query = query with { At = query.At + repeated.Every };
        }
    }

    private static FileField<KernelPlan> Of<TValue>(string name, FileValue<TValue> value,
        string? otherwise, Func<KernelPlan, TValue> get, Func<KernelPlan, TValue, KernelPlan> set,
        string words) => FileFields.Make(name, value, otherwise, get, set, words);

    private static FileField<Scenario> Of<TValue>(string name, FileValue<TValue> value,
        string? otherwise, Func<Scenario, TValue> get, Func<Scenario, TValue, Scenario> set,
        string words) => FileFields.Make(name, value, otherwise, get, set, words);
}
