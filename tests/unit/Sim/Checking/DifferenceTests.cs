// How two records differ, in words.

using Balancer.Core;
using Simulation.Checking;
using Simulation.Kernel;
using Simulation.Model;
using Xunit;

namespace Tests.Unit.Sim.Checking;

public sealed class DifferenceTests
{
    private static readonly BackendSnapshot Backend = new(new BackendId(5301), "/run/bbal/5301",
        BackendState.Healthy, 3, false, Duration.FromSeconds(1), 2, 0, 17, 1, 0, 0, false, false,
        false, false, false, Instant.Zero, 0);

    [Fact]
    public void OneField_IsNamedAlone() => Assert.Equal(
        "UdpQueries is 17; it should be 16",
        Difference.Of(Backend, Backend with { UdpQueries = 16 }));

    [Fact]
    public void TwoFields_AreBothNamed() => Assert.Equal(
        "State is Healthy; it should be Draining, QueuedBytes is 0; it should be 9",
        Difference.Of(Backend, Backend with { State = BackendState.Draining, QueuedBytes = 9 }));

    [Fact]
    public void LastField_IsNamedToo() => Assert.Equal("InFlight is 0; it should be 1",
        Difference.Of(Backend, Backend with { InFlight = 1 }));

    [Fact]
    public void NestedRecord_IsOneField() => Assert.Equal(
        "Fault is Fault { Cause = EndOfStream, Io = Ok(0), Detail = 0 }; it should be"
        + " Fault { Cause = NotTcpOk, Io = Ok(0), Detail = 7 }",
        Difference.Of(new Line(1, new Fault(FaultCause.EndOfStream)),
            new Line(1, new Fault(FaultCause.NotTcpOk, Detail: 7))));

    [Fact]
    public void OtherKinds_AreGivenWhole() => Assert.Equal(
        $"it is {Backend}; it should be nothing", Difference.Of(Backend, "nothing"));

    private sealed record Line(int Number, Fault Fault);
}
