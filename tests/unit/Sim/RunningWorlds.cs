// Owns what the tests of the runner share: small hand-made scenarios, and an observer that counts
// and remembers what it was told.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;

namespace Tests.Unit.Sim;

/// <summary>Small worlds with nothing wrong in them.</summary>
internal static class RunningWorlds
{
    public static Instant At(double seconds) => Instant.Zero + Duration.FromSeconds(seconds);

    /// <summary>Two backends, two clients that ask each second, one TCP client.</summary>
    public static Scenario Calm(params FaultPlan[] faults) => new()
    {
        Seed = 7,
        HealAt = At(40),
        End = At(60),
        Backends = [Backend(0, "5301", isCore: true), Backend(1, "5302", isCore: false)],
        UdpClients = [Client(0, 50), Client(1, 50)],
        TcpClients = [Tcp(2, TcpManner.Proper)],
        Faults = [.. faults],
    };

    public static BackendPlan Backend(
        int id, string name, bool isCore, Misbehaviour? script = null) =>
        new(id, name, Instant.Zero, isCore, script ?? Misbehaviour.None);

    public static UdpClientPlan Client(int id, int queries) => new(
        id, Ipv4.From(10, 1, 0, (byte)(id + 1)), Retries: true,
        [.. Enumerable.Range(0, queries).Select(n =>
            new QueryPlan(At(3 + n), (ushort)(4000 + n % 2), QueryKind.Question, 0))]);

    public static TcpClientPlan Tcp(int id, TcpManner manner, double at = 5, double after = 0) =>
        new(id, Ipv4.From(10, 2, 0, (byte)id), 5000, At(at), Queries: 3, ChunkBytes: 10, manner,
            Duration.FromSeconds(after));

    public static FaultPlan Fault(
        FaultKind kind, double at, double length = 0, int target = -1, long amount = 0) =>
        new(100, At(at), Duration.FromSeconds(length), kind, target, amount);
}

/// <summary>Remembers what a run told.</summary>
internal sealed class Witness : RunObserver
{
    public List<(Instant At, string What)> Faults { get; } = [];

    public List<(int Client, int Query)> Answers { get; } = [];

    public List<(Instant At, int Client, bool Queued)> Sent { get; } = [];

    public List<(Instant At, object Event)> Log { get; } = [];

    public Dictionary<int, string> TcpEnds { get; } = [];

    public List<(Instant At, IoResult Why)> Failures { get; } = [];

    public List<IoResult> SendFailures { get; } = [];

    public List<(Instant At, int Backend, string How)> BackendEnds { get; } = [];

    public List<(Instant At, IoResult Result)> Connects { get; } = [];

    public List<(Instant At, IoResult Result)> Accepts { get; } = [];

    public List<(Instant At, IoResult Result)> Scans { get; } = [];

    public int LongestRead { get; private set; }

    public long Turns { get; private set; }

    public override void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events) => Turns++;

    public override void OnReceiveFailed(Instant now, IoResult why) => Failures.Add((now, why));

    public override void OnSendFailed(Instant now, in DatagramHeader header, IoResult why) =>
        SendFailures.Add(why);

    public override void OnAccepted(
        Instant now, IoResult result, SocketHandle stream, Endpoint client) =>
        Accepts.Add((now, result));

    public override void OnConnected(
        Instant now, ReadOnlySpan<byte> path, IoResult result, SocketHandle stream) =>
        Connects.Add((now, result));

    public override void OnRead(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        LongestRead = Math.Max(LongestRead, bytes.Length);
        if (!result.IsOk && result.Status != IoStatus.WouldBlock)
            Failures.Add((now, result));
    }

    public override void OnWritten(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        if (!result.IsOk)
            Failures.Add((now, result));
    }

    public override void OnScanOpened(Instant now, IoResult result) => Scans.Add((now, result));

    /// <summary>The logged events of one type, oldest first, with their times.</summary>
    public IEnumerable<(Instant At, T Event)> Logged<T>() where T : struct, ILogEvent => Log
        .Where(logged => logged.Event is T).Select(logged => (logged.At, (T)logged.Event));

    public override void OnScanEntry(Instant now, IoResult result, in DirectoryEntry entry)
    {
        if (!result.IsOk && result.Status != IoStatus.EndOfStream)
            Failures.Add((now, result));
    }

    public override void OnLogged(Instant now, ILogEvent told) =>
        Log.Add((now, (object)told));

    public override void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued) =>
        Sent.Add((now, client, queued));

    public override void OnClientAnswered(Instant now, int client, int query) =>
        Answers.Add((client, query));

    public override void OnTcpClientEnded(Instant now, int client, string how) =>
        TcpEnds.Add(client, how);

    public override void OnBackendEnded(
        Instant now, int backend, SocketHandle stream, string how) =>
        BackendEnds.Add((now, backend, how));

    public override void OnFault(Instant now, FaultPlan fault, bool began) =>
        Faults.Add((now, $"{fault.Kind} {(began ? "begins" : "ends")}"));

    public override void OnHealed(Instant now) => Faults.Add((now, "healed"));
}
