// Owns what a run in wall time saw from outside: what clients sent and got, what backends read and
// wrote, when each fault was there, how the balancer's process fared and what it logged. The checks
// judge by this alone, so a test can make one up.
//
// All times are nanoseconds of the monotonic clock, which is one for all processes of a host.
//
// What always holds: nothing here is taken from the balancer's word, but for what is called so.

using System.Collections.Generic;
using System.Collections.Immutable;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Real;

/// <summary>A datagram that a client sent to the balancer.</summary>
internal sealed record SentDatagram(long At, Endpoint From, byte[] Payload);

/// <summary>A datagram that a client got.</summary>
/// <param name="At">When it was read.</param>
/// <param name="To">The client's own address and port.</param>
/// <param name="From">Where it came from.</param>
/// <param name="Asked">Where the client asked.</param>
/// <param name="Payload">All of it.</param>
internal sealed record GotDatagram(
    long At, Endpoint To, Endpoint From, Endpoint Asked, byte[] Payload);

/// <summary>A question that is asked again and again once chaos is over.</summary>
internal sealed class ObservedProbe(Endpoint from, long asked, bool overTcp = false)
{
    /// <summary>Over TCP the address counts alone: each try is a connection of its own.</summary>
    public Endpoint From => from;

    public bool OverTcp => overTcp;

    /// <summary>When it was asked first.</summary>
    public long Asked => asked;

    public int Tries { get; set; }

    /// <summary>When it was answered; null if it was not.</summary>
    public long? Answered { get; set; }
}

/// <summary>How a client's TCP connection ended, as the client saw it.</summary>
internal enum ConnectionEnd
{
    /// <summary>It has not.</summary>
    Open,

    /// <summary>It was not taken.</summary>
    Refused,

    /// <summary>The balancer's end of stream was read, after all bytes.</summary>
    EndOfStream,

    /// <summary>The balancer reset it.</summary>
    Reset,

    /// <summary>The client closed or reset it itself.</summary>
    ByClient,
}

/// <summary>A client's TCP connection.</summary>
internal sealed class ObservedConnection(int client, Endpoint from)
{
    public int Client => client;

    public Endpoint From => from;

    public long ConnectedAt { get; set; }

    public bool WasConnected { get; set; }

    public List<byte> Sent { get; } = [];

    public List<byte> Got { get; } = [];

    public ConnectionEnd End { get; set; }

    public long EndedAt { get; set; }

    /// <summary>The client reads what comes, so it sees the end of it.</summary>
    public bool Reads { get; init; } = true;

    /// <summary>When the client ended its direction, or all of it; null if it did not.</summary>
    public long? SaidAllAt { get; set; }
}

/// <summary>A frame on a control session.</summary>
/// <param name="At">When the backend read its last byte, or was about to write it.</param>
/// <param name="Peer">Whose query or reply it is; the port may be one that cannot be.</param>
/// <param name="Port">The port as the frame has it.</param>
/// <param name="Length">The length as the frame has it.</param>
/// <param name="Payload">What was there of it, 1500 bytes at most.</param>
internal sealed record ObservedFrame(
    long At, Ipv4 Peer, uint Port, uint Length, byte[] Payload);

/// <summary>One session of a backend's process, as its journal has it.</summary>
internal sealed class ObservedSession(int backend, long acceptedAt)
{
    public int Backend => backend;

    public long AcceptedAt => acceptedAt;

    /// <summary>CLIENT_HELLO was read.</summary>
    public bool IsControl { get; set; }

    /// <summary>When SERVER_HELLO was written.</summary>
    public long? HelloAt { get; set; }

    /// <summary>When each CLIENT_HEARTBEAT was read.</summary>
    public List<long> Heartbeats { get; } = [];

    /// <summary>INBOUND_UDP.</summary>
    public List<ObservedFrame> Queries { get; } = [];

    /// <summary>OUTBOUND_UDP.</summary>
    public List<ObservedFrame> Replies { get; } = [];

    /// <summary>INBOUND_UDP from where the balancer's own probes come from.</summary>
    public List<ObservedFrame> Probes { get; } = [];

    /// <summary>OUTBOUND_UDP to there.</summary>
    public List<ObservedFrame> ProbeAnswers { get; } = [];

    /// <summary>When a probe was answered with anything but SERVFAIL and REFUSED.</summary>
    public long? ReadyAt { get; set; }

    /// <summary>Whose connection it carries, if INBOUND_TCP was read.</summary>
    public Endpoint? Client { get; set; }

    /// <summary>When the last byte of INBOUND_TCP_OK was written.</summary>
    public long? OkAt { get; set; }

    /// <summary>Bytes of the client's that came before INBOUND_TCP_OK.</summary>
    public int EarlyBytes { get; set; }

    public List<byte> FromClient { get; } = [];

    public List<byte> ToClient { get; } = [];

    /// <summary>The backend's first frame is not one of a session of its kind.</summary>
    public bool IsUnruly { get; set; }

    /// <summary>When the backend ended its direction, after all its bytes.</summary>
    public long? HalfClosedAt { get; set; }

    /// <summary>When the balancer's end of the stream was read.</summary>
    public long? PeerEndedAt { get; set; }

    /// <summary>Why the backend ended it; null while it lasts, or if the process died.</summary>
    public string? Over { get; set; }

    public long? OverAt { get; set; }

    /// <summary>A control session that had said hello then, and not ended.</summary>
    public bool IsHealthyAt(long at) => HelloAt <= at
        && !(OverAt <= at) && !(PeerEndedAt <= at);
}

/// <summary>One process of a backend.</summary>
internal sealed class ObservedProcess(int backend, long startedAt)
{
    public int Backend => backend;

    public long StartedAt => startedAt;

    /// <summary>When it was found to have ended; null while it lives.</summary>
    public long? EndedAt { get; set; }

    public List<ObservedSession> Sessions { get; } = [];
}

/// <summary>A time in which a backend, or all of them (-1), may not be as they should be.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="From">When it began.</param>
/// <param name="Until">When it explains nothing any more.</param>
/// <param name="What">What it is, for people.</param>
/// <param name="Kind">The fault that it is; null for what is none.</param>
internal sealed record Trouble(
    int Backend, long From, long Until, string What, RealFaultKind? Kind = null)
{
    /// <summary>A process is new; a reason to move to it, and none to end its session.</summary>
    public const string Starts = "starts";

    /// <summary>It has a script, which may be of any kind.</summary>
    public const string Misbehaves = "misbehaves";

    /// <summary>A script may have it stop reading for a while, or for good.</summary>
    public const string Hangs = "may hang";

    /// <summary>This host, or this process, did nothing for longer than it ever should.</summary>
    public const string StoodStill = "all stood still";
}

/// <summary>A record of the balancer's log that has all counters.</summary>
internal sealed record CounterRecord(
    bool IsFinal, long Connections, ImmutableSortedDictionary<string, long> Counters)
{
    /// <summary>Queries forwarded, per path of a backend, from the lines that follow it.</summary>
    public SortedDictionary<string, long> Forwarded { get; } =
        new(System.StringComparer.Ordinal);

    /// <summary>Queries forwarded, per address of a remote, likewise.</summary>
    public SortedDictionary<string, long> Remotes { get; } =
        new(System.StringComparer.Ordinal);

    public long this[string counter] => Counters.GetValueOrDefault(counter);
}

/// <summary>How things were when nothing had been sent for a while, before the stop.</summary>
/// <param name="Sent">Datagrams sent until then.</param>
/// <param name="Lost">Datagrams that the kernel says it dropped.</param>
/// <param name="Connected">TCP connections that clients had made.</param>
/// <param name="Record">What the balancer logged; null if nothing.</param>
internal sealed record QuietMoment(long Sent, long Lost, long Connected, CounterRecord? Record);

/// <summary>The balancer's process.</summary>
internal sealed class ObservedBalancer
{
    public long ReadyAt { get; set; }

    /// <summary>It never listened.</summary>
    public bool NeverReady { get; set; }

    /// <summary>When its end was noticed; null if it had to be killed.</summary>
    public long? ExitedAt { get; set; }

    public int? ExitCode { get; set; }

    /// <summary>When it was told to stop; null if it ended before.</summary>
    public long? StopAskedAt { get; set; }

    /// <summary>How long it stood still since it was told to stop.</summary>
    public long StalledSinceStop { get; set; }

    /// <summary>Standard error.</summary>
    public string ErrorOutput { get; set; } = "";

    /// <summary>Lines of its log, as far as they could be read.</summary>
    public List<string> Log { get; } = [];

    /// <summary>All that it logged could be read.</summary>
    public bool LogIsWhole { get; set; }

    public List<CounterRecord> Records { get; } = [];

    /// <summary>What the log's clock is ahead of the monotonic one.</summary>
    public long LogClockAheadNs { get; set; }

    /// <summary>When rebalances were logged.</summary>
    public List<long> Rebalances { get; } = [];

    /// <summary>
    /// When any backend became suspect or was trusted again, or was down by probe or up again, as
    /// the log has it.
    /// </summary>
    public List<long> Suspicions { get; } = [];
}

/// <summary>All that was seen.</summary>
internal sealed class Observations(Scenario scenario)
{
    /// <summary>As it was run.</summary>
    public Scenario Scenario => scenario;

    public long StartedAt { get; set; }

    /// <summary>When chaos ended; null if it did not.</summary>
    public long? HealedAt { get; set; }

    /// <summary>When what is owed after the healing was last looked at.</summary>
    public long? SettledAt { get; set; }

    public List<SentDatagram> Sent { get; } = [];

    public List<GotDatagram> Got { get; } = [];

    public List<ObservedProbe> Probes { get; } = [];

    public List<ObservedConnection> Connections { get; } = [];

    public List<ObservedProcess> Processes { get; } = [];

    public List<Trouble> Troubles { get; } = [];

    public ObservedBalancer Balancer { get; } = new();

    public QuietMoment? Quiet { get; set; }

    /// <summary>Endpoints whose replies are read; replies to others are not seen.</summary>
    public HashSet<Endpoint> Read { get; } = [];

    public IEnumerable<ObservedSession> Sessions()
    {
        foreach (var process in Processes)
        {
            foreach (var session in process.Sessions)
                yield return session;
        }
    }

    /// <summary>
    /// A control session that held all the while, be it one that retired or whose path is gone; one
    /// whose process was killed tells of no end.
    /// </summary>
    public ObservedSession? HealthyThrough(int backend, long from, long until)
    {
        foreach (var process in Processes)
        {
            if (process.Backend != backend || process.EndedAt <= until)
                continue;
            foreach (var session in process.Sessions)
            {
                if (session.IsHealthyAt(from) && session.IsHealthyAt(until))
                    return session;
            }
        }
        return null;
    }

    /// <summary>Since when a backend that was healthy all the while is warm.</summary>
    public long? WarmSince(int backend, long from, long until) =>
        HealthyThrough(backend, from, until) is { } session ? WarmAt(session) : null;

    /// <summary>
    /// When a session's warm-up was over: with probes at the first good answer, whenever that came.
    /// </summary>
    public long? WarmAt(ObservedSession session) => Scenario.Kernel.Probe
        ? session.ReadyAt
        : session.HelloAt + Scenario.Kernel.WarmUp.Nanoseconds;

    /// <summary>The instant of a run that a time of the clock is.</summary>
    public Instant Since(long at) => new(System.Math.Max(0, at - StartedAt));
}
