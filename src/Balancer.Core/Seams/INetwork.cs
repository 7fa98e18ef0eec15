// The seam to the kernel, as low as it can lie: one method a system call, results as values.
// Short reads, full pipes and errors are the core's business; an adapter only translates, so
// there is nothing in it to decide. LinuxNetwork is the one of production, SimNetwork (in sim/)
// the one of virtual time, which answers as Linux was measured to.
//
// What always holds: no call blocks but Wait; no call calls back; nothing but a bug in the core
// throws. A handle that was closed is never given out again (its generation differs), and using
// one is a bug (Verify), not a result.

using System;

namespace Balancer.Core;

/// <summary>What a system call answered, without its number of bytes or its errno.</summary>
public enum IoStatus
{
    /// <summary>Done; IoResult.Count says how much.</summary>
    Ok,

    /// <summary>EAGAIN: nothing can be done now; Wait reports when it can.</summary>
    WouldBlock,

    /// <summary>
    /// A read that found the peer's end of the stream, or a directory's last entry.
    /// </summary>
    EndOfStream,

    /// <summary>ENOENT, ENOTDIR: no such path.</summary>
    NotFound,

    /// <summary>ECONNREFUSED: nobody listens there; also what a plain file answers.</summary>
    Refused,

    /// <summary>ECONNRESET: the peer threw the connection away.</summary>
    Reset,

    /// <summary>EPIPE: the peer reads no more.</summary>
    BrokenPipe,

    /// <summary>ECONNABORTED: the client left before it was accepted.</summary>
    Aborted,

    /// <summary>EMFILE, ENFILE: no descriptor is free, in the process or in the system.</summary>
    TooManyFiles,

    /// <summary>ENOBUFS, ENOMEM: the kernel has no memory for it now.</summary>
    NoBuffers,

    /// <summary>EACCES, EPERM: forbidden by a mode, a firewall or the kind of address.</summary>
    AccessDenied,

    /// <summary>EINVAL, EDESTADDRREQ, EADDRNOTAVAIL: such a destination cannot be.</summary>
    InvalidArgument,

    /// <summary>EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN: no way there.</summary>
    Unreachable,

    /// <summary>EMSGSIZE: larger than the way there carries.</summary>
    MessageTooLong,

    /// <summary>EPROTOTYPE: the socket at a path is of another type than a stream.</summary>
    WrongType,

    /// <summary>A user who may not have a backend listens on the socket at a path.</summary>
    WrongUser,

    /// <summary>ETIMEDOUT: keep-alive probes stayed unanswered.</summary>
    TimedOut,

    /// <summary>Any other errno; IoResult.Errno has it.</summary>
    Other,
}

/// <summary>
/// The answer of a system call: a status with a count (Ok) or an errno (the rest).
/// </summary>
public readonly record struct IoResult
{
    private readonly int _value;

    private IoResult(IoStatus status, int value)
    {
        Status = status;
        _value = value;
    }

    public IoStatus Status { get; }

    public bool IsOk => Status == IoStatus.Ok;

    /// <summary>Bytes, datagrams or entries done; 0 unless Ok.</summary>
    public int Count => IsOk ? _value : 0;

    /// <summary>The kernel's errno, for the log alone; 0 when there was none.</summary>
    public int Errno => IsOk ? 0 : _value;

    public static IoResult Ok(int count = 0) => new(IoStatus.Ok, count);

    public static IoResult Failed(IoStatus status, int errno = 0) => new(status, errno);

    public override string ToString() => IsOk ? $"Ok({_value})"
        : _value == 0 ? $"{Status}" : $"{Status} (errno {_value})";
}

/// <summary>What a socket is, or is wanted to be, ready for.</summary>
[Flags]
public enum Readiness
{
    /// <summary>As an interest: report nothing at all, not even a hang-up.</summary>
    None = 0,

    /// <summary>Data, an end of stream, a datagram, or a connection to accept.</summary>
    Read = 1,

    /// <summary>Room to write.</summary>
    Write = 2,

    /// <summary>
    /// Both directions are gone, or an error is pending. Reported whenever the interest is not
    /// None; alone as an interest it asks for nothing else.
    /// </summary>
    HangUp = 4,
}

/// <summary>What Wait woke for.</summary>
public enum NetworkEventKind
{
    /// <summary>A socket is ready for what Ready says.</summary>
    Socket,

    /// <summary>
    /// Something changed in the directory of backends, or must be looked at before a connect.
    /// </summary>
    DirectoryChanged,

    /// <summary>The operator asks for an orderly stop (SIGTERM, SIGINT).</summary>
    StopRequested,

    /// <summary>The operator asks to scan the directory now (SIGHUP).</summary>
    RescanRequested,

    /// <summary>The operator asks for the state of everything in the log (SIGUSR1).</summary>
    StatusRequested,

    /// <summary>
    /// The directory of backends has answered a call that was to be made again then.
    /// </summary>
    DirectoryAnswered,
}

/// <summary>One event of Wait. Handle and Ready mean something for Kind Socket only.</summary>
public readonly record struct NetworkEvent(
    NetworkEventKind Kind, SocketHandle Handle, Readiness Ready);

/// <summary>
/// The system calls of the balancer. Readiness is level-triggered: what is not dealt with is
/// reported again by the next Wait.
/// </summary>
public interface INetwork
{
    /// <summary>
    /// The address and port that both sockets are bound to; the address may be Ipv4.Any.
    /// </summary>
    Endpoint ListenEndpoint { get; }

    /// <summary>The bound UDP socket; its interest starts as None.</summary>
    SocketHandle DatagramSocket { get; }

    /// <summary>The listening TCP socket; its interest starts as None.</summary>
    SocketHandle Listener { get; }

    /// <summary>
    /// Datagrams that came for the UDP socket since the start and were dropped by the kernel before
    /// they could be received; 0 where it does not say. Only grows. To be read every minute or
    /// oftener: the kernel's own count starts again at 0 after 2^32.
    /// </summary>
    long DatagramsDropped { get; }

    /// <summary>
    /// The same of connections, at the listener while it was open: each time that the kernel had no
    /// room for one in the accept queue. Its client tries again, and may be counted again.
    /// </summary>
    long ConnectionsDropped { get; }

    /// <summary>
    /// Why the kernel does not watch a socket whose interest is not None, by its last answer; Ok
    /// while it watches all of them. Wait asks it again.
    /// </summary>
    IoResult Unwatched { get; }

    /// <summary>
    /// Waits for events, until the instant on IClock's clock at the latest (at once when it has
    /// passed). Fills the span from its start and returns how many; 0 when the time came first.
    /// May wake early, with or without events; an interrupted one may say nothing of what is ready.
    /// What is not about a socket and what is urgent goes before all other streams, however many of
    /// those are ready; within each of the two, what is ready takes turns where the span is too
    /// short for all.
    /// </summary>
    int Wait(Instant until, Span<NetworkEvent> events);

    /// <summary>
    /// Makes a stream urgent, as the two bound sockets are from the start; while its interest is
    /// None.
    /// </summary>
    void MakeUrgent(SocketHandle stream);

    /// <summary>Sets what Wait reports of a socket; new streams start with None.</summary>
    void SetInterest(SocketHandle socket, Readiness interest);

    /// <summary>
    /// Clears the batch and fills it with the datagrams that wait, as many as it holds. Ok with a
    /// count of 1 or more, or what went wrong with none received.
    /// </summary>
    IoResult ReceiveDatagrams(DatagramBatch batch);

    /// <summary>
    /// Sends the batch's datagrams from the index first on. Ok with how many were sent, 1 or more
    /// and perhaps not all; otherwise why the very first could not be.
    /// </summary>
    IoResult SendDatagrams(DatagramBatch batch, int first);

    /// <summary>
    /// Takes one waiting connection; stream and client mean something only if Ok.
    /// </summary>
    IoResult Accept(out SocketHandle stream, out Endpoint client);

    /// <summary>
    /// Makes an AF_UNIX stream and connects it to a path of 1 to 107 bytes. The kernel connects at
    /// once or not at all: Ok says a queue of the listener took it, not that anyone will accept.
    /// The stream means something only if Ok. TooManyFiles, NoBuffers are this process's trouble;
    /// WouldBlock says that a listener's queue is full, or that the path would have to be waited
    /// for.
    /// </summary>
    IoResult ConnectBackend(ReadOnlySpan<byte> path, out SocketHandle stream);

    /// <summary>Reads 1 byte up to the span's length: Ok, EndOfStream or why not.</summary>
    IoResult Read(SocketHandle stream, Span<byte> into);

    /// <summary>Writes 1 byte up to the span's length, perhaps not all: Ok or why not.</summary>
    IoResult Write(SocketHandle stream, ReadOnlySpan<byte> from);

    /// <summary>Ends the writing direction after what was written; reading goes on.</summary>
    void HalfClose(SocketHandle stream);

    /// <summary>
    /// Gives memory whose contents are no longer needed back to the kernel; it stays the
    /// caller's, and afterwards holds what was there, or 0. Memory in which there is a
    /// reference must not be given.
    /// </summary>
    void Discard(Span<byte> unused);

    /// <summary>
    /// Closes a stream or the listener; the handle is dead and its interest gone.
    /// </summary>
    void Close(SocketHandle socket);

    /// <summary>Closes a stream so that the peer sees a reset where the kernel has one.</summary>
    void Abort(SocketHandle stream);
}
