// Owns the shape of one check: an id, and what it does with what it is told. A check is told three
// kinds of things: the run itself (as an observer), what Truth found to contradict itself (a
// finding, which a check claims or leaves to others), and the end of each turn, when the core may
// be looked at.
//
// What always holds: a check changes nothing but itself; the first thing it says is the only one
// that counts; its evidence is one line.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Checking;

/// <summary>One claim about every run.</summary>
internal abstract class Check(string id)
{
    /// <summary>S1 to S12, S14, S15, L1 to L5.</summary>
    public string Id => id;

    /// <summary>What really happened; set when the check joins a set.</summary>
    public Truth Truth { get; set; } = null!;

    /// <summary>What it found first, or null.</summary>
    public Complaint? Complaint { get; private set; }

    /// <summary>Whether a finding of this kind breaks its claim.</summary>
    public virtual bool Claims(Finding finding) => false;

    public virtual void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events) { }

    public virtual void OnTurnEnded(Instant now, LoadBalancer core) { }

    public virtual void OnLogged(Instant now, ILogEvent told) { }

    public virtual void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued)
    {
    }

    public virtual void OnClientAnswered(Instant now, int client, int query) { }

    public virtual void OnFault(Instant now, FaultPlan fault, bool began) { }

    public virtual void OnHealed(Instant now) { }

    public virtual void OnEnded(Instant now, LoadBalancer core) { }

    /// <summary>Says that the claim does not hold; later ones are not listened to.</summary>
    public void Fail(string evidence, int backend = -1, int client = -1) =>
        Complaint ??= new Complaint(evidence, backend, client);
}

/// <summary>What a check says when its claim does not hold.</summary>
internal sealed record Complaint(string Evidence, int Backend, int Client);

/// <summary>
/// How what the core did can differ from what it should have done, where Truth can tell by itself.
/// </summary>
internal enum Finding
{
    /// <summary>A datagram left that no reply asked for, or not as the reply said.</summary>
    ReplyInvented,

    /// <summary>A reply was decoded and neither sent nor refused by the kernel.</summary>
    ReplyLost,

    /// <summary>A query or a connection went elsewhere than the policy says.</summary>
    Misrouted,

    /// <summary>A query's frame is not the datagram that was received.</summary>
    QueryAltered,

    /// <summary>A primary was given to a remote that has one and may keep it.</summary>
    PrimaryChanged,

    /// <summary>A remote was forgotten that was neither silent nor evicted.</summary>
    RemoteForgotten,

    /// <summary>A rebalance took what it may not take.</summary>
    WronglyMoved,

    /// <summary>A backend was called unlinked or removed without cause.</summary>
    WronglyGone,

    /// <summary>A session went on after its end or an error was read.</summary>
    OutlivedItsEnd,

    /// <summary>A session went on after the backend broke the protocol.</summary>
    OutlivedItsError,

    /// <summary>Bytes on a session that do not belong to its generation.</summary>
    OtherGeneration,

    /// <summary>Heartbeats out of turn.</summary>
    Heartbeat,

    /// <summary>A connect too early, too late, twice or while removed.</summary>
    Reconnect,

    /// <summary>A scan too early, too late, or not at all.</summary>
    Scan,

    /// <summary>A line about a condition that repeats, told again too soon.</summary>
    Repeated,

    /// <summary>Bytes of a TCP connection altered, lost or overtaken by an end.</summary>
    Relay,

    /// <summary>Something is waited for, and the loop would not be woken for it.</summary>
    Unwatched,

    /// <summary>More waits than may.</summary>
    Unbounded,

    /// <summary>A descriptor is kept that nothing needs.</summary>
    Leak,

    /// <summary>A TCP connection was sent to a path that is known to be gone.</summary>
    HopelessConnection,

    /// <summary>A session was closed, or a fault logged, without evidence.</summary>
    Unfounded,

    /// <summary>A number or name that the core told is not the true one.</summary>
    Untrue,
}
