// The handshake of a TCP connection with a backend that does not take it: however much of
// INBOUND_TCP it took and whatever it did then, the log names what it did, and the next backend
// gets the whole frame and nothing else, is heard from its first byte on, and the client's bytes
// with it.

using System;
using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Property.Core;

public enum Refusal
{
    /// <summary>Nobody listens any more.</summary>
    Refused,

    /// <summary>It took part of the frame, and the rest cannot be written.</summary>
    TornWrite,
    Ends,
    Resets,

    /// <summary>Another frame comes in the place of INBOUND_TCP_OK.</summary>
    OtherFrame,
}

/// <summary>How the first backend refuses.</summary>
/// <param name="Taken">Bytes of INBOUND_TCP that it takes with the first write, 1 to 11.</param>
/// <param name="OkBytes">Bytes of INBOUND_TCP_OK that it says first, 0 to 3.</param>
public sealed record Unwilling(Refusal How, int Taken, int OkBytes);

public static class UnwillingArbitraries
{
    public static Arbitrary<Unwilling> Backends() => Arb.From(
        from how in Gen.Choose(0, (int)Refusal.OtherFrame)
        from taken in Gen.Choose(1, 11)
        from okBytes in Gen.Choose(0, 3)
        select new Unwilling((Refusal)how, taken, okBytes));
}

public sealed class HandshakeTests
{
    private static readonly Duration Moment = Duration.FromMilliseconds(1);
    private static readonly Endpoint Client = new(Ipv4.From(10, 1, 0, 1), 4000);

    [Property(Arbitrary = [typeof(UnwillingArbitraries)], MaxTest = 200)]
    public void FirstBackendRefuses_TheNextIsAskedAsIfItWereTheFirst(Unwilling first)
    {
        var kernel = new SimKernel();
        var backends = new[] { new SimBackend(kernel, "5301"), new SimBackend(kernel, "5302") };
        var sim = new SimBalancer(kernel);
        sim.Run(Duration.FromSeconds(2L));
        backends[0].AnswersTcp = false;
        if (first.How == Refusal.Refused)
            backends[0].Listener.Close();
        if (first.How == Refusal.TornWrite)
        {
            kernel.Faults.Next(SimCall.Write, IoResult.Ok(first.Taken));
            kernel.Faults.NextWrite(IoStatus.BrokenPipe);
        }
        var client = kernel.ConnectClient(Client);
        client.Send([0, 1, 3]);
        sim.Run(Moment);
        Refuse(first, backends[0]);
        sim.Run(Moment);

        var second = backends[1].TcpSessions.Single();
        Assert.Equal(Client, second.Source);
        Assert.Equal<byte>([0, 1, 3], second.TcpBytes);
        second.Send([0, 1, 8]);
        sim.Run(Moment);
        Assert.Equal<byte>([0, 1, 8], client.Receive());
        var logged = Assert.Single(sim.Log.Of<LogEvent.ConnectionRefusedByBackend>());
        Assert.Equal(CauseOf(first.How), logged.Why.Cause);
        Assert.Equal(1, sim.Counters[Counter.ConnectionsRetried]);
        client.HalfClose();
        second.HalfClose();
        sim.Run(Moment);
        Assert.Equal(1, sim.Counters[Counter.ConnectionsFinished]);
        Assert.Equal(1, sim.Counters.Sum(Counters.ConnectionEnds));
    }

    [Property(Arbitrary = [typeof(UnwillingArbitraries)], MaxTest = 100)]
    public void OnlyBackendRefuses_IsAskedAgainForTenSeconds(Unwilling only)
    {
        var kernel = new SimKernel();
        var backend = new SimBackend(kernel, "5301");
        var sim = new SimBalancer(kernel);
        sim.Run(Duration.FromSeconds(2L));
        backend.AnswersTcp = false;
        if (only.How == Refusal.Refused)
            backend.Listener.Close();
        if (only.How == Refusal.TornWrite)
        {
            kernel.Faults.Next(SimCall.Write, IoResult.Ok(only.Taken));
            kernel.Faults.NextWrite(IoStatus.BrokenPipe);
        }
        var client = kernel.ConnectClient(Client);
        client.Send([0]);
        sim.Run(Moment);
        Refuse(only, backend);
        backend.Listener.Close();
        sim.Run(Moment);
        Assert.False(client.IsClosedByBalancer);
        Assert.Equal(CauseOf(only.How),
            Assert.Single(sim.Log.Of<LogEvent.ConnectionRefusedByBackend>()).Why.Cause);
        sim.Run(Duration.FromSeconds(10L));

        Assert.True(client.IsClosedByBalancer);
        Assert.Equal(1, sim.Counters[Counter.ConnectionsRefusedByBackend]);
        Assert.Equal(1, sim.Counters.Sum(Counters.ConnectionEnds));
        Assert.InRange(sim.Counters[Counter.ConnectionsRetried], 90, 110);
    }

    private static void Refuse(Unwilling how, SimBackend backend)
    {
        if (how.How is Refusal.Refused or Refusal.TornWrite)
            return;
        var session = backend.TcpSessions.Single();
        if (how.How == Refusal.OtherFrame)
        {
            session.SendHello();
            return;
        }
        // 1003 and so far the right answer.
        ReadOnlySpan<byte> ok = [0xeb, 3, 0, 0];
        session.Send(ok[..how.OkBytes]);
        if (how.How == Refusal.Ends)
            session.Close();
        else
            session.Reset();
    }

    private static FaultCause CauseOf(Refusal how) => how switch
    {
        Refusal.Refused => FaultCause.ConnectFailed,
        Refusal.TornWrite or Refusal.Ends or Refusal.Resets => FaultCause.EndOfStream,
        _ => FaultCause.NotTcpOk,
    };
}
