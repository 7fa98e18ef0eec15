// S7 and L3, the checks of TCP connections, alone: each on a connection that is relayed, or on one
// that waits for its backend, into whose calls something false is mixed.

using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;
using static Tests.Unit.Sim.Checking.Suspect;

namespace Tests.Unit.Sim.Checking;

public sealed class StreamViolationTests
{
    private static readonly Endpoint From = new(Asker, 7000);

    [Fact]
    public void BytesThatNobodySent_BreakS7() => Breaks("S7", static sim =>
        sim.Observer.OnWritten(sim.Now, Relayed(sim).Client, IoResult.Ok(3), [1, 2, 3]));

    [Fact]
    public void BytesBeforeTheBackendTookTheConnection_BreakS7() => Breaks("S7", static sim =>
    {
        sim.First.AnswersTcp = false;
        sim.Observer.OnWritten(sim.Now, Relayed(sim).Client, IoResult.Ok(3), [1, 2, 3]);
    });

    [Fact]
    public void EndThatNobodyMade_BreaksS7() => Breaks("S7", static sim =>
        sim.Observer.OnHalfClosed(sim.Now, Relayed(sim).Backend));

    [Fact]
    public void EndThatOvertakesBytes_BreaksS7() => Breaks("S7", static sim =>
    {
        var (client, backend) = Relayed(sim);
        sim.Observer.OnRead(sim.Now, client, IoResult.Ok(3), [1, 2, 3]);
        sim.Observer.OnRead(sim.Now, client, IoResult.Failed(IoStatus.EndOfStream), []);
        sim.Observer.OnHalfClosed(sim.Now, backend);
    });

    [Fact]
    public void BytesInAnotherOrder_BreakS7() => Breaks("S7", static sim =>
    {
        var (client, backend) = Relayed(sim);
        sim.Observer.OnRead(sim.Now, client, IoResult.Ok(3), [1, 2, 3]);
        sim.Observer.OnWritten(sim.Now, backend, IoResult.Ok(3), [1, 3, 2]);
    });

    [Fact]
    public void EndThatIsNotPassedOn_BreaksS7() => Breaks("S7", static sim =>
    {
        sim.Observer.OnRead(
            sim.Now, Relayed(sim).Client, IoResult.Failed(IoStatus.EndOfStream), []);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void ConnectionThatIsOpenThoughBothSidesEnded_BreaksS7() => Breaks(
        "S7", "both directions are over, and it is open", static sim =>
        {
            var (client, backend) = Relayed(sim);
            sim.Observer.OnRead(sim.Now, client, IoResult.Failed(IoStatus.EndOfStream), []);
            sim.Observer.OnHalfClosed(sim.Now, backend);
            sim.Observer.OnRead(sim.Now, backend, IoResult.Failed(IoStatus.EndOfStream), []);
            sim.Observer.OnHalfClosed(sim.Now, client);
            sim.Observer.OnTurnEnded(sim.Now, sim.Core);
        });

    [Fact]
    public void BytesInPiecesAndAnEndBehindThem_PassS7() => Passes("S7", static sim =>
    {
        var (client, backend) = Relayed(sim);
        // A whole message of one byte.
        sim.Observer.OnRead(sim.Now, client, IoResult.Ok(3), [0, 1, 9]);
        sim.Observer.OnWritten(sim.Now, backend, IoResult.Ok(2), [0, 1]);
        sim.Observer.OnRead(sim.Now, client, IoResult.Failed(IoStatus.EndOfStream), []);
        sim.Observer.OnWritten(sim.Now, backend, IoResult.Ok(1), [9]);
        sim.Observer.OnHalfClosed(sim.Now, backend);
    });

    [Fact]
    public void RealBytesAndRealEnds_PassS7() => Passes("S7", static sim =>
    {
        sim.First.EchoesTcp = true;
        var client = sim.Kernel.ConnectClient(From);
        client.Send(new byte[40_000]);
        sim.Run(1);
        client.HalfClose();
        sim.Run(1);
        Assert.Equal(40_000, client.Receive().Length);
        Assert.True(client.IsAtEnd);
    });

    [Fact]
    public void ConnectionThatNobodyEverServes_BreaksL3() => Breaks("L3", static sim =>
    {
        Accept(sim);
        Speak(sim);
        sim.Run(12);
    });

    [Fact]
    public void ConnectionThatWaitsForLessThan10s_PassesL3() => Passes("L3", static sim =>
    {
        // And the 5 s that every test here goes on.
        Accept(sim);
        Speak(sim);
    });

    [Fact]
    public void ConnectionThatSaysNothingFor30s_BreaksL3() => Breaks("L3", static sim =>
    {
        Accept(sim);
        sim.Run(32);
    });

    [Fact]
    public void ConnectionThatSaysNothingForLess_PassesL3() => Passes("L3", static sim =>
    {
        Accept(sim);
        sim.Run(20);
    });

    [Fact]
    public void ConnectionEndedAfter10s_PassesL3() => Passes("L3", static sim =>
    {
        sim.First.AnswersTcp = false;
        Opening.Ask(sim.Kernel.ConnectClient(From));
        sim.Second.AnswersTcp = false;
        sim.Run(12);
        Assert.Equal(1, sim.Core.Counters[Counter.ConnectionsHandshakeTimedOut]);
    });

    [Fact]
    public void ConnectionThatIsIdleFor120s_PassesL3() => Passes("L3", static sim =>
    {
        Relayed(sim);
        sim.Run(125);
        Assert.Equal(1, sim.Core.Counters[Counter.ConnectionsIdle]);
    });

    [Fact]
    public void MessageThatIsNotWholeAfter30s_BreaksL3() => Breaks("L3", static sim =>
    {
        sim.Observer.OnRead(sim.Now, Relayed(sim).Client, IoResult.Ok(1), [0]);
        sim.Run(32);
    });

    [Fact]
    public void MessageThatIsNotWholeForLess_PassesL3() => Passes("L3", static sim =>
    {
        sim.Observer.OnRead(sim.Now, Relayed(sim).Client, IoResult.Ok(1), [0]);
        sim.Run(20);
    });

    [Fact]
    public void ConnectionToAPathThatIsGone_BreaksL3() => Breaks("L3", static sim =>
    {
        sim.First.Unlink();
        sim.Run(2);
        Accept(sim);
        Speak(sim);
        sim.Observer.OnConnected(
            sim.Now, "/run/bbal/5301"u8, IoResult.Ok(), new SocketHandle(901, 1));
    });

    [Fact]
    public void ConnectionToABackendWhosePathIsThere_PassesL3() => Passes("L3", static sim =>
    {
        sim.First.Unlink();
        sim.Run(2);
        Accept(sim);
        Speak(sim);
        sim.Observer.OnConnected(
            sim.Now, "/run/bbal/5302"u8, IoResult.Ok(), new SocketHandle(901, 1));
    });

    /// <summary>A connection that the core knows nothing of.</summary>
    private static void Accept(Suspect sim) => sim.Observer.OnAccepted(
        sim.Now, IoResult.Ok(), new SocketHandle(900, 1), From);

    /// <summary>Its client sends something.</summary>
    private static void Speak(Suspect sim) => sim.Observer.OnRead(
        sim.Now, new SocketHandle(900, 1), IoResult.Ok(1), [0]);

    /// <summary>
    /// A real connection with First, and the balancer's names for its two streams.
    /// </summary>
    private static (SocketHandle Client, SocketHandle Backend) Relayed(Suspect sim)
    {
        var client = sim.Kernel.ConnectClient(From);
        Opening.Ask(client);
        sim.Run(1);
        return (client.BalancerHandle,
            Assert.Single(sim.First.TcpSessions).Stream.BalancerHandle);
    }
}
