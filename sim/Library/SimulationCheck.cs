// Owns the way in for checks of one's own: they are told of a run as it goes, beside the
// simulator's checks, and end it where their claim does not hold.
//
// What always holds: a check changes nothing in the run; the first that fails is the one reported.

using System;
using System.Net;
using Balancer.Core;
using Simulation.Running;
using Simulation.Scenarios;

namespace Balancer.Simulation;

/// <summary>
/// A check of one's own: override what it looks at, and call Fail where its claim does not hold.
/// Made anew for each run.
/// </summary>
/// <param name="id">What it is called in a violation, such as "ours".</param>
public abstract class SimulationCheck(string id)
{
    /// <summary>What it is called.</summary>
    public string Id => id;

    internal Instant Now { get; set; }

    /// <summary>A client sent a datagram, a retry included.</summary>
    public virtual void OnAsked(TimeSpan at, IPAddress client) { }

    /// <summary>A client was answered.</summary>
    /// <param name="at">When.</param>
    /// <param name="client">The number of the client in the scenario.</param>
    /// <param name="query">The number of its question, from 0; -1 for one it did not ask.</param>
    public virtual void OnAnswered(TimeSpan at, int client, int query) { }

    /// <summary>The balancer logged an event.</summary>
    public virtual void OnLogged(LoggedEvent logged) { }

    /// <summary>A fault began (or happened), or ended; kind as in a scenario file.</summary>
    public virtual void OnFault(TimeSpan at, string kind, bool began) { }

    /// <summary>Chaos is over: core backends heal.</summary>
    public virtual void OnHealed(TimeSpan at) { }

    /// <summary>The run is over.</summary>
    public virtual void OnEnded(TimeSpan at) { }

    /// <summary>The claim does not hold: ends the run.</summary>
    /// <param name="evidence">What was seen and what should have been, on one line.</param>
    protected void Fail(string evidence) => throw new ViolationException(id, Now, evidence);
}

/// <summary>Tells a user's check what the run tells.</summary>
internal sealed class CheckAdapter(SimulationCheck check) : RunObserver
{
    public override void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued) =>
        check.OnAsked(At(now), IPAddress.Parse(from.Address.ToString()));

    public override void OnClientAnswered(Instant now, int client, int query) =>
        check.OnAnswered(At(now), client, query);

    public override void OnLogged(Instant now, ILogEvent told)
    {
        check.Now = now;
        check.OnLogged(OutcomeRecorder.Of(now, told));
    }

    public override void OnFault(Instant now, FaultPlan fault, bool began)
    {
        var name = fault.Kind.ToString();
        check.OnFault(At(now), char.ToLowerInvariant(name[0]) + name[1..], began);
    }

    public override void OnHealed(Instant now) => check.OnHealed(At(now));

    public override void OnEnded(Instant now, LoadBalancer core) => check.OnEnded(At(now));

    private TimeSpan At(Instant now)
    {
        check.Now = now;
        return Times.Of(now);
    }
}
