// Owns a scripted backend: a listener in the simulated directory, the sessions that the balancer
// makes to it, and what it answers by itself. By default it is well-behaved - accepts, says hello,
// answers heartbeats, takes TCP sessions - and each of these can be switched off or delayed; the
// rest of its misbehaviour a test sends byte by byte.
//
// It acts only when the kernel tells it that something came, so a quiet backend costs nothing.
//
// What always holds: it reads the protocol with fake-binder's codec, so that one mistake cannot
// hide in both ends; bytes that are no frame of the balancer's are kept as Violation.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;

namespace Tests.Support;

/// <summary>A query as a backend got it.</summary>
/// <param name="At">The kernel's time.</param>
/// <param name="Session">The session it came on.</param>
/// <param name="Source">The client, as the frame told it.</param>
/// <param name="Payload">Its packet, a copy.</param>
public sealed record ReceivedQuery(
    Instant At, SimBackendSession Session, Endpoint Source, byte[] Payload);

/// <summary>A backend on a SimKernel, for tests.</summary>
public sealed class SimBackend
{
    private readonly List<SimBackendSession> _sessions = [];
    private readonly List<ReceivedQuery> _queries = [];
    private bool _accepts = true;

    /// <summary>Binds a socket of this name and listens.</summary>
    public SimBackend(SimKernel kernel, string name, int backlog = 511)
    {
        Kernel = kernel;
        Name = name;
        Backlog = backlog;
        Listener = Bind();
    }

    public SimKernel Kernel { get; }

    /// <summary>The entry's name in the directory.</summary>
    public string Name { get; }

    public int Backlog { get; }

    /// <summary>The listener of now; another one after Rebind.</summary>
    public SimListener Listener { get; private set; }

    /// <summary>Whether connections are accepted; turning it on accepts those that wait.</summary>
    public bool Accepts
    {
        get => _accepts;
        set
        {
            _accepts = value;
            OnConnection(Listener);
        }
    }

    /// <summary>
    /// Whether sessions are read; off, bytes stay in the kernel, as with a hung process.
    /// </summary>
    public bool Reads { get; private set; } = true;

    /// <summary>Whether, and how late, CLIENT_HELLO is answered.</summary>
    public bool AnswersHello { get; set; } = true;

    public Duration HelloDelay { get; set; }

    /// <summary>Whether, and how late, CLIENT_HEARTBEAT is answered.</summary>
    public bool AnswersHeartbeats { get; set; } = true;

    public Duration HeartbeatDelay { get; set; }

    /// <summary>Whether, and how late, INBOUND_TCP is answered with INBOUND_TCP_OK.</summary>
    public bool AnswersTcp { get; set; } = true;

    public Duration TcpDelay { get; set; }

    /// <summary>Whether each query's payload is sent back to its source at once.</summary>
    public bool EchoesQueries { get; set; }

    /// <summary>What each query is answered with at once; null for nothing.</summary>
    public Func<byte[], byte[]>? Answers { get; set; }

    /// <summary>
    /// Whether a TCP session's bytes are sent back at once, and its end answered with an end; off,
    /// an ended TCP session stays half-open until the test closes it.
    /// </summary>
    public bool EchoesTcp { get; set; }

    /// <summary>Whether queries and TCP bytes are kept; the count goes on without.</summary>
    public bool Records { get; set; } = true;

    /// <summary>All sessions ever accepted, oldest first.</summary>
    public IReadOnlyList<SimBackendSession> Sessions => _sessions;

    /// <summary>Queries received while Records was on, oldest first.</summary>
    public IReadOnlyList<ReceivedQuery> Queries => _queries;

    /// <summary>Queries received.</summary>
    public long QueryCount { get; private set; }

    /// <summary>The newest session that said CLIENT_HELLO and is open; null if none is.</summary>
    public SimBackendSession? Control =>
        _sessions.FindLast(session => session.IsControl && !session.IsOver);

    /// <summary>The open sessions that carry TCP connections, oldest first.</summary>
    public IReadOnlyList<SimBackendSession> TcpSessions =>
        _sessions.FindAll(session => session.IsTcp && !session.IsOver);

    /// <summary>Sends an OUTBOUND_UDP on the control session.</summary>
    public void Reply(Endpoint to, ReadOnlySpan<byte> payload) => Live().Reply(to, payload);

    /// <summary>Answers a query on the session that it came on.</summary>
    public static void Reply(ReceivedQuery query, ReadOnlySpan<byte> payload) =>
        query.Session.Reply(query.Source, payload);

    /// <summary>Sends bytes on the control session, whatever they are.</summary>
    public void Send(ReadOnlySpan<byte> bytes) => Live().Send(bytes);

    /// <summary>Whether it reads what comes for its TCP connections.</summary>
    public bool ReadsTcp
    {
        get;
        set
        {
            field = value;
            foreach (var session in _sessions.ToArray())
                session.OnReadable();
        }
    } = true;

    /// <summary>Stops reading and answering: a process that hangs but lives.</summary>
    public void Hang()
    {
        Reads = false;
        _accepts = false;
    }

    /// <summary>Goes on after Hang, with what came meanwhile.</summary>
    public void Resume()
    {
        Reads = true;
        Accepts = true;
        foreach (var session in _sessions.ToArray())
            session.OnReadable();
    }

    /// <summary>Closes every session; the listener stays.</summary>
    public void CloseSessions()
    {
        foreach (var session in _sessions)
            session.Close();
    }

    /// <summary>Resets every session; the listener stays.</summary>
    public void ResetSessions()
    {
        foreach (var session in _sessions)
            session.Reset();
    }

    /// <summary>Removes the path; listener and sessions go on.</summary>
    public void Unlink() => Kernel.Directory.Unlink(Name);

    /// <summary>The process dies: listener and sessions close, the path stays, stale.</summary>
    public void Crash()
    {
        Listener.Close();
        CloseSessions();
    }

    /// <summary>The process ends in order: it unlinks its path, then closes everything.</summary>
    public void Stop()
    {
        Unlink();
        Crash();
    }

    /// <summary>
    /// A new process binds the same path: the old entry, if any, goes and a new inode comes. Old
    /// sessions stay as they are, for Crash or CloseSessions to end.
    /// </summary>
    public void Rebind()
    {
        Unlink();
        Listener.Close();
        Listener = Bind();
    }

    internal void OnQuery(SimBackendSession session, Endpoint source, ReadOnlySpan<byte> payload)
    {
        QueryCount++;
        if (Records)
            _queries.Add(new ReceivedQuery(Kernel.Now, session, source, payload.ToArray()));
        if (EchoesQueries)
            session.Reply(source, payload);
        else if (Answers is { } answer)
            session.Reply(source, answer(payload.ToArray()));
    }

    private SimListener Bind()
    {
        var listener = Kernel.Directory.Bind(Name, Backlog);
        listener.OnConnection = OnConnection;
        return listener;
    }

    private void OnConnection(SimListener listener)
    {
        while (_accepts && listener.Accept() is { } stream)
        {
            var session = new SimBackendSession(this, stream);
            _sessions.Add(session);
            session.OnReadable();
        }
    }

    private SimBackendSession Live()
    {
        var control = Control;
        Verify.That(control != null, "a backend that sends has a control session");
        return control;
    }
}
