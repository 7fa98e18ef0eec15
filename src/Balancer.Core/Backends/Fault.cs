// Owns the causes for which a session to a backend ends before its time, each with its evidence.
// What follows from one is Backend's business, and its words are the log's.
//
// What always holds: a fault is something that a backend did or failed to do, or a system call
// that failed; a bug of the balancer is none (see Verify).

namespace Balancer.Core;

/// <summary>
/// Why a backend was faulted: its session is torn down and a reconnect scheduled. On a TCP session
/// before INBOUND_TCP_OK, why it did not come about; the control session is not touched then.
/// </summary>
public enum FaultCause
{
    /// <summary>The connect failed; Io says how.</summary>
    ConnectFailed,

    /// <summary>No SERVER_HELLO within 30 s of the connect.</summary>
    HelloTimeout,

    /// <summary>Another frame came before SERVER_HELLO; Detail is its type.</summary>
    FrameBeforeHello,

    /// <summary>SERVER_HELLO came twice.</summary>
    SecondHello,

    /// <summary>SERVER_HEARTBEAT came and none was asked for.</summary>
    UnaskedHeartbeat,

    /// <summary>A heartbeat was not answered within 15 s.</summary>
    HeartbeatTimeout,

    /// <summary>It read nothing for 15 s while bytes waited for it, whatever it sent.</summary>
    ReadsNothing,

    /// <summary>A frame of a type that does not exist came; Detail is its type.</summary>
    UnknownFrame,

    /// <summary>INBOUND_TCP_OK came on the control session.</summary>
    TcpFrameOnControlSession,

    /// <summary>An OUTBOUND_UDP length over 65,535; Detail is the length.</summary>
    LengthTooLarge,

    /// <summary>
    /// The backend ended the session, as its process does when it ends. Io is the end of the
    /// stream, a reset or a broken pipe: which one, depends only on where its bytes lay.
    /// </summary>
    EndOfStream,

    /// <summary>Reading failed otherwise; Io says how.</summary>
    ReadFailed,

    /// <summary>Writing failed otherwise; Io says how.</summary>
    WriteFailed,

    /// <summary>
    /// A TCP session's first frame was not INBOUND_TCP_OK; Detail is its type. It costs that
    /// session alone.
    /// </summary>
    NotTcpOk,
}

/// <summary>A fault with its evidence; Io and Detail mean something where Cause says so.</summary>
public readonly record struct Fault(FaultCause Cause, IoResult Io = default, uint Detail = 0)
{
    /// <summary>
    /// What the backend did by itself, or sent: a query may have made it do so.
    /// </summary>
    internal bool IsDeath => Cause is FaultCause.EndOfStream or FaultCause.SecondHello
        or FaultCause.UnaskedHeartbeat or FaultCause.UnknownFrame
        or FaultCause.TcpFrameOnControlSession or FaultCause.LengthTooLarge;

    /// <summary>A read of a session failed, or was its end.</summary>
    internal static Fault OfRead(IoResult why) => OfCall(why, FaultCause.ReadFailed);

    /// <summary>A write to a session failed.</summary>
    internal static Fault OfWrite(IoResult why) => OfCall(why, FaultCause.WriteFailed);

    private static Fault OfCall(IoResult why, FaultCause otherwise) => new(
        why.Status is IoStatus.EndOfStream or IoStatus.Reset or IoStatus.BrokenPipe
            ? FaultCause.EndOfStream : otherwise, why);
}
