// Owns how queries get into a session's queue, stay in flight there and leave unanswered: one that
// is put into a queue is in flight, and counted as forwarded to its backend; one that leaves
// without a reply is counted once, however many backends had it.
//
// What always holds: a query that was forwarded is answered, counted as unanswered, in flight, or
// waits to be sent once more.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows queries from a queue to their end.</summary>
internal sealed class QueryModel(ReferenceModel model)
{
    private const int UdpHeaderBytes = 16;

    /// <summary>Told of each query that is put into a session's queue.</summary>
    public Action<ExpectedSession, ExpectedQuery>? OnPut { get; set; }

    /// <summary>Told of each query that a session did not take for now.</summary>
    public Action<ExpectedSession>? OnRefused { get; set; }

    /// <summary>
    /// Told of each query that is in nobody's hands for a good reason: it made room for another, or
    /// is refused or beyond the budget when it would be sent once more.
    /// </summary>
    public Action<ExpectedQuery>? OnGivenUp { get; set; }

    /// <summary>
    /// Queries that are neither answered nor given up now; one that two backends have is one.
    /// </summary>
    public long CountInFlight()
    {
        var pairs = new HashSet<ExpectedPair>();
        var single = 0L;
        foreach (var backend in model.Policy.Backends)
        {
            foreach (var query in backend.Session?.InFlight.NewestFirst ?? [])
                Count(query);
        }
        foreach (var session in model.Retired)
            session.InFlight.NewestFirst.ForEach(Count);
        foreach (var query in model.Resends.Waiting)
            Count(query);
        return single + pairs.Count;

        void Count(ExpectedQuery query)
        {
            if (query.Pair == null)
                single++;
            else if (!query.Pair.IsAnswered)
                pairs.Add(query.Pair);
        }
    }

    /// <summary>
    /// Puts a query into the queue of the backend that should have it, or of somebody else while
    /// they refuse; who took it, null for nobody.
    /// </summary>
    public ExpectedBackend? Give(
        ExpectedBackend first, ExpectedQuery query, ExpectedSession? not = null) =>
        TryPut(first, query) ? first : GiveToOthers(first, query, not);

    /// <summary>
    /// One has refused: others come before it now, each once, and last one that is suspect or
    /// stuck. A query that nobody else gets after that is not given to one in doubt, and none to
    /// the session that has it.
    /// </summary>
    public ExpectedBackend? GiveToOthers(
        ExpectedBackend refused, ExpectedQuery query, ExpectedSession? not = null)
    {
        var askedLast = refused;
        while (NotFirst(Choose(query)) is { } other && other != refused && other != askedLast
            && (not == null || other.Session != not)
            && !(query.WasResent && ResendModel.IsInDoubt(other)))
        {
            var isLast = other.IsStuck || other.IsSuspect;
            if (TryPut(other, query))
                return other;
            if (isLast)
                break;
            askedLast = other;
        }
        return null;

        // When all are suspect or stuck, the client's own would come first again.
        ExpectedBackend? NotFirst(ExpectedBackend? chosen) =>
            chosen == refused || chosen is { IsStuck: true }
                ? model.Policy.NextWithRoom() : chosen;
    }

    /// <summary>
    /// Whom the policy sends a query's client to now. For a query that no third backend may get it
    /// is one that answers and has its data, if there is any as good.
    /// </summary>
    public ExpectedBackend? Choose(ExpectedQuery query)
    {
        var chosen = model.Policy.ChooseAgain(model.Now, query.Client.Address);
        model.Arrivals.OweBinding();
        return chosen == null || !query.WasResent
            ? chosen : model.Policy.NextForLastTime(model.Now, chosen) ?? chosen;
    }

    /// <summary>Puts a query into a backend's queue; false if it takes none for now.</summary>
    public bool TryPut(ExpectedBackend backend, ExpectedQuery query)
    {
        var session = backend.Session;
        var needed = UdpHeaderBytes + query.Packet.Length + SpecifiedLimits.ControlReserveBytes;
        if (session == null || session.IsStuck
            || SpecifiedLimits.SessionQueueBytes - session.Owed.Count < needed)
        {
            if (session != null)
            {
                session.HasRefused = true;
                OnRefused?.Invoke(session);
            }
            model.Stuck.OnRefused(backend);
            return false;
        }
        Span<byte> head = stackalloc byte[UdpHeaderBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(head, SeenFrame.InboundUdp);
        BinaryPrimitives.WriteUInt32LittleEndian(head[4..], query.Client.Address.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], query.Client.Port);
        BinaryPrimitives.WriteUInt32LittleEndian(head[12..], (uint)query.Packet.Length);
        session.Owed.Append(head);
        session.Owed.Append(query.Packet);
        query.FrameEnd = session.Written + session.Owed.Count;
        backend.UdpQueries++;
        Enter(session, query);
        model.Suspicion.OnQuery(session);
        return true;
    }

    /// <summary>Queries of a session have been in flight for too long.</summary>
    public void OnDue(ExpectedSession session)
    {
        var flight = session.InFlight;
        flight.TimeOutAt = Instant.Never;
        for (var n = 0; flight.Oldest is { } oldest; n++)
        {
            var due = model.Standstill.ExtendQuery(oldest.SentAt + SpecifiedLimits.AnswerTime);
            if (due > model.Now || n == model.Work.ResendsPerTurn)
            {
                flight.TimeOutAt = Instant.Max(due, model.Now + (due > model.Now
                    ? SpecifiedLimits.TimeOutInterval : SpecifiedLimits.TimeOutPause));
                flight.TimeOutOrder = model.Deadlines.NextOrder();
                return;
            }
            flight.Remove(oldest);
            FailingModel.OnTimedOut(session, oldest);
            LeaveUnanswered(oldest, Counter.UnansweredTimedOut);
        }
    }

    /// <summary>A query is in flight no more; whether that leaves nobody to answer it.</summary>
    public bool LeaveUnanswered(ExpectedQuery query, Counter why)
    {
        var isLost = query.Pair is not { } pair || pair.IsLostWithout();
        if (isLost)
            model.Counters.Add(why);
        return isLost;
    }

    private void Enter(ExpectedSession session, ExpectedQuery query)
    {
        var flight = session.InFlight;
        while (flight.InTheWayOf(query) is { } other)
        {
            flight.Remove(other);
            LeaveUnanswered(other, Counter.UnansweredEvicted);
            OnGivenUp?.Invoke(other.Original ?? other);
        }
        query.SentAt = model.Now;
        flight.Add(query);
        OnPut?.Invoke(session, query);
        if (flight.TimeOutAt != Instant.Never)
            return;
        flight.TimeOutAt = model.Now + SpecifiedLimits.AnswerTime;
        flight.TimeOutOrder = model.Deadlines.NextOrder();
    }
}
