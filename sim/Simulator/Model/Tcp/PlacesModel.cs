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
    public bool IsAnyIdle() => open.Any(IsIdle);

    /// <summary>
    /// It is the longest idle of an address with the most connections, or of all if nobody of such
    /// an address is idle or all addresses have as many.
    /// </summary>
    public bool MayGiveWay(ExpectedConnection connection)
    {
        if (!IsIdle(connection))
            return false;
        var byAddress = open.GroupBy(one => one.From.Address).ToArray();
        var most = byAddress.Max(group => group.Count());
        var heavy = most * byAddress.Length == open.Count ? []
            : byAddress.Where(group => group.Count() == most).ToArray();
        foreach (var group in heavy)
        {
            if (group.Contains(connection) && IsLongest(connection, group))
                return true;
        }
        return IsLongest(connection, open)
            && (heavy.Length == 0 || heavy.Any(
                group => !group.Any(one => IsIdle(one) && IsLongest(one, group))));
    }

    /// <summary>Connections whose clients do not take what there is for them.</summary>
    public int NotReading() => open.Count(
        connection => connection is { IsRelaying: true, ToClient.Count: > 0 });

    private bool IsIdle(ExpectedConnection connection) =>
        model.Now - connection.LastByte >= SpecifiedLimits.IdleToGiveWay;

    private static bool IsLongest(
        ExpectedConnection connection, IEnumerable<ExpectedConnection> among) =>
        among.All(other => other.LastByte >= connection.LastByte);
}
