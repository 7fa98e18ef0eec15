// Owns when a query is dropped because its client has more than its share of what a backend is
// behind with. What a session has to do, and how fast it does it, shows by the frames that it
// was sent and answered; a client's share by those in flight. Which clients count as one follows
// from the run's hash key, which is also the balancer's.
//
// What always holds: nothing is kept here; everything follows from a session's queries in flight
// and the ends of those that were answered.

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Judges the shares of clients.</summary>
internal sealed class ShareModel(ReferenceModel model)
{
    private readonly ulong _key = SimRandom.Derive(
        model.Scenario.Seed, Streams.Kernel, 0, Streams.HashKey);

    private readonly Dictionary<Ipv4, (int First, int Second)> _cells = [];

    /// <summary>Whether a query of this client for this backend is dropped now.</summary>
    public bool IsOver(ExpectedBackend backend, Ipv4 client, bool isNewcomer) =>
        backend.Remotes + backend.Newcomers + backend.Backups >= 2
        && backend.Session is { } session && IsBehind(session)
        && (HasMoreThanItsShare(session.InFlight, client)
            || (isNewcomer && backend.Remotes > 0 && AreTooManyNewcomers(session.InFlight)));

    /// <summary>Beside clients that are established all others count as one.</summary>
    private static bool AreTooManyNewcomers(FlightModel flight) =>
        flight.Newcomers >= SpecifiedLimits.AnyonesShare
        && flight.Newcomers > flight.Count / 2.0;

    private bool IsBehind(ExpectedSession session)
    {
        var flight = session.InFlight;
        if (flight.Count > SpecifiedLimits.QueriesInFlight / 2
            || flight.Blocks > SpecifiedLimits.BlocksInFlight / 2
            || session.Owed.Count > SpecifiedLimits.SessionQueueBytes / 2)
        {
            return true;
        }
        if (session.Silence.Phase is Silence.Phases.Asked or Silence.Phases.Suspect
            || IsJustAfter(session.Silence.OverAt) || IsJustAfter(model.Standstill.LongEndedAt))
        {
            return false;
        }
        var toDo = session.Written + session.Owed.Count - (flight.LastAnswered?.FrameEnd ?? 0);
        return toDo > SpecifiedLimits.LeastToDo
            && (toDo > SpecifiedLimits.BurstToDo || IsNoBurst(flight))
            && toDo > DoneLately(flight);
    }

    /// <summary>It, or the balancer, has just stood still, and did nothing in that time.</summary>
    private bool IsJustAfter(Instant? stoodStill) =>
        model.Now < stoodStill + SpecifiedLimits.ShareSpan;

    private bool IsNoBurst(FlightModel flight) =>
        flight.FirstSentAfter(flight.LastAnswered?.FrameEnd ?? 0) is { } first
        && model.Now >= first.SentAt + SpecifiedLimits.BurstTime;

    /// <summary>Bytes done in the last whole span, or in this one if that is more.</summary>
    private long DoneLately(FlightModel flight)
    {
        var length = SpecifiedLimits.ShareSpan.Nanoseconds;
        var began = model.Now.Nanoseconds / length * length;
        var (before, atBegin) = (flight.AnsweredBy(began - length), flight.AnsweredBy(began));
        return long.Max((flight.LastAnswered?.FrameEnd ?? 0) - atBegin, atBegin - before);
    }

    private bool HasMoreThanItsShare(FlightModel flight, Ipv4 client)
    {
        if (flight.Count < SpecifiedLimits.AnyonesShare)
            return false;
        var (first, second) = CellsOf(client);
        int inFirst = 0, inSecond = 0;
        foreach (var (other, queries) in flight.Clients)
        {
            var of = CellsOf(other);
            inFirst += of.First == first ? queries : 0;
            inSecond += of.Second == second ? queries : 0;
        }
        var own = int.Min(inFirst, inSecond) - flight.Count / 1024;
        if (own < SpecifiedLimits.AnyonesShare)
            return false;
        var cells = new HashSet<int>();
        foreach (var other in flight.Clients.Keys)
            cells.Add(CellsOf(other).First);
        return own > flight.Count / (cells.Count + 1.0);
    }

    private (int First, int Second) CellsOf(Ipv4 client)
    {
        if (_cells.TryGetValue(client, out var cells))
            return cells;
        var hash = client.Value ^ _key;
        hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
        hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
        hash ^= hash >> 33;
        cells = ((int)(hash % 1024), (int)(hash / 1024 % 1024));
        _cells.Add(client, cells);
        return cells;
    }
}
