// The simulator's log: events as records, with their time, or nothing at all.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class SimLogTests
{
    private readonly SimKernel _kernel = new();

    [Fact]
    public void Events_AreKeptWithTimeAndArguments()
    {
        var log = new SimLog(_kernel.Clock);
        log.Write(new LogEvent.RescanRequested());
        _kernel.Pass(Duration.FromSeconds(2));
        log.Write(new LogEvent.BackendHealthy(new BackendId(5301), "/run/bbal/5301"));
        Assert.Equal(2, log.Events.Count);
        Assert.Equal(1, log.Count<LogEvent.BackendHealthy>());
        Assert.Equal(new LogEvent.BackendHealthy(new BackendId(5301), "/run/bbal/5301"),
            log.Last<LogEvent.BackendHealthy>());
        Assert.Equal([Instant.Zero + Duration.FromSeconds(2)],
            log.TimesOf<LogEvent.BackendHealthy>());
        Assert.Equal("backend_healthy", log.Events[^1].Name);
        Assert.Equal(0, log.Count<LogEvent.NoHealthyBackend>());
    }

    [Fact]
    public void SwitchedOff_KeepsAndAllocatesNothing()
    {
        var log = new SimLog(_kernel.Clock) { Records = false };
        log.Write(new LogEvent.HeartbeatSent(new BackendId(1)));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            log.Write(new LogEvent.HeartbeatSent(new BackendId(1)));
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Empty(log.Events);
    }
}
