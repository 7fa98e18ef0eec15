// The session to a socket that was replaced at its path: what was queued for it still arrives, what
// it answers within 10 s is delivered, an answered heartbeat does it no harm, and it ends by its
// own end, by a frame that has no place there, or after 15 s; none of which touches the session to
// the new socket.

using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Property.Core;

public enum RetiredDeed
{
    Nothing,
    Reply,
    Heartbeat,
    Hello,
    TcpOk,
    Unknown,
    TooLong,
    Close,
    Reset,
    Rebind,
}

public sealed record RetiredStep(RetiredDeed Deed, int AtTenths)
{
    /// <summary>Whether the session goes on after it.</summary>
    public bool IsHarmless => Deed is RetiredDeed.Nothing or RetiredDeed.Reply
        or RetiredDeed.Heartbeat;
}

/// <summary>Queries that are under way when the socket is replaced, and bytes of each.</summary>
public sealed record UnderWay(int Queries, int Bytes);

public static class RetiredArbitraries
{
    public static Arbitrary<RetiredStep> Steps() => Arb.From(
        from deed in Gen.Choose(0, (int)RetiredDeed.Rebind)
        from tenths in Gen.Choose(1, 140).Where(tenths => tenths is < 99 or > 100)
        select new RetiredStep((RetiredDeed)deed, tenths));

    public static Arbitrary<UnderWay> Queries() => Arb.From(
        from queries in Scripts.Sizes(40, 0, 1, 10)
        from bytes in Gen.Elements(12, 500, 1500)
        select new UnderWay(queries, bytes),
        under => Scripts.Towards(0, under.Queries).Select(n => under with { Queries = n }));
}

public sealed class RetiredTests
{
    private static readonly Endpoint Client = new(Ipv4.From(10, 1, 0, 1), 1024);

    /// <summary>
    /// A query is forgotten after 10 s; those under way came up to a tenth before the new socket.
    /// </summary>
    private const int ForgottenTenths = 99;

    [Property(Arbitrary = [typeof(RetiredArbitraries)], MaxTest = 200)]
    public void AnyDeed_OldSessionEndsAsItShouldAndTheNewOneGoesOn(
        UnderWay under, RetiredStep step)
    {
        var kernel = new SimKernel { BalancerToBackend = new PipeSize(4000, 10) };
        var sim = new SimBalancer(kernel);
        var backend = new SimBackend(kernel, "5301") { AnswersHeartbeats = false };
        sim.Run(Duration.FromSeconds(2L));
        var old = backend.Control!;
        backend.Hang();
        for (var n = 0; n < under.Queries; n++)
        {
            kernel.InjectDatagram(Client, Query(under.Bytes));
            sim.Run(Duration.FromMilliseconds(1));
        }
        backend.Rebind();
        sim.Run(Duration.FromMilliseconds(50));
        var retiredAt = sim.Now;
        // The new session is asked as well, since the old one may hang.
        backend.AnswersHeartbeats = true;
        backend.Resume();
        sim.Run(Duration.FromMilliseconds(50));
        Assert.Equal(sim.Counters[Counter.QueriesForwarded], backend.QueryCount);
        Assert.All(backend.Queries, query => Assert.Same(old, query.Session));
        Assert.NotSame(old, backend.Control);
        var renewed = backend.Control!;

        var sentBefore = kernel.Datagrams.SentCount;
        sim.Run(retiredAt + Duration.FromMilliseconds(100L * step.AtTenths) - sim.Now);
        Assert.False(old.Stream.IsClosedByBalancer);
        Do(step.Deed, backend, old);
        sim.Run(Duration.FromMilliseconds(50));

        Assert.Equal(!step.IsHarmless, old.Stream.IsClosedByBalancer);
        var isAnswer = step.Deed == RetiredDeed.Reply && under.Queries > 0;
        var replies = isAnswer && step.AtTenths < ForgottenTenths ? 1 : 0;
        Assert.Equal(sentBefore + replies, kernel.Datagrams.SentCount);
        if (step.Deed == RetiredDeed.Rebind)
            return;
        sim.Run(retiredAt + Duration.FromSeconds(14.8) - sim.Now);
        Assert.Equal(!step.IsHarmless, old.Stream.IsClosedByBalancer);
        sim.Run(Duration.FromSeconds(0.4));
        Assert.True(old.Stream.IsClosedByBalancer);
        sim.Run(Duration.FromSeconds(5L));
        Assert.False(renewed.Stream.IsClosedByBalancer);
        Assert.Equal(0, sim.Log.Count<LogEvent.BackendFaulted>());
    }

    private static byte[] Query(int bytes)
    {
        var query = Scripts.Bytes(1, bytes);
        query[2] = 0;
        return query;
    }

    private static void Do(RetiredDeed deed, SimBackend backend, SimBackendSession old)
    {
        switch (deed)
        {
            case RetiredDeed.Reply:
                old.Reply(Client, Scripts.Bytes(1, 12));
                break;
            case RetiredDeed.Heartbeat:
                old.SendHeartbeat();
                break;
            case RetiredDeed.Hello:
                old.SendHello();
                break;
            case RetiredDeed.TcpOk:
                old.SendTcpOk();
                break;
            case RetiredDeed.Unknown:
                old.SendType(77);
                break;
            case RetiredDeed.TooLong:
                old.SendOutbound(Client.Address.Value, Client.Port, 70_000, []);
                break;
            case RetiredDeed.Close:
                old.Close();
                break;
            case RetiredDeed.Reset:
                old.Reset();
                break;
            case RetiredDeed.Rebind:
                backend.Rebind();
                break;
        }
    }
}
