// As ViolationTests, for the checks of turns: what is bounded (S10), what is noticed (S14), and how
// a stop ends (S15).

using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;
using static Tests.Unit.Sim.Checking.Suspect;

namespace Tests.Unit.Sim.Checking;

public sealed class TurnViolationTests
{
    [Fact]
    public void StreamThatNothingNeeds_BreaksS10() => Breaks("S10", static sim =>
    {
        sim.Observer.OnAccepted(sim.Now, IoResult.Ok(), new SocketHandle(900, 1),
            new Endpoint(Asker, 1007));
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void LineThatRepeatsAtOnce_BreaksS10() => Breaks("S10", static sim =>
    {
        sim.Observer.OnLogged(sim.Now, new LogEvent.NoHealthyBackend(1));
        sim.Observer.OnLogged(sim.Now, new LogEvent.NoHealthyBackend(1));
    });

    [Fact]
    public void LineThatRepeatsAfter5s_PassesS10() => Passes("S10", static sim =>
    {
        sim.Observer.OnLogged(sim.Now, new LogEvent.NoHealthyBackend(1));
        sim.Run(5);
        sim.Observer.OnLogged(sim.Now, new LogEvent.NoHealthyBackend(1));
    });

    [Fact]
    public void StreamThatIsClosedAgain_PassesS10() => Passes("S10", static sim =>
    {
        var client = sim.Kernel.ConnectClient(new Endpoint(Asker, 1007));
        sim.Run(1);
        client.Reset();
    });

    [Fact]
    public void DatagramsBeyondATurns_BreakS10() => Breaks(
        "S10", "129 datagrams were received in one turn", static sim => Receive(sim, 129));

    [Fact]
    public void DatagramsOfATurn_PassS10() => Passes("S10", static sim => Receive(sim, 128));

    private static void Receive(Suspect sim, int count)
    {
        sim.Observer.OnTurnBegan(sim.Now, []);
        for (var n = 0; n < count; n++)
            sim.Observer.OnReceived(sim.Now, Header(7), [0, 1, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    }

    [Fact]
    public void AcceptsBeyondATurns_BreakS10() => Breaks(
        "S10", "17 connections were accepted in one turn", static sim =>
        {
            sim.Observer.OnTurnBegan(sim.Now, []);
            for (var n = 0; n < 17; n++)
                sim.Observer.OnAccepted(sim.Now, IoResult.Ok(), new SocketHandle(900 + n, 1),
                    new Endpoint(Asker, (ushort)n));
            sim.Observer.OnTurnEnded(sim.Now, sim.Core);
        });

    [Fact]
    public void AcceptsOfATurn_PassS10() => Passes("S10", static sim =>
        Assert.Equal(40, sim.Connect(Asker, 40).Length));

    /// <summary>32 visits use a turn's 256 KB up, though they find nothing to read.</summary>
    [Fact]
    public void VisitsBeyondATurns_BreakS10() => Breaks(
        "S10", "had its turn when 32 visits had read 0 bytes", static sim => Visit(sim, 33));

    [Fact]
    public void VisitsOfATurn_PassS10() => Passes("S10", static sim => Visit(sim, 32));

    private static void Visit(Suspect sim, int count)
    {
        var streams = sim.Connect(Asker, count);
        sim.Observer.OnTurnBegan(sim.Now, []);
        foreach (var stream in streams)
            sim.Observer.OnRead(sim.Now, stream, IoResult.Failed(IoStatus.WouldBlock), []);
    }

    [Fact]
    public void BytesOfOneConnectionBeyondATurns_BreakS10() => Breaks(
        "S10", "344064 bytes of TCP connections were read in one turn",
        static sim => Relay(sim, 21));

    [Fact]
    public void BytesOfOneConnectionInATurn_PassS10() =>
        Passes("S10", static sim => Relay(sim, 20));

    private static void Relay(Suspect sim, int times)
    {
        var client = sim.Connect(Asker, 1)[0];
        var bytes = new byte[16 * 1024];
        sim.Observer.OnTurnBegan(sim.Now, []);
        for (var n = 0; n < times; n++)
        {
            sim.Observer.OnRead(sim.Now, client, IoResult.Ok(bytes.Length), bytes);
            sim.Observer.OnWritten(
                sim.Now, sim.LastConnected, IoResult.Ok(bytes.Length), bytes);
        }
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    }

    [Fact]
    public void SessionReadBeyondATurnsReads_BreaksS10() => Breaks(
        "S10", "was read when 128 reads of sessions had been made in one turn",
        static sim => ReadReplies(sim, 129));

    [Fact]
    public void SessionReadsOfATurn_PassS10() =>
        Passes("S10", static sim => ReadReplies(sim, 128));

    /// <summary>So many reads, each of one reply to a stranger.</summary>
    private static void ReadReplies(Suspect sim, int count)
    {
        byte[] reply = [0xea, 3, 0, 0, 9, 9, 9, 9, 53, 0, 0, 0, 0, 0, 0, 0];
        sim.Observer.OnTurnBegan(sim.Now, []);
        for (var n = 0; n < count; n++)
            sim.Observer.OnRead(sim.Now, sim.FirstSession, IoResult.Ok(16), reply);
    }

    [Fact]
    public void SessionThatNobodyListensTo_BreaksS14() => Breaks("S14", static sim =>
    {
        sim.Observer.OnInterest(sim.Now, sim.FirstSession, Readiness.None);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void SessionThatIsListenedTo_PassesS14() => Passes("S14", static sim =>
    {
        sim.Observer.OnInterest(sim.Now, sim.FirstSession, Readiness.Read);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void DatagramThatWaitsForTwoTurns_BreaksS14() => Breaks("S14", static sim =>
        SendAndDoNotRead(sim, queued: true));

    [Fact]
    public void DatagramThatFoundNoRoom_PassesS14() => Passes("S14", static sim =>
        SendAndDoNotRead(sim, queued: false));

    private static void SendAndDoNotRead(Suspect sim, bool queued)
    {
        sim.Observer.OnClientSent(
            sim.Now, 0, new Endpoint(Suspect.Asker, 1000), [0], queued);
        for (var n = 0; n < 2; n++)
        {
            sim.Observer.OnTurnBegan(sim.Now, []);
            sim.Observer.OnTurnEnded(sim.Now, sim.Core);
        }
    }

    [Fact]
    public void ClientWhoseConnectionsGoFirst_BreaksS14() => Breaks(
        "S14", "10.1.0.1 had a connection's turn twice while 1 connections of 10.1.0.2 waited",
        static sim => Take(sim, 0, 1, 2));

    [Fact]
    public void ClientsByTurns_PassS14() => Passes("S14", static sim => Take(sim, 0, 2, 1));

    [Fact]
    public void ClientThatIsAlone_PassesS14() => Passes("S14", static sim => Take(sim, 2, 0, 1));

    /// <summary>
    /// Two connections of one client and one of another are ready, and read in this order.
    /// </summary>
    private static void Take(Suspect sim, params int[] order)
    {
        SocketHandle[] streams = [.. sim.Connect(Asker, 2), .. sim.Connect(Other, 1)];
        sim.Observer.OnTurnBegan(sim.Now, [.. streams.Select(
            stream => new NetworkEvent(NetworkEventKind.Socket, stream, Readiness.Read))]);
        foreach (var n in order)
            sim.Observer.OnRead(sim.Now, streams[n], IoResult.Failed(IoStatus.WouldBlock), []);
    }

    [Fact]
    public void QueryReceivedBehindTcp_BreaksS14() => Breaks("S14", static sim =>
    {
        Take(sim, 0);
        sim.Observer.OnReceived(sim.Now, Header(1000), new byte[12]);
    });

    [Fact]
    public void ListenerAskedBeforeTcp_BreaksS14() => Breaks("S14", static sim =>
    {
        var stream = sim.Connect(Asker, 1)[0];
        sim.Observer.OnTurnBegan(sim.Now, []);
        sim.Observer.OnAccepted(
            sim.Now, IoResult.Failed(IoStatus.WouldBlock), SocketHandle.None, default);
        sim.Observer.OnRead(sim.Now, stream, IoResult.Failed(IoStatus.WouldBlock), []);
    });

    [Fact]
    public void TcpBehindAQueryAndBeforeTheListener_PassesS14() => Passes("S14", static sim =>
    {
        var stream = sim.Connect(Asker, 1)[0];
        sim.Observer.OnTurnBegan(sim.Now, []);
        sim.Observer.OnReceived(sim.Now, Header(1000), new byte[12]);
        sim.Observer.OnRead(sim.Now, stream, IoResult.Failed(IoStatus.WouldBlock), []);
        sim.Observer.OnAccepted(
            sim.Now, IoResult.Failed(IoStatus.WouldBlock), SocketHandle.None, default);
    });

    [Fact]
    public void StopWithAnOpenListener_BreaksS15() => Breaks("S15", static sim =>
    {
        sim.Observer.OnLogged(sim.Now, new LogEvent.Stopping(0, Limits.StopGrace));
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void StopThatTheBalancerMakes_PassesS15() => Passes("S15", static sim =>
    {
        sim.Kernel.RequestStop();
        sim.Run(1);
        Assert.True(sim.Core.HasStopped);
    });

    private static Ipv4 Other => Ipv4.From(10, 1, 0, 2);

    private static DatagramHeader Header(ushort port, int length = 12) => new()
    {
        Peer = new Endpoint(Asker, port),
        Local = Ipv4.From(10, 99, 99, 1),
        Length = length,
    };
}
