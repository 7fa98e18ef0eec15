// Owns what a scenario must be for a run of it to mean anything: ids and names that are unique,
// times in their order, and faults each of which can do something (FaultCheck).
//
// What always holds: a run takes any scenario that passes; what is wrong is named by its path in a
// file and in words; the bounds of single fields are the fields' own.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Text;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>What is wrong with a scenario, so that it is not run.</summary>
/// <param name="Path">The field, such as faults[0].at.</param>
/// <param name="What">What is wrong with it.</param>
internal readonly record struct Mistake(string Path, string What);

/// <summary>Finds what is wrong with a scenario.</summary>
internal static class ScenarioCheck
{
    /// <summary>A stop has ended by then.</summary>
    public static readonly Duration StopTakes = Duration.FromSeconds(10L);

    private static readonly Duration LatestAnswer = Duration.FromSeconds(60L);

    /// <summary>The first mistake; null if there is none.</summary>
    public static Mistake? Find(Scenario scenario) => FindOutside(scenario)
        ?? FindKernel(scenario.Kernel)
        ?? (FindBackend(scenario.Backends) is var (item, field, what)
            ? new Mistake($"backends[{item}].{field}", what) : default(Mistake?))
        ?? FindClient(scenario)
        ?? FaultCheck.Find(scenario);

    private static Mistake? FindOutside(Scenario scenario)
    {
        if (scenario.End <= Instant.Zero)
            return new Mistake("end", "must be above 0s");
        if (scenario.HealAt < Instant.Zero)
            return new Mistake("healAt", "must be 0s or more");
        return scenario.StopAgain < Duration.Zero
            ? new Mistake("stopAgain", "must be 0s or more")
            : null;
    }

    private static Mistake? FindKernel(KernelPlan kernel)
    {
        if (kernel.TcpIdle <= Duration.Zero)
            return new Mistake("kernel.tcpIdle", "must be above 0s");
        if (kernel.TcpMessage <= Duration.Zero)
            return new Mistake("kernel.tcpMessage", "must be above 0s");
        return kernel.TcpLifetime <= Duration.Zero
            ? new Mistake("kernel.tcpLifetime", "must be above 0s")
            : null;
    }

    /// <summary>The first backend that is wrong, its field, and what is; null if none.</summary>
    public static (int Item, string Field, string What)? FindBackend(
        ImmutableArray<BackendPlan> backends)
    {
        var ids = new HashSet<int>();
        var names = new HashSet<string>();
        for (var i = 0; i < backends.Length; i++)
        {
            var (id, name) = (backends[i].Id, backends[i].Name);
            if (id < 0 || !ids.Add(id))
                return (i, "id", $"another backend has the id {id}");
            if (name.Length == 0 || name.AsSpan().ContainsAny('/', '\0')
                || Encoding.UTF8.GetByteCount(name) > Limits.MaxPathBytes)
                return (i, "name", $"'{name}' cannot be a socket's name");
            if (!names.Add(name))
                return (i, "name", $"another backend is called '{name}'");
        }
        return null;
    }

    private static Mistake? FindClient(Scenario scenario)
    {
        var ids = new HashSet<int>();
        for (var i = 0; i < scenario.UdpClients.Length; i++)
        {
            var client = scenario.UdpClients[i];
            if (client.Id < 0 || !ids.Add(client.Id))
                return new Mistake($"udpClients[{i}].id", $"another client has the id {client.Id}");
            for (var n = 1; n < client.Queries.Length; n++)
            {
                if (client.Queries[n].At < client.Queries[n - 1].At)
                {
                    return new Mistake($"udpClients[{i}].queries[{n}].at",
                        "must not be before the query that it follows");
                }
            }
        }
        for (var i = 0; i < scenario.TcpClients.Length; i++)
        {
            var client = scenario.TcpClients[i];
            if (client.Id < 0 || !ids.Add(client.Id))
                return new Mistake($"tcpClients[{i}].id", $"another client has the id {client.Id}");
            if (client.Late > LatestAnswer || client.Late.Nanoseconds % 1_000_000 != 0)
            {
                return new Mistake(
                    $"tcpClients[{i}].late", "must be whole milliseconds, 60s at most");
            }
            if (client.At >= scenario.End + StopTakes)
            {
                return new Mistake($"tcpClients[{i}].at", "the client connects at "
                    + $"{FileValues.ToText(client.At.Nanoseconds)}, and the run ends at "
                    + FileValues.ToText(scenario.End.Nanoseconds));
            }
        }
        return null;
    }
}
