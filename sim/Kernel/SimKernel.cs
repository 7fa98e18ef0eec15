// Owns virtual time and everything else of one simulated host: the descriptor table, the two bound
// sockets, the directory, the faults, and the schedule of what the world will do. The balancer sees
// it as SimNetwork, SimClock and SimDirectory; a test sees this.
//
// Time passes only while the balancer waits, and then jumps from one scheduled action to the next,
// so an hour costs what happens in it. The world - peers, clients, scripts - acts only then too:
// within a turn nothing moves but by the balancer's own calls.
//
// What always holds: the same calls and actions give the same run, to the last event; Now never
// goes back; nothing here draws a random number or reads a real clock.

using System;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>One simulated host in virtual time.</summary>
public sealed class SimKernel
{
    /// <summary>Actions that may run at one instant before it is called a livelock.</summary>
    private const int ActionsPerInstant = 1_000_000;

    private readonly SimSchedule _schedule = new();
    private readonly SimRing<SimStream> _streams = new();
    private readonly SimRing<SimListener> _listeners = new();

    /// <summary>A host that listens on the endpoint, with backends in the directory.</summary>
    public SimKernel(Endpoint? listen = null, string directory = "/run/bbal")
    {
        Sockets = new SimSockets();
        Faults = new SimFaults();
        Calls = new SimCalls();
        Clock = new SimClock(this);
        Datagrams = new SimDatagrams(this);
        Listener = new SimTcpListener(this);
        Directory = new SimDirectory(this, directory);
        Network = new SimNetwork(this, listen ?? new Endpoint(Ipv4.From(10, 0, 0, 53), 53));
    }

    /// <summary>Virtual time; Zero at first.</summary>
    public Instant Now { get; private set; }

    /// <summary>What the balancer is handed.</summary>
    public SimNetwork Network { get; }

    public SimClock Clock { get; }

    public SimDirectory Directory { get; }

    /// <summary>The UDP socket, seen from the network.</summary>
    public SimDatagrams Datagrams { get; }

    /// <summary>The TCP listener, seen from the network.</summary>
    public SimTcpListener Listener { get; }

    public SimFaults Faults { get; }

    /// <summary>How often the balancer made each call.</summary>
    public SimCalls Calls { get; }

    /// <summary>
    /// Descriptors that streams and a scan may hold together; the two bound sockets are beside it.
    /// </summary>
    public int DescriptorLimit { get; set; } = 1_000_000;

    /// <summary>Descriptors that streams and a scan hold now: 0 when nothing is leaked.</summary>
    public int OpenDescriptors => Sockets.Streams + (Directory.IsScanning ? 1 : 0);

    /// <summary>Buffers of AF_UNIX sessions made from now on, each direction.</summary>
    public PipeSize BalancerToBackend { get; set; } = PipeSize.UnixDefault;

    public PipeSize BackendToBalancer { get; set; } = PipeSize.UnixDefault;

    /// <summary>Buffers of TCP connections made from now on, each direction.</summary>
    public PipeSize BalancerToClient { get; set; } = PipeSize.TcpDefault;

    public PipeSize ClientToBalancer { get; set; } = PipeSize.TcpDefault;

    /// <summary>
    /// Whether sent datagrams are kept in Datagrams.Sent; without, nothing allocates.
    /// </summary>
    public bool RecordDatagrams
    {
        get => Datagrams.Record;
        set => Datagrams.Record = value;
    }

    /// <summary>
    /// The last Wait had no deadline, and nothing was ready or scheduled: it would have blocked for
    /// ever.
    /// </summary>
    public bool IsIdle { get; internal set; }

    /// <summary>
    /// Whether Wait also returns, with no event, after actions that made nothing ready. Linux does
    /// not wake for what does not concern the process, so this is false at first.
    /// </summary>
    public bool WakesOnActions { get; set; }

    /// <summary>
    /// Draws a number below its argument, by which a Wait shuffles what it reports: urgent events
    /// among themselves, and those of relayed connections. Null, as at first, leaves them as they
    /// became ready.
    /// </summary>
    public Func<int, int>? DrawEventOrder { get; set; }

    /// <summary>
    /// Ends a Wait early when it becomes true; asked after each instant's actions.
    /// </summary>
    public Func<bool>? WakeWhen { get; set; }

    /// <summary>
    /// Wait returns at this instant at the latest; Never, as at first, for no limit.
    /// </summary>
    public Instant WaitLimit { get; set; } = Instant.Never;

    internal SimSockets Sockets { get; }

    internal bool IsOutOfDescriptors => OpenDescriptors >= DescriptorLimit;

    internal Instant NextActionAt => _schedule.NextAt;

    private bool HasNotified => _streams.Count > 0 || _listeners.Count > 0;

    /// <summary>
    /// Schedules an action; one whose time has come runs when the balancer next waits. Equal
    /// instants run in the order of scheduling.
    /// </summary>
    public void At(Instant at, Action action) => _schedule.Add(Instant.Max(at, Now), action);

    /// <summary>Schedules an action for a time from now.</summary>
    public void After(Duration after, Action action) => At(Now + after, action);

    /// <summary>A datagram arrives at the balancer; false when its queue was full.</summary>
    public bool InjectDatagram(Endpoint from, Ipv4 to, ReadOnlySpan<byte> payload) =>
        Datagrams.Inject(from, to, payload);

    /// <summary>The same, to the address that the balancer listens on.</summary>
    public bool InjectDatagram(Endpoint from, ReadOnlySpan<byte> payload) =>
        Datagrams.Inject(from, Network.ListenEndpoint.Address, payload);

    /// <summary>A TCP client connects; null when the backlog is full or nobody listens.</summary>
    public SimStream? TryConnectClient(Endpoint from) =>
        Listener.TryConnect(from, ClientToBalancer, BalancerToClient);

    /// <summary>The operator's signals: SIGTERM, SIGHUP, SIGUSR1.</summary>
    public void RequestStop() => Network.RaiseStop();

    public void RequestRescan() => Network.RaiseRescan();

    public void RequestStatus() => Network.RaiseStatus();

    /// <summary>
    /// Lets the world act at the present instant: callbacks of peers, and actions that are due.
    /// Wait does it; a test that makes calls without waiting may.
    /// </summary>
    public void RunWorld() => RunDue();

    /// <summary>
    /// Passes time with the balancer stopped, the world's actions run on the way.
    /// </summary>
    public void Pass(Duration time) => PassUntil(Now + time);

    internal void PassUntil(Instant until)
    {
        RunDue();
        while (NextActionAt <= until && until != Instant.Never)
        {
            Advance(NextActionAt);
            RunDue();
        }
        Advance(until);
    }

    internal void Advance(Instant to)
    {
        Verify.That(to >= Now && to != Instant.Never, "time goes forward, and never to its end");
        Now = to;
    }

    internal void Notify(SimStream stream)
    {
        if (stream.IsNotified)
            return;
        stream.IsNotified = true;
        _streams.Push(stream);
    }

    internal void Notify(SimListener listener)
    {
        if (listener.IsNotified)
            return;
        listener.IsNotified = true;
        _listeners.Push(listener);
    }

    internal void RunDue()
    {
        for (var ran = 0; HasNotified || NextActionAt <= Now; ran++)
        {
            Verify.That(ran < ActionsPerInstant, "the world comes to rest at each instant");
            RunNotified();
            if (NextActionAt <= Now)
                _schedule.Take()();
        }
    }

    private void RunNotified()
    {
        for (var left = _listeners.Count; left > 0; left--)
        {
            var listener = _listeners.Pop();
            listener.IsNotified = false;
            listener.RunWorld();
        }
        for (var left = _streams.Count; left > 0; left--)
        {
            var stream = _streams.Pop();
            stream.IsNotified = false;
            stream.RunWorld();
        }
    }
}
