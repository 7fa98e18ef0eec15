// UdpProxy: what is forwarded, what is dropped and into which counter, and where replies leave
// from (docs/behaviour.md, section 5).

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class UdpProxyTests : CoreTest
{
    [Fact]
    public void Query_ArrivesWithItsSourceAndTheReplyGoesBackThere()
    {
        var backend = HealthyBackends("5301")[0];
        var query = Query(77, 300);
        query[200] = 9;
        Ask(3, query);

        Assert.Equal(Client(3), backend.Queries[0].Source);
        Assert.Equal(query, backend.Queries[0].Payload);
        var sent = Kernel.Datagrams.Sent.Single();
        Assert.Equal(Client(3), sent.To);
        Assert.Equal(query, sent.Payload);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(11)]
    [InlineData(1499)]
    [InlineData(1500)]
    public void UpTo1500Bytes_IsForwardedAsItIs(int length)
    {
        var backend = HealthyBackends("5301")[0];
        Ask(1, Query(1, length));

        Assert.Equal(length, backend.Queries.Single().Payload.Length);
        Assert.Equal(length, Kernel.Datagrams.Sent.Single().Payload.Length);
        AssertCountersAddUp();
    }

    [Theory]
    [InlineData(1501)]
    [InlineData(1600)]
    [InlineData(1601)]
    [InlineData(2048)]
    [InlineData(65_507)]
    public void Over1500Bytes_IsDroppedAndCountedAndNobodyIsRemembered(int length)
    {
        var backend = HealthyBackends("5301")[0];
        Ask(1, Query(1, length));

        Assert.Equal(0, backend.QueryCount);
        Assert.Equal(1, Count(Counter.QueriesOversized));
        Assert.Equal(0, Balancer.Core.RemoteCount);
        AssertCountersAddUp();
    }

    [Fact]
    public void ResponseBit_IsDroppedAndCounted()
    {
        HealthyBackends("5301");
        var response = Query(1);
        response[2] = 0x80;
        Ask(1, response);
        Ask(1, [0, 0, 0x81]);

        Assert.Equal(2, Count(Counter.QueriesWithResponseBit));
        Assert.Equal(0, Balancer.Core.RemoteCount);
    }

    [Fact]
    public void SourcePortZero_IsDroppedAndCounted()
    {
        HealthyBackends("5301");
        Kernel.InjectDatagram(Client(1) with { Port = 0 }, Query(1));
        Run(0.1);

        Assert.Equal(1, Count(Counter.QueriesFromPortZero));
        Assert.Equal(0, Balancer.Core.RemoteCount);
    }

    [Theory]
    [InlineData(7)]
    [InlineData(13)]
    [InlineData(17)]
    [InlineData(19)]
    [InlineData(37)]
    [InlineData(464)]
    public void PortOfAServiceThatAnswersAnything_IsDroppedAndCounted(ushort port)
    {
        HealthyBackends("5301");
        Kernel.InjectDatagram(Client(1) with { Port = port }, Query(1));
        Run(0.1);

        Assert.Equal(1, Count(Counter.QueriesFromEchoPort));
        Assert.Equal(0, Balancer.Core.RemoteCount);
    }

    [Theory]
    [InlineData("0.0.0.0", true)]
    [InlineData("0.0.0.1", false)]
    [InlineData("223.255.255.255", false)]
    [InlineData("224.0.0.0", true)]
    [InlineData("239.255.255.255", true)]
    [InlineData("240.0.0.0", false)]
    [InlineData("255.255.255.254", false)]
    [InlineData("255.255.255.255", true)]
    public void AddressThatNoHostHas_IsDroppedAndCounted(string source, bool isDropped)
    {
        HealthyBackends("5301");
        Assert.True(Ipv4.TryParse(source, out var address));
        Kernel.InjectDatagram(new Endpoint(address, 5353), Query(1));
        Run(0.1);

        Assert.Equal(isDropped ? 1 : 0, Count(Counter.QueriesFromNoHost));
        Assert.Equal(isDropped ? 0 : 1, Balancer.Core.RemoteCount);
    }

    [Fact]
    public void OwnAddress_IsDroppedAndCounted()
    {
        HealthyBackends("5301");
        Kernel.InjectDatagram(Kernel.Network.ListenEndpoint, Query(1));
        Run(0.1);

        Assert.Equal(1, Count(Counter.QueriesFromSelf));
    }

    [Fact]
    public void BoundToOneAddress_AnotherServerOfTheHostMayAskFromTheSamePort()
    {
        Kernel.Datagrams.OwnsAddress = _ => true;
        var backend = HealthyBackends("5301")[0];
        Kernel.InjectDatagram(new Endpoint(Ipv4.From(10, 1, 2, 4), 53), Query(1));
        Run(0.1);

        Assert.Equal(1, backend.QueryCount);
    }

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("127.9.9.9", true)]
    [InlineData("10.1.2.3", true)]
    [InlineData("10.1.2.4", true)]
    [InlineData("10.1.2.5", false)]
    public void BoundToEveryAddress_OwnPortAtAnAddressOfItsOwnIsSelf(string source, bool isSelf)
    {
        var kernel = new SimKernel(new Endpoint(Ipv4.Any, 53));
        kernel.Datagrams.OwnsAddress = own =>
            own == Ipv4.From(10, 1, 2, 3) || own == Ipv4.From(10, 1, 2, 4);
        var balancer = new SimBalancer(kernel, NoWarmUp);
        var backend = new SimBackend(kernel, "5301");
        balancer.Run(Seconds(0.1));
        Assert.True(Ipv4.TryParse(source, out var address));
        kernel.InjectDatagram(new Endpoint(address, 53), Ipv4.From(10, 1, 2, 3), Query(1));
        balancer.Run(Seconds(0.1));

        Assert.Equal(isSelf ? 1 : 0, balancer.Counters[Counter.QueriesFromSelf]);
        Assert.Equal(isSelf ? 0 : 1, backend.QueryCount);
    }

    [Fact]
    public void Reply_LeavesFromTheAddressThatTheQueryCameTo()
    {
        var kernel = new SimKernel(new Endpoint(Ipv4.Any, 53));
        var balancer = new SimBalancer(kernel, NoWarmUp);
        _ = new SimBackend(kernel, "5301") { EchoesQueries = true };
        balancer.Run(Seconds(0.1));
        foreach (var local in new[] { Ipv4.From(10, 1, 1, 1), Ipv4.From(192, 168, 0, 9) })
        {
            kernel.InjectDatagram(Client(1), local, Query(1));
            balancer.Run(Seconds(0.1));
            Assert.Equal(local, kernel.Datagrams.Sent[^1].From);
        }
    }

    [Theory]
    [InlineData(0u, Counter.RepliesToPortZero)]
    [InlineData(65_536u, Counter.RepliesToPortTooLarge)]
    [InlineData(uint.MaxValue, Counter.RepliesToPortTooLarge)]
    public void ReplyToAPortThatCannotBe_IsDroppedAndCounted(uint port, Counter counter)
    {
        var backend = HealthyBackends("5301")[0];
        backend.EchoesQueries = false;
        Ask(1);
        backend.Control!.SendOutbound(Client(1).Address.Value, port, 3, [1, 2, 3]);
        Run(0.1);

        Assert.Equal(1, Count(counter));
        Assert.Empty(Kernel.Datagrams.Sent);
        Assert.Equal(BackendState.Healthy, State("5301"));
        AssertCountersAddUp();
    }

    [Fact]
    public void ReplyThatAnswersNoQuery_IsDroppedAndCounted()
    {
        var backend = HealthyBackends("5301")[0];
        backend.EchoesQueries = false;
        Ask(1);
        backend.Reply(Client(2), Query(1));
        backend.Reply(Client(1) with { Port = 9 }, Query(1));
        backend.Reply(Client(1), Query(2));
        backend.Reply(new Endpoint(new Ipv4(uint.MaxValue), 53), Query(1));
        Run(0.001);
        Assert.Equal(4, Count(Counter.RepliesUnmatched));
        Assert.Empty(Kernel.Datagrams.Sent);

        backend.Reply(Client(1), Query(1));
        backend.Reply(Client(1), Query(1));
        Run(0.001);

        Assert.Equal(5, Count(Counter.RepliesUnmatched));
        Assert.Single(Kernel.Datagrams.Sent);
        AssertCountersAddUp();
    }

    [Fact]
    public void ReplyOfABackendThatWasNotAsked_IsDroppedAndCounted()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        Ask(1);
        backends[1].Reply(Client(1), Query(1));
        Run(0.001);

        Assert.Equal(1, Count(Counter.RepliesUnmatched));
        Assert.Equal(1, Snapshot("5301").InFlight);
        Assert.Empty(Kernel.Datagrams.Sent);
    }

    [Theory]
    [InlineData(IoStatus.AccessDenied, Counter.RepliesDenied)]
    [InlineData(IoStatus.InvalidArgument, Counter.RepliesInvalid)]
    [InlineData(IoStatus.NoBuffers, Counter.RepliesNoBuffers)]
    [InlineData(IoStatus.Unreachable, Counter.RepliesUnreachable)]
    [InlineData(IoStatus.Refused, Counter.RepliesFailed)]
    [InlineData(IoStatus.Other, Counter.RepliesFailed)]
    public void SendThatFailsInABatch_CostsThatReplyAlone(IoStatus why, Counter counter)
    {
        HealthyBackends("5301");
        Kernel.Faults.SendThenFail(2, why);
        for (var n = 0; n < 5; n++)
            Kernel.InjectDatagram(Client(n), Query(n));
        Run(0.1);

        Assert.Equal(1, Count(counter));
        Assert.Equal(4, Kernel.Datagrams.Sent.Count);
        AssertCountersAddUp();
    }

    [Fact]
    public void FullSocket_CostsTheRestOfTheBatchAndNothingSpins()
    {
        HealthyBackends("5301");
        Kernel.Datagrams.SendBlocked = true;
        for (var n = 0; n < 50; n++)
            Kernel.InjectDatagram(Client(n), Query(n));
        Run(0.1);
        Kernel.Datagrams.SendBlocked = false;
        Ask(60);

        Assert.Equal(50, Count(Counter.RepliesWouldBlock));
        Assert.Single(Kernel.Datagrams.Sent);
        Assert.InRange(Log.Count<LogEvent.SendFailed>(), 1, 1);
        AssertCountersAddUp();
    }

    [Fact]
    public void ReceiveThatFailsForLong_PausesAndGoesOn()
    {
        HealthyBackends("5301");
        Kernel.Faults.Standing(SimCall.ReceiveDatagrams, IoStatus.NoBuffers);
        Kernel.InjectDatagram(Client(1), Query(1));
        var before = Kernel.Calls[SimCall.ReceiveDatagrams];
        Run(1);
        Assert.InRange(Kernel.Calls[SimCall.ReceiveDatagrams] - before, 2, 250);
        Assert.Equal(1, Log.Count<LogEvent.ReceiveFailed>());
        Kernel.Faults.Heal(SimCall.ReceiveDatagrams);
        Run(0.1);

        Assert.Single(Kernel.Datagrams.Sent);
    }

    [Fact]
    public void BackendThatDoesNotRead_GetsAtMostItsQueueAndTheRestIsCounted()
    {
        var backend = HealthyBackends("5301")[0];
        FloodWhileItHangs(backend, queries: 3000, clients: 1);

        var stuck = Snapshot("5301");
        Assert.True(stuck.IsStuck);
        Assert.InRange(stuck.QueuedBytes, 1, Limits.BackendQueueBytes);
        Assert.True(stuck.DropsWhileStuck > 1000);
        Assert.Equal(stuck.DropsWhileStuck, Count(Counter.QueriesToStuckBackend));
        Assert.Equal(1, Log.Count<LogEvent.BackendStuck>());
        AssertCountersAddUp();
        backend.Resume();
        Run(0.05);

        // Drained, it is not stuck any more, and nothing that was queued is lost.
        Assert.Equal(stuck.UdpQueries, backend.QueryCount);
        Assert.False(Snapshot("5301").IsStuck);
        Ask(0);
        Assert.Equal(stuck.UdpQueries + 1, backend.QueryCount);
        Assert.Equal(stuck.DropsWhileStuck, Log.Last<LogEvent.BackendUnstuck>().Dropped);
    }

    [Fact]
    public void BackendThatDoesNotReadBesideAnother_ItsClientsGoThereUntilItDoes()
    {
        var backends = HealthyBackends("5301", "5302");
        FloodWhileItHangs(backends[0], queries: 6000, clients: 2);

        var stuck = Snapshot("5301");
        Assert.InRange(stuck.QueuedBytes, 1, Limits.BackendQueueBytes);
        Assert.True(stuck.UdpQueries < 2000);
        Assert.Equal(0, stuck.DropsWhileStuck);
        Assert.Equal(0, Count(Counter.QueriesToStuckBackend));
        Assert.Equal(6000, Count(Counter.QueriesForwarded));
        Assert.Equal(6000 - stuck.UdpQueries, backends[1].QueryCount);
        Assert.Equal(5302, Remote(0)!.Value.Backup.Value);
        Assert.Equal(1, Log.Count<LogEvent.BackendStuck>());
        AssertCountersAddUp();
        backends[0].Resume();
        Run(0.05);

        // Drained, it has its client back.
        Assert.Equal(stuck.UdpQueries, backends[0].QueryCount);
        Ask(0);
        Assert.Equal(stuck.UdpQueries + 1, backends[0].QueryCount);
        Assert.Equal(0, Log.Last<LogEvent.BackendUnstuck>().Dropped);
    }

    [Fact]
    public void ATurnsShareOfLargeQueriesForOneBackend_FitsItsEmptyQueue()
    {
        var backend = HealthyBackends("5301")[0];
        for (var n = 0; n < 600; n++)
            Kernel.InjectDatagram(Client(n), Query(n, 1500));
        Run(1);

        Assert.Equal(0, Count(Counter.QueriesToStuckBackend));
        Assert.Equal(600, backend.QueryCount);
    }

    [Fact]
    public void SendThatAClientMadeFail_DoesNotHideOneThatIsOurs()
    {
        HealthyBackends("5301");
        Kernel.Faults.NextSends(IoStatus.AccessDenied);
        Ask(1);
        Kernel.Faults.NextSends(IoStatus.NoBuffers);
        Ask(2);
        Kernel.Faults.NextSends(IoStatus.NoBuffers);
        Ask(3);

        Assert.Equal(IoStatus.AccessDenied,
            Assert.Single(Log.Of<LogEvent.ReplyUndeliverable>()).Why.Status);
        Assert.Equal(IoStatus.NoBuffers, Assert.Single(Log.Of<LogEvent.SendFailed>()).Why.Status);
    }

    [Fact]
    public void BackendThatReadsNothing_IsAtFaultAfterFifteenSeconds()
    {
        var backend = HealthyBackends("5301")[0];
        backend.Hang();
        for (var n = 0; n < 3000; n++)
        {
            Kernel.InjectDatagram(Client(1), Query(n, 500));
            if (n % 32 == 31)
                Run(0.0001);
        }
        Run(14.8);
        Assert.Empty(Log.Of<LogEvent.BackendFaulted>());
        Run(0.3);

        Assert.Equal(
            FaultCause.ReadsNothing, Log.Last<LogEvent.BackendFaulted>().Fault.Cause);
    }

    [Fact]
    public void OneByteAtATime_EveryQueryAndReplyArrives()
    {
        var backend = HealthyBackends("5301")[0];
        Kernel.Faults.MaxReadBytes = 1;
        Kernel.Faults.MaxWriteBytes = 1;
        for (var n = 0; n < 20; n++)
            Kernel.InjectDatagram(Client(n), Query(n, 30 + n));
        Run(1);

        Assert.Equal(20, backend.QueryCount);
        Assert.Equal(Enumerable.Range(30, 20), Kernel.Datagrams.Sent.Select(d => d.Payload.Length));
        AssertCountersAddUp();
    }

    [Fact]
    public void FloodOfForgedSources_LogsNothingThatAnOperatorKeeps()
    {
        HealthyBackends("5301");
        Log.Clear();
        for (var n = 0; n < 2000; n++)
        {
            Kernel.InjectDatagram(Client(n), Query(n));
            if (n % 64 == 63)
                Run(0.0001);
        }

        Assert.NotEmpty(Log.Events);
        Assert.All(Log.Events, e => Assert.InRange(e.Level, LogLevel.Trace, LogLevel.Debug));
    }

    [Fact]
    public void TraceIsOn_EachQueryHasOneRecord()
    {
        HealthyBackends("5301");
        Ask(1);
        Assert.Equal(0, Log.Count<LogEvent.Query>());
        Log.TracesQueries = true;
        Ask(2);
        Kernel.InjectDatagram(new Endpoint(Client(3).Address, 0), Query(3));
        Run(0.1);

        Assert.Equal(
            [(Counter.QueriesForwarded, 5301), (Counter.QueriesFromPortZero, 0)],
            Log.Of<LogEvent.Query>().Select(query => (query.Outcome, query.Backend.Value)));
    }

    [Fact]
    public void RepliesBeforeAFaultInTheSameRead_AreSent()
    {
        var backend = HealthyBackends("5301")[0];
        backend.EchoesQueries = false;
        Ask(1, [42]);
        Ask(1, [42]);
        byte[] reply = [0xea, 3, 0, 0, .. BitConverter.GetBytes(Client(1).Address.Value),
            .. BitConverter.GetBytes((uint)Client(1).Port), 1, 0, 0, 0, 42];
        backend.Send([.. reply, .. reply, 0xff, 0xff, 0xff, 0xff, .. reply]);
        Run(0.1);

        Assert.Equal(2, Kernel.Datagrams.Sent.Count);
        Assert.Equal(FaultCause.UnknownFrame, Log.Last<LogEvent.BackendFaulted>().Fault.Cause);
        AssertCountersAddUp();
    }

    /// <summary>Queries of 500 bytes, in less time than silence is noticed in.</summary>
    private void FloodWhileItHangs(SimBackend backend, int queries, int clients)
    {
        backend.Hang();
        for (var n = 0; n < queries; n++)
        {
            Kernel.InjectDatagram(Client(n % clients), Query(n, 500));
            if (n % 32 == 31)
                Run(0.0001);
        }
        Run(0.01);
    }
}
