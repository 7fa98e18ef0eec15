// Owns a whole balancer on a simulated host: kernel, core and loop, composed as the daemon composes
// them, and the ways to let them run for a while of virtual time.
//
// What always holds: turns are the loop's own, nothing is run between them but the kernel's world;
// a balancer that never lets time pass is reported, not waited for.

using System;
using Balancer.Core;
using Simulation.Kernel;

namespace Tests.Support;

/// <summary>A balancer that runs in virtual time.</summary>
public sealed class SimBalancer
{
    /// <summary>Turns at one instant before it is called a spin.</summary>
    private const int TurnsPerInstant = 100_000;

    private readonly EventLoop _loop;
    private Instant _lastTurnAt;
    private int _turnsAtInstant;

    /// <summary>On a kernel's network, or on one that stands before it.</summary>
    public SimBalancer(SimKernel? kernel = null, BalancerOptions? options = null,
        INetwork? network = null)
    {
        Kernel = kernel ?? new SimKernel();
        Log = new SimLog(Kernel.Clock);
        Core = new LoadBalancer(
            network ?? Kernel.Network, Kernel.Directory, Log, options ?? new BalancerOptions(),
            TurnLimits.Standard);
        _loop = new EventLoop(Kernel.Clock, network ?? Kernel.Network, Core);
    }

    public SimKernel Kernel { get; }

    public SimLog Log { get; }

    public LoadBalancer Core { get; }

    public Counters Counters => Core.Counters;

    public Instant Now => Kernel.Now;

    /// <summary>Turns run so far.</summary>
    public long Turns { get; private set; }

    /// <summary>The balancer said that no turn may follow; none does.</summary>
    public bool HasStopped { get; private set; }

    /// <summary>Runs one turn; false when the balancer has stopped.</summary>
    public bool Turn()
    {
        if (HasStopped)
            return false;
        _turnsAtInstant = Kernel.Now == _lastTurnAt ? _turnsAtInstant + 1 : 0;
        _lastTurnAt = Kernel.Now;
        Verify.That(_turnsAtInstant < TurnsPerInstant, "the loop lets time pass; it spins");
        Turns++;
        HasStopped = !_loop.RunTurn();
        return !HasStopped;
    }

    /// <summary>
    /// Runs turns until virtual time has advanced by this; a balancer that stops before ends it.
    /// </summary>
    public void Run(Duration time) => RunUntil(static () => false, time);

    /// <summary>
    /// Runs turns until the condition holds, asked after each turn and whenever the world acted;
    /// false when the limit came first or the balancer stopped without it.
    /// </summary>
    public bool RunUntil(Func<bool> condition, Duration limit)
    {
        var end = Kernel.Now + limit;
        Kernel.WaitLimit = end;
        Kernel.WakeWhen = condition;
        while (!condition() && Kernel.Now < end && Turn())
        {
        }
        Kernel.WakeWhen = null;
        Kernel.WaitLimit = Instant.Never;
        return condition();
    }
}
