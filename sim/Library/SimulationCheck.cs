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

    /// <summary>A client sent a datagram: retries, and those that are then lost, too.</summary>
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

/// <summary>
/// Tells a user's check what the run tells. An exception of its own is the check's, not the core's.
/// </summary>
internal sealed class CheckAdapter(SimulationCheck check) : RunObserver
{
    public override void OnClientAsked(Instant now, in ClientDatagram datagram, bool lost) =>
        Tell(now, datagram.From, static (check, at, from) =>
            check.OnAsked(at, IPAddress.Parse(from.Address.ToString())));

    public override void OnClientAnswered(Instant now, int client, int query) =>
        Tell(now, (client, query), static (check, at, answered) =>
            check.OnAnswered(at, answered.client, answered.query));

    public override void OnLogged(Instant now, ILogEvent told) =>
        Tell(now, OutcomeRecorder.Of(now, told), static (check, _, logged) =>
            check.OnLogged(logged));

    public override void OnFault(Instant now, FaultPlan fault, bool began)
    {
        var name = fault.Kind.ToString();
        Tell(now, (Kind: char.ToLowerInvariant(name[0]) + name[1..], began),
            static (check, at, fault) => check.OnFault(at, fault.Kind, fault.began));
    }

    public override void OnHealed(Instant now) =>
        Tell(now, 0, static (check, at, _) => check.OnHealed(at));

    public override void OnEnded(Instant now, LoadBalancer core) =>
        Tell(now, 0, static (check, at, _) => check.OnEnded(at));

    private void Tell<T>(Instant now, T what, Action<SimulationCheck, TimeSpan, T> tell)
    {
        check.Now = now;
        try
        {
            tell(check, Times.Of(now), what);
        }
        catch (Exception thrown) when (thrown is not ViolationException)
        {
            var place = thrown.StackTrace?.Split('\n')[0].Trim();
            throw new ViolationException(check.Id, now,
                $"the check threw {thrown.GetType().Name}: {thrown.Message} {place}"
                    .ReplaceLineEndings(" ").TrimEnd());
        }
    }
}
