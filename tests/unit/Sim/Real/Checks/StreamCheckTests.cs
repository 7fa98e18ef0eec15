// What is claimed of TCP connections (S7): their bytes, and that the end of either side is passed
// on.

using System;
using Balancer.Core;
using Simulation.Real;
using Simulation.Real.Checks;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Real.Checks;

public sealed class StreamCheckTests : RealCheckTest
{
    private const long Second = SeenRun.Second;

    [Fact]
    public void BytesThatDiffer_AreS7()
    {
        var run = new SeenRun();
        run.Connection.Got[^1]++;

        Assert.Contains("not the first of any backend's", Expect("S7", run, StreamCheck.Judge));
    }

    [Fact]
    public void BytesThatTheClientNeverSent_AreS7()
    {
        var run = new SeenRun();
        run.Tcp.FromClient.Add(9);

        Assert.Contains("not the first that it sent", Expect("S7", run, StreamCheck.Judge));
    }

    [Theory]
    [InlineData(nameof(ConnectionEnd.EndOfStream), false)]
    [InlineData(nameof(ConnectionEnd.Reset), true)]
    [InlineData(nameof(ConnectionEnd.ByClient), true)]
    public void CleanEnd_ComesAfterAllBytes(string end, bool passes)
    {
        var run = new SeenRun();
        run.Connection.Got.RemoveAt(3);
        run.Connection.End = Enum.Parse<ConnectionEnd>(end);

        Judge("S7", passes, run, StreamCheck.Judge);
    }

    [Fact]
    public void EndThatATimeOutMayHaveMade_OwesNoBytes()
    {
        var run = new SeenRun(new KernelPlan { TcpIdle = Balancer.Core.Duration.FromSeconds(1L) });
        run.Connection.Got.RemoveAt(3);

        Assert.Null(StreamCheck.Judge(run.Seen));
    }

    [Fact]
    public void EndOfABackendThatDied_OwesNoBytes()
    {
        var run = new SeenRun();
        run.Connection.Got.RemoveAt(3);
        run.Tcp.Over = null;

        Assert.Null(StreamCheck.Judge(run.Seen));
    }

    [Fact]
    public void BytesBeforeTheOk_AreS7()
    {
        var run = new SeenRun();
        run.Tcp.EarlyBytes = 1;

        Assert.Contains("before INBOUND_TCP_OK", Expect("S7", run, StreamCheck.Judge));
    }

    [Fact]
    public void ConnectionThatNobodyMade_IsS7()
    {
        var run = new SeenRun();
        run.Session(0, 6 * Second).Client = new Endpoint(Ipv4.From(127, 9, 9, 9), 1);

        Assert.Contains("who made none", Expect("S7", run, StreamCheck.Judge));
    }

    [Theory]
    [InlineData(12, null, true, false)]
    [InlineData(14, null, true, true)]
    [InlineData(12, 19, true, true)]
    [InlineData(12, 21, true, false)]
    [InlineData(12, null, false, true)]
    public void EndOfTheBackend_IsToldToAClientThatReads(
        long ended, int? seenAt, bool reads, bool passes)
    {
        var run = new SeenRun();
        run.Tcp.HalfClosedAt = run.Tcp.OverAt = ended * Second;
        run.Seen.Connections[0] = new ObservedConnection(1000, SeenRun.TcpClient)
        {
            WasConnected = true,
            ConnectedAt = 6 * Second,
            End = seenAt is null ? ConnectionEnd.Open : ConnectionEnd.Reset,
            EndedAt = (seenAt ?? 0) * Second,
            Reads = reads,
        };
        run.Seen.Connections[0].Sent.AddRange(SeenRun.Question);
        run.Seen.Connections[0].Got.AddRange(SeenRun.Answer);

        Judge("S7", passes, run, StreamCheck.Judge);
    }

    [Theory]
    [InlineData(12, null, false, false)]
    [InlineData(14, null, false, true)]
    [InlineData(12, 19, false, true)]
    [InlineData(12, 21, false, false)]
    [InlineData(12, null, true, true)]
    public void EndOfTheClient_IsToldToABackendThatReads(
        long ended, int? readAt, bool misbehaves, bool passes)
    {
        var run = new SeenRun();
        run.Connection.SaidAllAt = ended * Second;
        run.Tcp.PeerEndedAt = run.Tcp.OverAt = readAt * Second;
        run.Tcp.Over = null;
        if (misbehaves)
            run.Seen.Troubles.Add(new Trouble(1, 0, long.MaxValue, "misbehaves"));

        Judge("S7", passes, run, StreamCheck.Judge);
    }

    /// <summary>Backend 1 gave up before its OK; backend 0 was well all the while.</summary>
    private static SeenRun Refused(string how = "closed: TCP refused")
    {
        var run = new SeenRun();
        run.Tcp.OkAt = run.Tcp.PeerEndedAt = null;
        run.Tcp.ToClient.Clear();
        run.Tcp.Over = how;
        run.Connection.Got.Clear();
        return run;
    }

    [Theory]
    [InlineData("closed: TCP refused")]
    [InlineData("reset")]
    public void ConnectionThatABackendGivesUp_IsOwedOneMore(string how)
    {
        var run = Refused(how);
        run.Seen.Troubles.Add(new Trouble(0, 0, long.MaxValue, Trouble.Misbehaves));

        Assert.Contains("was given to no other", Expect("S7", run, StreamCheck.Judge));
    }

    [Fact]
    public void ConnectionThatOneMoreTook_IsOwedNone()
    {
        var run = Refused();
        run.Session(0, 7 * Second).Client = SeenRun.TcpClient;

        Assert.Null(StreamCheck.Judge(run.Seen));
    }

    [Theory]
    [InlineData("the client ended it")]
    [InlineData("the balancer ended it")]
    [InlineData("it was lost otherwise")]
    [InlineData("the other died")]
    [InlineData("the other warmed up")]
    [InlineData("the other was in trouble")]
    [InlineData("a third was in trouble")]
    [InlineData("a third died")]
    [InlineData("a third got a session that said nothing")]
    [InlineData("all stood still")]
    [InlineData("the stop came")]
    public void ConnectionThatABackendGivesUp_IsOwedNoMoreWhen(string what)
    {
        var run = Refused();
        switch (what)
        {
            case "the client ended it":
                run.Connection.End = ConnectionEnd.ByClient;
                break;
            case "the balancer ended it":
                run.Tcp.PeerEndedAt = 6 * Second + 1;
                break;
            case "it was lost otherwise":
                run.Tcp.Over = "cannot write: Broken pipe";
                break;
            case "the other died":
                run.Seen.Processes.Find(one => one.Backend == 0)!.EndedAt = 9 * Second;
                break;
            case "the other warmed up":
                run.First.HelloAt = 5 * Second;
                break;
            case "the other was in trouble":
                run.Seen.Troubles.Add(new Trouble(0, 3 * Second, 4 * Second, Trouble.Hangs));
                break;
            case "a third was in trouble":
                run.Seen.Troubles.Add(new Trouble(2, 3 * Second, 4 * Second, Trouble.Hangs));
                break;
            case "a third died":
                run.Seen.Processes.Add(new ObservedProcess(2, 0) { EndedAt = 4 * Second });
                break;
            case "a third got a session that said nothing":
                run.Session(2, 6 * Second);
                break;
            case "all stood still":
                run.Seen.Troubles.Add(
                    new Trouble(-1, 8 * Second, 9 * Second, Trouble.StoodStill));
                break;
            case "the stop came":
                run.Seen.Balancer.StopAskedAt = 14 * Second;
                break;
        }

        Assert.Null(StreamCheck.Judge(run.Seen));
    }
}
