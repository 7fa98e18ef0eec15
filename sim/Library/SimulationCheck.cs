// Owns the way in for checks of one's own: they observe a run as it goes, like the
// simulator's checks, and end it where their claim does not hold.
//
// What always holds: a check changes nothing in the run; the first that fails is the one reported.

using System;
using System.Net;
using Balancer.Core;
using Simulation.Running;
using Simulation.Scenarios;

namespace Balancer.Simulation;

/// <summary>A datagram that a client sent over UDP.</summary>
/// <param name="At">When.</param>
/// <param name="ClientId">The client's id in the scenario.</param>
/// <param name="Client">The address that it came from; each of a flood has its own.</param>
/// <param name="Question">The number of the client's question, from 0.</param>
/// <param name="Attempt">
/// 0 for the first datagram of the question, 1 to 3 for its retries; of a flood, its number in it.
/// </param>
/// <param name="IsLost">A fault lost it on its way: the balancer will not see it.</param>
public sealed record Asked(TimeSpan At, int ClientId, IPAddress Client, int Question, int Attempt,
    bool IsLost);

/// <summary>An answer that reached a client over UDP.</summary>
/// <param name="At">When.</param>
/// <param name="ClientId">The client's id in the scenario.</param>
/// <param name="Client">The address that it went to.</param>
/// <param name="Question">
/// The number of the client's question, from 0; -1 if it answers none of kind question.
/// </param>
/// <param name="Backend">
/// The name of the backend that gave it; null for an answer of the balancer's own.
/// </param>
/// <param name="ResponseCode">
/// Its error as DNS numbers it: 0 for none, 2 for SERVFAIL, 3 for NXDOMAIN, 5 for REFUSED.
/// </param>
public sealed record Answered(TimeSpan At, int ClientId, IPAddress Client, int Question,
    string? Backend, int ResponseCode);

/// <summary>
/// A check of one's own: override what it looks at, and call Fail where its claim does not hold.
/// Each run gets a new one.
/// </summary>
/// <param name="id">What it is called in a violation, such as "ours".</param>
public abstract class SimulationCheck(string id)
{
    /// <summary>What it is called.</summary>
    public string Id => id;

    internal Instant Now { get; set; }

    /// <summary>
    /// A client sent a datagram: retries, and those that are then lost on their way, too.
    /// </summary>
    public virtual void OnAsked(Asked asked) { }

    /// <summary>
    /// An answer reached a client. It is for the questions that the same client asked with the same
    /// number (ClientId, Question), whichever attempt.
    /// </summary>
    public virtual void OnAnswered(Answered answered) { }

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
/// Passes a run's events to a user's check. An exception from that is the check's, not the core's.
/// </summary>
/// <param name="check">The check.</param>
/// <param name="origins">Gets each event before this.</param>
internal sealed class CheckAdapter(SimulationCheck check, AnswerOrigins origins) : RunObserver
{
    public override void OnClientAsked(Instant now, in ClientDatagram datagram, bool lost) =>
        Tell(now, new Asked(Times.Of(now), datagram.Client, Addresses.Of(datagram.From.Address),
            datagram.Query, datagram.Attempt, lost),
            static (check, _, asked) => check.OnAsked(asked));

    public override void OnClientAnswered(Instant now, int client, int query)
    {
        var (_, to, backend, code) = origins.Last;
        Tell(now, new Answered(Times.Of(now), client, Addresses.Of(to.Address), query, backend,
            code),
            static (check, _, answered) => check.OnAnswered(answered));
    }

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
