// Owns what the tests of whole scenarios share: a balancer on a simulated host with backends that
// have said hello and are warm, clients, and the two checks that end every scenario - that the
// counters add up, and that nothing was left behind.
//
// What always holds: time is virtual and nothing is drawn at random, so each test runs the same
// way every time.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

/// <summary>A balancer in virtual time with its backends.</summary>
internal sealed class ProxyScenario
{
    /// <summary>Timers of the core itself: the scan, the expiry and the rebalance.</summary>
    private const int StandingTimers = 3;

    private static readonly Duration Settling = Duration.FromSeconds(2);

    public ProxyScenario(int backends = 1, BalancerOptions? options = null,
        Action<SimKernel>? before = null)
    {
        Kernel = new SimKernel();
        before?.Invoke(Kernel);
        for (var i = 0; i < backends; i++)
            Backends.Add(new SimBackend(Kernel, $"{5301 + i}"));
        Balancer = new SimBalancer(Kernel, options);
        Balancer.Run(Settling);
    }

    public SimKernel Kernel { get; }

    public SimBalancer Balancer { get; }

    public List<SimBackend> Backends { get; } = [];

    public SimBackend Backend => Backends[0];

    public LoadBalancer Core => Balancer.Core;

    public Counters Counters => Balancer.Counters;

    public SimLog Log => Balancer.Log;

    public static Endpoint Client(int host = 1, ushort port = 4000) =>
        new(new Ipv4(Ipv4.From(192, 0, 2, 0).Value + (uint)host), port);

    /// <summary>Bytes that repeat nowhere near a buffer's size.</summary>
    public static byte[] Pattern(int length)
    {
        var bytes = new byte[length];
        for (var i = 0; i < length; i++)
            bytes[i] = (byte)(i * 31 + i / 251);
        return bytes;
    }

    /// <summary>
    /// A DNS message behind its length, so many bytes in all; of more than 65,537 bytes it is a
    /// part of one.
    /// </summary>
    public static byte[] Message(int length, int id = 0)
    {
        var bytes = Pattern(length);
        BinaryPrimitives.WriteUInt16BigEndian(
            bytes, (ushort)Math.Min(length - 2, ushort.MaxValue));
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)id);
        return bytes;
    }

    /// <summary>A query with an id and nothing else that the balancer looks at.</summary>
    public static byte[] Query(int id, int length = 12)
    {
        var query = new byte[length];
        BinaryPrimitives.WriteUInt16BigEndian(query, (ushort)id);
        return query;
    }

    public void Run(double seconds) => Balancer.Run(Duration.FromSeconds(seconds));

    /// <summary>Long enough for everything that needs no time to happen.</summary>
    public void Settle() => Balancer.Run(Duration.FromMilliseconds(1));

    /// <summary>A client that has asked something, so that a backend is looked for.</summary>
    public SimStream Connect(int host = 1, ushort port = 4000)
    {
        var client = ConnectSilently(host, port);
        Opening.Ask(client);
        return client;
    }

    /// <summary>A client that sends nothing.</summary>
    public SimStream ConnectSilently(int host = 1, ushort port = 4000) =>
        Kernel.ConnectClient(Client(host, port));

    /// <summary>A client that a backend took; Ok is behind it.</summary>
    public SimStream ConnectThrough(int host = 1, ushort port = 4000)
    {
        var before = Relayed;
        var client = Connect(host, port);
        Settle();
        Assert.Equal(before + 1, Relayed);
        return client;
    }

    /// <summary>The same; these are what it says first, and no opening.</summary>
    public SimStream ConnectThrough(ReadOnlySpan<byte> first)
    {
        var before = Relayed;
        var client = ConnectSilently();
        client.Send(first);
        Settle();
        Assert.Equal(before + 1, Relayed);
        return client;
    }

    public int Relayed => Log.Count<LogEvent.ConnectionRelaying>();

    /// <summary>The last session that carried a TCP connection to this backend.</summary>
    public static SimBackendSession LastTcp(SimBackend backend)
    {
        for (var i = backend.Sessions.Count - 1; i >= 0; i--)
        {
            if (!backend.Sessions[i].IsControl)
                return backend.Sessions[i];
        }
        throw new InvalidOperationException("no TCP session came to this backend");
    }

    public SimBackendSession LastTcp() => LastTcp(Backend);

    /// <summary>
    /// Runs and reads until this many bytes came to the client, or virtual time is up.
    /// </summary>
    public byte[] ReceiveAll(SimStream client, int expected, double seconds = 60)
    {
        var received = new List<byte>();
        var end = Kernel.Now + Duration.FromSeconds(seconds);
        while (received.Count < expected && Kernel.Now < end)
        {
            received.AddRange(client.Receive());
            Settle();
        }
        return received.ToArray();
    }

    /// <summary>One more of how connections end happened, and it was this one.</summary>
    public void AssertEnded(Counter how, int times = 1)
    {
        Assert.Equal(times, Counters[how]);
        Assert.Equal(times, Counters.Sum(Counters.ConnectionEnds));
    }

    /// <summary>Ends a connection from both sides, and looks at what is left.</summary>
    public void Finish(SimStream client, SimBackendSession session, int suppressed = 0)
    {
        client.HalfClose();
        session.HalfClose();
        Settle();
        AssertEnded(Counter.ConnectionsFinished);
        AssertNothingLeft(suppressed);
    }

    /// <summary>Every datagram, reply and connection is in exactly one counter.</summary>
    public void AssertBooksBalance()
    {
        Assert.Equal(Kernel.Datagrams.Received, Counters[Counter.QueriesReceived]);
        Assert.Equal(Counters[Counter.QueriesReceived],
            Counters[Counter.QueriesForwarded] + Counters.Sum(Counters.QueryDrops));
        Assert.Equal(Counters[Counter.RepliesReceived],
            Counters[Counter.RepliesSent] + Counters.Sum(Counters.ReplyDrops));
        Assert.Equal(Kernel.Datagrams.SentCount, Counters[Counter.RepliesSent]);
        Assert.Equal(Counters[Counter.ConnectionsAccepted],
            Core.ConnectionCount + Counters.Sum(Counters.ConnectionEnds));
    }

    /// <summary>
    /// Backends keep their one session each and no query is in flight; nothing else is left but a
    /// timer for each condition of which records are suppressed.
    /// </summary>
    public void AssertNothingLeft(int suppressed = 0)
    {
        AssertBooksBalance();
        Assert.Equal(0, Core.ConnectionCount);
        var sessions = 0;
        var timers = StandingTimers + suppressed;
        foreach (var backend in Core.SnapshotBackends())
        {
            sessions += backend.State is BackendState.AwaitingHello or BackendState.Healthy
                or BackendState.Draining ? 1 : 0;
            timers += backend.State != BackendState.Removed ? 1 : 0;
            Assert.Equal(0, backend.InFlight);
        }
        Assert.Equal(sessions, Kernel.OpenDescriptors);
        // A session that got a query may keep two timers until they find nothing to do: one that
        // watches its silence, and one for its oldest query.
        Assert.InRange(Core.TimerCount, timers, timers + 2 * sessions);
        foreach (var backend in Backends)
            Assert.All(backend.Sessions, session => Assert.Null(session.Violation));
    }
}
