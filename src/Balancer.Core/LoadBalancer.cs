// Composes the core and routes: every event enters here, and goes to the module that owns
// its subject. Nothing is decided here but when the balancer has stopped.
//
// A stop goes through three steps. First the listener closes, and everything else goes on. When no
// TCP connection is left, or the last part of the grace begins, no more queries are taken. When
// nothing is in flight any more, or the grace ends, all is closed but the UDP socket, which lives
// as long as the network.
//
// What always holds: the parts know each other only as composed here, and nobody outside the core
// knows them; after HasStopped no event may enter.

using System;

namespace Balancer.Core;

/// <summary>
/// One balancer: all it decides, without a clock, a socket or a thread of its own.
/// </summary>
public sealed class LoadBalancer : IBackendReports, IBackendNeighbours
{
    private readonly INetwork _network;
    private readonly IBalancerLog _log;
    private readonly Timers _timers = new();
    private readonly WatchReport _watch;
    private readonly Standstill _standstill;
    private readonly StreamOwners _owners = new();
    private readonly LogGates _gates;
    private readonly LogGate<LogEvent.ClockWentBack> _clockWentBack;
    private readonly Backends _backends;
    private readonly Remotes _remotes;
    private readonly UdpProxy _udp;
    private readonly Resends _resends;
    private readonly TcpProxies _tcp;
    private readonly Quarantine _quarantine;
    private readonly FirstMessages _messages;
    private readonly Discovery _discovery;
    private readonly StatusReport _status;
    private readonly Duration _stopTime;
    private readonly int _timersPerTurn;
    private readonly Timer _quietTimer;
    private readonly Timer _graceTimer;
    private RunState _state = RunState.NotStarted;

    /// <param name="network">The system calls; both sockets are open.</param>
    /// <param name="directory">The directory of sockets; it may not exist yet.</param>
    /// <param name="log">Where what happens is logged.</param>
    /// <param name="options">Checked by the caller.</param>
    /// <param name="turn">What one turn does at most.</param>
    public LoadBalancer(INetwork network, IBackendDirectory directory, IBalancerLog log,
        BalancerOptions options, TurnLimits turn)
    {
        Limits.VerifyRelations();
        turn.VerifyRelations();
        _network = network;
        _log = log;
        _stopTime = options.StopTime;
        _timersPerTurn = turn.TimersPerTurn;
        var services = new Services(network, _owners, _timers, Counters, log, options, turn);
        _gates = services.Gates;
        _clockWentBack = services.Gates.Make<LogEvent.ClockWentBack>();
        _standstill = services.Standstill;
        _watch = new WatchReport(services);
        var pairs = new QueryPairs();
        _quarantine = new Quarantine(services);
        _backends = new Backends(services, pairs, _quarantine, this, this);
        _remotes = new Remotes(services, _backends, LookAtDrops);
        _messages = new FirstMessages(Counters, _quarantine);
        var forwarding = new Forwarding(_remotes);
        var ownAnswers = new OwnAnswers(services);
        _resends = new Resends(services, pairs, _quarantine, _messages, forwarding, ownAnswers);
        _udp = new UdpProxy(services, _remotes, forwarding, _resends, _quarantine, ownAnswers);
        _tcp = new TcpProxies(services, _remotes, _messages);
        _discovery = new Discovery(services, directory, _backends);
        _status = new StatusReport(_backends, _remotes, _tcp, _quarantine, services);
        _quietTimer = new Timer(StopTakingQueries);
        _graceTimer = new Timer(Finish);
    }

    private enum RunState
    {
        NotStarted,
        Running,
        StoppingTcp,
        StoppingUdp,
        Stopped,
    }

    /// <summary>What became of everything that came in.</summary>
    public Counters Counters { get; } = new();

    /// <summary>A stop has begun, and may be complete.</summary>
    public bool IsStopping => _state >= RunState.StoppingTcp;

    /// <summary>A stop is complete: all is closed, and no turn may follow.</summary>
    public bool HasStopped => _state == RunState.Stopped;

    /// <summary>Remotes that are remembered now.</summary>
    public int RemoteCount => _remotes.Count;

    /// <summary>
    /// The longest turn so far, from the end of its wait to its own: so long everybody waited once,
    /// for the balancer or because the process had no processor.
    /// </summary>
    public Duration LongestTurn { get; private set; }

    /// <summary>TCP connections that are open now.</summary>
    public int ConnectionCount => _tcp.Count;

    /// <summary>Deadlines that are armed now.</summary>
    public int TimerCount => _timers.Count;

    /// <summary>
    /// When a turn is due even if nothing happens: the next deadline, or at once (Zero) while
    /// work that is done in slices has some left.
    /// </summary>
    public Instant NextWake =>
        _tcp.HasWork || _discovery.HasWork || _remotes.HasWork || _status.HasWork
            || _resends.HasWork
            ? Instant.Zero
            : _timers.NextDeadline;

    /// <summary>A copy of each backend's state, by id.</summary>
    public BackendSnapshot[] SnapshotBackends()
    {
        var snapshots = new BackendSnapshot[_backends.Count];
        for (var i = 0; i < snapshots.Length; i++)
            snapshots[i] = _backends.All[i].Snapshot();
        return snapshots;
    }

    /// <summary>
    /// Copies the first remote at or after the index and moves the index behind it; false when
    /// there is none.
    /// </summary>
    public bool TrySnapshotRemote(ref int index, out RemoteSnapshot snapshot) =>
        _remotes.TrySnapshot(ref index, int.MaxValue - index, out snapshot);

    /// <summary>Opens for queries and looks for backends; called once, before any event.</summary>
    public void Start(Instant now)
    {
        Verify.That(_state == RunState.NotStarted, "a balancer starts once");
        _state = RunState.Running;
        _udp.Start();
        _tcp.Start();
        _remotes.Start(now);
        _log.Write(new LogEvent.Started(_network.ListenEndpoint, _discovery.DirectoryName));
        _discovery.Scan(now);
    }

    /// <summary>Begins a turn, before its events; its wait was to end at `wake`.</summary>
    public void BeginTurn(Instant now, Instant wake)
    {
        if (now > wake)
            _standstill.OnTurn(now, now - wake);
        _watch.OnTurn(now);
    }

    /// <summary>The clock shows so much less than a turn before; time stands still.</summary>
    public void OnClockWentBack(Instant now, Duration by)
    {
        Counters.Add(Counter.ClockSetbacks);
        _clockWentBack.Write(now, new LogEvent.ClockWentBack(by, 0));
    }

    public void OnEvent(Instant now, NetworkEvent happened)
    {
        switch (happened.Kind)
        {
            case NetworkEventKind.Socket:
                OnReady(now, happened.Handle, happened.Ready);
                break;
            case NetworkEventKind.DirectoryChanged:
                _discovery.ScanSoon(now);
                break;
            case NetworkEventKind.DirectoryAnswered:
                _discovery.OnAnswered(now);
                break;
            case NetworkEventKind.RescanRequested:
                _log.Write(new LogEvent.RescanRequested());
                _discovery.Scan(now);
                break;
            case NetworkEventKind.StatusRequested:
                // What was gathered in this turn goes first, so that what is logged adds up.
                _udp.Flush(now);
                // A request during a report does not begin another.
                if (!_status.HasWork)
                    CountDropped();
                _status.Start(now, LongestTurn);
                break;
            case NetworkEventKind.StopRequested:
                OnStopRequested(now);
                break;
        }
    }

    /// <summary>
    /// Reads sessions, serves the deadlines that have come, then one slice of each lasting work.
    /// </summary>
    public void OnTime(Instant now)
    {
        _backends.ReadSessions(now);
        _timers.RunDue(now, _timersPerTurn);
        if (HasStopped)
            return;
        if (_resends.HasWork)
            _resends.DoWork(now);
        if (_discovery.HasWork)
            _discovery.DoWork(now);
        if (_remotes.HasWork)
            _remotes.DoWork(now);
        if (_status.HasWork)
            _status.DoWork();
    }

    /// <summary>A turn took so long since its wait ended; called last, after Flush.</summary>
    public void OnTurnEnded(Duration took) => LongestTurn = Duration.Max(LongestTurn, took);

    /// <summary>
    /// Ends a turn: what it gathered is written and sent, and then TCP has its share, so that no
    /// query or reply waits for that.
    /// </summary>
    public void Flush(Instant now)
    {
        _backends.Flush(now);
        _udp.Flush(now);
        _tcp.Serve(now);
        GoOnStopping(now);
    }

    /// <summary>
    /// The kernel's count has 32 bits: it is read now and then so that no wrap is missed, however
    /// long no report is asked for.
    /// </summary>
    private void LookAtDrops() => _ = _network.DatagramsDropped + _network.ConnectionsDropped;

    /// <summary>Takes the kernel's counts over, for a report.</summary>
    private void CountDropped()
    {
        Raise(Counter.DatagramsDroppedByKernel, _network.DatagramsDropped);
        Raise(Counter.ConnectionsDroppedByKernel, _network.ConnectionsDropped);
    }

    private void Raise(Counter counter, long to) =>
        Counters.Add(counter, to - Counters[counter]);

    private void OnReady(Instant now, SocketHandle handle, Readiness ready)
    {
        if (handle == _network.DatagramSocket)
            _udp.OnReadable(now);
        else if (handle == _network.Listener)
            _tcp.OnAcceptable();
        else
            _owners.Find(handle)?.OnReady(now, handle, ready);
    }

    // ---- What backends report ----

    void IBackendReports.OnWithoutResources(Instant now, Backend backend, IoResult why) =>
        _backends.OnWithoutResources(now, backend, why);

    void IBackendReports.OnConnected(Instant now, Backend backend) =>
        _discovery.OnConnected(now, backend);

    void IBackendReports.OnHealthy(Instant now)
    {
        _remotes.OnBackendHealthy(now);
        _resends.OnAtEase(now, _backends.All);
        _tcp.LookAround();
    }

    bool IBackendNeighbours.IsGone(Backend backend) => _discovery.IsGone(backend);

    bool IBackendReports.OnReply(
        Instant now, in Frame reply, InFlight inFlight, Backend? from) =>
        _udp.OnReply(now, in reply, inFlight, from);

    bool IBackendNeighbours.HasAnotherGoodAnswer(Backend than) =>
        _backends.HasAnotherGoodAnswer(than);

    void IBackendReports.OnSessionLost(Instant now, Backend backend, InFlight inFlight)
    {
        if (HasStopped)
            inFlight.DropAll();
        else
            _resends.OnSessionLost(now, backend, inFlight);
        _tcp.LookAround();
    }

    void IBackendReports.OnDied(Instant now, Backend backend) =>
        _resends.OnDied(now, backend);

    void IBackendReports.OnDoubtful(Instant now, Backend? doubtful)
    {
        if (!HasStopped)
            _backends.AskOthers(now, doubtful);
    }

    void IBackendReports.OnDoubtOver(Instant now) => _resends.OnDoubtOver(now);

    void IBackendReports.OnHang(Instant now, Instant suspectedAt, Backend backend)
    {
        _resends.OnHang(now, suspectedAt, backend);
        _tcp.LookAround();
    }

    bool IBackendNeighbours.MayHaveHungAnother(Instant now, Backend backend) =>
        _quarantine.MayHaveHungAnother(now, backend, _messages.InFlight);

    Instant IBackendNeighbours.NewestMessageAt(Instant now, Backend backend) =>
        _messages.NewestAt(now, backend);

    void IBackendReports.OnSuspected(Instant now, InFlight inFlight)
    {
        _resends.OnSuspected(now, inFlight);
        _tcp.LookAround();
    }

    void IBackendReports.OnAnswersInDoubt(Instant now, Backend backend) =>
        _backends.Judge(now, backend);

    void IBackendReports.OnAtEase(Instant now)
    {
        _resends.OnAtEase(now, _backends.All);
        _tcp.LookAround();
    }

    // ---- The stop ----

    private void OnStopRequested(Instant now)
    {
        if (_state != RunState.Running)
        {
            // A second request means: do not wait. The grace ends with this turn's events.
            _timers.Arm(_graceTimer, now);
            return;
        }
        _state = RunState.StoppingTcp;
        _log.Write(new LogEvent.Stopping(_tcp.Count, _stopTime));
        _tcp.BeginStop();
        _timers.Arm(_graceTimer, now + _stopTime);
        var quiet = Duration.Min(Limits.StopQuietTime, new Duration(_stopTime.Nanoseconds / 2));
        _timers.Arm(_quietTimer, now + _stopTime - quiet);
    }

    private void GoOnStopping(Instant now)
    {
        // What the kernel holds came before the stop and is taken along, a turn's share at a time.
        if (_state == RunState.StoppingTcp && !_tcp.IsBusy)
        {
            if (!_udp.OnReadable(now))
                StopTakingQueries(now);
            _backends.Flush(now);
        }
        if (_state == RunState.StoppingUdp && !_tcp.IsBusy && !_resends.HasUnsent
            && !_backends.AwaitReplies(now))
        {
            Finish(now);
        }
    }

    private void StopTakingQueries(Instant now)
    {
        _timers.Disarm(_quietTimer);
        _state = RunState.StoppingUdp;
        _udp.StopTakingQueries();
    }

    private void Finish(Instant now)
    {
        Verify.That(_state is RunState.StoppingTcp or RunState.StoppingUdp, "a stop ends once");
        // Replies that came before the stop are sent as before, and do not wait for what is closed.
        for (var n = 0; n < Limits.LastShares && _backends.ReadSessions(now); n++)
        {
        }
        _udp.Flush(now);
        _state = RunState.Stopped;
        _timers.Disarm(_graceTimer);
        _timers.Disarm(_quietTimer);
        _discovery.Stop();
        _remotes.Stop();
        _tcp.StopAccepting();
        _tcp.CutAll();
        _udp.StopTakingQueries();
        _resends.Stop(now);
        foreach (var backend in _backends.All)
            backend.Shutdown(now);
        _quarantine.Stop();
        _gates.Settle(now);
        CountDropped();
        _log.Write(new LogEvent.Stopped(Counters));
    }
}
