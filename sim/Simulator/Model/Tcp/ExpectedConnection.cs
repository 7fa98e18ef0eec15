// Owns what is known of one TCP connection that the balancer accepted: its two streams, what was
// read from each and is not yet written to the other, and which ends were seen.
//
// What always holds: bytes are appended when they were read and taken away when they were written,
// so what waits here waits in the balancer.

using System.Collections.Generic;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>One accepted connection.</summary>
internal sealed class ExpectedConnection(SocketHandle client, Endpoint from, Instant acceptedAt)
{
    public SocketHandle Client => client;
    public Endpoint From => from;
    public Instant AcceptedAt => acceptedAt;

    /// <summary>What the log calls it: 1, 2, 3, … in the order in which they were let in.</summary>
    public ConnectionId Id { get; set; }

    /// <summary>Bytes read of each side; INBOUND_TCP_OK is not counted.</summary>
    public long FromClient { get; set; }

    public long FromBackend { get; set; }

    /// <summary>The backend that it is with, or was last.</summary>
    public ExpectedBackend? Backend { get; set; }

    /// <summary>Its stream to a backend; None while there is none.</summary>
    public SocketHandle BackendStream { get; set; }

    /// <summary>Backends that refused it, or did not take it in time.</summary>
    public HashSet<ExpectedBackend> Asked { get; } = [];

    /// <summary>When its client sent something first; null if it has sent nothing.</summary>
    public Instant? SpokeAt { get; set; }

    /// <summary>It waits for a backend, and its client has sent more, which is not read.</summary>
    public bool HasUnread { get; set; }

    /// <summary>It waits for its backend to take it, or did until a moment ago.</summary>
    public bool HasAsked { get; set; }

    /// <summary>Backends that refused it without a connect that succeeded in between.</summary>
    public int Refusals { get; set; }

    /// <summary>The one that was asked last refused.</summary>
    public bool IsTurnedDown { get; set; }

    /// <summary>When another is asked, if the backend has not taken it.</summary>
    public Instant OkBy { get; set; }

    /// <summary>Sessions that its backend had ended when it was connected to that.</summary>
    public int SessionsEnded { get; set; }

    /// <summary>How often its backend had been replaced by then.</summary>
    public int Replacements { get; set; }

    /// <summary>The backend's session then.</summary>
    public ExpectedSession? Session { get; set; }

    /// <summary>What the client sent and may not be written yet.</summary>
    public List<byte> Kept { get; } = [];

    /// <summary>
    /// What the client sends goes on though something before it is unanswered, or goes nowhere.
    /// </summary>
    public bool PassesAll { get; set; }

    /// <summary>Bytes of a long message that are to come, and are not kept back.</summary>
    public int LongLeft { get; set; }

    /// <summary>Something was passed on, and its answer did not come.</summary>
    public bool IsUnanswered { get; set; }

    /// <summary>Messages that the backend had sent when the last one was passed on.</summary>
    public long AnswersBefore { get; set; }

    /// <summary>
    /// Those that were no error of a backend that could not answer, when all was answered.
    /// </summary>
    public long GoodBefore { get; set; }

    /// <summary>When the bytes kept back are passed on although an answer is due.</summary>
    public Instant? KeptUntil { get; set; }

    /// <summary>One of its messages is refused: it is sent the answer, and the end.</summary>
    public bool IsRefused { get; set; }

    /// <summary>Its backend sent something that its client was not sent yet.</summary>
    public bool MustJudge { get; set; }

    /// <summary>Messages that went on and are too short to be answered.</summary>
    public int Short { get; set; }

    /// <summary>The last message that was passed on was an empty one.</summary>
    public bool HadEmpty { get; set; }

    /// <summary>What it asked since all was answered, the last of it last.</summary>
    public List<ExpectedAsk> Asks { get; } = [];

    /// <summary>How many that were.</summary>
    public int AskedCount { get; set; }

    /// <summary>Bytes for the backend that may be written to it.</summary>
    public int Writable => ToBackend.Count - Kept.Count;

    /// <summary>Its backend's accept queue was full: it is tried again, not earlier.</summary>
    public Instant? RetryFrom { get; set; }

    /// <summary>The turn in which a backend refused it last; 0 for none.</summary>
    public long RefusedIn { get; set; }

    /// <summary>The latest that it is tried again, if there is anybody to try.</summary>
    public Instant RetryBy { get; set; }

    /// <summary>Times that it was put off because all that were asked were full.</summary>
    public int PutOffs { get; set; }

    public bool WasFull { get; set; }

    /// <summary>
    /// It waits for a backend that is suspect or whose session has ended, and may try another.
    /// </summary>
    public bool ShouldLeave => !IsRelaying && !IsClosed && MustEnd == null && RetryFrom == null
        && HasAsked && Backend is { } backend
        && (backend.IsSuspect || backend.SessionsEnded != SessionsEnded);

    /// <summary>
    /// The client has an answer to come, which will not: its backend hangs, or lost its session and
    /// has no other. A process whose socket was replaced may answer still.
    /// </summary>
    public bool IsAbandoned => IsRelaying && LacksAnswers && !BackendEnded
        && ToClient.Count == 0 && !MayHaveMore && Backend!.Replacements == Replacements
        && (Backend.SessionsEnded != SessionsEnded
            ? Backend.Stage is not (Stage.Healthy or Stage.Draining)
            : Session is { Silence.IsHung: true } && Session == Backend.Session);

    /// <summary>
    /// The backend's stream had at least as many bytes as the last read could take.
    /// </summary>
    public bool MayHaveMore { get; set; }

    /// <summary>Bytes of INBOUND_TCP_OK that came, and their value so far.</summary>
    public int OkBytes { get; set; }

    public uint OkValue { get; set; }

    public bool IsRelaying { get; set; }

    /// <summary>It is counted among those that are open.</summary>
    public bool IsProxied { get; set; }

    public bool IsClosed { get; set; }

    /// <summary>How it must end at once, if it must.</summary>
    public Counter? MustEnd { get; set; }

    /// <summary>A read or write on one of its sides failed.</summary>
    public bool ClientFailed { get; set; }

    public bool BackendFailed { get; set; }

    /// <summary>The backend reads no more; what is for it is thrown away.</summary>
    public bool IsBackendDeaf { get; set; }

    /// <summary>One of its sides is gone, so it is closed by the end of the turn.</summary>
    public bool MustClose { get; set; }

    public bool ClientEnded { get; set; }

    public bool BackendEnded { get; set; }

    /// <summary>The end of a side was passed on to the other.</summary>
    public bool BackendGotEnd { get; set; }

    public bool ClientGotEnd { get; set; }

    /// <summary>Each side got the other's end, or has nothing to do with it.</summary>
    public bool IsOver => ClientGotEnd && (BackendGotEnd || (IsBackendDeaf && ClientEnded));

    /// <summary>It waits until another backend is asked.</summary>
    public bool IsPutOff => !IsRelaying && RetryFrom != null;

    public bool WasAborted { get; set; }

    /// <summary>An event said that it has something to do, and it had no turn since.</summary>
    public bool IsWaiting { get; set; }

    /// <summary>
    /// When a whole question of the client's was read, or a byte of an answer written to it, or
    /// INBOUND_TCP_OK came, or it was accepted; the last of these.
    /// </summary>
    public Instant LastActivity { get; set; }

    /// <summary>Since when a message of the client's is there in part; null if none is.</summary>
    public Instant? PartSince { get; set; }

    /// <summary>
    /// Nothing was read of the client when the last turn ended, for want of room.
    /// </summary>
    private bool _wasHeldUp;

    /// <summary>Whether what its client sends has room.</summary>
    public bool HasRoomForClient => ToBackend.Count < SpecifiedLimits.RelayQueueBytes;

    /// <summary>A turn ended.</summary>
    public void NoteRoom() => _wasHeldUp = IsRelaying && !HasRoomForClient;

    /// <summary>
    /// Its backend took bytes: if nothing was read of the client before, its time restarts.
    /// </summary>
    public void OnTaken(Instant now)
    {
        if (!_wasHeldUp || !HasRoomForClient)
            return;
        _wasHeldUp = false;
        if (PartSince != null)
            PartSince = now;
    }

    /// <summary>When the client had all that its backend sent, and the end.</summary>
    public Instant? EndSentAt { get; set; }

    /// <summary>It is in the list of those to look at when the turn ends.</summary>
    public bool IsTouched { get; set; }

    /// <summary>What the client asked, until its backend read no more.</summary>
    public ExpectedMessages Queries { get; } = new();

    public ExpectedMessages Answers { get; } = new();

    /// <summary>If the backend ends now, then before it has answered everything.</summary>
    public bool LacksAnswers => !IsRefused && Queries.Whole > 0
        && (Answers.IsInside || Answers.Whole < (IsBackendDeaf ? 1 : Queries.Whole));

    /// <summary>
    /// The backend ended and the client had all that came, and it was not all that was asked; that
    /// the backend read no more may show itself later in the turn.
    /// </summary>
    public bool IsCutShort { get; private set; }

    /// <summary>The backend's end, or the last byte before it, was dealt with.</summary>
    public void NoteCut() =>
        IsCutShort |= BackendEnded && !ClientGotEnd && ToClient.Count == 0 && LacksAnswers;

    public ExpectedBytes ToBackend { get; } = new();

    public ExpectedBytes ToClient { get; } = new();
}
