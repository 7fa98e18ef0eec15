// As ViolationTests, for the check of queries that are sent again (S16), and that each is answered
// or in flight (S1).

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;
using Tests.Support;
using Xunit;
using static Tests.Unit.Sim.Checking.Suspect;

namespace Tests.Unit.Sim.Checking;

public sealed class ResendViolationTests
{
    [Fact]
    public void QuerySentAThirdTime_BreaksS16() => Breaks(
        "S16", "1 queries were sent a third time or more; the answers of 0 were held",
        static sim => SendAgain(sim, 3));

    [Fact]
    public void QuerySentToAThirdBackend_BreaksS16() => Breaks(
        "S16", "that came 1 times was sent to 3 backends", static sim =>
        {
            SendAgain(sim, 1);
            foreach (var name in new[] { "5303", "5304" })
            {
                _ = new SimBackend(sim.Kernel, name);
                sim.Run(0.1);
                sim.Observer.OnWritten(
                    sim.Now, sim.LastConnected, IoResult.Ok(Frame.Length), Frame);
            }
        });

    [Fact]
    public void DatagramToWhereProbesComeFrom_BreaksS16() => Breaks(
        "S16", static sim =>
        {
            sim.Observer.OnReceived(
                sim.Now, new DatagramHeader { Peer = SpecifiedLimits.ProbeSource }, [0, 1]);
            sim.Observer.OnSent(
                sim.Now, new DatagramHeader { Peer = SpecifiedLimits.ProbeSource }, [0, 1]);
        },
        new Scenario { Kernel = new KernelPlan { Probe = true } });

    [Fact]
    public void QuerySentTwice_PassesS16() => Passes("S16", static sim => SendAgain(sim, 2));

    private static byte[] Frame =>
    [
        2, 0, 0, 0, 1, 0, 1, 10, 7, 0, 0, 0, 12, 0, 0, 0,
        0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,
    ];

    /// <summary>
    /// A query comes, and so many frames with it are written, the first in pieces.
    /// </summary>
    private static void SendAgain(Suspect sim, int times)
    {
        var frame = Frame;
        sim.Observer.OnReceived(sim.Now, Header(7), frame.AsSpan(16..));
        sim.Observer.OnWritten(sim.Now, sim.FirstSession, IoResult.Ok(9), frame.AsSpan(..9));
        sim.Observer.OnWritten(sim.Now, sim.FirstSession, IoResult.Ok(19), frame.AsSpan(9..));
        for (var n = 1; n < times; n++)
        {
            sim.Observer.OnWritten(
                sim.Now, sim.FirstSession, IoResult.Ok(frame.Length), frame);
        }
    }

    [Fact]
    public void SecondReplyToOneQuery_BreaksS16() => Breaks(
        "S16", "it has asked 1 times", static sim => ReplyTo(sim, queries: 1, replies: 2));

    [Fact]
    public void ReplyToEachOfTwoQueries_PassesS16() =>
        Passes("S16", static sim => ReplyTo(sim, queries: 2, replies: 2));

    private static void ReplyTo(Suspect sim, int queries, int replies)
    {
        for (var n = 0; n < queries; n++)
            sim.Observer.OnReceived(sim.Now, Header(7), [0, 9, 1]);
        for (var n = 0; n < replies; n++)
            sim.Observer.OnSent(sim.Now, Header(7), [0, 9, 0x81]);
    }

    [Fact]
    public void CopiesBeyondTheBudget_BreakS16() => Breaks(
        "S16", "201 queries of suspect backends were sent again", static sim => Copy(sim, 201));

    [Fact]
    public void CopiesOfTheBudget_PassS16() => Passes("S16", static sim => Copy(sim, 200));

    private static void Copy(Suspect sim, int count)
    {
        sim.Core.Counters.Add(Counter.ResendsFromSuspect, count);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    }

    [Fact]
    public void QueryThatIsNeitherAnsweredNorInFlight_BreaksS1() => Breaks("S1", static sim =>
    {
        sim.Core.Counters.Add(Counter.UnansweredLost);
        sim.Kernel.RequestStop();
        sim.Run(1);
    });

    private static DatagramHeader Header(ushort port, int length = 12) => new()
    {
        Peer = new Endpoint(Asker, port),
        Local = Ipv4.From(10, 99, 99, 1),
        Length = length,
    };
}
