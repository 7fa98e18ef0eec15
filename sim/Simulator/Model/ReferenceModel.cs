// Owns what should happen in a run, rebuilt from the system calls that were seen: every byte read
// and written, every connect, close and scan, and the clock of turns. From these it follows, with a
// policy model, what the core should do; where what it does differs, that is a violation. What each
// kind of thing comes to has a model of its own; here is the clock, and which model hears of what
// (of streams, see StreamCalls).
//
// Which line of the core's log is used, and for what, is LoggedEvents'.
//
// What always holds: the model changes nothing it looks at; after a violation it goes on as well as
// it can, because the check that is asked for may be another.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Told when model and core differ: what, a line of evidence, backend, client.</summary>
internal delegate void ViolationHandler(
    ViolationKind kind, string evidence, int backend, int client);

/// <summary>What should happen in one run.</summary>
internal sealed partial class ReferenceModel
{
    /// <summary>
    /// Scan, expiry, rebalance, held answers, the rests of both sockets, what is remembered of
    /// deaths, and a stop's two: what is armed at most besides backends and connections.
    /// </summary>
    private const int OwnTimers = 10;

    private readonly ViolationHandler _report;
    private readonly SessionModel _sessions;
    private readonly LoggedEvents _logged;
    private Duration _stall;
    private Duration _late;
    private Duration _clockWentBack;
    private bool _wokenEarly;
    private bool _wasToldOfDatagrams;
    private long _lastReceipt;
    private long _datagramsQueued;

    public ReferenceModel(Scenario scenario, ViolationHandler report)
    {
        _report = report;
        Scenario = scenario;
        Policy = new PolicyModel(scenario.Kernel, Counters, Situations);
        Dropped = new KernelDrops(Counters);
        Life = new LifetimeModel(this);
        Lines = new LogModel(this);
        Repeats = new RepeatedEventModel(this);
        Stuck = new StuckModel(this);
        Outage = new OutageModel(this);
        Scans = new ScanModel(this);
        Status = new StatusModel(this);
        Replies = new ReplyModel(this);
        Deadlines = new DeadlineModel(this);
        Flights = new QueryModel(this);
        Shares = new ShareModel(this);
        Standstill = new StandstillModel(this);
        Suspicion = new SuspicionModel(this);
        Resends = new ResendModel(this);
        Quarantine = new QuarantineModel(this);
        OwnAnswers = new OwnAnswerModel(this);
        Asked = new AskedModel(this);
        Failing = new FailingModel(this);
        Probes = new ProbeModel(this);
        _sessions = new SessionModel(this);
        Directory = new DirectoryModel(this);
        Connections = new ConnectionModel(this);
        TcpTurns = new TcpTurnModel(this);
        Arrivals = new ArrivalModel(this);
        Remotes = new RemoteModel(this);
        _logged = new LoggedEvents(this, _sessions, Remotes);
    }

    public Scenario Scenario { get; }

    /// <summary>What a turn does at most.</summary>
    public TurnLimits Work => Scenario.Kernel.Turn;

    public int DatagramsOfATurn =>
        Work.DatagramBatchesPerTurn * SpecifiedLimits.DatagramsOfACall;

    /// <summary>
    /// Bytes read of all TCP connections: a budget, and beyond it the last visit's reads.
    /// </summary>
    public int RelayedOfATurn => Work.TcpBytesPerTurn
        + 2 * Work.TcpReadsPerVisit * SpecifiedLimits.RelayQueueBytes;

    public PolicyModel Policy { get; }

    public ExpectedCounters Counters { get; } = new();

    /// <summary>Which situations there were in this run.</summary>
    public ReachedSituations Situations { get; } = new();

    public KernelDrops Dropped { get; }

    public SocketModel Sockets { get; } = new();

    public LifetimeModel Life { get; }

    public RemoteModel Remotes { get; }

    public ArrivalModel Arrivals { get; }

    public ReplyModel Replies { get; }

    /// <summary>Who has more than its share of a backend.</summary>
    public ShareModel Shares { get; }

    public DeadlineModel Deadlines { get; }

    public QueryModel Flights { get; }

    public StandstillModel Standstill { get; }

    public SuspicionModel Suspicion { get; }

    public ResendModel Resends { get; }

    public QuarantineModel Quarantine { get; }

    public OwnAnswerModel OwnAnswers { get; }

    public AskedModel Asked { get; }

    public FailingModel Failing { get; }

    public ProbeModel Probes { get; }

    public ConnectionModel Connections { get; }

    public TcpTurnModel TcpTurns { get; }

    public LogModel Lines { get; }

    public RepeatedEventModel Repeats { get; }

    public StuckModel Stuck { get; }

    public OutageModel Outage { get; }

    public ScanModel Scans { get; }

    public StatusModel Status { get; }

    public DirectoryModel Directory { get; }

    /// <summary>Sessions that retired and are not closed yet.</summary>
    public List<ExpectedSession> Retired { get; } = [];

    /// <summary>What the balancer's clock shows.</summary>
    public Instant Now { get; private set; }

    /// <summary>Turns that began.</summary>
    public long Turn { get; private set; }

    public bool HasHealed { get; private set; }

    /// <summary>Chaos is over, and so is a stall that began in it.</summary>
    public bool IsCalm { get; private set; }

    /// <summary>
    /// How much later than a deadline this turn may be: the clock's step, and the stall of the wait
    /// that it follows. What fell due in that stall is served in this turn.
    /// </summary>
    public Duration Lateness { get; private set; }

    /// <summary>Turns since one that came late by a stall, that one being 0.</summary>
    public int TurnsSinceStall { get; private set; }

    /// <summary>Receives that failed since one that did not, and the turn of the last.</summary>
    public int ReceiveFailuresInARow { get; private set; }

    public long ReceiveFailedLastIn { get; private set; }

    /// <summary>The turn in which an accept last failed for want of something.</summary>
    public long LacksForAcceptIn { get; private set; }

    /// <summary>
    /// Deadlines that the balancer can have at most; a turn serves a bounded number.
    /// </summary>
    public int MostTimers => OwnTimers + Connections.Open.Count + 8 * Policy.Backends.Count
        + 3 * Retired.Count + Repeats.Waiting + Stuck.Waiting;

    public int ReceivedInTurn { get; private set; }

    public int AcceptedInTurn { get; private set; }

    /// <summary>How many accepts came to something since a stop was asked for.</summary>
    public int AcceptedInStop { get; private set; }

    /// <summary>The last accept found nobody.</summary>
    public bool IsAcceptQueueDone { get; private set; }

    /// <summary>Bytes that were read of TCP connections, but for INBOUND_TCP_OK.</summary>
    public long RelayedInTurn { get; private set; }

    /// <summary>
    /// Datagrams of clients that the socket's queue had taken when the turn began, and the turns
    /// before did not take out.
    /// </summary>
    public long WaitingDatagrams { get; private set; }

    /// <summary>System calls of this turn that moved something.</summary>
    public int Deeds { get; private set; }

    /// <summary>A write of this turn was answered that it would block.</summary>
    public bool HasBlocked { get; private set; }

    /// <summary>A fault ended the wait that this turn follows, for nothing.</summary>
    public bool IsWokenEarly { get; private set; }

    public void Report(
        ViolationKind kind, string evidence, ExpectedBackend? backend = null, int client = -1) =>
        _report(kind, evidence, backend?.PlanId ?? -1, client);

    public void Reached(Situation situation) => Situations.Add(situation);

    public void ReachedIf(bool isThere, Situation situation) =>
        Situations.Add(isThere, situation);

    /// <summary>
    /// Replies still owed by sessions that were closed in this turn without cause.
    /// </summary>
    public long CutInTurn { get; set; }

    /// <summary>Whether a stop waits for a reply, or for queries to be sent once more.</summary>
    public bool AwaitsReplies
    {
        get
        {
            var awaits = Resends.HasUnsent;
            foreach (var backend in Policy.Backends)
                awaits |= backend.Session?.InFlight.Awaited(Now) > 0;
            foreach (var session in Retired)
                awaits |= session.InFlight.Awaited(Now) > 0;
            return awaits;
        }
    }

    // ---- Turns ----

    /// <summary>The wait that the next turn follows stood still for so long.</summary>
    public void OnStalled(Duration time) => _stall = time;

    /// <summary>The wait that the next turn follows ended so much after its time.</summary>
    public void OnLate(Duration late) => _late = late;

    /// <summary>The clock went back before the turn that begins next.</summary>
    public void OnClockWentBack(Duration by) => _clockWentBack = by;

    /// <summary>The wait that the next turn follows was ended by a fault, for nothing.</summary>
    public void OnWokenEarly() => _wokenEarly = true;

    public void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events)
    {
        Now = Shown(now);
        Turn++;
        Deeds = 0;
        _lastReceipt = -1;
        HasBlocked = false;
        IsWokenEarly = _wokenEarly;
        _wokenEarly = false;
        CutInTurn = 0;
        ReceivedInTurn = 0;
        _wasToldOfDatagrams = false;
        AcceptedInTurn = 0;
        RelayedInTurn = 0;
        WaitingDatagrams = _datagramsQueued;
        // A wait while the clock was wrong may end late by more than the process stood still.
        Lateness = Scenario.Kernel.ClockStep + Duration.Max(_stall, _late);
        if (_stall > Duration.Zero)
            NoteStandstill();
        TurnsSinceStall = _stall == Duration.Zero ? TurnsSinceStall + 1 : 0;
        IsCalm |= HasHealed && _stall == Duration.Zero;
        _stall = Duration.Zero;
        Standstill.OnLate(_late);
        if (_clockWentBack > Duration.Zero)
        {
            Counters.Add(Counter.ClockSetbacks);
            Repeats.OnCondition(
                Repeat.ClockWentBack, 0, new LogEvent.ClockWentBack(_clockWentBack, 0));
        }
        _clockWentBack = Duration.Zero;
        _late = Duration.Zero;
        Replies.OnTurnBegan();
        Resends.OnTurnBegan();
        TcpTurns.OnTurnBegan();
        Remotes.OnTurnBegan();
        foreach (ref readonly var happened in events)
        {
            switch (happened.Kind)
            {
                case NetworkEventKind.Socket:
                    OnReady(in happened);
                    break;
                case NetworkEventKind.StopRequested:
                    Life.OnStopRequested();
                    break;
                case NetworkEventKind.DirectoryChanged:
                    Scans.Soon();
                    break;
                case NetworkEventKind.DirectoryAnswered:
                    Scans.OnAnswered();
                    break;
                case NetworkEventKind.StatusRequested:
                    Status.OnRequested();
                    break;
                case NetworkEventKind.RescanRequested:
                    Scans.AtOnce();
                    Lines.Owe(new LogEvent.RescanRequested());
                    break;
            }
        }
    }

    private void NoteStandstill()
    {
        ReachedIf(Directory.OpenScan != 0, Situation.StandstillInAScan);
        ReachedIf(Policy.Backends.Exists(backend => backend.Session is { HasHeartbeatOut: true }),
            Situation.StandstillWithHeartbeatOut);
    }

    private void OnReady(in NetworkEvent happened)
    {
        _wasToldOfDatagrams |= happened.Handle == Sockets.Datagrams;
        var owner = Sockets.OwnerOf(happened.Handle);
        if (owner is ExpectedSession session)
        {
            session.IsReadable |= (happened.Ready & (Readiness.Read | Readiness.HangUp)) != 0;
            if ((happened.Ready & Readiness.Read) != 0)
                session.UnreadSince = Turn;
        }
        else if (owner is ExpectedConnection connection)
        {
            TcpTurns.OnReady(connection);
            if (happened.Handle == connection.Client)
                Connections.OnEvent(connection, happened.Ready);
        }
    }

    public void OnTurnEnded(Instant now, LoadBalancer core)
    {
        Now = Shown(now);
        Arrivals.Drain();
        if (!Life.HasStopped)
            Resends.Finish();
        Arrivals.ReportUntold();
        Life.OnTurnEnded();
        Replies.OnTurnEnded();
        _sessions.OnTurnEnded();
        if (!Life.HasStopped)
            Probes.OnTurnEnded();
        Connections.OnTurnEnded(core.NextWake == Instant.Zero);
        Remotes.OnTurnEnded(core);
        Directory.OnTurnEnded();
        ReachedIf(TcpTurns.IsUsedUp, Situation.TcpBudgetUsedUp);
        ReachedIf(ReceivedInTurn == DatagramsOfATurn, Situation.BatchIsFull);
        ReachedIf(Replies.InTurn > SpecifiedLimits.DatagramsOfACall,
            Situation.RepliesOfACallExceeded);
        Scans.OnTurnEnded(MostTimers);
        Status.OnTurnEnded(core);
        Lines.OnTurnEnded();
        Repeats.OnTurnEnded();
        Outage.OnTurnEnded();
        Stuck.OnTurnEnded();
    }

    public void OnHealed() => HasHealed = true;

    // ---- Datagrams ----

    /// <summary>
    /// A stop takes along what the kernel holds at the end of a turn; else datagrams come first, if
    /// the wait told of them.
    /// </summary>
    private bool IsReceivedLast => Life.IsStopping && (!_wasToldOfDatagrams
        || ReceivedInTurn == DatagramsOfATurn || ReceiveFailedLastIn == Turn);

    /// <summary>A client's datagram arrived, and the socket's queue had room for it.</summary>
    public void OnDatagramQueued() => _datagramsQueued++;

    public void OnReceived(Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        Now = Shown(now);
        Deeds++;
        // What comes in one call is received before any of it is decided.
        if (IsReceivedLast && _lastReceipt != Deeds - 1)
        {
            Arrivals.Drain();
            Resends.Finish();
        }
        _lastReceipt = Deeds;
        TcpTurns.OnUrgent("a query");
        ReceivedInTurn++;
        _datagramsQueued = Math.Max(0, _datagramsQueued - 1);
        ReceiveFailuresInARow = 0;
        Arrivals.OnReceived(in header, payload);
    }

    public void OnReceiveFailed(Instant now, IoResult why)
    {
        Now = Shown(now);
        Arrivals.Drain();
        if (why.Status == IoStatus.WouldBlock)
            return;
        Counters.Add(Counter.ReceivesFailed);
        ReceiveFailuresInARow++;
        ReceiveFailedLastIn = Turn;
        Repeats.OnCondition(Repeat.ReceiveFailed, (int)why.Status,
            new LogEvent.ReceiveFailed(why, 0));
    }

    public void OnSent(Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        Now = Shown(now);
        Deeds++;
        TcpTurns.OnUrgent("a reply");
        Arrivals.Drain();
        Replies.OnSent(in header, payload);
    }

    public void OnSendFailed(Instant now, in DatagramHeader header, IoResult why)
    {
        Now = Shown(now);
        Arrivals.Drain();
        var lost = Replies.OnSendFailed(in header, why);
        if (lost == 0)
            return;
        ReachedIf(lost > 1, Situation.FullSocketLosesBatch);
        Repeats.OnCondition(Repeat.SendFailed, (int)why.Status,
            why.Status is IoStatus.AccessDenied or IoStatus.InvalidArgument or IoStatus.Unreachable
                or IoStatus.Refused or IoStatus.MessageTooLong
                ? new LogEvent.ReplyUndeliverable(header.Peer, why, 0)
                : new LogEvent.SendFailed(header.Peer, why, 0), lost);
    }

    // ---- The directory ----

    public void OnScanOpened(Instant now, IoResult result)
    {
        Now = Shown(now);
        Deeds++;
        Arrivals.Drain();
        Directory.OnScanOpened(result);
    }

    public void OnScanEntry(Instant now, IoResult result, in DirectoryEntry entry)
    {
        Now = Shown(now);
        Deeds++;
        Arrivals.Drain();
        Directory.OnScanEntry(result, in entry);
    }

    public void OnLooked(Instant now, ReadOnlySpan<byte> name, IoResult result)
    {
        Now = Shown(now);
        Arrivals.Drain();
        Directory.OnLooked(name, result);
    }

    // ---- The log ----

    /// <summary>Takes over what only the log tells, before the checks hear of it.</summary>
    public void OnLogged(Instant now, ILogEvent logged)
    {
        Now = Shown(now);
        _logged.OnLogged(logged);
    }

    /// <summary>Notes that the checks have heard of a line.</summary>
    public void OnLogSettled(ILogEvent logged) => _logged.OnSettled(logged);

    /// <summary>What a clock of the scenario's step shows.</summary>
    private Instant Shown(Instant now)
    {
        var step = Scenario.Kernel.ClockStep.Nanoseconds;
        return step <= 1 ? now : new Instant(now.Nanoseconds - now.Nanoseconds % step);
    }
}
