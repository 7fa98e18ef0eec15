// Owns one run of a policy script: every command is applied to a real core on a simulated kernel
// and to the model, and after each both must show the same: where a query went, every backend's
// state and number of remotes, every remote's primary and backup, and the counters.
//
// Commands come at 50 ms past a tenth of a second and time passes in tenths of seconds, so that no
// command falls on an instant at which the balancer checks something of its own accord, and a
// change in the directory has been noticed before the next command. Within a step of time the run
// stops at every 15 s, so that at most one rebalance lies between two looks.
//
// What always holds: a command that means nothing in the present state is passed over in both.

using System;
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

    private readonly SimBalancer _sim = new();
    private readonly Dictionary<string, SimBackend> _backends = [];
    private readonly HashSet<SimBackendSession> _greeted = [];
    private PolicyModel _model;
    private ushort _port = 1024;

    public PolicyRun()
        : this(new PolicyModel(Limits.WarmUp.WholeMilliseconds))
    {
    }

    /// <summary>A run against another model than the right one.</summary>
    public PolicyRun(PolicyModel model)
    {
        _model = model;
        Pass(50);
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
                Hello(name);
                break;
            case PolicyVerb.Fault:
                Fault(name, command.Count % 3);
                break;
            case PolicyVerb.Unlink:
                Unlink(name);
                break;
            case PolicyVerb.Tick:
                Pass(100L * command.Count);
                break;
        }
        Pass(100);
    }

    private void Query(int host, bool isTcp)
    {
        var from = new Endpoint(Ipv4.From(10, 1, 0, (byte)host), _port++);
        var before = _backends.Values.ToDictionary(b => b, b => b.QueryCount);
        var client = isTcp ? _sim.Kernel.ConnectClient(from) : null;
        if (!isTcp)
            _sim.Kernel.InjectDatagram(from, Packet);
        _sim.Run(Duration.FromMilliseconds(1));
        var targets = _backends.Values.Where(backend => isTcp
            ? backend.Sessions.Any(session => session.IsTcp && session.Source == from)
            : backend.QueryCount > before[backend]).ToList();
        Assert.True(targets.Count <= 1, "a query has one target");
        var target = targets.Count == 0 ? 0 : _model.Named(targets[0].Name)!.Id;

        // A backend whose path is gone may find that out in this very millisecond, before the query
        // came or after it.
        var allowed = _model.Query(host, isTcp).ToList();
        var known = _model;
        FollowBackends();
        if (_model != known)
            allowed.AddRange(_model.Query(host, isTcp));
        ShownRemotes().TryGetValue(host, out var shown);
        _model = allowed.Find(choice => choice.Target == target && IsShown(choice, host, shown))
            ?.After ?? throw Differs(
                $"a query of host {host} went to {target} and left {shown}; allowed are "
                + string.Join(" or ", allowed.Select(choice => choice.Target)));
        FollowBackends();
        NoteTarget(host, target, allowed.Count);
        client?.Close();
        // The model's clock stays: a millisecond is no step of its time.
        Compare();
    }

    private static bool IsShown(Choice choice, int host, ModelRemote? shown) =>
        choice.After.Remotes.TryGetValue(host, out var remote) == shown is not null
        && (remote?.Primary, remote?.Backup) == (shown?.Primary, shown?.Backup);

    private void NoteTarget(int host, int target, int choices)
    {
        if (target == 0)
            Note("dropped");
        else if (_model.Remotes[host].Backup == target)
            Note("to a backup");
        else if (_model.Backends[target].State == ModelState.Draining)
            Note("to a draining one");
        if (choices > 1)
            Note("to an emptiest one");
    }

    private void Appear(string name)
    {
        if (_backends.TryGetValue(name, out var backend))
            backend.Rebind();
        else
            _backends[name] = new SimBackend(_sim.Kernel, name) { AnswersHello = false };
        // The scan that finds it may forget one that is long gone, which leaves it its id.
        _sim.Run(Limits.ScanDebounce);
        FollowBackends();
        Note(_model.Named(name) is { } known ? $"{known.State} appears" : "appears");
        _model = _model.Appear(name);
    }

    private void Hello(string name)
    {
        if (SessionOf(name) is not { } session || !_greeted.Add(session))
            return;
        session.SendHello();
        _model = _model.Hello(_model.Named(name)!.Id);
    }

    private void Fault(string name, int kind)
    {
        if (SessionOf(name) is not { } session)
            return;
        if (kind == 0)
            session.Close();
        else if (kind == 1)
            session.Reset();
        else
            session.SendType(77);
        Note($"{_model.Named(name)!.State} faults");
        _model = _model.Fault(_model.Named(name)!.Id);
    }

    private void Unlink(string name)
    {
        if (!_sim.Kernel.Directory.Contains(name))
            return;
        _backends[name].Unlink();
        Note($"{_model.Named(name)!.State} is unlinked");
        _model = _model.Unlink(_model.Named(name)!.Id);
    }

    /// <summary>The control session, unless the balancer ended it at this very instant.</summary>
    private SimBackendSession? SessionOf(string name) =>
        _backends.GetValueOrDefault(name)?.Control is { Stream.IsClosedByBalancer: false } session
            ? session : null;

    // ---- Time ----

    private void Pass(long milliseconds)
    {
        for (var end = _model.Now + milliseconds; _model.Now < end;)
        {
            var next = Math.Min(end, (_model.Now / 15_000 + 1) * 15_000);
            _model = _model.Tick(next - _model.Now);
            var until = Instant.Zero + Duration.FromMilliseconds(next);
            if (until > _sim.Now)
                _sim.Run(until - _sim.Now);
            FollowBackends();
            if (next % 15_000 == 0)
                FollowRebalance();
            Compare();
        }
    }

    /// <summary>Takes over that the core found a path absent or forgot a backend.</summary>
    private void FollowBackends()
    {
        var shown = _sim.Core.SnapshotBackends();
        foreach (var backend in _model.Backends.Values)
        {
            var state = shown.Where(s => s.Id.Value == backend.Id
                    && s.Path == $"/run/bbal/{backend.Name}")
                .Select(s => (BackendState?)s.State).FirstOrDefault();
            if (state == null)
            {
                _model = _model.Forget(backend.Id) ?? throw Differs($"{backend} was forgotten");
                Note("forgotten");
            }
            else if (state == BackendState.Removed && backend.State != ModelState.Removed)
            {
                _model = _model.Absent(backend.Id) ?? throw Differs($"{backend} was removed");
            }
        }
        Assert.Empty(_model.OverdueAbsences);
    }

    /// <summary>
    /// Takes over whom the core moved, if it may. At every other rebalance the silent are forgotten
    /// too, before it or after, and those moved may be among them.
    /// </summary>
    private void FollowRebalance()
    {
        var expired = _model.Now % 30_000 == 0 ? _model.Expire() : _model;
        var shown = ShownRemotes();
        var victims = expired.Remotes.Values.Where(remote => remote.Primary != 0
            && shown.TryGetValue(remote.Ip, out var now) && now.Primary == 0).ToList();
        var before = _model.OwedMoves();
        var after = expired.OwedMoves();
        var forgotten = _model.Remotes.Values.Count(remote =>
            !expired.Remotes.ContainsKey(remote.Ip) && before.Fullest.Contains(remote.Primary));
        var mayBe = IsAllowed(before, victims, forgotten) || IsAllowed(after, victims, 0);
        if (!mayBe)
        {
            throw Differs($"moved {string.Join(", ", victims)}; "
                + $"owed {before.Count} or {after.Count}");
        }
        if (victims.Count > 0)
            Note("rebalanced");
        if (expired.Expired > _model.Expired)
            Note("expired");
        _model = expired.Move([.. victims.Select(remote => remote.Ip)]);
    }

    private static bool IsAllowed(Moves owed, List<ModelRemote> victims, int forgotten) =>
        victims.Select(remote => remote.Primary).Distinct().Count() <= 1
        && victims.TrueForAll(remote => owed.Fullest.Contains(remote.Primary))
        && victims.Count <= owed.Count && victims.Count + forgotten >= owed.Count;

    // ---- Comparing ----

    private void Compare()
    {
        var backends = _sim.Core.SnapshotBackends()
            .Select(s => $"{s.Id} {s.Path} {StateOf(s.State)} {s.Remotes}");
        Assert.Equal(_model.Backends.Values.Select(b =>
            $"{b.Id} /run/bbal/{b.Name} {b.State} {_model.CountOf(b.Id)}"), backends);
        Assert.Equal(_model.Remotes.Values.Select(r => $"{r.Ip}: {r.Primary}, {r.Backup}"),
            ShownRemotes().Values.Select(r => $"{r.Ip}: {r.Primary}, {r.Backup}"));

        var counters = _sim.Counters;
        Assert.Equal(_model.Dropped, counters[Counter.QueriesWithoutBackend]
            + counters[Counter.ConnectionsWithoutBackend]);
        Assert.Equal(_model.Forwarded,
            counters[Counter.QueriesForwarded] + _sim.Log.Count<LogEvent.ConnectionOpened>());
        Assert.Equal(_model.Expired, counters[Counter.RemotesExpired]);
        Assert.Equal(_model.Moved, counters[Counter.RemotesMoved]);
        Assert.All(_backends.Values.SelectMany(b => b.Sessions), s => Assert.Null(s.Violation));
    }

    private SortedDictionary<int, ModelRemote> ShownRemotes()
    {
        var shown = new SortedDictionary<int, ModelRemote>();
        for (var index = 0; _sim.Core.TrySnapshotRemote(ref index, out var remote);)
        {
            var ip = (int)(remote.Address.Value & 255);
            shown.Add(ip, new ModelRemote(ip, remote.Primary.Value, remote.Backup.Value, 0, false));
        }
        return shown;
    }

    private static ModelState StateOf(BackendState state) => state switch
    {
        BackendState.Healthy => ModelState.Healthy,
        BackendState.Draining => ModelState.Draining,
        BackendState.Removed => ModelState.Removed,
        _ => ModelState.Down,
    };

    private void Note(string what) => Reached[what] = Reached.GetValueOrDefault(what) + 1;

    private static Xunit.Sdk.XunitException Differs(string how) => new(how);
}
