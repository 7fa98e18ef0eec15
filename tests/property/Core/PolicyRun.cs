// Owns one run of a policy script: every command is applied to a real core on a simulated kernel
// whose calls and log the simulator's checks watch. Their reference model holds the policy a second
// time, and says whether each query, each choice, each move and each counter is as it should be;
// there is no third description of it here.
//
// Commands come at 50 ms past a tenth of a second and time passes in tenths of seconds, so that no
// command falls on an instant at which the balancer checks something of its own accord.
//
// What always holds: a command that means nothing in the present state is passed over.

using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;
using Tests.Support;
using Xunit;

namespace Tests.Property.Core;

public enum PolicyVerb
{
    /// <summary>Queries from Count hosts, one after another, the first being host Which.</summary>
    Query,

    /// <summary>The same over TCP.</summary>
    Connect,

    /// <summary>A process binds the path of backend Which, anew if it was there.</summary>
    Appear,

    /// <summary>Backend Which says hello, if it was greeted.</summary>
    Hello,

    /// <summary>The session of backend Which ends: closed, reset or broken, by Count.</summary>
    Fault,

    /// <summary>The path of backend Which is unlinked; listener and session live on.</summary>
    Unlink,

    /// <summary>Count tenths of a second pass.</summary>
    Tick,
}

public sealed record PolicyCommand(PolicyVerb Verb, int Which, int Count)
{
    public override string ToString() => Verb switch
    {
        PolicyVerb.Tick => $"Tick {Count / 10}.{Count % 10} s",
        PolicyVerb.Query or PolicyVerb.Connect => $"{Verb} from hosts {Which}..{Which + Count - 1}",
        PolicyVerb.Fault => $"Fault {PolicyRun.Names[Which]} kind {Count % 3}",
        _ => $"{Verb} {PolicyRun.Names[Which]}",
    };
}

public sealed class PolicyRun
{
    /// <summary>Names that fight for ids: `foo` may take 5302's, `05301` wants 5301's.</summary>
    public static readonly ImmutableArray<string> Names = ["5301", "5302", "foo", "5304", "05301"];

    private static readonly byte[] Packet = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];

    private readonly Watched _sim;
    private readonly Dictionary<string, SimBackend> _backends = [];
    private readonly HashSet<SimBackendSession> _greeted = [];
    private ushort _port = 1024;

    public PolicyRun()
        : this(Limits.WarmUp)
    {
    }

    /// <summary>A run of a core that warms up for another time than the policy says.</summary>
    public PolicyRun(Duration warmUp)
    {
        var expected = new Scenario { Kernel = new KernelPlan { WarmUp = Limits.WarmUp } };
        _sim = new Watched(expected, warmUp: warmUp);
        Run(50);
    }

    /// <summary>How often each thing that a script is meant to reach was reached.</summary>
    public Dictionary<string, int> Reached { get; } = [];

    public void Apply(PolicyCommand command)
    {
        var isByHost = command.Verb is PolicyVerb.Query or PolicyVerb.Connect;
        var name = Names[isByHost ? 0 : command.Which];
        switch (command.Verb)
        {
            case PolicyVerb.Query or PolicyVerb.Connect:
                for (var i = 0; i < command.Count; i++)
                    Query(command.Which + i, isTcp: command.Verb == PolicyVerb.Connect);
                break;
            case PolicyVerb.Appear:
                Appear(name);
                break;
            case PolicyVerb.Hello:
                if (SessionOf(name) is { } greeted && _greeted.Add(greeted))
                    greeted.SendHello();
                break;
            case PolicyVerb.Fault:
                Fault(name, command.Count % 3);
                break;
            case PolicyVerb.Unlink:
                Unlink(name);
                break;
            case PolicyVerb.Tick:
                Run(100L * command.Count);
                break;
        }
        // On to the next 50 ms past a tenth of a second, whatever queries took.
        Run(100 - (_sim.Now.Nanoseconds / 1_000_000 + 50) % 100);
    }

    private void Query(int host, bool isTcp)
    {
        var from = new Endpoint(Ipv4.From(10, 1, 0, (byte)host), _port++);
        var dropped = Dropped;
        var client = isTcp ? _sim.Kernel.ConnectClient(from) : null;
        if (client != null)
            Opening.Ask(client);
        else
            _sim.Kernel.InjectDatagram(from, Packet);
        Run(1);
        if (Dropped > dropped)
            Note("dropped");
        if (RemoteOf(from.Address) is { Backup.Value: not 0 })
            Note("to a backup");
        else if (RemoteOf(from.Address) is { } remote && _sim.Core.SnapshotBackends()
            .Any(one => one.Id == remote.Primary && one.State == BackendState.Draining))
        {
            Note("to a draining one");
        }
        client?.Close();
    }

    private long Dropped => _sim.Core.Counters[Counter.QueriesWithoutBackend]
        + _sim.Core.Counters[Counter.ConnectionsWithoutBackend];

    private RemoteSnapshot? RemoteOf(Ipv4 host)
    {
        for (var index = 0; _sim.Core.TrySnapshotRemote(ref index, out var remote);)
        {
            if (remote.Address == host)
                return remote;
        }
        return null;
    }

    private void Appear(string name)
    {
        Note($"{StateOf(name)} appears");
        if (_backends.TryGetValue(name, out var backend))
            backend.Rebind();
        else
            _backends[name] = new SimBackend(_sim.Kernel, name) { AnswersHello = false };
    }

    private void Fault(string name, int kind)
    {
        if (SessionOf(name) is not { } session)
            return;
        Note($"{StateOf(name)} faults");
        if (kind == 0)
            session.Close();
        else if (kind == 1)
            session.Reset();
        else
            session.SendType(77);
    }

    private void Unlink(string name)
    {
        if (!_sim.Kernel.Directory.Contains(name))
            return;
        Note($"{StateOf(name)} is unlinked");
        _backends[name].Unlink();
    }

    /// <summary>The control session, unless the balancer ended it at this very instant.</summary>
    private SimBackendSession? SessionOf(string name) =>
        _backends.GetValueOrDefault(name)?.Control is { Stream.IsClosedByBalancer: false } session
            ? session : null;

    private string StateOf(string name) => _sim.Core.SnapshotBackends()
        .Where(one => one.Path == $"/run/bbal/{name}")
        .Select(one => one.State is BackendState.Healthy or BackendState.Draining
            or BackendState.Removed ? one.State.ToString() : "Down")
        .FirstOrDefault("Nobody");

    private void Run(long milliseconds)
    {
        var counters = _sim.Core.Counters;
        var expired = counters[Counter.RemotesExpired];
        var moved = counters[Counter.RemotesMoved];
        _sim.Run(milliseconds / 1000.0);
        Assert.True(_sim.Checks.Violation == null, _sim.Checks.Violation?.ToString());
        Assert.All(_backends.Values.SelectMany(b => b.Sessions), s => Assert.Null(s.Violation));
        if (counters[Counter.RemotesExpired] > expired)
            Note("expired");
        if (counters[Counter.RemotesMoved] > moved)
            Note("rebalanced");
    }

    private void Note(string what) => Reached[what] = Reached.GetValueOrDefault(what) + 1;
}
