// Owns which connection may be let go for another when places are short, by looking at all of them.
//
// What always holds: nothing is kept here; of several that are idle for as long, each may go.

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Judges who lets go.</summary>
internal sealed class PlacesModel(
    ReferenceModel model, IReadOnlyCollection<ExpectedConnection> open)
{
    /// <summary>
    /// Places are short, and somebody gives way to one more of an address that has so many.
    /// </summary>
    public bool MustMakeRoom(int ofAddress) => open.Any(IsIdle) || MustShare(ofAddress);

    /// <summary>
    /// It is the longest idle of an address with the most connections, or of all if nobody of such
    /// an address is idle or all addresses have as many. If nobody is idle, it is the one of an
    /// address with the most that was active before the others.
    /// </summary>
    public bool MayGiveWay(ExpectedConnection connection, int ofAddress)
    {
        if (!open.Any(IsIdle))
        {
            return MustShare(ofAddress) && WithMost([.. open]).Any(group =>
                group.Contains(connection)
                && group.All(other => other.LastActivity >= connection.LastActivity));
        }
        if (!IsIdle(connection))
            return false;
        var heavy = Heavy([.. open]);
        foreach (var group in heavy)
        {
            if (group.Contains(connection) && IsLongest(connection, group))
                return true;
        }
        return IsLongest(connection, open)
            && (heavy.Count == 0 || heavy.Any(
                group => !group.Any(one => IsIdle(one) && IsLongest(one, group))));
    }

    /// <summary>
    /// All places are taken, and an address has more than another would have with one more.
    /// </summary>
    private bool MustShare(int ofAddress) =>
        open.Count >= model.Scenario.Kernel.TcpConnections
        && open.GroupBy(one => one.From.Address).Max(group => group.Count()) > ofAddress + 1;

    /// <summary>Connections of which a side does not take what there is for it.</summary>
    public int NotReading() => open.Count(IsNotRead);

    /// <summary>
    /// It may go: too many are unread, and its address has the most of them, if one has more than
    /// others.
    /// </summary>
    public bool MustBeRead(ExpectedConnection connection)
    {
        if (!IsNotRead(connection))
            return false;
        ExpectedConnection[] unread = [.. open.Where(IsNotRead)];
        var heavy = Heavy(unread);
        return unread.Length > model.Scenario.Kernel.TcpNotReading
            && (heavy.Count == 0 || heavy.Any(group => group.Contains(connection)));
    }

    /// <summary>The addresses with the most; none if all have as many.</summary>
    private static List<IGrouping<Ipv4, ExpectedConnection>> Heavy(ExpectedConnection[] among)
    {
        var most = WithMost(among);
        return most.Sum(group => group.Count()) == among.Length ? [] : most;
    }

    private static List<IGrouping<Ipv4, ExpectedConnection>> WithMost(ExpectedConnection[] among)
    {
        var byAddress = among.GroupBy(one => one.From.Address).ToList();
        var most = byAddress.Count == 0 ? 0 : byAddress.Max(group => group.Count());
        return byAddress.FindAll(group => group.Count() == most);
    }

    private static bool IsNotRead(ExpectedConnection connection) => connection.IsRelaying
        && (connection.ToClient.Count > 0 || connection.Writable > 0);

    /// <summary>A connection with a pending event is not idle.</summary>
    private bool IsIdle(ExpectedConnection connection) => !connection.IsWaiting
        && model.Now - connection.LastActivity >= SpecifiedLimits.IdleToGiveWay;

    private static bool IsLongest(
        ExpectedConnection connection, IEnumerable<ExpectedConnection> among) =>
        among.All(other => other.IsWaiting || other.LastActivity >= connection.LastActivity);
}
