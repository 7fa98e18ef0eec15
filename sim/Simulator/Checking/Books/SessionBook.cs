// Owns the truth of standing sessions: connects and their back-off, frames in, frames out, and the
// two timers of a session. What a backend is owed is kept as the very bytes, so that what is
// written can be compared without decoding it; only what differs is taken apart.
//
// What always holds: a session has at most one cause of its end, the first one seen; from then on
// its backend is Down.

using System;
using System.Buffers.Binary;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Checking;

/// <summary>Follows the sessions of all backends.</summary>
internal sealed class SessionBook(Truth truth)
{
    private static readonly byte[] Hello = [1, 0, 0, 0];
    private static readonly byte[] Heartbeat = [4, 0, 0, 0];

    // ---- Connecting ----

    /// <summary>
    /// A backend was connected to for its session; the session, if it has one now.
    /// </summary>
    public SessionTruth? OnConnected(BackendTruth backend, IoResult result, SocketHandle stream)
    {
        CheckTime(backend);
        backend.IsConnectDue = false;
        backend.ReconnectAt = Instant.Never;
        backend.ConnectsStarted++;
        if (!result.IsOk)
        {
            backend.ConnectsFailed++;
            backend.LastSession = null;
            if (result.Status == IoStatus.NotFound)
            {
                backend.Stage = Stage.Removed;
                backend.RemovedAt = truth.Now;
                truth.Lines.Owe(new LogEvent.BackendRemoved(backend.Name, backend.Path));
            }
            else
            {
                backend.LastEvidence = new Evidence(FaultCause.ConnectFailed, result, 0);
                BackOff(backend);
            }
            return null;
        }
        var session = new SessionTruth(backend, ++backend.Generations, stream, truth.Now);
        session.Owed.Append(Hello);
        backend.Session = session;
        backend.Stage = Stage.AwaitingHello;
        backend.HasPath = true;
        backend.ConnectedSinceScan = true;
        backend.ConnectedInScan = truth.Directory.OpenScan;
        truth.Scans.Soon();
        truth.Lines.Owe(new LogEvent.BackendConnected(backend.Name, backend.Path));
        return session;
    }

    private void CheckTime(BackendTruth backend)
    {
        if (backend.Session is { } live)
        {
            truth.Report(Finding.Reconnect,
                $"{backend} was connected to while its session {live.Stream} lives", backend);
        }
        else if (!backend.IsConnectDue && truth.Now < backend.ReconnectAt)
        {
            truth.Report(Finding.Reconnect, $"{backend}, {backend.Stage}, was connected to at"
                + $" {truth.Now}; due {backend.ReconnectAt}", backend);
        }
        else if (!backend.IsConnectDue && truth.Now > backend.ReconnectAt + truth.Lateness)
        {
            truth.Report(Finding.Reconnect, $"{backend} was connected to late, at {truth.Now};"
                + $" due {backend.ReconnectAt}", backend);
        }
    }

    private void BackOff(BackendTruth backend)
    {
        backend.Stage = Stage.Down;
        backend.BackOff = backend.NextBackOff;
        backend.NextBackOff = Duration.Min(
            backend.NextBackOff + Law.BackOffStep, Law.LongestBackOff);
        backend.ReconnectAt = truth.Now + backend.BackOff;
        backend.BackedOffIn = truth.Turn;
        backend.OwesFaultLine = true;
    }

    // ---- Frames in ----

    public void OnRead(SessionTruth session, IoResult result, ReadOnlySpan<byte> bytes)
    {
        if (session.Evidence != null)
            return;
        if (!result.IsOk)
        {
            if (result.Status != IoStatus.WouldBlock)
            {
                Ends(session, result.Status == IoStatus.EndOfStream
                    ? FaultCause.EndOfStream : FaultCause.ReadFailed, result);
            }
            return;
        }
        while (session.Evidence == null && session.Decoder.TryNext(ref bytes, out var frame))
            OnFrame(session, in frame);
    }

    private void OnFrame(SessionTruth session, in SeenFrame frame)
    {
        if (!session.HasHello)
        {
            if (frame.Type == SeenFrame.ServerHello)
                OnHello(session);
            else
                Ends(session, FaultCause.FrameBeforeHello, default, frame.Type);
            return;
        }
        switch (frame.Type)
        {
            case SeenFrame.OutboundUdp when frame.Length > 65_535:
                Ends(session, FaultCause.LengthTooLarge, default, frame.Length);
                break;
            case SeenFrame.OutboundUdp:
                session.Unanswered = Math.Max(0, session.Unanswered - 1);
                truth.Replies.OnReply(in frame);
                break;
            case SeenFrame.ServerHello:
                Ends(session, FaultCause.SecondHello);
                break;
            case SeenFrame.InboundTcpOk:
                Ends(session, FaultCause.TcpFrameOnControlSession);
                break;
            case SeenFrame.ServerHeartbeat when session.IsRetired:
                break;
            case SeenFrame.ServerHeartbeat when !session.HasHeartbeatOut:
                Ends(session, FaultCause.UnaskedHeartbeat);
                break;
            case SeenFrame.ServerHeartbeat:
                session.Answers++;
                truth.Lines.Owe(new LogEvent.HeartbeatAnswered(session.Backend.Name));
                session.HeartbeatAt = Instant.Never;
                session.NextHeartbeatAt = truth.Now + Law.HeartbeatInterval;
                break;
            default:
                Ends(session, FaultCause.UnknownFrame, default, frame.Type);
                break;
        }
    }

    private void OnHello(SessionTruth session)
    {
        var backend = session.Backend;
        session.HelloAt = truth.Now;
        truth.Lines.Owe(new LogEvent.BackendHealthy(backend.Name, backend.Path));
        session.NextHeartbeatAt = truth.Now + Law.HeartbeatInterval;
        backend.Stage = backend.HasPath ? Stage.Healthy : Stage.Draining;
        if (!backend.HasPath)
            truth.Lines.Owe(new LogEvent.BackendDraining(backend.Name, backend.Path));
        backend.NextBackOff = Law.FirstBackOff;
        backend.WarmAt = truth.Now + truth.Scenario.Kernel.WarmUp;
    }

    /// <summary>A session's cause to end was seen.</summary>
    public static void Ends(
        SessionTruth session, FaultCause cause, IoResult io = default, uint detail = 0)
    {
        session.Evidence ??= new Evidence(cause, io, detail);
        if (!session.IsRetired)
            session.Backend.Stage = Stage.Down;
    }

    public void OnClosed(SessionTruth session)
    {
        var backend = session.Backend;
        session.IsClosed = true;
        truth.Retired.Remove(session);
        // A retired one is ended in peace when its time is over, and when another one retires.
        var isCut = session.Evidence == null
            && !(session.IsRetired && (backend.MadeAnewIn == truth.Turn
                || truth.Now >= session.RetiredAt + Law.RetiredTime));
        truth.CutInTurn += isCut ? session.Unanswered : 0;
        if (isCut && session.IsRetired)
        {
            truth.Life.ReportUnlessStopped(Finding.Unfounded,
                $"the session to {backend}'s socket that was replaced at"
                + $" {session.RetiredAt} was ended at {truth.Now} without a cause;"
                + $" {session.Unanswered} replies are owed", backend);
        }
        if (backend.Session != session)
            return;
        backend.Session = null;
        backend.LastSession = session;
        backend.LastEvidence = session.Evidence;
        if (!session.HasHello)
            backend.ConnectsFailed++;
        BackOff(backend);
    }

    // ---- Frames out ----

    public void OnHeartbeatSent(BackendId id)
    {
        var backend = truth.Policy.WithId(id.Value);
        if (backend?.Session is not { } session || !session.HasHello)
        {
            truth.Report(Finding.Heartbeat, $"backend {id} has no session that said hello, and was"
                + " sent a heartbeat", backend);
            return;
        }
        if (session.HasHeartbeatOut)
        {
            truth.Report(Finding.Heartbeat,
                $"{backend} was sent a heartbeat while one of {session.HeartbeatAt} is out",
                backend);
        }
        else if (truth.Now < session.NextHeartbeatAt
            || truth.Now > session.NextHeartbeatAt + truth.Lateness)
        {
            truth.Report(Finding.Heartbeat, $"{backend} was sent a heartbeat at {truth.Now}; due"
                + $" {session.NextHeartbeatAt}", backend);
        }
        session.HeartbeatAt = truth.Now;
        session.NextHeartbeatAt = Instant.Never;
        session.Owed.Append(Heartbeat);
    }

    public void OnWritten(SessionTruth session, IoResult result, ReadOnlySpan<byte> bytes)
    {
        if (session.Evidence is { } evidence)
            ReportOutlived(session, evidence, "was written to");
        if (result.Status == IoStatus.WouldBlock)
        {
            session.IsStuck = true;
        }
        else if (!result.IsOk)
        {
            Ends(session, FaultCause.WriteFailed, result);
        }
        else if (!session.IsLost)
        {
            Take(session, bytes);
            session.IsStuck &= session.Owed.Count > 0;
        }
    }

    public void OnTurnEnded()
    {
        if (truth.Life.HasStopped)
            return;
        foreach (var backend in truth.Policy.Backends)
        {
            if (backend.Session is not { } session)
                continue;
            if (session.Evidence is { } evidence)
                ReportOutlived(session, evidence, "is still open");
            else
                CheckInterest(session);
        }
        foreach (var session in truth.Retired)
        {
            CheckInterest(session);
            if (truth.Now > session.RetiredAt + Law.RetiredTime + truth.Lateness)
            {
                truth.Report(Finding.Unbounded, $"session {session.Stream} of {session.Backend} was"
                    + $" replaced at {session.RetiredAt} and is open at {truth.Now}",
                    session.Backend);
            }
        }
    }

    /// <summary>A session is woken for what it reads, and to write as long as bytes wait.</summary>
    private void CheckInterest(SessionTruth session)
    {
        var should = session.Owed.Count > 0 ? Readiness.Read | Readiness.Write : Readiness.Read;
        var told = truth.Sockets.InterestOf(session.Stream);
        if (told == should || session.IsLost)
            return;
        truth.Report(Finding.Unwatched, $"session {session.Stream} of {session.Backend}, for which"
            + $" {session.Owed.Count} bytes wait, is woken for {told}; it should be {should}",
            session.Backend);
    }

    private void ReportOutlived(SessionTruth session, Evidence evidence, string how)
    {
        truth.Report(evidence.IsOfProtocol ? Finding.OutlivedItsError : Finding.OutlivedItsEnd,
            $"session {session.Stream} of {session.Backend} {how} after {evidence}",
            session.Backend);
    }

    // ---- Comparing ----

    private void Take(SessionTruth session, ReadOnlySpan<byte> bytes)
    {
        var owed = session.Owed;
        if (bytes.Length <= owed.Count && owed.Bytes[..bytes.Length].SequenceEqual(bytes))
        {
            Advance(session, bytes.Length);
            return;
        }
        var same = bytes.CommonPrefixLength(owed.Bytes);
        var whole = WholeFrames(session, same);
        Advance(session, whole);
        bytes = bytes[whole..];
        Explain(session, bytes);
        session.IsLost = true;
        owed.Clear();
    }

    /// <summary>How many of so many bytes are frames to their end.</summary>
    private static int WholeFrames(SessionTruth session, int bytes)
    {
        var owed = session.Owed.Bytes;
        var whole = 0;
        var next = session.RestOfFrame > 0 ? session.RestOfFrame
            : owed.Length > 0 ? SizeOf(owed) : int.MaxValue;
        while (next <= bytes - whole)
        {
            whole += next;
            next = whole < owed.Length ? SizeOf(owed[whole..]) : int.MaxValue;
        }
        return whole;
    }

    private static void Advance(SessionTruth session, int bytes)
    {
        for (var left = bytes; left > 0;)
        {
            if (session.RestOfFrame == 0)
                session.RestOfFrame = SizeOf(session.Owed.Bytes);
            var step = Math.Min(left, session.RestOfFrame);
            session.RestOfFrame -= step;
            session.Owed.Skip(step);
            left -= step;
        }
    }

    private static int SizeOf(ReadOnlySpan<byte> frame) => frame.Length >= 16
        && BinaryPrimitives.ReadUInt32LittleEndian(frame) == SeenFrame.InboundUdp
            ? 16 + (int)BinaryPrimitives.ReadUInt32LittleEndian(frame[12..]) : 4;

    /// <summary>Says what the bytes are that were written in the place of what is owed.</summary>
    private void Explain(SessionTruth session, ReadOnlySpan<byte> bytes)
    {
        var backend = session.Backend;
        var type = bytes.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;
        var owed = Describe(session.Owed.Bytes);
        var seen = Describe(bytes);
        var evidence = $"{backend} generation {session.Generation}: wrote {seen}; owed {owed}";
        var isFirst = session.Owed.Bytes.StartsWith(Hello);
        if (isFirst || session.RestOfFrame > 0 || type == SeenFrame.ClientHello)
            truth.Report(Finding.OtherGeneration, evidence, backend);
        else if (type == SeenFrame.ClientHeartbeat || owed == "CLIENT_HEARTBEAT")
            truth.Report(Finding.Heartbeat, evidence, backend);
        else if (type == SeenFrame.InboundUdp && seen == owed)
            truth.Report(Finding.QueryAltered, evidence, backend);
        else
            truth.Report(Finding.Misrouted, evidence, backend);
    }

    private static string Describe(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < 4)
            return frame.IsEmpty ? "nothing" : $"{frame.Length} bytes";
        var type = BinaryPrimitives.ReadUInt32LittleEndian(frame);
        return type switch
        {
            SeenFrame.ClientHello => "CLIENT_HELLO",
            SeenFrame.ClientHeartbeat => "CLIENT_HEARTBEAT",
            SeenFrame.InboundTcp => "INBOUND_TCP",
            SeenFrame.InboundUdp when frame.Length >= 16 => "a query of "
                + $"{new Ipv4(BinaryPrimitives.ReadUInt32LittleEndian(frame[4..]))}:"
                + $"{BinaryPrimitives.ReadUInt32LittleEndian(frame[8..])}",
            _ => $"type {type}",
        };
    }
}
