// Owns what a picture is drawn from: the course of one run, taken apart into lanes. A recorder
// fills it while the run goes; drawing only reads it, so one story can be drawn in several ways.
//
// What always holds: lists are in the order of time; a lane is the index of a backend in Backends,
// -1 for none; what never came to be (an answer, an end) is Instant.Never.

using System.Collections.Generic;
using Balancer.Core;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Pictures;

/// <summary>One run as a picture shows it.</summary>
public sealed class Story(Scenario scenario)
{
    public Scenario Scenario => scenario;

    /// <summary>What the run came to; set when it is known.</summary>
    public RunResult? Result { get; set; }

    /// <summary>The file that the scenario came from; null for a seed.</summary>
    public string? File { get; set; }

    /// <summary>The last instant that anything was logged at, or where the story is cut.</summary>
    public Instant End { get; internal set; }

    /// <summary>Where the story is cut although the run went on; Never if it is not.</summary>
    public Instant CutAt { get; private set; } = Instant.Never;

    /// <summary>The violation, if the story goes so far.</summary>
    public Violation? Violation => CutAt == Instant.Never ? Result?.Violation : null;

    /// <summary>When chaos ended; Never if the run ended in it.</summary>
    public Instant HealedAt { get; internal set; } = Instant.Never;

    public List<BackendLane> Backends { get; } = [];

    public List<QueryMark> Queries { get; } = [];

    public List<ConnectionBar> Connections { get; } = [];

    public List<FaultBar> Faults { get; } = [];

    /// <summary>Rises of counters that count something lost or failed, by turn.</summary>
    public List<DropMark> Drops { get; } = [];

    /// <summary>
    /// Ends a story that was recorded no further than an instant; before then nothing is cut.
    /// </summary>
    public void Conclude(RunResult result, Instant until)
    {
        Result = result;
        if (until >= Instant.Zero + result.Time || until >= result.Violation?.At)
            return;
        CutAt = until;
        End = until;
    }

    /// <summary>The lane of the backend that the violation is about; -1 for none.</summary>
    public int BlamedBackend() => Violation is { Backend: >= 0 } violation
        ? Backends.FindIndex(lane => lane.Plan == violation.Backend)
        : -1;
}

/// <summary>How a backend is coloured for a while.</summary>
public enum LaneState
{
    Unknown,
    BackingOff,
    AwaitingHello,
    Warming,
    Healthy,
    Draining,
    Removed,
}

/// <summary>One backend.</summary>
/// <param name="Name">Its entry in the directory.</param>
/// <param name="Plan">Its id in the scenario, -1 for an entry that only looked like one.</param>
/// <param name="IsCore">Whether it heals.</param>
public sealed record BackendLane(string Name, int Plan, bool IsCore)
{
    /// <summary>What the balancer calls it; None while it does not know it.</summary>
    public BackendId Id { get; internal set; }

    public List<StateSpan> States { get; } = [];

    public List<HeartbeatMark> Heartbeats { get; } = [];

    public List<LaneNote> Notes { get; } = [];

    /// <summary>Remotes whose primary it is, whenever that changed.</summary>
    public List<Sample> Remotes { get; } = [];

    /// <summary>Bytes that wait for its stream, whenever that changed.</summary>
    public List<Sample> Queued { get; } = [];
}

public sealed record StateSpan(LaneState State, Instant From)
{
    public Instant To { get; set; } = Instant.Never;
}

public sealed record HeartbeatMark(Instant Sent)
{
    public Instant Answered { get; internal set; } = Instant.Never;
}

/// <summary>Something that happened to a backend, as the balancer's log told it.</summary>
/// <param name="BackOff">For a fault, how long the next connect waits.</param>
public sealed record LaneNote(Instant At, string Text, bool IsFault, Duration BackOff);

public readonly record struct Sample(Instant At, long Value);

/// <summary>One datagram of a client; one that came twice is two.</summary>
/// <param name="At">When it was sent.</param>
/// <param name="Client">The client's id.</param>
/// <param name="From">Its source.</param>
/// <param name="Query">The number of the client's question, from 0.</param>
/// <param name="Attempt">0 for the first, 1 and up for its retries.</param>
public sealed record QueryMark(Instant At, int Client, Endpoint From, int Query, int Attempt)
{
    /// <summary>Its size; 0 if it was lost on the way.</summary>
    public int Bytes { get; internal set; }

    /// <summary>When it came to the balancer's socket; Never if it was lost on the way.</summary>
    public Instant Arrived { get; internal set; } = Instant.Never;

    /// <summary>The turn that received it.</summary>
    internal int Turn { get; set; }

    /// <summary>The stream that it was written to.</summary>
    internal object? Session { get; set; }

    /// <summary>When its backend's reply was read.</summary>
    internal Instant Replied { get; set; } = Instant.Never;

    /// <summary>The lane of the backend that it was written to.</summary>
    public int Backend { get; internal set; } = -1;

    public Instant Received { get; internal set; } = Instant.Never;

    public Instant Forwarded { get; internal set; } = Instant.Never;

    public Instant Answered { get; internal set; } = Instant.Never;

    /// <summary>The counter of what became of it, or where it was lost; null for neither.</summary>
    public string? Dropped { get; internal set; }
}

/// <summary>One TCP connection.</summary>
public sealed record ConnectionBar(Instant At, int Client, bool Connected)
{
    public int Backend { get; internal set; } = -1;

    public Instant Relaying { get; internal set; } = Instant.Never;

    /// <summary>When the client's direction was ended towards the backend.</summary>
    public Instant UpEnd { get; internal set; } = Instant.Never;

    /// <summary>When the backend's direction was ended towards the client.</summary>
    public Instant DownEnd { get; internal set; } = Instant.Never;

    /// <summary>When it was over for the client, and how.</summary>
    public Instant ClientEnd { get; internal set; } = Instant.Never;

    public string How { get; internal set; } = "";

    /// <summary>When it was over for the balancer, and the counter it went into.</summary>
    public Instant Closed { get; internal set; } = Instant.Never;

    public string Counter { get; internal set; } = "";

    /// <summary>Bytes that the client sent, and that reached it.</summary>
    public List<Sample> Up { get; } = [];

    public List<Sample> Down { get; } = [];

    /// <summary>
    /// When the last trace of it ended; Never while it goes on. One that the balancer never took
    /// up ends with its client; one that it took up and keeps goes on, whatever its client did.
    /// </summary>
    public Instant End => Closed == Instant.Never
        ? Backend < 0 ? ClientEnd : Instant.Never
        : ClientEnd == Instant.Never ? Closed : Instant.Max(Closed, ClientEnd);
}

/// <summary>A fault while it lasted.</summary>
public sealed record FaultBar(FaultPlan Plan, Instant From)
{
    public Instant To { get; internal set; } = Instant.Never;
}

public readonly record struct DropMark(Instant At, Counter Counter, long Count);
