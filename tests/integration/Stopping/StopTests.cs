// An orderly stop: no new TCP connections, up to five seconds for running ones and for queries in
// flight, then exit status 0.

using System;
using System.Diagnostics;
using System.Net.Sockets;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Stopping;

public sealed class StopTests : IDisposable
{
    private readonly Cluster _cluster = new(1);

    public void Dispose() => _cluster.Dispose();

    [Theory]
    [InlineData(Posix.SigTerm)]
    [InlineData(Posix.SigInt)]
    public void IdleBalancer_ExitsWithStatusZeroAndSaysSo(int signal)
    {
        _cluster.Balancer.Signal(signal);

        Assert.Equal(0, _cluster.Balancer.WaitForExit());
        Assert.Single(_cluster.Balancer.All(Log.Stopping));
        Assert.True(Log.Stopped.Is(_cluster.Balancer.Records[^1]));
    }

    [Fact]
    public void RunningTcpConnection_GetsItsAnswerAndNewOnesAreRefused()
    {
        using var client = new TcpHost(_cluster.Balancer.Endpoint);
        client.Who();
        client.SendMessage(DnsWire.Query(1, "delay-1500.example.com"));

        _cluster.Balancer.Signal(Posix.SigTerm);
        _cluster.Balancer.WaitFor(Log.Stopping);
        var refused = Assert.Throws<SocketException>(
            () => new TcpHost(_cluster.Balancer.Endpoint));

        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        Assert.Equal(1, client.ReceiveMessage().Id);
        client.HalfClose();
        Assert.True(client.IsAtEnd());
        Assert.Equal(0, _cluster.Balancer.WaitForExit());
    }

    [Fact]
    public void SlowQueryInFlight_IsAnswered()
    {
        using var host = new UdpHost();
        host.Who(_cluster.Balancer.Endpoint);
        host.Send(_cluster.Balancer.Endpoint, DnsWire.Query(321, "delay-1500.example.com"));
        _cluster.Balancer.WaitForCount("QueriesForwarded", 2);

        _cluster.Balancer.Signal(Posix.SigTerm);

        Assert.Equal(321, DnsWire.Parse(host.Receive()!.Value.Payload).Id);
        Assert.Equal(0, _cluster.Balancer.WaitForExit());
    }

    [Fact]
    public void ConnectionThatNeverEnds_IsCutWhenTheGraceIsOver()
    {
        using var client = new TcpHost(_cluster.Balancer.Endpoint);
        client.Who();
        var began = Stopwatch.StartNew();

        Assert.Equal(0, _cluster.Balancer.Stop());

        Assert.True(began.Elapsed.TotalSeconds >= 5, $"{began.Elapsed}");
        Assert.True(client.IsClosedByServer());
        var stopped = _cluster.Balancer.Records[^1];
        Assert.Equal(1, Log.CounterOf(stopped, "ConnectionsCutByStop"));
    }

    /// <summary>Nothing is waited for, as the operator says, and the connection is cut.</summary>
    [Fact]
    public void StopTimeOfNothing_IsLoggedAndCutsWhatIsOpen()
    {
        using var cluster = new Cluster(1, ["--stop-time", "0", "--udp-buffer", "65536"]);
        using var client = new TcpHost(cluster.Balancer.Endpoint);
        client.Who();

        Assert.Equal(0, cluster.Balancer.Stop());
        Assert.Contains("1 open connection will be cut",
            cluster.Balancer.WaitFor(Log.Stopping).Text("msg"), StringComparison.Ordinal);
        Assert.Equal(1, Log.CounterOf(
            cluster.Balancer.WaitFor(Log.Stopped), "ConnectionsCutByStop"));
    }

    /// <summary>
    /// A rescan or a status may be asked for in any moment of a stop, its very last included.
    /// </summary>
    [Fact]
    public void StopAskedForTwice_IsOneStop()
    {
        using var client = new TcpHost(_cluster.Balancer.Endpoint);
        client.Who();
        _cluster.Balancer.Signal(Posix.SigTerm);
        _cluster.Balancer.WaitFor(Log.Stopping);
        _cluster.Balancer.Signal(Posix.SigHup);
        client.Who();
        client.Dispose();

        Assert.Equal(0, _cluster.Balancer.WaitForExit());
        Assert.Single(_cluster.Balancer.All(Log.Stopping));
    }

    [Theory]
    [InlineData(Posix.SigHup)]
    [InlineData(Posix.SigUsr1)]
    public void SignalsUntilTheLastMoment_DoNotMakeItEndOtherwise(int signal)
    {
        _cluster.Balancer.Signal(Posix.SigTerm);
        while (!_cluster.Balancer.HasExited)
            Posix.TryKill(_cluster.Balancer.Pid, signal);

        Assert.Equal(0, _cluster.Balancer.WaitForExit());
    }
}
