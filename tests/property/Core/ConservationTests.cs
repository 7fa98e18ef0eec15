// Conservation: every datagram that came in, and every reply, is in exactly one counter, and in the
// right one; what was forwarded arrived as it came, and what was sent is what a backend sent.
//
// Some are wrong in two ways; which of its counters such a one is in is the balancer's to choose,
// so each counter must lie between those that can be nowhere else and those that can be in it.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Property.Core;

/// <summary>A datagram from a client.</summary>
public sealed record Datagram(Endpoint From, int Size, bool IsResponse)
{
    /// <summary>Its payload, numbered where there is room, so that no two are alike.</summary>
    public byte[] ToBytes(int number)
    {
        var bytes = Scripts.Bytes(number, Size);
        if (Size > 2)
            bytes[2] = (byte)(IsResponse ? bytes[2] | 0x80 : bytes[2] & 0x7f);
        if (Size >= 8)
            BitConverter.TryWriteBytes(bytes.AsSpan(4), number);
        return bytes;
    }
}

/// <summary>
/// A reply as a backend frames it, true or not: to this query of those that it got, counted around,
/// or to anybody.
/// </summary>
public sealed record Reply(uint To, uint Port, int Size, int? Query);

/// <summary>A reply as it was framed; it has no question, so its id decides.</summary>
public sealed record FramedReply(uint To, uint Port, byte[] Payload)
{
    public int Size => Payload.Length;

    /// <summary>Its first two bytes; those that are missing are 0.</summary>
    public int Id => (Size > 0 ? Payload[0] << 8 : 0) | (Size > 1 ? Payload[1] : 0);

    public static FramedReply Of(Reply reply, int number, IReadOnlyList<ReceivedQuery> queries)
    {
        var payload = Scripts.Bytes(number, reply.Size);
        payload.AsSpan()[Math.Min(4, reply.Size)..Math.Min(6, reply.Size)].Clear();
        if (reply.Query is not { } index || queries.Count == 0)
            return new FramedReply(reply.To, reply.Port, payload);
        var query = queries[index % queries.Count];
        var id = Math.Min(2, reply.Size);
        payload.AsSpan(0, id).Clear();
        query.Payload.AsSpan(0, Math.Min(id, query.Payload.Length)).CopyTo(payload);
        return new FramedReply(query.Source.Address.Value, query.Source.Port, payload);
    }
}

/// <summary>What scripted sends do: so many datagrams go out, then one fails so.</summary>
public sealed record SendFailure(int After, IoStatus Why);

/// <summary>What a backend is like when the datagrams come.</summary>
public enum Health
{
    Healthy,
    Silent,
    Hung,
    Draining,
    Gone,
}

public sealed record Health3(ImmutableArray<Health> Of)
{
    public override string ToString() => string.Join(", ", Of);
}

public static class ConservationArbitraries
{
    public static readonly Endpoint Self = new(Ipv4.From(10, 0, 0, 53), 53);

    private static readonly Ipv4[] Addresses =
    [
        Ipv4.From(10, 1, 0, 1), Ipv4.From(10, 1, 0, 2), Ipv4.From(10, 1, 0, 3), Self.Address,
        Ipv4.Loopback, new(0xffffffff), new(0),
    ];

    public static Arbitrary<Script<Datagram>> Datagrams() => Scripts.Of(
        from address in Gen.Frequency(
            (5, Gen.Elements(Addresses[..3])), (2, Gen.Elements(Addresses)))
        from port in Gen.Frequency(
            (8, Gen.Choose(1024, 65_535)), (2, Gen.Elements(0, 1, 7, 13, 17, 19, 37, 53, 464)))
        from size in Gen.Frequency((6, Gen.Choose(12, 80)),
            (3, Gen.Elements(0, 1, 2, 3, 12, 1499, 1500, 1501, 1599, 1600, 1601, 2048, 65_507)))
        from isResponse in Gen.Frequency((5, Gen.Constant(false)), (1, Gen.Constant(true)))
        select new Datagram(new Endpoint(address, (ushort)port), size, isResponse),
        datagram => Scripts.Towards(0, datagram.Size).Select(n => datagram with { Size = n }),
        min: 0, max: 300);

    public static Arbitrary<Script<Reply>> Replies() => Scripts.Of(
        from to in Gen.Frequency((5, Gen.Elements(Addresses[..3])), (2, Gen.Elements(Addresses)))
        from port in Gen.Frequency((8, Gen.Choose(1, 65_535).Select(n => (uint)n)),
            (2, Gen.Elements<uint>(0, 1, 53, 65_535, 65_536, 65_589, uint.MaxValue)))
        from size in Gen.Frequency((6, Gen.Choose(0, 80)),
            (3, Gen.Elements(0, 1, 1500, 1501, 2048, 65_535)))
        from query in Gen.Frequency((4, Gen.Choose(0, 299).Select(n => (int?)n)),
            (2, Gen.Constant((int?)null)))
        select new Reply(to.Value, port, size, query),
        reply => Scripts.Towards(0, reply.Size).Select(n => reply with { Size = n }),
        min: 0, max: 200);

    public static Arbitrary<Script<SendFailure>> Failures() => Scripts.Of(
        from after in Scripts.Sizes(100, 0, 1, 63, 64)
        from why in Gen.Elements(IoStatus.WouldBlock, IoStatus.AccessDenied, IoStatus.NoBuffers,
            IoStatus.InvalidArgument, IoStatus.Unreachable, IoStatus.MessageTooLong, IoStatus.Other)
        select new SendFailure(after, why),
        failure => Scripts.Towards(0, failure.After).Select(n => failure with { After = n }),
        min: 0, max: 6);

    public static Arbitrary<Health3> Backends() => Arb.From(
        Gen.Elements(Health.Healthy, Health.Healthy, Health.Silent, Health.Hung, Health.Draining,
            Health.Gone).ArrayOf(3).Select(of => new Health3([.. of])),
        health => Enumerable.Range(0, 3).Where(i => health.Of[i] != Health.Healthy)
            .Select(i => new Health3(health.Of.SetItem(i, Health.Healthy))));
}

public sealed class ConservationTests
{
    private static readonly Endpoint Self = ConservationArbitraries.Self;

    [Property(Arbitrary = [typeof(ConservationArbitraries)], MaxTest = 200)]
    public void AnyDatagrams_EachIsInOneCounter(
        Health3 health, Script<Datagram> datagrams, bool isBoundToAny, bool hasSmallPipes)
    {
        var listen = isBoundToAny ? new Endpoint(Ipv4.Any, Self.Port) : Self;
        var host = new Host(listen, health, hasSmallPipes);
        var injected = new List<(Datagram Datagram, byte[] Payload)>();
        foreach (var datagram in datagrams.Steps)
        {
            var payload = datagram.ToBytes(injected.Count);
            injected.Add((datagram, payload));
            host.Sim.Kernel.InjectDatagram(datagram.From, Self.Address, payload);
            // Some come one by one, some in bursts.
            if (injected.Count % 97 < 5)
                host.Sim.Run(Duration.FromMilliseconds(1));
        }
        host.Sim.Run(Duration.FromMilliseconds(20));

        AssertQueries(host.Sim, [.. injected.Select(i => i.Datagram)], isBoundToAny);
        AssertForwarded(host, injected);
    }

    [Property(Arbitrary = [typeof(ConservationArbitraries)], MaxTest = 200)]
    public void AnyReplies_EachIsInOneCounter(
        Script<Datagram> datagrams, Script<Reply> replies, Script<SendFailure> failures)
    {
        var host = new Host(Self, new Health3([Health.Healthy]), hasSmallPipes: false);
        var kernel = host.Sim.Kernel;
        foreach (var datagram in datagrams.Steps)
            kernel.InjectDatagram(datagram.From, Self.Address, datagram.ToBytes(0));
        host.Sim.Run(Duration.FromMilliseconds(20));
        foreach (var failure in failures.Steps)
            kernel.Faults.SendThenFail(failure.After, failure.Why);

        var sender = host.Backends[0];
        var framed = replies.Steps
            .Select((reply, i) => FramedReply.Of(reply, i, sender.Sim.Queries)).ToList();
        for (var i = 0; i < framed.Count; i++)
        {
            var reply = framed[i];
            sender.Control!.SendOutbound(reply.To, reply.Port, (uint)reply.Size, reply.Payload);
            if (i % 41 < 3)
                host.Sim.Run(Duration.FromMilliseconds(1));
        }
        host.Sim.Run(Duration.FromMilliseconds(200));

        Assert.Equal(0, sender.Control!.Stream.Unsent);
        AssertReplies(host.Sim, sender.Sim.Queries, framed, failures);
    }

    private static void AssertQueries(
        SimBalancer sim, List<Datagram> datagrams, bool isBoundToAny)
    {
        var counters = sim.Counters;
        Assert.Equal(datagrams.Count, counters[Counter.QueriesReceived]);
        Assert.Equal(datagrams.Count,
            counters[Counter.QueriesForwarded] + counters.Sum(Counters.QueryDrops));
        AssertSorted(counters, datagrams,
        [
            (Counter.QueriesOversized, d => d.Size > 1500),
            (Counter.QueriesFromPortZero, d => d.From.Port == 0),
            (Counter.QueriesFromEchoPort, d => d.From.Port
                is 7 or 13 or 17 or 19 or 37 or 464),
            (Counter.QueriesFromNoHost, d => d.From.Address.Value is 0 or uint.MaxValue
                or (>= 0xe0000000 and <= 0xefffffff)),
            (Counter.QueriesWithResponseBit, d => d.IsResponse && d.Size > 2),
            (Counter.QueriesFromSelf, d => d.From == Self || (isBoundToAny
                && d.From.Port == Self.Port
                && (d.From.Address.IsLoopback || d.From.Address == Ipv4.Any))),
        ]);
    }

    /// <summary>Each counter holds all that fit it alone, and none that do not fit it.</summary>
    private static void AssertSorted<T>(Counters counters, IReadOnlyCollection<T> all,
        (Counter Counter, Predicate<T> Fits)[] reasons)
    {
        foreach (var (counter, fits) in reasons)
        {
            var only = all.Count(item => fits(item) && reasons.Count(r => r.Fits(item)) == 1);
            Assert.InRange(counters[counter], only, all.Count(item => fits(item)));
        }
        Assert.Equal(all.Count(item => reasons.Any(reason => reason.Fits(item))),
            reasons.Sum(reason => counters[reason.Counter]));
    }

    /// <summary>What was forwarded is at a backend, or on its way to one that hangs.</summary>
    private static void AssertForwarded(
        Host host, List<(Datagram Datagram, byte[] Payload)> injected)
    {
        var counters = host.Sim.Counters;
        var isServed = host.Backends.Any(backend => backend.Serves);
        if (!isServed)
            Assert.Equal(0, counters[Counter.QueriesForwarded]);
        else
            Assert.Equal(0, counters[Counter.QueriesWithoutBackend]);

        foreach (var backend in host.Backends.Where(backend => backend.IsHung))
            backend.Sim.Resume();
        host.Sim.Run(Duration.FromMilliseconds(100));
        var came = injected.Select(i => (i.Datagram.From, Convert.ToHexString(i.Payload)))
            .ToLookup(datagram => datagram);
        var arrived = host.Backends.SelectMany(backend => backend.Sim.Queries)
            .Select(query => (query.Source, Convert.ToHexString(query.Payload)))
            .ToLookup(query => query);
        Assert.Equal(counters[Counter.QueriesForwarded], arrived.Sum(group => group.Count()));
        Assert.All(arrived, group => Assert.InRange(group.Count(), 1, came[group.Key].Count()));
    }

    private static void AssertReplies(SimBalancer sim, IReadOnlyList<ReceivedQuery> queries,
        List<FramedReply> replies, Script<SendFailure> failures)
    {
        var counters = sim.Counters;
        var unmatched = Unmatched(queries, replies);
        Assert.Equal(replies.Count, counters[Counter.RepliesReceived]);
        Assert.Equal(replies.Count,
            counters[Counter.RepliesSent] + counters.Sum(Counters.ReplyDrops));
        Assert.Equal(sim.Kernel.Datagrams.SentCount, counters[Counter.RepliesSent]);
        AssertSorted(counters, replies,
        [
            (Counter.RepliesOversized, reply => reply.Size > 1500),
            (Counter.RepliesToPortZero, reply => reply.Port == 0),
            (Counter.RepliesToPortTooLarge, reply => reply.Port > 65_535),
            (Counter.RepliesUnmatched, unmatched.Contains),
        ]);
        AssertSendFailures(counters, replies, failures);
        AssertSent(sim, replies);
    }

    /// <summary>
    /// The replies that answer no query: each takes one from its address, port and id, of which
    /// sixteen at most are in flight.
    /// </summary>
    private static HashSet<FramedReply> Unmatched(
        IReadOnlyList<ReceivedQuery> queries, List<FramedReply> replies)
    {
        var inFlight = queries
            .GroupBy(query => (query.Source.Address.Value, (uint)query.Source.Port,
                new FramedReply(0, 0, query.Payload).Id))
            .ToDictionary(alike => alike.Key, alike => Math.Min(16, alike.Count()));
        var unmatched = new HashSet<FramedReply>(ReferenceEqualityComparer.Instance);
        foreach (var reply in replies)
        {
            var key = (reply.To, reply.Port, reply.Id);
            if (inFlight.GetValueOrDefault(key) == 0)
                unmatched.Add(reply);
            else if (reply.Size <= 1500)
                inFlight[key]--;
        }
        return unmatched;
    }

    /// <summary>A failure costs one reply; a full socket those gathered with it too.</summary>
    private static void AssertSendFailures(
        Counters counters, List<FramedReply> replies, Script<SendFailure> failures)
    {
        int Scripted(params IoStatus[] statuses) =>
            failures.Steps.Count(failure => statuses.Contains(failure.Why));

        var toBroadcast = replies.Count(reply => reply.To == uint.MaxValue);
        Assert.InRange(counters[Counter.RepliesDenied],
            0, Scripted(IoStatus.AccessDenied) + toBroadcast);
        Assert.InRange(counters[Counter.RepliesInvalid], 0, Scripted(IoStatus.InvalidArgument));
        Assert.InRange(counters[Counter.RepliesNoBuffers], 0, Scripted(IoStatus.NoBuffers));
        Assert.InRange(counters[Counter.RepliesUnreachable], 0, Scripted(IoStatus.Unreachable));
        Assert.InRange(counters[Counter.RepliesFailed],
            0, Scripted(IoStatus.MessageTooLong, IoStatus.Other));
        Assert.InRange(counters[Counter.RepliesWouldBlock],
            0, Scripted(IoStatus.WouldBlock) * DatagramBatch.Capacity);
    }

    /// <summary>What was sent was framed so, in that order, and has the right source.</summary>
    private static void AssertSent(SimBalancer sim, List<FramedReply> replies)
    {
        var next = 0;
        foreach (var sent in sim.Kernel.Datagrams.Sent)
        {
            while (next < replies.Count && !IsIt(sent, next))
                next++;
            Assert.True(next < replies.Count, $"nobody sent {sent}");
            Assert.Equal(Self.Address, sent.From);
            next++;
        }

        bool IsIt(SentDatagram sent, int index) => replies[index] is var reply
            && reply.To == sent.To.Address.Value && reply.Port == sent.To.Port
            && sent.Payload.AsSpan().SequenceEqual(reply.Payload);
    }

    /// <summary>A balancer whose backends are already in the health they are to have.</summary>
    private sealed class Host
    {
        public Host(Endpoint listen, Health3 health, bool hasSmallPipes)
        {
            var kernel = new SimKernel(listen);
            if (hasSmallPipes)
                kernel.BalancerToBackend = new PipeSize(4000, 100);
            Sim = new SimBalancer(kernel);
            Backends = [.. health.Of.Select((h, i) => new HostBackend(h,
                new SimBackend(kernel, $"{5301 + i}") { AnswersHello = h != Health.Silent }))];
            Sim.Run(Duration.FromSeconds(2L));
            foreach (var backend in Backends)
                backend.Begin();
            Sim.Run(Duration.FromMilliseconds(100));
        }

        public SimBalancer Sim { get; }

        public IReadOnlyList<HostBackend> Backends { get; }
    }

    private sealed record HostBackend(Health Health, SimBackend Sim)
    {
        public SimBackendSession? Control => Sim.Control;

        public bool IsHung => Health == Health.Hung;

        /// <summary>Whether it gets clients: that one hangs is not known yet.</summary>
        public bool Serves => Health is Health.Healthy or Health.Hung;

        public void Begin()
        {
            if (Health == Health.Hung)
                Sim.Hang();
            else if (Health == Health.Draining)
                Sim.Unlink();
            else if (Health == Health.Gone)
                Sim.Stop();
        }
    }
}
