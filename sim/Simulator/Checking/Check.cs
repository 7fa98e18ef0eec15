// Owns the shape of one check: an id, and what it does with what it observes. A check gets three
// kinds of things: the run itself (as an observer), where the core does not do as the reference
// model says (a kind of violation, which a check claims or leaves to others), and the end of each
// turn, when the core may be looked at.
//
// What always holds: a check changes nothing but itself; the first thing it says is the only one
// that counts; its evidence is one line.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Model;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Checking;

/// <summary>One claim about every run.</summary>
internal abstract class Check(string id)
{
    /// <summary>S1 to S12, S14 to S19, L1 to L5.</summary>
    public string Id => id;

    /// <summary>What should have happened; set when the check joins a set.</summary>
    public ReferenceModel Model { get; set; } = null!;

    /// <summary>What it found first, or null.</summary>
    public Violation? Violation { get; private set; }

    /// <summary>Whether a violation of this kind breaks its claim.</summary>
    public virtual bool Claims(ViolationKind kind) => false;

    public virtual void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events) { }

    public virtual void OnTurnEnded(Instant now, LoadBalancer core) { }

    public virtual void OnReceived(in DatagramHeader header, ReadOnlySpan<byte> payload) { }

    public virtual void OnSent(in DatagramHeader header, ReadOnlySpan<byte> payload) { }

    public virtual void OnSendFailed(in DatagramHeader header, IoResult why) { }

    /// <summary>Bytes that the stream of a backend's session took.</summary>
    public virtual void OnWritten(SocketHandle stream, ReadOnlySpan<byte> bytes) { }

    /// <summary>Bytes that a backend took of a TCP connection, the frame before it too.</summary>
    public virtual void OnRelayed(
        ExpectedConnection connection, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
    }

    public virtual void OnLogged(Instant now, ILogEvent logged) { }

    public virtual void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued)
    {
    }

    public virtual void OnClientAnswered(Instant now, int client, int query) { }

    public virtual void OnFault(Instant now, FaultPlan fault, bool began) { }

    public virtual void OnHealed(Instant now) { }

    /// <summary>A backend process read bytes that the balancer wrote.</summary>
    public virtual void OnBackendRead(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
    }

    /// <summary>A backend's end of a stream ended: "eof", "close", "reset".</summary>
    public virtual void OnBackendEnded(
        Instant now, int backend, SocketHandle stream, string how)
    {
    }

    public virtual void OnEnded(Instant now, LoadBalancer core) { }

    /// <summary>Says that the claim does not hold; later ones are not listened to.</summary>
    public void Fail(string evidence, int backend = -1, int client = -1) =>
        Violation ??= new Violation(Id, Model.Now, 0, evidence, backend, client);
}
