// What is claimed of where a TCP connection goes (S2): to one more backend when the first gave it
// up before its INBOUND_TCP_OK.

using FakeBinder;
using Simulation.Real;
using Simulation.Real.Checks;
using Xunit;

namespace Tests.Unit.Sim.Real.Checks;

public sealed class RoutingCheckTests : RealCheckTest
{
    private const long Second = SeenRun.Second;
    private const string Refusal = SessionEnd.Closed + SessionEnd.TcpRefused;

    /// <summary>Backend 1 gave up before its OK; backend 0 was well all the while.</summary>
    private static SeenRun Refused(string how = Refusal)
    {
        var run = new SeenRun();
        run.Tcp.OkAt = run.Tcp.PeerEndedAt = null;
        run.Tcp.ToClient.Clear();
        run.Tcp.Over = how;
        run.Connection.Got.Clear();
        return run;
    }

    [Theory]
    [InlineData(Refusal)]
    [InlineData(SessionEnd.Reset)]
    public void ConnectionThatABackendGivesUp_IsOwedOneMore(string how)
    {
        var run = Refused(how);
        run.Seen.Troubles.Add(new Trouble(0, 0, long.MaxValue, Trouble.Misbehaves));

        Assert.Contains("was given to no other", Expect("S2", run, RoutingCheck.Judge));
    }

    [Fact]
    public void ConnectionThatOneMoreTook_IsOwedNone()
    {
        var run = Refused();
        run.Session(0, 7 * Second).Client = SeenRun.TcpClient;

        Assert.Null(RoutingCheck.Judge(run.Seen));
    }

    [Theory]
    [InlineData("the client ended it")]
    [InlineData("the balancer ended it")]
    [InlineData("it was asked when its time was over")]
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
            case "it was asked when its time was over":
                run.Seen.Balancer.StopAskedAt = 40 * Second;
                run.Connection.EndedAt = 16 * Second;
                run.Tcp.OverAt = 18 * Second;
                run.Seen.Troubles.Add(new Trouble(1, 5 * Second, 19 * Second, "a pause"));
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

        Assert.Null(RoutingCheck.Judge(run.Seen));
    }
}
