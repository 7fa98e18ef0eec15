// Owns the listening socket and the set of proxied TCP connections: who is let in, how many at a
// time, and when accepting rests. What one connection does is TcpProxy.
//
// A turn of the loop has a budget for all connections together, in bytes: a visit costs what it
// read and a constant for its system calls, so that ends and handshakes are bounded as well. What
// is left waits for the next turn, which begins at once; whose turn it is, TcpTurns says.
//
// The connections' objects come from a pool: used again, with their timers and queues, and made
// only while as many are open as never before. It grows instead of being made at start, because
// 10,000 of them are 10 MB, twice the daemon, and most daemons never have a hundred.
//
// When a backend becomes suspect, hangs, loses its session or is back, all connections are
// looked at, a slice a turn: those that should leave theirs, or end with it, get a turn for that.
//
// Waiting connections are accepted after all events of the turn were noted: so a connection on
// which something came does not count as idle, and does not give way to a new one.
//
// What always holds: every accepted connection ends in exactly one counter; one for which there is
// no memory is reset, and nothing else is harmed; when the process has no descriptor left, the
// listener pauses instead of spinning, in a stop too; a stop closes the listener once no client
// waits there, so no client that connected before the stop is reset.

using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;

namespace Balancer.Core;

/// <summary>All proxied TCP connections of one balancer.</summary>
internal sealed class TcpProxies
{
    /// <summary>What no call of the system said, but the runtime.</summary>
    private static readonly IoResult NoMemory = IoResult.Failed(IoStatus.NoBuffers);

    private readonly Services _services;
    private readonly Remotes _remotes;
    private readonly FirstMessages _messages;
    private readonly TcpTurns _turns = new();
    private readonly TcpPlaces _places;
    private readonly LinkedList<TcpProxy> _open = new();
    private readonly Stack<TcpProxy> _free = [];
    private readonly Timer _resume;
    private readonly LogGatesByStatus<LogEvent.AcceptFailed> _acceptFailed;
    private readonly LogGatesByStatus<LogEvent.AcceptAborted> _acceptAborted;
    private readonly LogGate<LogEvent.ConnectionsOverLimit> _overLimit;
    private readonly LogGate<LogEvent.ClientOverLimit> _overClientLimit;
    private readonly LogGateTable<LogEvent.ConnectionRefusedByBackend> _refused;
    private readonly LogGateTable<LogEvent.BackendAcceptQueueFull> _full;
    private readonly LogGate<LogEvent.ConnectionWithoutResources> _withoutResources;
    private LinkedListNode<TcpProxy>? _toLookAt;
    private bool _looksAgain;
    private long _lastId;
    private long _freeQueueMemory;
    private bool _isListening;
    private bool _isStopping;
    private bool _isAcceptable;
    private int _made;

    /// <summary>How many more a stop accepts at most; means something during one.</summary>
    private int _lastAccepts;

    /// <summary>Whether clients wait to be accepted.</summary>
    private enum Waiting
    {
        Nobody,

        /// <summary>The turn's share is used up, or an accept failed.</summary>
        PerhapsSome,
    }

    public TcpProxies(Services services, Remotes remotes, FirstMessages messages)
    {
        _services = services;
        _messages = messages;
        _remotes = remotes;
        _places = new TcpPlaces(services.Options.TcpNotReading, services.Turn.TcpIdleLooks);
        _acceptFailed = new(services.Gates);
        _acceptAborted = new(services.Gates);
        _overLimit = services.Gates.Make<LogEvent.ConnectionsOverLimit>();
        _overClientLimit = services.Gates.Make<LogEvent.ClientOverLimit>();
        _refused = new(services.Gates, Limits.MaxBackends + 1);
        _full = new(services.Gates, Limits.MaxBackends + 1);
        _withoutResources = services.Gates.Make<LogEvent.ConnectionWithoutResources>();
        _resume = new Timer(_ => Listen());
    }

    /// <summary>Connections that are open now.</summary>
    public int Count => _open.Count;

    /// <summary>Connections have something to do that no turn had room for.</summary>
    public bool HasWork => !_turns.IsEmpty || _toLookAt is not null || _looksAgain
        || (_isStopping && _isListening && !_resume.IsArmed);

    /// <summary>Connections are open, or a stop has not yet accepted all that wait.</summary>
    public bool IsBusy => _open.Count > 0 || _isListening;

    public void Start()
    {
        _isListening = true;
        Listen();
    }

    /// <summary>
    /// A stop was asked for: clients that wait are still accepted, a turn's share at a time, then
    /// the listener is closed. New clients keep it open for no more accepts than its queue
    /// is long; while no descriptor is free to accept one with, it stays open until one
    /// is free. Connections that are open go on.
    /// </summary>
    public void BeginStop()
    {
        _isStopping = true;
        _lastAccepts = Limits.ListenBacklog + 1; // as many as the kernel lets wait
    }

    /// <summary>Closes the listener, even if clients still wait there.</summary>
    public void StopAccepting()
    {
        if (!_isListening)
            return;
        _isListening = false;
        _services.Timers.Disarm(_resume);
        _services.Network.Close(_services.Network.Listener);
    }

    /// <summary>Tears down what is still open.</summary>
    public void CutAll()
    {
        while (_turns.TryTake(out _))
        {
        }
        while (_open.First is { } first)
            first.Value.End(Counter.ConnectionsCutByStop, IoResult.Ok());
    }

    /// <summary>Somebody waits to be accepted, at the end of the turn.</summary>
    public void OnAcceptable() => _isAcceptable = true;

    /// <summary>A connection has something to do when its turn comes.</summary>
    public void ServeLater(TcpProxy proxy) => _turns.Add(proxy);

    /// <summary>
    /// A backend's state changed: all connections are looked at, for those that should leave the
    /// backend that they wait for, and those whose backend will not answer any more.
    /// </summary>
    public void LookAround()
    {
        if (_toLookAt is null)
            _toLookAt = _open.First;
        else
            _looksAgain = true;
    }

    /// <summary>
    /// Ends a turn: serves connections, one visit after another, up to the turn's budget, and then
    /// accepts some.
    /// </summary>
    public void Serve(Instant now)
    {
        LookAtSome();
        var left = _services.Turn.TcpBytesPerTurn;
        while (left > 0 && _turns.TryTake(out var proxy))
            left -= _services.Turn.TcpVisitBytes + Visit(now, proxy);
        var isLast = _isStopping && _isListening && !_resume.IsArmed;
        if (isLast || _isAcceptable)
        {
            _isAcceptable = false;
            var waiting = AcceptSome(now);
            if (isLast && (waiting == Waiting.Nobody || _lastAccepts <= 0))
                StopAccepting();
        }
    }

    /// <summary>
    /// If there is no memory for a connection's bytes, the connection ends and the process goes on.
    /// Returns what the visit cost.
    /// </summary>
    private int Visit(Instant now, TcpProxy proxy)
    {
        try
        {
            return proxy.Visit(now);
        }
        catch (OutOfMemoryException)
        {
            EndWithoutMemory(now, proxy);
            return 0;
        }
    }

    private void EndWithoutMemory(Instant now, TcpProxy proxy)
    {
        if (!proxy.IsOpen)
            return;
        OnWithoutResources(now, proxy, NoMemory);
        LetGo(proxy, Counter.ConnectionsWithoutResources, NoMemory);
    }

    /// <summary>A connection is not idle.</summary>
    public void OnActive(TcpProxy proxy) => _places.OnActive(proxy);

    /// <summary>A connection had its turn.</summary>
    public void OnVisited(TcpProxy proxy)
    {
        if (!proxy.IsNotRead)
            _places.NoteReading(proxy);
        else if (_places.NoteNotReading(proxy) is { } longest)
            LetGo(longest, Counter.ConnectionsNotReading);
    }

    /// <summary>A connection is over; called by it, once.</summary>
    public void OnEnded(TcpProxy proxy, Counter how)
    {
        _services.Counters.Add(how);
        if (_toLookAt == proxy.Node)
            _toLookAt = proxy.Node.Next;
        _open.Remove(proxy.Node);
        _places.Close(proxy);
        _turns.Close(proxy);
        if (proxy.HasAsked && !proxy.WasRelayed)
            _remotes.CountOutcome(proxy.Peer.Address, Traffic.Tcp, forwarded: false);
    }

    /// <summary>A connection is over and logged: its object may be used for another.</summary>
    public void OnFree(TcpProxy proxy)
    {
        if (_freeQueueMemory + proxy.QueueMemory > _services.Turn.TcpFreeQueueBytes)
            proxy.FreeQueueMemory();
        _freeQueueMemory += proxy.QueueMemory;
        _free.Push(proxy);
    }

    /// <summary>The backend for a client that has sent something, or null.</summary>
    public Backend? Choose(Instant now, Ipv4 client) =>
        _remotes.Choose(now, client, Traffic.Tcp, out _);

    /// <summary>A backend took a connection.</summary>
    public void OnRelaying(TcpProxy proxy, Backend backend)
    {
        _remotes.CountOutcome(proxy.Peer.Address, Traffic.Tcp, forwarded: true);
        _services.Log.Write(new LogEvent.ConnectionRelaying(proxy.Id, backend.Id));
    }

    /// <summary>A backend did not take a connection.</summary>
    public void OnRefused(Instant now, TcpProxy proxy, Backend backend, Fault why) =>
        _refused[backend.Slot].Write(
            now, new LogEvent.ConnectionRefusedByBackend(proxy.Id, backend.Id, why, 0));

    /// <summary>A backend had no room for a connection.</summary>
    public void OnFull(Instant now, TcpProxy proxy, Backend backend, IoResult why)
    {
        _services.Counters.Add(Counter.ConnectsToFullBackend);
        _full[backend.Slot].Write(
            now, new LogEvent.BackendAcceptQueueFull(backend.Id, proxy.Id, why, 0));
    }

    /// <summary>
    /// Another backend to try beside one that had no room, or does not answer, or null.
    /// </summary>
    public Backend? ChooseBeside(Instant now, Backend full, List<Backend>? asked = null) =>
        _remotes.ChooseBeside(now, full, asked);

    /// <summary>
    /// The backend to try instead of one that is waited for, and that was not asked, or null.
    /// </summary>
    public Backend? ChooseBetter(Instant now, Backend than, List<Backend> asked) =>
        _remotes.ChooseBetter(now, than, asked);

    /// <summary>The backend to try after those that did not take a connection, or null.</summary>
    public Backend? ChooseAgain(Instant now, List<Backend> asked) =>
        _remotes.ChooseAgain(now, asked);

    /// <summary>This process lacks what a connection needs.</summary>
    public void OnWithoutResources(Instant now, TcpProxy proxy, IoResult why) =>
        WriteWithoutResources(now, proxy.Id, why);

    /// <summary>Accepts waiting clients; returns whether any still wait.</summary>
    private Waiting AcceptSome(Instant now)
    {
        for (var n = 0; n < _services.Turn.AcceptsPerTurn && _isListening; n++)
        {
            var result = _services.Network.Accept(out var stream, out var client);
            if (result.IsOk)
                OnAccepted(now, stream, client);
            else if (result.Status == IoStatus.WouldBlock)
                return Waiting.Nobody;
            else if (!OnAcceptFailed(now, result))
                return Waiting.PerhapsSome;
            _lastAccepts--;
        }
        return Waiting.PerhapsSome;
    }

    private void LookAtSome()
    {
        if (_toLookAt is null && _looksAgain)
        {
            _toLookAt = _open.First;
            _looksAgain = false;
        }
        for (var n = 0; n < _services.Turn.TcpLooksPerTurn && _toLookAt is { } node; n++)
        {
            _toLookAt = node.Next;
            if (node.Value.ShouldLeave || node.Value.IsAbandoned)
                ServeLater(node.Value);
        }
    }

    private void OnAccepted(Instant now, SocketHandle stream, Endpoint client)
    {
        _services.Counters.Add(Counter.ConnectionsAccepted);
        var open = _turns.OpenOf(client.Address);
        if (open < _services.Options.TcpConnectionsPerClient)
            MakeRoom(now, open);
        if (_open.Count >= _services.Options.TcpConnections)
        {
            Refuse(stream, Counter.ConnectionsOverLimit);
            _overLimit.Write(now, new LogEvent.ConnectionsOverLimit(client, 0));
            return;
        }
        if (open >= _services.Options.TcpConnectionsPerClient)
        {
            Refuse(stream, Counter.ConnectionsOverClientLimit);
            _overClientLimit.Write(now, new LogEvent.ClientOverLimit(client, 0));
            return;
        }
        var id = new ConnectionId(++_lastId);
        if (!TryTakeFree(stream, client.Address, out var owner, out var proxy))
        {
            _services.Counters.Add(Counter.ConnectionsWithoutResources);
            _services.Network.Abort(stream);
            WriteWithoutResources(now, id, NoMemory);
            return;
        }
        Start(now, id, stream, client, owner, proxy);
    }

    private void Start(Instant now, ConnectionId id, SocketHandle stream, Endpoint client,
        TcpClient owner, TcpProxy proxy)
    {
        proxy.Client = owner;
        _open.AddLast(proxy.Node);
        _places.Open(proxy);
        try
        {
            proxy.Start(now, id, stream, client);
        }
        catch (OutOfMemoryException)
        {
            EndWithoutMemory(now, proxy);
        }
    }

    /// <summary>
    /// When places are short, one gives way to the next of an address that has so many.
    /// </summary>
    private void MakeRoom(Instant now, int ofAddress)
    {
        var places = _services.Options.TcpConnections;
        if (_open.Count >= places - places / Limits.TcpShortShare
            && _places.WhoGivesWay(now, ofAddress, _open.Count >= places) is { } one)
        {
            LetGo(one, Counter.ConnectionsGaveWay);
        }
    }

    private void LetGo(TcpProxy proxy, Counter how, IoResult why = default)
    {
        _turns.Remove(proxy);
        proxy.End(how, why);
    }

    private void WriteWithoutResources(Instant now, ConnectionId id, IoResult why) =>
        _withoutResources.Write(now, new LogEvent.ConnectionWithoutResources(id, why, 0));

    /// <summary>
    /// An object for a connection of a client, and room for it wherever it is noted; false if there
    /// is no memory, and then nothing is changed.
    /// </summary>
    private bool TryTakeFree(SocketHandle stream, Ipv4 address,
        [NotNullWhen(true)] out TcpClient? owner, [NotNullWhen(true)] out TcpProxy? proxy)
    {
        (owner, proxy) = (null, null);
        try
        {
            owner = _turns.Open(address);
            _places.Reserve(owner);
            _services.Owners.Reserve(stream);
            if (!_free.TryPop(out proxy))
            {
                _free.EnsureCapacity(_made + 1);
                proxy = new TcpProxy(_services, this, _messages, owner);
                _made++;
                return true;
            }
        }
        catch (OutOfMemoryException)
        {
            if (owner is not null)
                _turns.Close(owner);
            return false;
        }
        _freeQueueMemory -= proxy.QueueMemory;
        Verify.That(_freeQueueMemory >= 0, "what free queues keep was counted when they came");
        return true;
    }

    private void Refuse(SocketHandle stream, Counter which)
    {
        _services.Counters.Add(which);
        _services.Network.Close(stream);
    }

    /// <summary>Whether to go on accepting: yes if it was one connection's own failure.</summary>
    private bool OnAcceptFailed(Instant now, IoResult why)
    {
        _services.Counters.Add(Counter.AcceptsFailed);
        var isAborted = why.Status is IoStatus.Aborted or IoStatus.Reset;
        if (isAborted)
        {
            _acceptAborted[why.Status].Write(now, new LogEvent.AcceptAborted(why, 0));
            return true;
        }
        _acceptFailed[why.Status].Write(now, new LogEvent.AcceptFailed(why, 0));
        _services.Network.SetInterest(_services.Network.Listener, Readiness.None);
        _services.Timers.Arm(_resume, now + Limits.AcceptPause);
        return false;
    }

    private void Listen() =>
        _services.Network.SetInterest(_services.Network.Listener, Readiness.Read);
}
