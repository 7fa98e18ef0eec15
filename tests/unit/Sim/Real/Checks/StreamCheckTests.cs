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

    /// <summary>A message of four bytes, behind its length.</summary>
    private const string Whole = "000401020304";

    /// <summary>A query of the identifier 0102 and no question.</summary>
    private const string Asked = "000C01020000" + "0000000000000000";

    [Fact]
    public void BytesThatDiffer_AreS7()
    {
        var run = new SeenRun();
        run.Connection.Got[^1]++;

        Assert.Contains("not the first of any backend's", Expect("S7", run, StreamCheck.Judge));
    }

    [Theory]
    [InlineData("", Asked, 5, 1, true)]
    [InlineData(Whole, Asked, 5, 1, true)]
    // The client's end cut it; it is refused by what came of it.
    [InlineData(Whole, "000C0102", 5, 1, true)]
    // The balancer says that it refused nobody.
    [InlineData(Whole, Asked, 5, 0, false)]
    // Another code than REFUSED.
    [InlineData(Whole, Asked, 2, 1, false)]
    // Nobody asked this.
    [InlineData(Whole, "000C0103", 5, 1, false)]
    // In the middle of a backend's message.
    [InlineData("000401", Asked, 5, 1, false)]
    public void RefusalOfTheBalancers_EndsAConnection(
        string before, string asked, int code, int refused, bool passes)
    {
        var run = new SeenRun();
        run.Seen.Balancer.Records[^1] =
            SeenRun.Record(isFinal: true, ("connections_quarantined", refused));
        run.Tcp.ToClient.Clear();
        run.Tcp.ToClient.AddRange(Convert.FromHexString(Whole + Whole));
        run.Tcp.FromClient.Clear();
        run.Connection.Sent.Clear();
        run.Connection.Sent.AddRange(Convert.FromHexString(asked));
        run.Connection.Got.Clear();
        run.Connection.Got.AddRange(Convert.FromHexString(
            $"{before}000C0102800{code}0000000000000000"));

        Judge("S7", passes, run, StreamCheck.Judge);
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
    public void EndOfTheBackend_ReachesAClientThatReads(
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
    public void EndOfTheClient_ReachesABackendThatReads(
        long ended, int? readAt, bool misbehaves, bool passes)
    {
        var run = new SeenRun();
        run.Connection.SaidAllAt = ended * Second;
        run.Tcp.PeerEndedAt = run.Tcp.OverAt = readAt * Second;
        run.Tcp.Over = null;
        if (misbehaves)
            run.Seen.Troubles.Add(new Trouble(1, 0, long.MaxValue, Trouble.Misbehaves));

        Judge("S7", passes, run, StreamCheck.Judge);
    }
}
