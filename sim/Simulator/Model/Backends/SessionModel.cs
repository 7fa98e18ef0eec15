// Owns what standing sessions should do: connects and their back-off, frames in, frames out, and
// the two timers of a session. What a backend is owed is kept as the very bytes, so that what is
// written can be compared without decoding it; only what differs is taken apart.
//
// What always holds: a session has at most one cause of its end, the first one seen; from then on
// its backend is Down.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows the sessions of all backends.</summary>
internal sealed class SessionModel(ReferenceModel model)
{
    public static readonly byte[] Hello = [1, 0, 0, 0];
    private static readonly byte[] Heartbeat = [4, 0, 0, 0];

    private readonly SessionMemoryModel _memory = new(model);
    private readonly OwedFrames _frames = new(model);

    // ---- Connecting ----

    /// <summary>
    /// A backend was connected to for its session; the session, if it has one now.
    /// </summary>
    public ExpectedSession? OnConnected(
        ExpectedBackend backend, IoResult result, SocketHandle stream)
    {
        CheckTime(backend);
        backend.IsConnectDue = false;
        backend.ReconnectAt = Instant.Never;
        backend.ConnectsStarted++;
        if (result.Status != IoStatus.WouldBlock)
            backend.TimesFull = 0;
        if (!result.IsOk)
        {
            backend.ConnectsFailed++;
            backend.LastSession = null;
            if (result.Status
                is IoStatus.TooManyFiles or IoStatus.NoBuffers or IoStatus.WouldBlock)
            {
                backend.ReconnectAt = model.Now + new Duration(
                    SpecifiedLimits.ConnectPause.Nanoseconds << Math.Min(
                        backend.TimesFull, SpecifiedLimits.DoublingsOfFullPause));
                backend.TimesFull += result.Status == IoStatus.WouldBlock ? 1 : 0;
                model.ReachedIf(backend.TimesFull >= 3, Situation.AcceptQueueFullThreeTimes);
                backend.BackedOffIn = model.Turn;
                model.Counters.Add(Counter.ConnectsWithoutResources);
                model.Repeats.OnCondition(Repeat.ConnectWithoutResources, (int)result.Status,
                    new LogEvent.ConnectWithoutResources(backend.Name, backend.Path, result, 0));
                return null;
            }
            if (backend.QuietTries < SpecifiedLimits.QuietDelays.Length
                && result.Status
                    is IoStatus.Refused or IoStatus.NotFound or IoStatus.AccessDenied)
            {
                backend.ReconnectAt = model.Now + SpecifiedLimits.QuietDelays[backend.QuietTries++];
                backend.BackedOffIn = model.Turn;
                model.Reached(Situation.ConnectMeetsLateListener);
                return null;
            }
            backend.QuietTries = SpecifiedLimits.QuietDelays.Length;
            if (result.Status == IoStatus.NotFound)
            {
                backend.Stage = Stage.Removed;
                backend.RemovedAt = model.Now;
                model.Lines.Owe(new LogEvent.BackendRemoved(backend.Name, backend.Path));
                model.Reached(Situation.ConnectFindsNoPath);
            }
            else if (result.Status is IoStatus.WrongType or IoStatus.WrongUser)
            {
                backend.Stage = Stage.Removed;
                backend.RemovedAt = model.Now;
                backend.Refused = backend.Identity;
                model.Reached(Situation.ConnectFindsOthersSocket);
                model.Lines.Owe(new LogEvent.EntryRefused(
                    backend.Path, result.Status == IoStatus.WrongType
                        ? EntryRefusal.NotAStream : EntryRefusal.WrongUser));
            }
            else
            {
                backend.LastEvidence = new Evidence(FaultCause.ConnectFailed, result, 0);
                BackOff(backend);
                model.ReachedIf(result.Status == IoStatus.Refused,
                    Situation.QuietTriesUsedUp);
            }
            return null;
        }
        var session = new ExpectedSession(backend, ++backend.Generations, stream, model.Now);
        session.Owed.Append(Hello);
        backend.QuietTries = SpecifiedLimits.QuietDelays.Length;
        backend.Session = session;
        backend.Stage = Stage.AwaitingHello;
        backend.HasPath = true;
        backend.ConnectedSinceScan = true;
        backend.ConnectedInScan = model.Directory.OpenScan;
        model.Scans.Soon();
        model.Lines.Owe(new LogEvent.BackendConnected(backend.Name, backend.Path));
        return session;
    }

    private void CheckTime(ExpectedBackend backend)
    {
        if (backend.Session is { } live)
        {
            model.Report(ViolationKind.Reconnect,
                $"{backend} was connected to while its session {live.Stream} lives", backend);
        }
        else if (!backend.IsConnectDue && model.Now < backend.ReconnectAt)
        {
            model.Report(ViolationKind.Reconnect, $"{backend}, {backend.Stage}, was connected to at"
                + $" {model.Now}; due {backend.ReconnectAt}", backend);
        }
        else if (!backend.IsConnectDue && model.Now > backend.ReconnectAt + model.Lateness)
        {
            model.Report(ViolationKind.Reconnect,
                $"{backend} was connected to late, at {model.Now};"
                + $" due {backend.ReconnectAt}", backend);
        }
    }

    private void BackOff(ExpectedBackend backend)
    {
        backend.Stage = Stage.Down;
        backend.HadFault = true;
        backend.BackOff = backend.NextBackOff;
        backend.NextBackOff = Duration.Min(
            backend.NextBackOff + SpecifiedLimits.BackOffStep, SpecifiedLimits.LongestBackOff);
        backend.ReconnectAt = model.Now + backend.BackOff;
        backend.BackedOffIn = model.Turn;
        backend.OwesFaultEvent = true;
        model.ReachedIf(
            backend.BackOff == SpecifiedLimits.LongestBackOff, Situation.BackOffIsLongest);
    }

    // ---- Frames in ----

    public void OnRead(ExpectedSession session, IoResult result, ReadOnlySpan<byte> bytes)
    {
        if (session.Evidence != null)
        {
            if (session.MayHaveRest && result.IsOk)
                TakeRest(session, bytes);
            return;
        }
        session.ReadLacksMemory = result.Status == IoStatus.NoBuffers;
        _memory.OnCall(session, result, isRead: true);
        if (!result.IsOk)
        {
            if (result.Status is not (IoStatus.WouldBlock or IoStatus.NoBuffers))
            {
                Ends(session, Evidence.CauseOf(result, FaultCause.ReadFailed), result);
            }
            return;
        }
        if (bytes.Length > 0 && !session.IsRetired)
            session.Backend.AliveAt = model.Now;
        if (bytes.Length > 0)
            model.Suspicion.OnByte(session);
        while (session.Evidence == null && session.Decoder.TryNext(ref bytes, out var frame))
        {
            OnFrame(session, in frame);
            if (session.Evidence == null || session.IsRetired)
                model.Replies.OnFrame();
        }
        if (session.Evidence == null)
        {
            model.Suspicion.OnWasRead(session);
            model.Failing.OnWasRead(session);
        }
    }

    /// <summary>
    /// A write failed: replies that its process wrote before are taken all the same, up to anything
    /// that is neither that nor a heartbeat.
    /// </summary>
    private void TakeRest(ExpectedSession session, ReadOnlySpan<byte> bytes)
    {
        while (session.MayHaveRest && session.Decoder.TryNext(ref bytes, out var frame))
        {
            if (frame.Type == SeenFrame.OutboundUdp && frame.Length <= 65_535)
            {
                model.Reached(Situation.ReplyBehindFailedWrite);
                if (!model.Probes.TryTake(session, in frame))
                    model.Replies.OnReply(session, in frame);
            }
            else
            {
                session.MayHaveRest = frame.Type == SeenFrame.ServerHeartbeat;
            }
        }
    }

    private void OnFrame(ExpectedSession session, in SeenFrame frame)
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
            case SeenFrame.OutboundUdp when model.Probes.TryTake(session, in frame):
                break;
            case SeenFrame.OutboundUdp:
                model.Replies.OnReply(session, in frame);
                break;
            case SeenFrame.ServerHello:
                Ends(session, FaultCause.SecondHello);
                break;
            case SeenFrame.InboundTcpOk:
                Ends(session, FaultCause.TcpFrameOnControlSession);
                break;
            case SeenFrame.ServerHeartbeat when session.IsRetired:
                if (session.HasHeartbeatOut && session.Written >= session.HeartbeatEnd)
                {
                    model.Reached(Situation.RetiredAnswersHeartbeat);
                    model.Suspicion.OnHeartbeatAnswered(session);
                    session.HeartbeatAt = Instant.Never;
                }
                break;
            case SeenFrame.ServerHeartbeat when !session.HasHeartbeatOut
                || session.Written < session.HeartbeatEnd:
                Ends(session, FaultCause.UnaskedHeartbeat);
                break;
            case SeenFrame.ServerHeartbeat:
                session.Answers++;
                model.Lines.Owe(new LogEvent.HeartbeatAnswered(session.Backend.Name));
                model.Suspicion.OnHeartbeatAnswered(session);
                session.HeartbeatAt = Instant.Never;
                session.ForgetUnread();
                session.PutOffTo = Instant.Zero;
                session.NextHeartbeatAt = model.Now + SpecifiedLimits.HeartbeatInterval;
                break;
            default:
                Ends(session, FaultCause.UnknownFrame, default, frame.Type);
                break;
        }
    }

    private void OnHello(ExpectedSession session)
    {
        var backend = session.Backend;
        session.HelloAt = model.Now;
        session.ForgetUnread();
        backend.EverHello = true;
        model.Lines.Owe(new LogEvent.BackendHealthy(backend.Name, backend.Path));
        session.NextHeartbeatAt = model.Now + SpecifiedLimits.HeartbeatInterval;
        backend.Stage = backend.HasPath ? Stage.Healthy : Stage.Draining;
        if (backend.HasPath)
        {
            model.Outage.OnHealthy();
            model.Resends.LookAgain();
            model.Connections.Handshakes.OnBackendsChanged();
        }
        else
        {
            model.Reached(Situation.HelloWithoutPath);
            model.Lines.Owe(new LogEvent.BackendDraining(backend.Name, backend.Path));
        }
        backend.NextBackOff = SpecifiedLimits.FirstBackOff;
        var longer = backend.LongWarmUp(model.Now);
        backend.WarmAt = model.Now + Duration.Max(model.Scenario.Kernel.WarmUp, longer);
        model.ReachedIf(longer > Duration.Zero, Situation.HelloAfterBadEnds);
        backend.ProvenAt = longer == Duration.Zero ? Instant.Zero : model.Now + longer;
        model.Probes.OnHello(session);
    }

    /// <summary>A session's cause to end was seen.</summary>
    public static void Ends(
        ExpectedSession session, FaultCause cause, IoResult io = default, uint detail = 0)
    {
        session.Evidence ??= new Evidence(cause, io, detail);
        if (!session.IsRetired)
            session.Backend.Stage = Stage.Down;
    }

    public void OnClosed(ExpectedSession session)
    {
        var backend = session.Backend;
        ServeDeadlinesBefore(session);
        var wasSuspect = session.Silence.IsSuspect;
        session.IsClosed = true;
        session.MemoryRetryAt = Instant.Never;
        _memory.OnThere(session);
        model.Retired.Remove(session);
        // A retired one is ended in peace when its time is over, and when another one retires.
        var isCut = session.Evidence == null
            && !(session.IsRetired && (backend.RestartedIn == model.Turn
                || model.Now >= model.Standstill.Extend(
                    session.RetiredAt + SpecifiedLimits.RetiredTime)));
        NoteEnd(session, wasSuspect);
        var awaited = session.InFlight.Awaited(model.Now);
        model.CutInTurn += isCut ? awaited : 0;
        model.Resends.OnSessionOver(session);
        if (isCut && session.IsRetired)
        {
            model.Life.ReportUnlessStopped(ViolationKind.Unfounded,
                $"the session to {backend}'s socket that was replaced at"
                + $" {session.RetiredAt} was ended at {model.Now} without a cause;"
                + $" {awaited} replies are waited for", backend);
        }
        if (backend.Session != session)
            return;
        backend.Session = null;
        backend.SessionsEnded++;
        model.Connections.Handshakes.OnBackendsChanged();
        backend.LastSession = session;
        backend.LastEvidence = session.Evidence;
        model.Stuck.OnSessionOver(backend);
        if (session.HasHello)
        {
            backend.OnBadEnd(model.Now, wasSuspect);
        }
        else
        {
            backend.ConnectsFailed++;
            backend.OnEndBeforeHello();
        }
        BackOff(backend);
        if (session.Evidence is not { Cause: FaultCause.EndOfStream })
            return;
        backend.OwesLook = backend.HasPath;
        if (!backend.HasPath)
            model.Lines.OweStop(backend);
    }

    private void NoteEnd(ExpectedSession session, bool wasSuspect)
    {
        model.ReachedIf(session.IsRetired && session.Evidence == null
            && session.Backend.RestartedIn != model.Turn && !model.Life.IsStopping,
            Situation.RetiredOutOfTime);
        if (session.Evidence is not { Cause: FaultCause.EndOfStream })
            return;
        model.ReachedIf(session.IsStuck, Situation.StuckSessionEnds);
        model.ReachedIf(wasSuspect, Situation.SuspectSessionEnds);
        model.ReachedIf(session.HasHeartbeatOut, Situation.EndWithHeartbeatOut);
    }

    /// <summary>
    /// One that is closed because its time is over is closed among the deadlines, and what came
    /// before that has been done.
    /// </summary>
    private void ServeDeadlinesBefore(ExpectedSession session)
    {
        if (session.Evidence != null || session.Backend.RestartedIn == model.Turn)
            return;
        var due = session.OverAt;
        if (!session.IsRetired)
            due = Instant.Min(due, session.StallDue);
        if (due <= model.Now && model.Now >= model.Standstill.SparedUntil)
            model.Deadlines.ServeBefore(due);
        else
            model.Life.ServeDeadlinesBeforeStop();
    }

    // ---- Frames out ----

    public void OnHeartbeatSent(BackendId id)
    {
        var backend = model.Policy.WithId(id.Value);
        if (backend?.Session is not { } session || !session.HasHello)
        {
            model.Report(ViolationKind.Heartbeat,
                $"backend {id} has no session that said hello, and was"
                + " sent a heartbeat", backend);
            return;
        }
        if (session.HasHeartbeatOut)
        {
            model.Report(ViolationKind.Heartbeat,
                $"{backend} was sent a heartbeat while one of {session.HeartbeatAt} is out",
                backend);
        }
        else if ((model.Now < session.NextHeartbeatAt
            || model.Now > session.NextHeartbeatAt + model.Lateness) && !IsAsked(session))
        {
            model.Report(ViolationKind.Heartbeat,
                $"{backend} was sent a heartbeat at {model.Now}; due"
                + $" {session.NextHeartbeatAt}", backend);
        }
        session.OwesQuestion = false;
        session.HeartbeatAt = model.Now;
        session.NextHeartbeatAt = Instant.Never;
        if (session.IsLost)
            return;
        session.Owed.Append(Heartbeat);
        session.HeartbeatEnd = session.Written + session.Owed.Count;
    }

    /// <summary>One that retired is asked for a heartbeat, unless one is out.</summary>
    public static void AskRetired(ExpectedSession session, Instant now)
    {
        if (session.HasHeartbeatOut)
            return;
        session.HeartbeatAt = now;
        if (session.IsLost)
            return;
        session.Owed.Append(Heartbeat);
        session.HeartbeatEnd = session.Written + session.Owed.Count;
    }

    /// <summary>Whether a heartbeat is due because the backend, or another, is silent.</summary>
    private bool IsAsked(ExpectedSession session)
    {
        model.Deadlines.ServeUntil(() => session.OwesQuestion);
        return session.OwesQuestion;
    }

    /// <summary>
    /// Most writes come at the end of a turn. A session whose stall is due is tried once more among
    /// the deadlines, and one that retired when it is writable.
    /// </summary>
    private void NotePlaceOfWrite(ExpectedSession session)
    {
        if (session.IsRetired)
        {
            // What was left is written when it is writable, and what is new when it is asked.
            if (session.MemoryRetryAt <= model.Now)
                model.Deadlines.ServeBefore(session.MemoryRetryAt);
            else if (session.Owed.Count == 0)
                model.Deadlines.ServeSilenceOf(session);
            return;
        }
        var due = session.StallDue;
        if (session.StalledSince != Instant.Never && due <= model.Now
            && session.StallTriedIn != model.Turn)
        {
            session.StallTriedIn = model.Turn;
            model.Deadlines.ServeBefore(due);
            if (model.Now < model.Standstill.SparedUntil)
                session.StallPutOffTo = model.Standstill.SparedUntil;
            return;
        }
        model.Resends.Finish();
    }

    public void OnWritten(ExpectedSession session, IoResult result, ReadOnlySpan<byte> bytes)
    {
        NotePlaceOfWrite(session);
        if (session.Evidence is { } evidence)
            ReportOutlived(session, evidence, "was written to");
        session.WriteLacksMemory = result.Status == IoStatus.NoBuffers;
        _memory.OnCall(session, result, isRead: false);
        if (session.WriteLacksMemory)
        {
            session.StalledSince = Instant.Min(session.StalledSince, model.Now);
        }
        else if (result.Status == IoStatus.WouldBlock)
        {
            session.IsStuck = true;
            session.StalledSince = Instant.Min(session.StalledSince, model.Now);
        }
        else if (!result.IsOk)
        {
            session.MayHaveRest =
                session is { Evidence: null, HasHello: true };
            model.Replies.OnRest(session.MayHaveRest);
            Ends(session, Evidence.CauseOf(result, FaultCause.WriteFailed), result);
        }
        else if (!session.IsLost)
        {
            _frames.Take(session, bytes);
            var wasStuck = session.IsStuck || session.HasRefused;
            session.IsStuck &= session.Owed.Count > 0;
            session.HasRefused &= session.Owed.Count > 0;
            session.StalledSince = session.Owed.Count > 0 ? model.Now : Instant.Never;
            session.StallPutOffTo = Instant.Zero;
            if (session.Owed.Count > 0 || session.IsRetired)
                return;
            model.Stuck.OnDrained(session.Backend);
            if (!wasStuck)
                return;
            model.Reached(Situation.StuckSessionDrains);
            model.Resends.LookAgain();
            model.Connections.Handshakes.OnBackendsChanged();
        }
    }

    public void OnTurnEnded()
    {
        if (model.Life.HasStopped)
            return;
        foreach (var backend in model.Policy.Backends)
        {
            if (backend.Session is not { } session)
                continue;
            NotePutOff(session);
            _memory.OnTurnEnded(session);
            if (session.Evidence is { } evidence)
                ReportOutlived(session, evidence, "is still open");
            else
                CheckInterest(session);
            if (session.OwesQuestion && session.Evidence == null)
            {
                model.Report(ViolationKind.Heartbeat,
                    $"{backend} was sent no heartbeat at {model.Now};"
                    + $" it is silent since {session.Silence.Since}", backend);
            }
        }
        foreach (var session in model.Retired)
        {
            NotePutOff(session);
            _memory.OnTurnEnded(session);
            CheckInterest(session);
            var due = session.RetiredAt + SpecifiedLimits.RetiredTime;
            if (session.IsOverdue(due, model.Now, model.Standstill)
                && model.Now > session.JudgedAt(due, model.Standstill) + model.Lateness)
            {
                model.Report(ViolationKind.Unbounded,
                    $"session {session.Stream} of {session.Backend} was"
                    + $" replaced at {session.RetiredAt} and is open at {model.Now}",
                    session.Backend);
            }
        }
    }

    /// <summary>It is not over by time in this turn, since the balancer stood still.</summary>
    private void NotePutOff(ExpectedSession session)
    {
        if (session.OverAt <= model.Now && model.Now < model.Standstill.SparedUntil)
        {
            session.PutOffTo = model.Standstill.SparedUntil;
            model.Reached(Situation.SessionSpared);
        }
    }

    /// <summary>
    /// A session is woken for what it reads, and to write as long as bytes wait; for neither that
    /// lacks memory, until it is tried again. One whose read does may have hung up, and is not
    /// woken at all.
    /// </summary>
    private void CheckInterest(ExpectedSession session)
    {
        var should = session.Owed.Count > 0 ? Readiness.Read | Readiness.Write : Readiness.Read;
        var set = model.Sockets.InterestOf(session.Stream);
        if (session.MemoryRetryAt <= model.Now
            && (set == should || model.Now > session.MemoryRetryAt + model.Lateness))
        {
            session.MemoryRetryAt = Instant.Never;
        }
        if (session.MemoryRetryAt != Instant.Never)
            should = session.ReadLacksMemory ? Readiness.None : Readiness.Read;
        if (set == should || session.IsLost)
            return;
        model.Report(ViolationKind.Unwatched,
            $"session {session.Stream} of {session.Backend}, for which"
            + $" {session.Owed.Count} bytes wait, is woken for {set}; it should be {should}",
            session.Backend);
    }

    private void ReportOutlived(ExpectedSession session, Evidence evidence, string how)
    {
        model.Report(evidence.IsOfProtocol ? ViolationKind.OutlivedItsError
                : ViolationKind.OutlivedItsEnd,
            $"session {session.Stream} of {session.Backend} {how} after {evidence}",
            session.Backend);
    }
}
