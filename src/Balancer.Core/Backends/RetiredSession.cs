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
internal sealed class RetiredSession : IStreamOwner
{
    private readonly Services _services;
    private readonly IBackendReports _reports;
    private readonly Backend _backend;
    private readonly ControlSession _session;
    private readonly Timer _end;

    /// <summary>Takes the session over; the backend that had it does not touch it again.</summary>
    public RetiredSession(Services services, IBackendReports reports, Backend backend,
        ControlSession session, Instant now)
    {
        _services = services;
        _reports = reports;
        _backend = backend;
        _session = session;
        _end = new Timer(_ => End());
        services.Owners.Remove(session.Stream);
        services.Owners.Add(session.Stream, this);
        services.Timers.Arm(_end, now + Limits.RetiredSessionTime);
        Flush();
    }

    public bool HasEnded { get; private set; }

    public void OnReady(Instant now, SocketHandle stream, Readiness ready)
    {
        if ((ready & (Readiness.Read | Readiness.HangUp)) != 0)
            Read(now);
        if ((ready & Readiness.Write) != 0 && !HasEnded)
        {
            _session.OnWritable();
            Flush();
        }
    }

    /// <summary>Ends it, if it has not ended.</summary>
    public void End()
    {
        if (HasEnded)
            return;
        HasEnded = true;
        _services.Timers.Disarm(_end);
        _services.Owners.Remove(_session.Stream);
        var inFlight = _session.Unanswered;
        _session.End();
        _reports.OnSessionLost(_backend, inFlight);
    }

    private void Flush()
    {
        if (!_session.Flush().IsOk)
            End();
    }

    private void Read(Instant now)
    {
        var buffer = _services.ReadBuffer;
        var result = _services.Network.Read(_session.Stream, buffer);
        if (result.Status == IoStatus.WouldBlock)
            return;
        if (!result.IsOk)
        {
            End();
            return;
        }
        ReadOnlySpan<byte> input = buffer.AsSpan(0, result.Count);
        while (!HasEnded)
        {
            var status = _session.Reader.Next(ref input, out var frame);
            if (status == FrameStatus.Incomplete)
                return;
            if (status == FrameStatus.Frame && frame.Type == FrameType.OutboundUdp)
            {
                _reports.OnReply(now, in frame, _session.TryCountReply());
            }
            else if (status != FrameStatus.Frame || frame.Type != FrameType.ServerHeartbeat)
            {
                End();
            }
        }
    }
}
