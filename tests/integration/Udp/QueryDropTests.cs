// Datagrams that must not reach a backend, and those at the edge that must: each is sent once, a
// query that is sound is sent after it, and the backend, played by hand, must see what is due and
// nothing else. Each drop is in its counter.

using System;
using System.Linq;
using System.Net;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Udp;

public sealed class QueryDropTests : IDisposable
{
    private static readonly byte[] Sound = DnsWire.Query(77, "sound.example.com");

    private readonly TestFolder _folder = new();
    private readonly RawBackend _backend;
    private readonly BalancerProcess _balancer;
    private readonly RawSession _session;
    private readonly UdpHost _host = new();

    public QueryDropTests()
    {
        _backend = new RawBackend(_folder["5301"]);
        _balancer = BalancerProcess.Start(_folder.FullName);
        _session = _backend.AcceptControl();
        _balancer.WaitHealthy(5301);
    }

    public void Dispose()
    {
        _host.Dispose();
        _balancer.Dispose();
        _backend.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(11)]
    [InlineData(512)]
    [InlineData(1499)]
    [InlineData(1500)]
    public void DatagramOfUpTo1500Bytes_IsForwardedAsItIs(int bytes)
    {
        var payload = Enumerable.Range(0, bytes).Select(i => (byte)(i & 0x7f)).ToArray();

        _host.Send(_balancer.Endpoint, payload);

        var query = _session.ReadQuery();
        Assert.Equal(payload, query.Payload);
        Assert.Equal(_host.Endpoint.Address, query.Address);
        Assert.Equal((uint)_host.Endpoint.Port, query.Port);
    }

    [Theory]
    [InlineData(1501)]
    [InlineData(1600)]
    [InlineData(2048)]
    [InlineData(65_507)]
    public void DatagramOverFifteenHundredBytes_IsDroppedAndCounted(int bytes)
    {
        _host.Send(_balancer.Endpoint, new byte[bytes]);

        ExpectOnlyTheSoundQuery();
        Assert.Equal(1, _balancer.Counted("QueriesOversized"));
    }

    [Fact]
    public void DatagramThatIsAResponse_IsDroppedAndCounted()
    {
        _host.Send(_balancer.Endpoint, DnsWire.Query(1, "echo.example.com", isResponse: true));

        ExpectOnlyTheSoundQuery();
        Assert.Equal(1, _balancer.Counted("QueriesWithResponseBit"));
    }

    [FactNeedingRawSocket]
    public void DatagramFromPortZero_IsDroppedAndCounted()
    {
        var from = new IPEndPoint(IPAddress.Parse("127.0.0.3"), 0);
        RawDatagram.Send(from, _balancer.Endpoint, DnsWire.Query(1, "zero.example.com"));

        ExpectOnlyTheSoundQuery();
        Assert.Equal(1, _balancer.Counted("QueriesFromPortZero"));
    }

    [FactNeedingRawSocket]
    public void DatagramsFromPortsThatEcho_AreDroppedAndCounted()
    {
        var host = IPAddress.Parse("127.0.0.3");
        RawDatagram.SendFromMany(
            [
                new(host, 7), new(host, 13), new(host, 17), new(host, 19), new(host, 37),
                new(host, 464),
            ],
            _balancer.Endpoint, DnsWire.Query(1, "chargen.example.com"));

        ExpectOnlyTheSoundQuery(besides: 6);
        Assert.Equal(6, _balancer.Counted("QueriesFromEchoPort"));
    }

    [FactNeedingRawSocket]
    public void DatagramFromTheListeningAddressItself_IsDroppedAndCounted()
    {
        RawDatagram.Send(
            _balancer.Endpoint, _balancer.Endpoint, DnsWire.Query(1, "loop.example.com"));

        ExpectOnlyTheSoundQuery();
        Assert.Equal(1, _balancer.Counted("QueriesFromSelf"));
    }

    private void ExpectOnlyTheSoundQuery(int besides = 1)
    {
        _host.Send(_balancer.Endpoint, Sound);
        Assert.Equal(Sound, _session.ReadQuery().Payload);
        var status = _balancer.Status();
        Assert.Equal(1 + besides, Log.CounterOf(status, "QueriesReceived"));
        Assert.Equal(1, Log.CounterOf(status, "QueriesForwarded"));
    }
}

public sealed class LoopTests
{
    /// <summary>
    /// A query to one that is forged from the other: the answer goes to the other, and is the last.
    /// </summary>
    [FactNeedingRawSocket]
    public void TwoBalancersPointedAtEachOther_DieDownAtOnce()
    {
        using var folder = new TestFolder();
        using var binder = new FakeBinderProcess(folder["5301"]);
        using var one = BalancerProcess.Start(folder.FullName);
        using var other = BalancerProcess.Start(folder.FullName);
        one.WaitHealthy(5301);
        other.WaitHealthy(5301);

        for (ushort id = 0; id < 20; id++)
            RawDatagram.Send(other.Endpoint, one.Endpoint, DnsWire.Query(id, "loop.example.com"));

        other.WaitForCount("QueriesWithResponseBit", 20);
        var (first, second) = (one.Status(), other.Status());
        Assert.Equal(20, Log.CounterOf(first, "QueriesReceived"));
        Assert.Equal(20, Log.CounterOf(first, "RepliesSent"));
        Assert.Equal(20, Log.CounterOf(second, "QueriesReceived"));
        Assert.Equal(0, Log.CounterOf(second, "RepliesSent"));
    }
}

public sealed class NoBackendTests
{
    [Fact]
    public void QueryWithoutHealthyBackend_IsDroppedCountedAndSaidAtMostEveryFiveSeconds()
    {
        using var folder = new TestFolder();
        using var balancer = BalancerProcess.Start(folder.FullName);
        using var host = new UdpHost();

        for (ushort id = 0; id < 50; id++)
            host.Send(balancer.Endpoint, DnsWire.Query(id, "nobody.example.com"));

        balancer.WaitForCount("QueriesWithoutBackend", 50);
        Assert.InRange(balancer.All(Log.NoHealthyBackend).Count, 1, 2);
        Assert.Equal(50, balancer.All(Log.NoHealthyBackend)[0].Level);
    }
}
