// Owns the scene of a test of one check: two backends that are healthy, a client host that asked
// once, and the check alone, which has found nothing so far. The test then feeds it what it likes.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Sim.Checking;

/// <summary>A calm run, watched by one check.</summary>
internal sealed class Suspect
{
    /// <summary>The host that has asked, and so is bound to First.</summary>
    public static readonly Ipv4 Asker = Ipv4.From(10, 1, 0, 1);

    private readonly Watched _watched;

    private Suspect(string id, Scenario? scenario)
    {
        _watched = new Watched(scenario, checks => checks.Only([id]));
        First = new SimBackend(_watched.Kernel, "5301") { EchoesQueries = true };
        Second = new SimBackend(_watched.Kernel, "5302") { EchoesQueries = true };
        Run(3);
        Query(Asker, 999);
        Run(5);
        Assert.Null(Checks.Violation);
    }

    public SimBackend First { get; }

    public SimBackend Second { get; }

    public SimKernel Kernel => _watched.Kernel;

    public SimLog Log => _watched.Log;

    public LoadBalancer Core => _watched.Core;

    public CheckSet Checks => _watched.Checks;

    public RunObserver Observer => _watched.Checks;

    public Instant Now => _watched.Now;

    /// <summary>The stream of the session with First.</summary>
    public SocketHandle FirstSession => _watched.FirstSession;

    public bool HidesDatagrams
    {
        set => _watched.HidesDatagrams = value;
    }

    /// <summary>Feeds something that the check must object to, now or within 5 s.</summary>
    public static void Breaks(string id, Action<Suspect> feed, Scenario? scenario = null) =>
        Assert.Equal(id, Feed(id, feed, scenario)?.Check);

    /// <summary>The same where the check has several things to say.</summary>
    public static void Breaks(string id, string evidence, Action<Suspect> feed)
    {
        var violation = Feed(id, feed, null);
        Assert.Equal(id, violation?.Check);
        Assert.Contains(evidence, violation!.Evidence, StringComparison.Ordinal);
    }

    /// <summary>Feeds something that the check must let pass.</summary>
    public static void Passes(string id, Action<Suspect> feed, Scenario? scenario = null) =>
        Assert.Null(Feed(id, feed, scenario)?.Evidence);

    public void Run(double seconds) => _watched.Run(seconds);

    /// <summary>The stream to a backend that was connected to last.</summary>
    public SocketHandle LastConnected => _watched.LastConnected;

    /// <summary>A host connects so often, and each connection is relayed; their streams.</summary>
    public SocketHandle[] Connect(Ipv4 from, int count)
    {
        var before = _watched.Accepted.Count;
        for (var n = 0; n < count; n++)
            Opening.Ask(Kernel.ConnectClient(new Endpoint(from, (ushort)(5000 + before + n))));
        Run(1);
        Assert.Equal(count, _watched.Accepted.Count - before);
        return [.. _watched.Accepted.Skip(before)];
    }

    public void Query(Ipv4 from, ushort port) => _watched.Query(from, port);

    private static Violation? Feed(string id, Action<Suspect> feed, Scenario? scenario)
    {
        var suspect = new Suspect(id, scenario);
        try
        {
            feed(suspect);
            suspect.Run(5);
        }
        catch (ViolationException)
        {
            // Checks.Violation has it.
        }
        return suspect.Checks.Violation;
    }
}
