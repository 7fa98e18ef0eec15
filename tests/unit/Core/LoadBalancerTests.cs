// LoadBalancer: to whom an event goes, and that nothing is left over after a stop.

using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class LoadBalancerTests
{
    private static readonly Instant Now = Instant.Zero + Duration.FromSeconds(1);

    private readonly ScriptedNetwork _network = new();
    private readonly SimKernel _directoryOf = new();
    private readonly SimLog _log;
    private readonly LoadBalancer _balancer;

    public LoadBalancerTests()
    {
        _log = new SimLog(_directoryOf.Clock);
        _balancer = new LoadBalancer(
            _network, _directoryOf.Directory, _log, new BalancerOptions(), TurnLimits.Standard);
    }

    [Fact]
    public void DatagramSocketIsReady_OnlyDatagramsAreReceived()
    {
        Start();
        _balancer.OnEvent(Now, Ready(_network.DatagramSocket));

        Assert.Equal((1, 0, 0), (_network.Receives, _network.Accepts, _network.Reads));
    }

    [Fact]
    public void ListenerIsReady_OnlyConnectionsAreAccepted()
    {
        Start();
        _balancer.OnEvent(Now, Ready(_network.Listener));
        _balancer.Flush(Now);

        Assert.Equal((0, 1, 0), (_network.Receives, _network.Accepts, _network.Reads));
    }

    [Fact]
    public void StreamOfABackendIsReady_OnlyItIsRead()
    {
        _directoryOf.Directory.Bind("5301");
        Start();
        _balancer.OnEvent(Now, Ready(_network.Stream));
        _balancer.OnTime(Now);

        Assert.Equal((0, 0, 1), (_network.Receives, _network.Accepts, _network.Reads));
    }

    /// <summary>The kernel's counts wrap, and nobody may ask for a report for months.</summary>
    [Fact]
    public void NobodyAsksForAReport_KernelsTwoCountsOfDropsAreReadAllTheSame()
    {
        Start();
        for (var n = 1; n <= 4; n++)
            _balancer.OnTime(Now + Duration.FromSeconds(15L * n));

        Assert.Equal(2 * 4, _network.DropReads);
    }

    [Fact]
    public void HandleThatNobodyOwns_IsIgnored()
    {
        _directoryOf.Directory.Bind("5301");
        Start();
        _balancer.OnEvent(Now, Ready(_network.Stream with { Generation = 1000 }));
        _balancer.OnEvent(Now, Ready(new SocketHandle(5000, 1)));

        Assert.Equal((0, 0, 0), (_network.Receives, _network.Accepts, _network.Reads));
    }

    [Fact]
    public void DirectoryChanged_IsScannedAfterTheDebounce()
    {
        Start();
        _balancer.OnEvent(Now, Told(NetworkEventKind.DirectoryChanged));

        Assert.Equal(Now + Limits.ScanDebounce, _balancer.NextWake);
    }

    [Fact]
    public void RescanRequested_IsScannedAtOnceAndLogged()
    {
        Start();
        _directoryOf.Directory.Bind("5301");
        _balancer.OnEvent(Now, Told(NetworkEventKind.RescanRequested));
        _balancer.OnTime(Now);

        Assert.Equal(1, _log.Count<LogEvent.RescanRequested>());
        Assert.Equal(1, _log.Count<LogEvent.BackendDiscovered>());
    }

    [Fact]
    public void StatusRequested_GoesToTheReport()
    {
        Start();
        _log.Clear();
        _balancer.OnEvent(Now, Told(NetworkEventKind.StatusRequested));
        _balancer.OnTime(Now);

        Assert.NotEmpty(_log.Events);
    }

    [Fact]
    public void StartedTwice_IsABug()
    {
        Start();

        Assert.Throws<VerificationException>(() => _balancer.Start(Now));
    }

    [Fact]
    public void Stopped_LeavesNoSocketNoConnectionAndNoDeadline()
    {
        var s = new ProxyScenario(backends: 2);
        s.ConnectThrough();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(7));
        s.Settle();
        Assert.NotEqual(0, s.Kernel.OpenDescriptors);
        s.Kernel.RequestStop();
        s.Run(10);

        Assert.True(s.Balancer.HasStopped);
        Assert.Equal(0, s.Kernel.OpenDescriptors);
        Assert.Equal(0, s.Balancer.Core.ConnectionCount);
        Assert.Null(s.Kernel.TryConnectClient(ProxyScenario.Client(2)));
        Assert.Equal(0, s.Balancer.Core.TimerCount);
    }

    private static NetworkEvent Ready(SocketHandle socket) =>
        new(NetworkEventKind.Socket, socket, Readiness.Read);

    private static NetworkEvent Told(NetworkEventKind kind) =>
        new(kind, SocketHandle.None, Readiness.None);

    /// <summary>Starts, and lets the first scan end.</summary>
    private void Start()
    {
        _balancer.Start(Now);
        while (_balancer.NextWake == Instant.Zero)
            _balancer.OnTime(Now);
        _balancer.Flush(Now);
    }
}
