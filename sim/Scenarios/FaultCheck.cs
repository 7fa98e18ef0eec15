// Owns the question whether a fault can do anything. One that cannot is a mistake: the run is that
// of a scenario without it, it passes, and whoever wrote it believes that it was tested.
//
// Asked is only what the scenario says: a backend that is not there, or that is down for certain
// when the fault comes; a time after the healing; a fault that another one covers; a fault of what
// nobody uses. Where a backend may crash by its script or by a query, nothing is known of when it
// is up.
//
// What always holds: a fault that changes a run is not refused; the generator makes none that is.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Finds faults that can do nothing.</summary>
internal static class FaultCheck
{
    /// <summary>Three more tries of a client that retries, and a second.</summary>
    private static readonly Duration RetriesTake = Duration.FromSeconds(7);

    /// <summary>
    /// The balancer answers a query later than this in no case: it is sent again while it is 5 s
    /// old at most, is in flight for 10 s then, and an error of its backend is held for 5 s. The
    /// rest is margin for fakes and for datagrams on their way.
    /// </summary>
    private static readonly Duration AnswersTake = Duration.FromSeconds(30);

    /// <summary>The first fault that is wrong; null if none is.</summary>
    public static Mistake? Find(Scenario scenario)
    {
        var ids = new HashSet<int>();
        for (var i = 0; i < scenario.Faults.Length; i++)
        {
            var id = scenario.Faults[i].Id;
            if (id < 0 || !ids.Add(id))
                return new Mistake($"faults[{i}].id", $"another fault has the id {id}");
        }
        return FindVain(scenario) is [var (item, why), ..]
            ? why with { Path = $"faults[{item}]{(why.Path.Length > 0 ? "." : "")}{why.Path}" }
            : null;
    }

    /// <summary>The scenario without the faults that can do nothing.</summary>
    public static Scenario WithoutVain(Scenario scenario)
    {
        // Leaving one out may show another one to be vain.
        while (FindVain(scenario) is { Count: > 0 } vain)
        {
            var items = vain.Select(mistake => mistake.Item).ToHashSet();
            scenario = scenario with
            {
                Faults = [.. scenario.Faults.Where((_, i) => !items.Contains(i))],
            };
        }
        return scenario;
    }

    /// <summary>All that can do nothing, in the order of their times.</summary>
    private static List<(int Item, Mistake Why)> FindVain(Scenario scenario)
    {
        var vain = new List<(int, Mistake)>();
        var lives = Lives(scenario);
        var alike = new Dictionary<(FaultKind, int), List<(int Item, FaultPlan Fault)>>();
        foreach (var (item, fault) in InOrder(scenario))
        {
            if (!alike.TryGetValue((fault.Kind, fault.Target), out var before))
                alike.Add((fault.Kind, fault.Target), before = []);
            if (WhyNot(scenario, item, lives, before) is { } why)
                vain.Add((item, why));
            else
                before.Add((item, fault));
        }
        return vain;
    }

    private static IEnumerable<(int Item, FaultPlan Fault)> InOrder(Scenario scenario) =>
        scenario.Faults.Select((fault, item) => (item, fault)).OrderBy(each => each.fault.At);

    private static Mistake? WhyNot(Scenario scenario, int item, Dictionary<int, BackendLife> lives,
        List<(int Item, FaultPlan Fault)> before)
    {
        var fault = scenario.Faults[item];
        var shape = FaultFields.ShapeOf(fault.Kind);
        if (fault.At >= scenario.HealAt)
            return new Mistake("at", $"the fault begins at {Time(fault.At)}, and chaos ends at "
                + $"healAt, {Time(scenario.HealAt)}");
        if (fault.At >= scenario.End + ScenarioCheck.StopTakes)
            return new Mistake("at", $"the fault begins at {Time(fault.At)}, and the run ends at "
                + Time(scenario.End));
        if (shape.Lasts == Lasting.Always && fault.For <= Duration.Zero)
            return new Mistake("for", "must be above 0s: the fault lasts no time");
        if (shape.Lasts == Lasting.Never && fault.For != Duration.Zero)
            return new Mistake("for", "must be left out: the fault is over at once");
        if (shape.Amount.IsEmpty && fault.Amount != 0)
            return new Mistake("", "the fault has no amount");
        if (IsWeak(fault))
            return new Mistake(shape.Amount[0].Name, "must be above 0: the fault does nothing");
        if (shape.IsAboutBackend != fault.Target >= 0)
            return new Mistake(FaultFields.TargetName, "is not one that the fault is about");
        return (shape.IsAboutBackend
                ? lives.TryGetValue(fault.Target, out var life)
                    ? life.WhyNot(item)
                    : new Mistake(FaultFields.TargetName, $"there is no backend {fault.Target}")
                : Unused(scenario, fault))
            ?? Covered(fault, before);
    }

    private static bool IsWeak(FaultPlan fault) => fault.Amount <= 0 && fault.Kind is
        FaultKind.UdpLoss or FaultKind.UdpDuplicate or FaultKind.UdpReorder
        or FaultKind.UdpSendFails or FaultKind.UdpReceiveFails or FaultKind.KernelWakes
        or FaultKind.StreamShort or FaultKind.StreamWouldBlock or FaultKind.StreamReset
        or FaultKind.ClockBack;

    /// <summary>Whether what the fault is about is there at all.</summary>
    private static Mistake? Unused(Scenario scenario, FaultPlan fault) => fault.Kind switch
    {
        FaultKind.UdpLoss or FaultKind.UdpDuplicate or FaultKind.UdpReorder
            when !scenario.UdpClients.Any(client => Sends(client, fault)) =>
            new Mistake("", "no UDP client sends anything while the fault lasts"),
        FaultKind.UdpSendFails or FaultKind.UdpSendBlocked or FaultKind.UdpReceiveFails
            when scenario.UdpClients.All(client => client.Queries.IsEmpty) =>
            new Mistake("", "no UDP client asks anything"),
        // Whatever the balancer sends answers a datagram that came before.
        FaultKind.UdpSendBlocked when !scenario.UdpClients.Any(
            client => client.Queries.Any(query => query.At <= EndOf(fault))) =>
            new Mistake("", "no UDP client asks anything before the fault ends"),
        FaultKind.UdpSendFails or FaultKind.UdpSendBlocked when !scenario.UdpClients.Any(
                client => client.Queries.Any(query => MayBeAnswered(client, query, fault.At)))
            && !scenario.Faults.Any(other => other.Kind is FaultKind.ClockStall
                or FaultKind.ClockBack or FaultKind.UdpReorder) =>
            new Mistake("", "no UDP client waits for an answer then"),
        FaultKind.KernelAccept when !scenario.TcpClients.Any(client => client.At <= EndOf(fault)) =>
            new Mistake("", "no TCP client connects before the fault ends"),
        FaultKind.KernelSocket or FaultKind.StreamWouldBlock or FaultKind.StreamReset
            or FaultKind.StreamNoMemory
            when scenario.Backends.IsEmpty => new Mistake("", "there is no backend"),
        FaultKind.StreamShort when fault.Amount >= scenario.Kernel.MaxReadBytes
            && fault.Amount >= scenario.Kernel.MaxWriteBytes =>
            new Mistake("bytes", "maxReadBytes and maxWriteBytes of the kernel are no larger"),
        FaultKind.DirectoryUnknown when fault.Amount > scenario.Backends.Length =>
            new Mistake("only", $"there are {scenario.Backends.Length} backends"),
        FaultKind.DirectorySilent when !scenario.Kernel.TellsChanges =>
            new Mistake("", "the kernel's tellsChanges is false already"),
        _ => null,
    };

    private static bool Sends(UdpClientPlan client, FaultPlan fault) =>
        client.Queries.Any(query => query.At <= EndOf(fault)
            && query.At + (client.Retries ? RetriesTake : Duration.Zero) >= fault.At);

    /// <summary>Whether a query, or a retry of it, may be answered at a time or after it.</summary>
    private static bool MayBeAnswered(UdpClientPlan client, QueryPlan query, Instant at) =>
        query.At + (client.Retries ? RetriesTake : Duration.Zero) + AnswersTake >= at;

    /// <summary>Whether a fault before this one does the same for as long.</summary>
    private static Mistake? Covered(FaultPlan fault, List<(int Item, FaultPlan Fault)> before)
    {
        // Pauses and stalls add up, entries have names of their own, and each start is another.
        var lasts = FaultFields.ShapeOf(fault.Kind).Lasts == Lasting.Always
            && fault.Kind is not (FaultKind.BackendPause or FaultKind.BackendListenLate
                or FaultKind.ClockStall);
        var isLatest = true;
        for (var i = before.Count - 1; i >= 0; i--)
        {
            var (item, other) = before[i];
            if (other == fault with { Id = other.Id })
                return new Mistake("", $"is the same as faults[{item}]");
            if (!isLatest || EndOf(other) <= fault.At)
                continue;
            // Of those that last, the one that began last holds.
            isLatest = false;
            if (lasts && other.Amount == fault.Amount && EndOf(other) >= EndOf(fault))
                return new Mistake("", $"faults[{item}] is the same and lasts longer");
        }
        return null;
    }

    private static Instant EndOf(FaultPlan fault) => fault.At + fault.For;

    private static string Time(Instant at) => FileValues.ToText(at.Nanoseconds);

    private static Dictionary<int, BackendLife> Lives(Scenario scenario)
    {
        var lives = new Dictionary<int, BackendLife>();
        var canBeKilled = scenario.UdpClients.Any(
            client => client.Queries.Any(query => query.Kind == QueryKind.Killer))
            || scenario.TcpClients.Any(client => client.Killer > 0);
        foreach (var backend in scenario.Backends)
            lives.TryAdd(backend.Id, new BackendLife(backend, canBeKilled));
        foreach (var (item, fault) in InOrder(scenario))
        {
            if (fault.At < scenario.HealAt && lives.TryGetValue(fault.Target, out var life))
                life.Happen(item, fault);
        }
        return lives;
    }
}
