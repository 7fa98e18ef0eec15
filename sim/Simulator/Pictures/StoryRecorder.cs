// Owns the recording of a run for its picture. Backends are followed by the balancer's log and by
// a look at its state after each turn; queries and connections, which the log says little of, by
// the bytes that cross the seam: see QueryFollower and ConnectionFollower.
//
// What always holds: recording draws no number and changes nothing, so a run that is recorded is
// the run that is not.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Pictures;

/// <summary>Makes a story of a run.</summary>
public sealed class StoryRecorder : RunObserver
{
    private static readonly Counter[] Losses =
    [
        .. Counters.QueryDrops, .. Counters.ReplyDrops,
        .. Counters.ConnectionEnds.Remove(Counter.ConnectionsFinished),
        Counter.AcceptsFailed, Counter.ReceivesFailed,
    ];

    private readonly Dictionary<string, int> _laneByName = [];
    private readonly Dictionary<BackendId, int> _laneById = [];
    private readonly Dictionary<int, FaultBar> _faults = [];
    private readonly long[] _counted = new long[Enum.GetValues<Counter>().Length];
    private readonly Dictionary<int, Instant> _warmAt = [];
    private readonly QueryFollower _queries;
    private readonly ConnectionFollower _connections;

    public StoryRecorder(Scenario scenario)
    {
        Story = new Story(scenario);
        foreach (var plan in scenario.Backends)
            AddLane(plan.Name, plan.Id, plan.IsCore);
        _queries = new QueryFollower(Story);
        _connections = new ConnectionFollower(Story, _laneById);
    }

    public Story Story { get; }

    public override void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events)
    {
        Note(now);
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        Note(now);
        foreach (var snapshot in core.SnapshotBackends())
            Look(now, in snapshot);
        foreach (var counter in Losses)
            Count(now, counter, core.Counters[counter]);
        _queries.OnTurnEnded(core.Counters);
    }

    public override void OnReceived(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload) =>
        _queries.OnReceived(Note(now), in header, payload);

    public override void OnSent(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload) =>
        _queries.OnSent(Note(now), header.Peer, payload);

    public override void OnSendFailed(Instant now, in DatagramHeader header, IoResult why) =>
        _queries.OnSendFailed(Note(now), header.Peer, why);

    public override void OnAccepted(
        Instant now, IoResult result, SocketHandle stream, Endpoint client)
    {
        Note(now);
        if (result.IsOk)
            _connections.OnAccepted(stream, client);
    }

    public override void OnConnected(
        Instant now, ReadOnlySpan<byte> path, IoResult result, SocketHandle stream)
    {
        Note(now);
        if (result.IsOk)
            _queries.OnConnected(stream, LaneOf(System.Text.Encoding.UTF8.GetString(path)));
    }

    public override void OnInterest(Instant now, SocketHandle socket, Readiness interest) =>
        _queries.OnInterest(socket, interest);

    public override void OnRead(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes) =>
        _queries.OnRead(Note(now), stream, bytes);

    public override void OnWritten(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        Note(now);
        if (_queries.OnWritten(now, stream, bytes) is { } source)
            _connections.OnSession(stream, source);
    }

    public override void OnHalfClosed(Instant now, SocketHandle stream) =>
        _connections.OnHalfClosed(Note(now), stream);

    public override void OnClosed(Instant now, SocketHandle socket, bool aborted)
    {
        Note(now);
        _queries.OnClosed(socket);
        _connections.OnClosed(socket);
    }

    public override void OnClientAsked(Instant now, in ClientDatagram datagram, bool lost) =>
        _queries.OnClientAsked(Note(now), in datagram, lost);

    public override void OnClientArriving(Instant now, in ClientDatagram datagram) =>
        _queries.OnClientArriving(now, in datagram);

    public override void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued) =>
        _queries.OnClientSent(Note(now), from, payload, queued);

    public override void OnTcpClientConnected(Instant now, int client, bool connected) =>
        _connections.OnClientConnected(Note(now), client, connected);

    public override void OnTcpClientSent(Instant now, int client, ReadOnlySpan<byte> bytes) =>
        _connections.OnClientSent(Note(now), client, bytes.Length);

    public override void OnTcpClientReceived(Instant now, int client, ReadOnlySpan<byte> bytes) =>
        _connections.OnClientReceived(Note(now), client, bytes.Length);

    public override void OnTcpClientEnded(Instant now, int client, string how) =>
        _connections.OnClientEnded(Note(now), client, how);

    public override void OnFault(Instant now, FaultPlan fault, bool began)
    {
        Note(now);
        if (began)
        {
            var bar = new FaultBar(fault, now);
            _faults[fault.Id] = bar;
            Story.Faults.Add(bar);
        }
        else if (_faults.TryGetValue(fault.Id, out var bar))
        {
            bar.To = now;
        }
    }

    public override void OnHealed(Instant now) => Story.HealedAt = Note(now);

    public override void OnEnded(Instant now, LoadBalancer core) => Note(now);

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        Note(now);
        _connections.OnLogged(now, logged);
        switch (logged)
        {
            case LogEvent.BackendDiscovered e: Know(now, e.Id, e.Path, "discovered"); break;
            case LogEvent.BackendReturned e: Know(now, e.Id, e.Path, "socket is back"); break;
            case LogEvent.BackendRestarted e: Know(now, e.Id, e.Path, "restarted"); break;
            case LogEvent.BackendHealthy e: OnHealthy(now, e.Id); break;
            case LogEvent.BackendDraining e: Tell(now, e.Id, "socket removed; draining"); break;
            case LogEvent.BackendResumed e: Tell(now, e.Id, "socket restored"); break;
            case LogEvent.BackendRemoved e: Tell(now, e.Id, "removed: no such path"); break;
            case LogEvent.BackendStopped e: Tell(now, e.Id, "stopped"); break;
            case LogEvent.BackendStuck e:
                Tell(now, e.Id, $"stuck, {e.QueuedBytes} bytes wait");
                break;
            case LogEvent.BackendUnstuck e:
                Tell(now, e.Id, $"stuck no longer: {e.End}, {e.Dropped} queries dropped");
                break;
            case LogEvent.BackendForgotten e: _laneById.Remove(e.Id); break;
            case LogEvent.BackendFaulted e: OnFaulted(now, e); break;
            case LogEvent.HeartbeatSent e:
                Lane(e.Id)?.Heartbeats.Add(new HeartbeatMark(now));
                break;
            case LogEvent.HeartbeatAnswered e: OnHeartbeat(now, e.Id); break;
        }
    }

    private void OnHealthy(Instant now, BackendId id)
    {
        Tell(now, id, "said hello");
        if (_laneById.TryGetValue(id, out var lane))
            _warmAt[lane] = now + Story.Scenario.Kernel.WarmUp;
    }

    private void OnFaulted(Instant now, LogEvent.BackendFaulted logged)
    {
        var io = logged.Fault.Io.Status is IoStatus.Ok or IoStatus.EndOfStream
            ? "" : $", {logged.Fault.Io.Status}";
        Lane(logged.Id)?.Notes.Add(new LaneNote(now,
            $"{logged.Fault.Cause}{io}; next connect in {logged.BackOff}",
            IsFault: true, logged.BackOff));
    }

    private void OnHeartbeat(Instant now, BackendId id)
    {
        if (Lane(id) is { Heartbeats: [.., var last] })
            last.Answered = now;
    }

    private void Know(Instant now, BackendId id, string path, string what)
    {
        var lane = LaneOf(path);
        _laneById[id] = lane;
        Story.Backends[lane].Id = id;
        Tell(now, id, what);
    }

    private void Tell(Instant now, BackendId id, string what) =>
        Lane(id)?.Notes.Add(new LaneNote(now, what, IsFault: false, Duration.Zero));

    private BackendLane? Lane(BackendId id) =>
        _laneById.TryGetValue(id, out var lane) ? Story.Backends[lane] : null;

    private int LaneOf(string path)
    {
        var name = path[(path.LastIndexOf('/') + 1)..];
        return _laneByName.TryGetValue(name, out var lane) ? lane : AddLane(name, -1, false);
    }

    private int AddLane(string name, int plan, bool isCore)
    {
        _laneByName[name] = Story.Backends.Count;
        Story.Backends.Add(new BackendLane(name, plan, isCore));
        return Story.Backends.Count - 1;
    }

    private void Look(Instant now, in BackendSnapshot snapshot)
    {
        var index = LaneOf(snapshot.Path);
        var lane = Story.Backends[index];
        lane.Id = snapshot.Id;
        var warmAt = _warmAt.GetValueOrDefault(index);
        if (snapshot.State == BackendState.Healthy && now < warmAt)
        {
            Enter(lane, LaneState.Warming, now);
        }
        else
        {
            // The end of a warm-up is not an event; the first turn after it shows when it was.
            var wasWarming = lane.States is [.., { State: LaneState.Warming }];
            Enter(lane, StateOf(snapshot.State),
                wasWarming && snapshot.State == BackendState.Healthy ? warmAt : now);
        }
        Sampled(lane.Remotes, now, snapshot.Remotes);
        Sampled(lane.Queued, now, snapshot.QueuedBytes);
    }

    private static LaneState StateOf(BackendState state) => state switch
    {
        BackendState.BackingOff => LaneState.BackingOff,
        BackendState.AwaitingHello => LaneState.AwaitingHello,
        BackendState.Healthy => LaneState.Healthy,
        BackendState.Draining => LaneState.Draining,
        BackendState.Removed => LaneState.Removed,
        _ => LaneState.Unknown,
    };

    private static void Enter(BackendLane lane, LaneState state, Instant at)
    {
        if (lane.States is [.., var last])
        {
            if (last.State == state)
                return;
            last.To = at;
        }
        lane.States.Add(new StateSpan(state, at));
    }

    private static void Sampled(List<Sample> samples, Instant at, long value)
    {
        if (samples.Count == 0 ? value != 0 : samples[^1].Value != value)
            samples.Add(new Sample(at, value));
    }

    private void Count(Instant now, Counter counter, long value)
    {
        var rise = value - _counted[(int)counter];
        _counted[(int)counter] = value;
        if (rise > 0)
            Story.Drops.Add(new DropMark(now, counter, rise));
    }

    private Instant Note(Instant now)
    {
        Story.End = Instant.Max(Story.End, now);
        return now;
    }
}
