// LogGate: one record an interval, the number of those that were suppressed, and that none of them
// is left out: they are logged when the interval ends, or when the balancer stops.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class LogGateTests
{
    private static readonly Instant Start = Instant.Zero + Duration.FromSeconds(1);
    private static readonly Instant Due = Start + Limits.RepeatedLogInterval;
    private static readonly IoResult Why = IoResult.Failed(IoStatus.NoBuffers, 105);

    private readonly SimLog _log;
    private readonly Timers _timers = new();
    private readonly LogGates _gates;
    private readonly LogGate<LogEvent.SendFailed> _gate;

    public LogGateTests()
    {
        _log = new SimLog(new SimKernel().Clock);
        _gates = new LogGates(_timers, _log);
        _gate = _gates.Make<LogEvent.SendFailed>();
    }

    private long[] Suppressed =>
        [.. _log.Of<LogEvent.SendFailed>().Select(logged => logged.Suppressed)];

    [Fact]
    public void ManyInOneInterval_OnePassesAndTheRestAreLoggedAsOneAtItsEnd()
    {
        for (var i = 0; i < 10; i++)
            Write(Start + Duration.FromMilliseconds(i), host: i);
        Assert.Equal([0], Suppressed);
        _timers.RunDue(Due - new Duration(1), 10);
        Assert.Equal([0], Suppressed);
        _timers.RunDue(Due, 10);

        Assert.Equal([0, 8], Suppressed);
        Assert.Equal(Host(9), _log.Last<LogEvent.SendFailed>().Remote);
        Assert.Equal(0, _timers.Count);
    }

    [Fact]
    public void ComesAgainWhenTheIntervalIsOver_BringsOutTheRestItself()
    {
        Write(Start);
        Write(Start, host: 2);
        Write(Due, host: 3);

        Assert.Equal([0, 1], Suppressed);
        Assert.Equal(Host(3), _log.Last<LogEvent.SendFailed>().Remote);
        Assert.Equal(0, _timers.Count);
    }

    [Fact]
    public void EndOfAnInterval_BeginsTheNext()
    {
        Write(Start);
        Write(Start);
        _timers.RunDue(Due, 10);
        Write(Due + new Duration(1));
        Assert.Equal([0, 0], Suppressed);
        _timers.RunDue(Due + Limits.RepeatedLogInterval, 10);

        Assert.Equal([0, 0, 0], Suppressed);
    }

    [Fact]
    public void NothingSuppressed_NothingIsLoggedLaterOrAtTheStop()
    {
        Write(Start);
        Assert.Equal(0, _timers.Count);
        _timers.RunDue(Due, 10);
        _gates.Settle(Due);

        Assert.Equal([0], Suppressed);
    }

    [Fact]
    public void Stop_BringsOutWhatIsSuppressedBeforeItsTime()
    {
        Write(Start);
        Write(Start, times: 3);
        _gates.Settle(Start);

        Assert.Equal([0, 2], Suppressed);
        Assert.Equal(0, _timers.Count);
    }

    [Fact]
    public void SeveralAtOnce_AreInOneRecord()
    {
        Write(Start, times: 5);

        Assert.Equal([4], Suppressed);
    }

    [Fact]
    public void Forgotten_IsNotLogged()
    {
        Write(Start);
        Write(Start);
        _gate.Forget();
        _timers.RunDue(Due, 10);
        _gates.Settle(Due);

        Assert.Equal([0], Suppressed);
    }

    [Fact]
    public void FirstRecordAtTheClocksZero_Passes()
    {
        Write(Instant.Zero);

        Assert.Equal([0], Suppressed);
    }

    /// <summary>There may be no memory when a call fails.</summary>
    [Fact]
    public void WaysToFail_HaveTheirGatesFromTheStart()
    {
        var gates = new LogGatesByStatus<LogEvent.ReceiveFailed>(_gates);
        var ways = Enum.GetValues<IoStatus>();
        _ = gates[IoStatus.Ok];
        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var status in ways)
            _ = gates[status];
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, allocated);
    }

    [Fact]
    public void WaysToFail_HaveAGateEach()
    {
        var gates = new LogGatesByStatus<LogEvent.ReceiveFailed>(_gates);
        gates[IoStatus.NoBuffers].Write(Start, new LogEvent.ReceiveFailed(Why, 0));
        gates[IoStatus.Other].Write(Start,
            new LogEvent.ReceiveFailed(IoResult.Failed(IoStatus.Other, 5), 0));
        gates[IoStatus.NoBuffers].Write(Start, new LogEvent.ReceiveFailed(Why, 0));

        Assert.Equal(2, _log.Count<LogEvent.ReceiveFailed>());
        _gates.Settle(Start);
        Assert.Equal(Why, _log.Last<LogEvent.ReceiveFailed>().Why);
    }

    private void Write(Instant now, int host = 1, long times = 1) =>
        _gate.Write(now, new LogEvent.SendFailed(Host(host), Why, 0), times);

    private static Endpoint Host(int host) => ProxyScenario.Client(host);
}
