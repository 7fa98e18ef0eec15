// Owns one run of a scenario: the simulated host, the real core and its loop composed as the daemon
// composes them, and who watches. It runs turns until the scenario's end, asks for an orderly stop,
// and runs turns until that is complete.
//
// What always holds: the same scenario gives the same run, event for event; the first violation
// ends it. An exception out of the core is a violation of S13, a loop that lets no time pass one of
// L5; an exception of the world's own is the simulator's bug and is not caught here.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>Runs scenarios.</summary>
public sealed class ScenarioRun
{
    /// <summary>
    /// Turns at one instant before it is called a spin, if they move nothing. A check says so much
    /// earlier; this one is there so that a run ends when that is left out.
    /// </summary>
    private const int VainTurnsPerInstant = 100_000;

    /// <summary>
    /// The same for turns that do move something: more than any scenario takes, read byte by byte.
    /// </summary>
    private const int TurnsPerInstant = 20_000_000;

    /// <summary>Far beyond any grace that an orderly stop has.</summary>
    private static readonly Duration StopLimit = Duration.FromSeconds(60);

    private readonly Scenario _scenario;
    private readonly RunHash _hash = new();
    private readonly RunObservers _observers;
    private readonly SimKernel _kernel;
    private readonly World _world;
    private readonly ObservedNetwork _network;
    private readonly LoadBalancer _core;
    private readonly EventLoop _loop;
    private Instant _lastTurnAt;
    private int _turnsAtInstant;
    private int _vainTurns;
    private long _turns;

    private ScenarioRun(Scenario scenario, ReadOnlySpan<RunObserver> observers)
    {
        _scenario = scenario;
        _observers = new RunObservers([_hash, .. observers]);
        _kernel = new SimKernel(new Endpoint(scenario.Kernel.Listen, 53));
        _world = new World(_kernel, _observers, scenario);
        _network = new ObservedNetwork(_kernel, _observers, _world.UdpClients);
        var log = new SimLog(_kernel.Clock) { Records = false, OnLogged = OnLogged };
        _core = new LoadBalancer(
            _network, new ObservedDirectory(_kernel, _observers), log, OptionsOf(scenario),
            scenario.Kernel.Turn);
        _loop = new EventLoop(_kernel.Clock, _network, _core);
    }

    /// <summary>
    /// Runs a scenario to its end or to the first violation. An observer reports one by throwing
    /// ViolationException; observers are told in their order.
    /// </summary>
    public static RunResult Execute(
        Scenario scenario, params ReadOnlySpan<RunObserver> observers) =>
        new ScenarioRun(scenario, observers).Execute();

    private static BalancerOptions OptionsOf(Scenario scenario) => new()
    {
        Probe = scenario.Kernel.Probe
            && DnsName.TryParse(SpecifiedLimits.ProbeName, out var name) ? name : [],
        ProbeRise = scenario.Kernel.ProbeRise,
        ProbeFall = scenario.Kernel.ProbeFall,
        WarmUp = scenario.Kernel.WarmUp,
        AnswersWithoutBackend = scenario.Kernel.AnswersWithoutBackend,
        TcpConnections = scenario.Kernel.TcpConnections,
        TcpConnectionsPerClient = scenario.Kernel.TcpConnectionsPerClient,
        TcpIdleTimeout = scenario.Kernel.TcpIdle,
        TcpMessageTime = scenario.Kernel.TcpMessage,
        TcpNotReading = scenario.Kernel.TcpNotReading,
        TcpLifetime = scenario.Kernel.TcpLifetime,
        MaxRemotes = scenario.Kernel.MaxRemotes,
        HashKey = SimRandom.Derive(scenario.Seed, Streams.Kernel, 0, Streams.HashKey),
    };

    private RunResult Execute()
    {
        Violation? violation = null;
        try
        {
            RunToEnd();
        }
        catch (ViolationException found)
        {
            violation = found.Violation;
        }
        catch (Exception thrown) when (!_network.IsWaiting)
        {
            violation = new Violation("S13", _kernel.Now, 0,
                $"{thrown.GetType().Name}: {thrown.Message}".ReplaceLineEndings(" "));
        }
        if (violation is { Event: 0 })
            violation = violation with { Event = _observers.Events };
        return new RunResult
        {
            Scenario = _scenario,
            Violation = violation,
            Hash = _hash.Value,
            Events = _observers.Events,
            Turns = _turns,
            Time = _kernel.Now - Instant.Zero,
            Faults = _world.Faults.Counts(),
        };
    }

    private void RunToEnd()
    {
        _observers.OnBegan(_network.DatagramSocket, _network.Listener);
        _kernel.WaitLimit = _scenario.End;
        while (_kernel.Now < _scenario.End)
            Turn();
        var limit = _kernel.Now + StopLimit;
        _kernel.WaitLimit = limit;
        _kernel.RequestStop();
        if (_scenario.StopAgain > Duration.Zero)
            _kernel.After(_scenario.StopAgain, _kernel.RequestStop);
        while (Turn())
        {
            // A process that stands still is not to blame for the time.
            limit += _kernel.Network.Stalled;
            _kernel.WaitLimit = limit;
            if (_kernel.Now >= limit)
                throw Found("L5", "an orderly stop has not ended after 60 s");
        }
        _observers.OnEnded(_kernel.Clock.Steady, _core);
    }

    private bool Turn()
    {
        CountTurn();
        var deeds = _network.Deeds;
        var goesOn = _loop.RunTurn();
        _vainTurns = _network.Deeds == deeds ? _vainTurns + 1 : 0;
        _observers.OnTurnEnded(_kernel.Clock.Steady, _core);
        return goesOn;
    }

    private void CountTurn()
    {
        _turns++;
        var timePassed = _kernel.Now != _lastTurnAt;
        _lastTurnAt = _kernel.Now;
        _turnsAtInstant = timePassed ? 0 : _turnsAtInstant + 1;
        _vainTurns = timePassed ? 0 : _vainTurns;
        if (_vainTurns >= VainTurnsPerInstant || _turnsAtInstant >= TurnsPerInstant)
            throw Found("L5", $"the loop spins: {_turnsAtInstant} turns and no time passed");
    }

    private ViolationException Found(string check, string evidence) =>
        new(check, _kernel.Now, evidence);

    private void OnLogged(LogRecord logged) =>
        _observers.OnLogged(_kernel.Clock.Steady, logged.Event);
}
