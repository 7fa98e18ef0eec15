// Owns what is known of one backend and of its standing session, from connects, scans and the bytes
// of its streams. What may be done with it is PolicyModel's; what is wrong is for checks to say.
//
// What always holds: a session belongs to one generation of one backend and is never used again; a
// backend is Down from the moment at which the end of its session could be seen.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>What a backend is doing, as far as can be seen from outside.</summary>
internal enum Stage
{
    Down,
    AwaitingHello,
    Healthy,
    Draining,
    Removed,
}

/// <summary>Why a session must end, as seen in its calls.</summary>
internal readonly record struct Evidence(FaultCause Cause, IoResult Io, uint Detail)
{
    /// <summary>Whether a fault that the core logged says the same.</summary>
    public bool Supports(Fault fault) => fault.Cause == Cause
        && (Cause is not (FaultCause.ConnectFailed or FaultCause.EndOfStream
            or FaultCause.ReadFailed or FaultCause.WriteFailed) || fault.Io.Status == Io.Status)
        && (Cause is not (FaultCause.FrameBeforeHello or FaultCause.UnknownFrame
            or FaultCause.LengthTooLarge) || fault.Detail == Detail);

    public bool IsOfProtocol => Cause is FaultCause.FrameBeforeHello or FaultCause.SecondHello
        or FaultCause.UnaskedHeartbeat or FaultCause.UnknownFrame
        or FaultCause.TcpFrameOnControlSession or FaultCause.LengthTooLarge;

    /// <summary>
    /// A session's call failed. A process that ends shows as the end of the stream, as a reset or
    /// as a broken pipe, and is the same cause each time.
    /// </summary>
    public static FaultCause CauseOf(IoResult io, FaultCause otherwise) => io.Status switch
    {
        IoStatus.EndOfStream or IoStatus.Reset or IoStatus.BrokenPipe => FaultCause.EndOfStream,
        _ => otherwise,
    };

    public override string ToString() => Cause.ToString();
}

/// <summary>One backend.</summary>
internal sealed class ExpectedBackend(
    int id, string path, byte[] pathBytes, int planId, bool isCore)
{
    public int Id => id;
    public BackendId Name => new(id);
    public string Path => path;
    public byte[] PathBytes => pathBytes;

    /// <summary>The backend's number in the scenario, -1 if it is none of them.</summary>
    public int PlanId => planId;

    /// <summary>The scenario says that it heals.</summary>
    public bool IsCore => isCore;

    public Stage Stage { get; set; } = Stage.Down;

    /// <summary>When a byte of its came on a session that has not retired.</summary>
    public Instant AliveAt { get; set; }
    public ExpectedSession? Session { get; set; }
    public int Generations { get; set; }
    public Instant WarmAt { get; set; }

    /// <summary>When it is warm with probes, if one was answered.</summary>
    public Instant ProvenAt { get; set; }

    /// <summary>
    /// Ends of its sessions by a fault or in silence, none more than a minute after the one before,
    /// and when the last was; null for never.
    /// </summary>
    public (int Count, Instant At)? BadEnds { get; private set; }

    /// <summary>What BadEnds was before the last end, if that turns out to be a stop.</summary>
    private (int Count, Instant At)? _badEndsBefore;

    private bool _endedInSilence;

    /// <summary>A session ended that had not said hello.</summary>
    public void OnEndBeforeHello() => _badEndsBefore = BadEnds;

    public void OnBadEnd(Instant now, bool inSilence)
    {
        _badEndsBefore = BadEnds;
        if (now >= WarmAt + SpecifiedLimits.FlapTime)
            return;
        _endedInSilence = inSilence;
        BadEnds = (BadEnds is { } last && now - last.At < SpecifiedLimits.FlapMemory
            ? last.Count + 1 : 1, now);
    }

    /// <summary>The session that ended last was stopped in order.</summary>
    public void OnStopped()
    {
        if (!_endedInSilence)
            BadEnds = _badEndsBefore;
    }

    /// <summary>How long it is cold at least if it says hello now: 2 s for the second.</summary>
    public Duration LongWarmUp(Instant now)
    {
        if (BadEnds is not { Count: > 1 } bad || now - bad.At >= SpecifiedLimits.FlapMemory)
            return Duration.Zero;
        return Duration.Min(SpecifiedLimits.LongestWarmUp, new Duration(
            SpecifiedLimits.FirstLongWarmUp.Nanoseconds << Math.Min(bad.Count - 2, 10)));
    }

    /// <summary>How often it was mute since it answered a query or its socket was new.</summary>
    public int TimesMute { get; set; }

    // ---- What scans said ----

    public EntryIdentity Identity { get; set; }
    public bool HasPath { get; set; } = true;

    /// <summary>A session to it said hello, ever.</summary>
    public bool EverHello { get; set; }

    /// <summary>It had a fault since the socket at its path was new.</summary>
    public bool HadFault { get; set; }

    /// <summary>The socket that is not a stream, if that was last seen at the path.</summary>
    public EntryIdentity? Refused { get; set; }
    public bool ConnectedSinceScan { get; set; }

    /// <summary>The turn in which a scan last saw another socket at its path.</summary>
    public long RestartedIn { get; set; }

    /// <summary>The scan that was open when it was last connected to; 0 for none.</summary>
    public long ConnectedInScan { get; set; }
    public long SeenInScan { get; set; }
    public Instant RemovedAt { get; set; }

    // ---- What is owed ----

    /// <summary>A connect must come within this turn.</summary>
    public bool IsConnectDue { get; set; }

    /// <summary>When a connect is owed; Never for none.</summary>
    public Instant ReconnectAt { get; set; } = Instant.Never;

    /// <summary>Connects in a row that found its accept queue full.</summary>
    public int TimesFull { get; set; }

    public Duration NextBackOff { get; set; } = SpecifiedLimits.FirstBackOff;

    /// <summary>Quiet tries that it has had since a scan found it, or all of them.</summary>
    public int QuietTries { get; set; }

    /// <summary>The delay of its last back-off, and the turn in which that began.</summary>
    public Duration BackOff { get; set; }

    public long BackedOffIn { get; set; }

    /// <summary>A session or a connect failed and the core has not said so yet.</summary>
    public bool OwesFaultEvent { get; set; }

    /// <summary>
    /// Its session ended by itself and its path was there when last scanned: whether it still is
    /// must be looked up before the end is called a fault.
    /// </summary>
    public bool OwesLook { get; set; }

    /// <summary>Why, if the calls show it; otherwise only time can have been the cause.</summary>
    public Evidence? LastEvidence { get; set; }

    /// <summary>The session that ended last.</summary>
    public ExpectedSession? LastSession { get; set; }

    // ---- Counts ----

    /// <summary>Established remotes whose primary it is.</summary>
    public int Remotes { get; set; }

    public int Newcomers { get; set; }
    public int Backups { get; set; }
    public long ConnectsStarted { get; set; }
    public long ConnectsFailed { get; set; }
    public long UdpQueries { get; set; }
    public long TcpSessions { get; set; }
    public long DropsWhileStuck { get; set; }

    public StuckEpisode Stuck { get; } = new();

    /// <summary>Sessions that ended and had not retired.</summary>
    public int SessionsEnded { get; set; }

    /// <summary>Sessions that had said hello when another socket took its path.</summary>
    public int Replacements { get; set; }

    /// <summary>It was silent when it was asked, and is not trusted again.</summary>
    public bool IsSuspect => Session is { Silence.IsSuspect: true };

    /// <summary>Suspect, and nothing came since.</summary>
    public bool IsSilent => Session is { Silence.Phase: Silence.Phases.Suspect };

    /// <summary>It answers nothing.</summary>
    public bool IsMute => Session is { Given.IsMute: true };

    /// <summary>Its answers are far worse than another's, or there are none.</summary>
    public bool IsFailing => Session is { Given.FailingSince: not null };

    /// <summary>It failed probes, and has not answered enough since.</summary>
    public bool IsDownByProbe => Session is { Probes.DownSince: not null };

    /// <summary>The id of the last probe.</summary>
    public int ProbeId { get; set; }

    /// <summary>It took nothing of a write, or not a query, and not all is written since.</summary>
    public bool IsStuck => Session is { IsStuck: true } or { HasRefused: true };

    public override string ToString() => $"backend {Id}";
}

/// <summary>One generation of a backend's standing session.</summary>
internal sealed class ExpectedSession(
    ExpectedBackend backend, int generation, SocketHandle stream, Instant connectedAt)
{
    public ExpectedBackend Backend => backend;
    public int Generation => generation;
    public SocketHandle Stream => stream;
    public Instant ConnectedAt => connectedAt;

    public FrameDecoder Decoder { get; } = new();

    /// <summary>What is owed to the stream and has not been written.</summary>
    public ExpectedBytes Owed { get; } = new();

    /// <summary>Bytes at the front of Owed that end a frame whose start was written.</summary>
    public int RestOfFrame { get; set; }

    /// <summary>A write took nothing, and not all is written since.</summary>
    public bool IsStuck { get; set; }

    /// <summary>A query did not fit, and not all is written since.</summary>
    public bool HasRefused { get; set; }

    /// <summary>The queries that it was given and has not answered.</summary>
    public FlightModel InFlight { get; } = new();

    /// <summary>Where questions of it went that were sent again, by kind.</summary>
    public Dictionary<string, ExpectedSession> SentAgainTo { get; } = [];

    /// <summary>What it answered last.</summary>
    public AnswerList Given { get; } = new();

    /// <summary>What its answers to probes said.</summary>
    public ExpectedProbes Probes { get; } = new();

    /// <summary>What is thought of its silence.</summary>
    public Silence Silence { get; } = new();

    /// <summary>It may have something to be read, as far as the balancer knows.</summary>
    public bool IsReadable { get; set; }

    /// <summary>That, or what came cannot be read.</summary>
    public bool HasUnread => IsReadable || ReadLacksMemory;

    /// <summary>It must be asked for a heartbeat in this turn.</summary>
    public bool OwesQuestion { get; set; }

    /// <summary>The turn in which a stall that was due was tried once more.</summary>
    public long StallTriedIn { get; set; }

    /// <summary>
    /// Until when its heartbeat's deadline, or its end if it retired, was put off last.
    /// </summary>
    public Instant PutOffTo { get; set; }

    /// <summary>When its session is over by time, as far as that is known; Never for not.</summary>
    public Instant OverAt => Instant.Max(PutOffTo, UnreadUntil != Instant.Never ? UnreadUntil
        : IsRetired ? RetiredAt + SpecifiedLimits.RetiredTime
        : HasHeartbeatOut ? HeartbeatAt + SpecifiedLimits.HeartbeatTime : Instant.Never);

    /// <summary>The deadline after the standstill's extension.</summary>
    public Instant StallPutOffTo { get; set; }

    /// <summary>When it is at fault if still no byte is taken; Never if none wait.</summary>
    public Instant StallDue => Instant.Max(
        StalledSince + SpecifiedLimits.StallTime, StallPutOffTo);

    /// <summary>Bytes of what was owed that were written.</summary>
    public long Written { get; set; }

    /// <summary>Bytes written when its last heartbeat was complete.</summary>
    public long HeartbeatEnd { get; set; }

    /// <summary>Since when bytes wait and none was taken; Never if none wait.</summary>
    public Instant StalledSince { get; set; } = Instant.Never;

    /// <summary>
    /// The turn whose events said that it has bytes, if it was not read since; else 0.
    /// </summary>
    public long UnreadSince { get; set; }

    /// <summary>Reads that brought a byte or more, and answers over TCP.</summary>
    public int Reads { get; set; }

    /// <summary>When the last of them was, and in which turn.</summary>
    public Instant LastReadAt { get; set; }

    public long LastReadIn { get; set; }

    /// <summary>The last write, or the last read, failed since the kernel had no memory.</summary>
    public bool WriteLacksMemory { get; set; }

    public bool ReadLacksMemory { get; set; }

    /// <summary>
    /// The last turn, and when that was, at whose end it could not be read for that; 0 for none.
    /// </summary>
    public (long Turn, Instant At) Unreadable { get; set; }

    /// <summary>One of both did, and has not gone well since.</summary>
    public bool IsShort { get; set; }

    /// <summary>When what lacks memory is tried again; Never if nothing is put off so.</summary>
    public Instant MemoryRetryAt { get; set; } = Instant.Never;

    /// <summary>How long it is put off the next time.</summary>
    public Duration MemoryPause { get; set; } = SpecifiedLimits.FirstMemoryPause;

    /// <summary>Bytes that the last read of it returned.</summary>
    public int LastRead { get; set; }

    /// <summary>
    /// When the deadline that passed while something lay unread has passed at last; Never if none
    /// has passed so.
    /// </summary>
    public Instant UnreadUntil { get; private set; } = Instant.Never;

    /// <summary>It was put off because something lay unread that could be read.</summary>
    public bool HasWaitedForUnread { get; private set; }

    /// <summary>The next deadline may be put off again.</summary>
    public void ForgetUnread() => (UnreadUntil, HasWaitedForUnread) = (Instant.Never, false);

    /// <summary>
    /// Something of it may lie unread: it was reported readable, or the last read was perhaps full.
    /// </summary>
    public bool MayHaveUnread => UnreadSince != 0
        || LastRead >= SpecifiedLimits.LeastSessionRead;

    /// <summary>
    /// Whether a deadline has passed by the end of a turn: at its time, not before the time that is
    /// given after a standstill is over, or, when something lay unread then, a second later; as
    /// often as it comes while the kernel has no memory to read it.
    /// </summary>
    public bool IsOverdue(Instant due, Instant now, StandstillModel standstill)
    {
        if (now < standstill.Extend(due))
            return false;
        if (UnreadUntil != Instant.Never && now < UnreadUntil)
            return false;
        if (!ReadLacksMemory && (HasWaitedForUnread || !MayHaveUnread))
            return true;
        HasWaitedForUnread |= !ReadLacksMemory;
        UnreadUntil = now + SpecifiedLimits.UnreadTime;
        return false;
    }

    /// <summary>When a deadline that was due then is judged, given what lay unread.</summary>
    public Instant JudgedAt(Instant due, StandstillModel standstill) =>
        standstill.Extend(UnreadUntil == Instant.Never ? due : UnreadUntil);

    /// <summary>Its bytes cannot be told any more; what is wrong with it was said.</summary>
    public bool IsLost { get; set; }

    /// <summary>When SERVER_HELLO came; Never before that.</summary>
    public Instant HelloAt { get; set; } = Instant.Never;

    /// <summary>When a heartbeat was asked for that is not answered; Never if none is.</summary>
    public Instant HeartbeatAt { get; set; } = Instant.Never;

    /// <summary>When the next heartbeat is owed; Never while one is out.</summary>
    public Instant NextHeartbeatAt { get; set; } = Instant.Never;

    /// <summary>Heartbeats that it answered, and those that the core said it did.</summary>
    public int Answers { get; set; }

    public int AnswersLogged { get; set; }

    public bool HasHello => HelloAt != Instant.Never;

    public bool HasHeartbeatOut => HeartbeatAt != Instant.Never;

    public Evidence? Evidence { get; set; }

    /// <summary>A write failed, and what it said before may be read.</summary>
    public bool MayHaveRest { get; set; }

    /// <summary>Another socket took its place; only its replies count any more.</summary>
    public bool IsRetired { get; set; }

    /// <summary>When that was; Never if it did not.</summary>
    public Instant RetiredAt { get; set; } = Instant.Never;

    public bool IsClosed { get; set; }
}
