// Owns the session to a socket that was replaced: another socket stands at the backend's path and
// is connected to, but the process behind the old one may still answer what it was asked. Its
// replies are delivered until it ends, breaks the protocol, or has had its time.
//
// What always holds: nothing new is sent on it but what was queued before; what happens on it
// touches nothing of the backend's new session; it ends once, and takes its stream and its timer
// with it.

using System;

namespace Balancer.Core;

/// <summary>A session that is left to end.</summary>
internal sealed class RetiredSession : IStreamOwner, ISessionReader
{
    private readonly Services _services;
    private readonly IBackendReports _reports;
    private readonly SessionTurns _turns;
    private SessionTurn _turn;
    private readonly Backend _backend;
    private readonly ControlSession _session;
    private readonly Timer _end;

    /// <summary>Takes the session over; the backend that had it does not touch it again.</summary>
    public RetiredSession(Services services, IBackendReports reports, SessionTurns turns,
        Backend backend, ControlSession session, Instant now)
    {
        _services = services;
        _reports = reports;
        _turns = turns;
        _backend = backend;
        _session = session;
        _end = new Timer(OnTimeIsUp);
        services.Owners.Remove(session.Stream);
        services.Owners.Add(session.Stream, this);
        services.Timers.Arm(_end, now + Limits.RetiredSessionTime);
        Flush(now);
    }

    public bool HasEnded { get; private set; }

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
        _services.Owners.Remove(_session.Stream);
        _reports.OnSessionLost(now, _backend, _session.TakeInFlight());
        _session.End();
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

    private void Flush(Instant now)
    {
        if (!_session.Flush().IsOk)
            End(now);
    }

    ref SessionTurn ISessionReader.Turn => ref _turn;

    int ISessionReader.Read(Instant now, int mostBytes, out bool mayHaveMore)
    {
        mayHaveMore = false;
        if (HasEnded)
            return 0;
        var buffer = _services.ReadBuffer.AsSpan(0, mostBytes);
        var result = _services.Network.Read(_session.Stream, buffer);
        if (result.Status == IoStatus.WouldBlock)
            return 0;
        if (!result.IsOk)
        {
            End(now);
            return 0;
        }
        mayHaveMore = result.Count == mostBytes;
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
                _reports.OnReply(now, in frame, _session.InFlight, starting: null);
            }
            else if (status != FrameStatus.Frame || frame.Type != FrameType.ServerHeartbeat)
            {
                End(now);
            }
        }
        return frames;
    }
}
