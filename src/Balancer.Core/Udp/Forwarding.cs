// Owns the way of a query into a backend's queue: to the one that the policy chooses, and if that
// takes no more for now, to the next that it chooses then, and so on. Queries that have just come
// and those that are sent once more go the same way; the latter keep away from backends that may
// hang, since no third one gets them.
//
// What always holds: a query is put into one queue at most, and each backend is asked once. One
// that refuses is stuck from then on, so others come before it; when all at ease have refused,
// one more is asked that is not, and it is the last.

using System;

namespace Balancer.Core;

/// <summary>Puts queries into backends' queues.</summary>
internal sealed class Forwarding(Remotes remotes)
{
    /// <summary>
    /// Gives a query to a backend that was chosen for it, or to another if that takes no more for
    /// now; to which, or null if none takes it. One whose session has it already (`inFlight`) is
    /// not among the others.
    /// </summary>
    public Backend? TryForward(Instant now, Backend first, in Query query,
        ReadOnlySpan<byte> packet, InFlight? inFlight = null) =>
        first.TryForward(now, in query, packet)
            ? first : TryOthers(now, first, in query, packet, inFlight);

    /// <summary>As TryForward, when the first has just refused it.</summary>
    public Backend? TryOthers(Instant now, Backend first, in Query query,
        ReadOnlySpan<byte> packet, InFlight? inFlight = null)
    {
        var asked = first;
        for (var goesOn = true; goesOn;)
        {
            var other = Choose(now, in query);
            // If all are suspect or stuck, its own comes first again, or another that is stuck.
            if (other == first || other is { IsStuck: true })
                other = remotes.ChooseWithRoom(now);
            if (other is null || other == first || other == asked || IsInVain(other, in query)
                || other.InFlight == inFlight)
            {
                break;
            }
            goesOn = other.IsAtEase;
            if (other.TryForward(now, in query, packet))
                return other;
            asked = other;
        }
        return null;
    }

    /// <summary>The backend that the policy sends a query to now, or null.</summary>
    public Backend? Choose(Instant now, in Query query) => query.WasResent
        ? remotes.ChooseForLastTime(now, query.Client.Address)
        : remotes.ChooseForResend(now, query.Client.Address);

    /// <summary>
    /// A backend that has given a good answer, for a query that this one answered with an error
    /// though it may have no data; null if there is none.
    /// </summary>
    public Backend? ChooseWithData(Instant now, Backend erred) =>
        remotes.ChooseWithData(now, erred);

    /// <summary>
    /// No third will get the query: one that was asked for a sign of life and is silent is not
    /// given it.
    /// </summary>
    private static bool IsInVain(Backend other, in Query query) =>
        query.WasResent && other.MayHang;
}
