// Owns the session to a socket that was replaced: another socket stands at the backend's path and
// is connected to, but the process behind the old one may still answer what it was asked. Its
// replies are delivered until it ends, breaks the protocol, or has had its time. That process may
// hang as any other: its silence is watched on, and others get what it has in flight.
//
// What always holds: nothing is sent on it but what was queued before, and heartbeats, of which one
// is out at most; what happens on it touches nothing of the backend's new session; it ends once,
// and takes its stream and its timers with it.

using System;

namespace Balancer.Core;

/// <summary>A session that is left to end.</summary>
internal sealed class RetiredSession : IStreamOwner, ISessionReader, ISuspect
{
    private readonly Services _services;
    private readonly IBackendReports _reports;
    private readonly SessionTurns _turns;
    private SessionTurn _turn;
    private readonly Backend _backend;
    private ControlSession _session = null!;
    private Suspicion _suspicion = null!;
    private readonly Timer _end;
    private readonly Timer _retry;
    private Instant _askedAt;

    /// <summary>One that begins later, without any memory more.</summary>
    public RetiredSession(
        Services services, IBackendReports reports, SessionTurns turns, Backend backend)
    {
        _services = services;
        _reports = reports;
        _turns = turns;
        _backend = backend;
        _end = new Timer(OnTimeIsUp);
        _retry = new Timer(Retry);
    }

    /// <summary>
    /// Takes the session over, with what is known of its silence, and when it was asked for the
    /// heartbeat that is out, Never if none is; the backend that had it does not touch it again.
    /// </summary>
    public void Begin(
        Instant now, ControlSession session, Suspicion suspicion, Instant askedAt)
    {
        _suspicion = suspicion;
        _suspicion.PassTo(this);
        _askedAt = askedAt;
        _session = session;
        _services.Owners.Remove(session.Stream);
        _services.Owners.Add(session.Stream, this);
        _services.Timers.Arm(_end, now + Limits.RetiredSessionTime);
        if (session.AwaitsMemory)
            Retry(now);
        else
            Flush(now);
    }

    public bool HasEnded { get; private set; }

    /// <summary>The queries in flight on it, if it is suspect and silent; else null.</summary>
    public InFlight? SilentInFlight => _suspicion.IsSilent ? _session.InFlight : null;

    /// <summary>Whether a reply may still come on it that somebody waits for.</summary>
    public bool AwaitsReply(Instant now) => !HasEnded && _session.InFlight.AwaitsReply(now);

    public void OnReady(Instant now, SocketHandle stream, Readiness ready)
    {
        if ((ready & (Readiness.Read | Readiness.HangUp)) != 0)
            _turns.Add(this);
        if ((ready & Readiness.Write) != 0)
        {
            _session.OnWritable();
            Flush(now);
        }
    }

    /// <summary>Ends it, if it has not ended.</summary>
    public void End(Instant now)
    {
        if (HasEnded)
            return;
        HasEnded = true;
        _services.Timers.Disarm(_end);
        _services.Timers.Disarm(_retry);
        _suspicion.OnSessionEnded();
        _services.Owners.Remove(_session.Stream);
        var lost = _session.TakeInFlight();
        var wasAsked = lost.Count > 0;
        _reports.OnSessionLost(now, _backend, lost);
        _session.End(now);
        if (wasAsked)
            _reports.OnDoubtful(now, _backend);
    }

    /// <summary>
    /// Its time is up, if the balancer did not stand still; replies that lie unread are waited for,
    /// once.
    /// </summary>
    private void OnTimeIsUp(Instant now)
    {
        var extended = _services.Standstill.Extend(now);
        if (extended > now)
        {
            _services.Timers.Arm(_end, extended);
            return;
        }
        if (_turn.PutsOff())
        {
            _services.Timers.Arm(_end, now + Limits.UnreadTime);
            return;
        }
        End(now);
    }

    /// <summary>
    /// Writes what waits. If the stream takes nothing any more, what its process answered before it
    /// ended may lie unread, so that is taken first.
    /// </summary>
    private void Flush(Instant now)
    {
        if (_session.Flush(now).IsOk)
        {
            ArmRetry(now);
            return;
        }
        for (var n = 0; n < Limits.LastReads; n++)
        {
            var result = _services.Network.Read(_session.Stream, _services.ReadBuffer);
            if (!result.IsOk || !TryTakeReplies(now, _services.ReadBuffer.AsSpan(0, result.Count)))
                break;
        }
        End(now);
    }

    /// <summary>What lacked the kernel's memory is tried again.</summary>
    private void Retry(Instant now)
    {
        _services.Timers.Disarm(_retry);
        // There may be nothing to be read, and then it would not be reported.
        if (_session.ReadLacksMemory)
            _turns.Add(this);
        _session.Retry();
        Flush(now);
    }

    private void ArmRetry(Instant now)
    {
        if (_session.AwaitsMemory && !_retry.IsArmed)
            _services.Timers.Arm(_retry, now + _session.TakeMemoryPause());
    }

    /// <summary>Takes replies, and heartbeats for nothing; false if anything else came.</summary>
    private bool TryTakeReplies(Instant now, ReadOnlySpan<byte> input)
    {
        while (true)
        {
            var status = _session.Reader.Next(ref input, out var frame);
            if (status == FrameStatus.Frame && frame.Type == FrameType.OutboundUdp)
                _reports.OnReply(now, in frame, _session.InFlight, from: null);
            else if (status != FrameStatus.Frame || frame.Type != FrameType.ServerHeartbeat)
                return status == FrameStatus.Incomplete;
        }
    }

    bool ISuspect.HasUnread => _turn.IsReadable || _session.ReadLacksMemory;

    Instant ISuspect.NewestQueryAt(Instant now) =>
        HasEnded ? Instant.Never : _session.InFlight.NewestAt;

    void ISuspect.OnDoubtful(Instant now) => _reports.OnDoubtful(now, doubtful: null);

    void ISuspect.AskForHeartbeat(Instant now)
    {
        if (_askedAt != Instant.Never)
            return;
        _askedAt = now;
        _session.SendHeartbeat();
        Flush(now);
    }

    private void OnHeartbeatAnswer(Instant now)
    {
        Verify.That(_askedAt != Instant.Never, "a heartbeat is answered that was sent");
        _suspicion.OnHeartbeatAnswered(now, _askedAt);
        _askedAt = Instant.Never;
    }

    void ISuspect.OnSuspected(Instant now, Duration silent) =>
        _reports.OnSuspected(now, _session.InFlight);

    void ISuspect.OnDoubtOver(Instant now)
    {
    }

    void ISuspect.OnSilentAgain(Instant now) => _reports.OnSuspected(now, _session.InFlight);

    void ISuspect.OnAnswersAgain(Instant now)
    {
    }

    void ISuspect.OnTrusted(Instant now, Duration suspect) => _session.InFlight.EndWalks();

    ref SessionTurn ISessionReader.Turn => ref _turn;

    int ISessionReader.Read(Instant now, int mostBytes, out bool mayHaveMore)
    {
        mayHaveMore = false;
        if (HasEnded)
            return 0;
        var buffer = _services.ReadBuffer.AsSpan(0, mostBytes);
        var result = _session.Read(now, buffer);
        ArmRetry(now);
        if (result.Status == IoStatus.WouldBlock)
            return 0;
        if (!result.IsOk)
        {
            End(now);
            return 0;
        }
        mayHaveMore = result.Count == mostBytes;
        _suspicion.OnByte(now);
        ReadOnlySpan<byte> input = buffer[..result.Count];
        var frames = 0;
        while (!HasEnded)
        {
            var status = _session.Reader.Next(ref input, out var frame);
            if (status == FrameStatus.Incomplete)
                break;
            frames++;
            if (status == FrameStatus.Frame && frame.Type == FrameType.OutboundUdp)
            {
                _reports.OnReply(now, in frame, _session.InFlight, from: null);
            }
            else if (status == FrameStatus.Frame && frame.Type == FrameType.ServerHeartbeat)
            {
                // An unsolicited one does no harm here.
                if (_askedAt != Instant.Never && !_session.HasUnsentHeartbeat)
                    OnHeartbeatAnswer(now);
            }
            else
            {
                End(now);
            }
        }
        _suspicion.OnRead(now);
        return frames;
    }
}
