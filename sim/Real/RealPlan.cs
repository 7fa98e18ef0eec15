// Owns the plan of a run in wall time: what of a scenario is done to real processes, when, and what
// is left out because nothing outside of a process can do it.
//
//   clients     each address becomes one of 127.0.0.0/8, each source port a socket of its own (the
//               kernel chooses the number, so that runs at the same time do not meet)
//   backends    processes of fake-binder, with the scenario's own scripts
//   faults      see RealFault; those of a scenario, and the seed's nemesis
//   the host    options of the command line, the limit of descriptors, and no inotify where the
//               scenario has none
//
// What always holds: the same scenario and length give the same plan; all that is left out is
// counted; nothing in the plan is later than the scenario's end has become, but what goes on
// during the stop.

using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Real;

/// <summary>A scenario as it is run for real.</summary>
internal sealed record RealPlan
{
    /// <summary>Forged sources of one flood at most; each is a socket.</summary>
    public const int MostCopies = 128;

    /// <summary>TCP connections at most.</summary>
    public const int MostConnections = 300;

    /// <summary>
    /// A bound of descriptors that is not worth setting: more than any run needs.
    /// </summary>
    private const int PlentyOfDescriptors = 4096;

    /// <summary>What a real process has open besides what the scenario counts.</summary>
    private const int OwnDescriptors = 24;

    /// <summary>The scenario with its times as they are, and without what is left out.</summary>
    public required Scenario Scenario { get; init; }

    public required Nemesis Nemesis { get; init; }

    /// <summary>In the order of their times.</summary>
    public required ImmutableArray<RealFault> Faults { get; init; }

    /// <summary>Descriptors that the balancer may have; null for as many as it likes.</summary>
    public int? DescriptorLimit { get; init; }

    /// <summary>What was left out, and how many of it.</summary>
    public required ImmutableSortedDictionary<string, int> LeftOut { get; init; }

    /// <summary>Chaos ends before the stop.</summary>
    public bool Heals => Scenario.HealAt <= Scenario.End;

    /// <param name="scenario">Any scenario.</param>
    /// <param name="longest">
    /// The longest time from the start to the stop, as far as planned.
    /// </param>
    public static RealPlan Of(Scenario scenario, Duration longest)
    {
        var leftOut = new SortedDictionary<string, int>(System.StringComparer.Ordinal);
        void LeaveOut(string what, int count = 1)
        {
            if (count > 0)
                leftOut[what] = leftOut.GetValueOrDefault(what) + count;
        }

        LeaveOutHost(scenario.Kernel, LeaveOut);
        var time = new TimeLine(Moments(scenario), longest);
        var end = time[scenario.End];
        var heal = time[scenario.HealAt];
        var nemesis = Nemesis.Of(scenario.Seed, Instant.Min(heal, end));
        var faults = nemesis.Faults.ToList();
        foreach (var fault in scenario.Faults.Where(fault => fault.At < scenario.HealAt))
        {
            if (RealFault.KindOf(fault) is not { } kind)
            {
                LeaveOut(RealFault.NameOf(fault));
                continue;
            }
            var until = Instant.Min(fault.At + fault.For, scenario.HealAt);
            faults.Add(new RealFault(fault.Id, time[fault.At], time[until] - time[fault.At],
                kind, fault.Target, kind == RealFaultKind.Descriptors ? 0 : fault.Amount));
        }
        LeaveOut("TCP connections of a crowd", scenario.TcpClients.Length - MostConnections);
        return new RealPlan
        {
            Scenario = scenario with
            {
                HealAt = heal,
                End = end,
                Backends = [.. scenario.Backends.Select(
                    backend => backend with { StartAt = time[backend.StartAt] })],
                UdpClients = [.. scenario.UdpClients.Select(
                    client => Possible(client, time, LeaveOut))],
                TcpClients = [.. scenario.TcpClients.Take(MostConnections).Select(
                    client => client with
                    {
                        At = time[client.At],
                        After = time[client.At + client.After] - time[client.At],
                    })],
                Faults = [],
            },
            Nemesis = nemesis,
            Faults = [.. faults.OrderBy(fault => fault.At).ThenBy(fault => fault.Id)],
            DescriptorLimit = scenario.Kernel.DescriptorLimit < PlentyOfDescriptors
                ? scenario.Kernel.DescriptorLimit + OwnDescriptors
                : null,
            LeftOut = leftOut.ToImmutableSortedDictionary(System.StringComparer.Ordinal),
        };
    }

    private static UdpClientPlan Possible(
        UdpClientPlan client, TimeLine time, System.Action<string, int> leaveOut)
    {
        var queries = ImmutableArray.CreateBuilder<QueryPlan>();
        foreach (var query in client.Queries)
        {
            // It stays in its place, since its number is part of what is asked.
            if (query.Port == 0)
                leaveOut("datagrams from port 0", 1);
            leaveOut("forged sources of a flood", query.Copies - MostCopies);
            queries.Add(query with
            {
                At = time[query.At],
                Copies = System.Math.Min(query.Copies, MostCopies),
            });
        }
        return client with { Queries = queries.ToImmutable() };
    }

    /// <summary>The instants at which something is planned, up to the stop.</summary>
    private static IEnumerable<Instant> Moments(Scenario scenario)
    {
        var moments = new List<Instant> { scenario.HealAt, scenario.End };
        moments.AddRange(scenario.Backends.Select(backend => backend.StartAt));
        moments.AddRange(scenario.UdpClients.SelectMany(
            client => client.Queries.Select(query => query.At)));
        moments.AddRange(scenario.TcpClients.Select(client => client.At));
        moments.AddRange(scenario.TcpClients.Where(client => client.Manner
            is TcpManner.Resets or TcpManner.Leaves or TcpManner.Trickles)
            .Select(client => client.At + client.After));
        foreach (var fault in scenario.Faults)
        {
            moments.Add(fault.At);
            moments.Add(Instant.Min(fault.At + fault.For, scenario.HealAt));
        }
        return moments.Where(at => at <= scenario.End);
    }

    private static void LeaveOutHost(KernelPlan host, System.Action<string, int> leaveOut)
    {
        var plain = new KernelPlan();
        void If(bool differs, string what) => leaveOut("host: " + what, differs ? 1 : 0);
        If(host.UnixBufferBytes != plain.UnixBufferBytes, nameof(host.UnixBufferBytes));
        If(host.DatagramQueue != plain.DatagramQueue, nameof(host.DatagramQueue));
        If(host.ClockStep != plain.ClockStep, nameof(host.ClockStep));
        If(host.MaxReadBytes != plain.MaxReadBytes, nameof(host.MaxReadBytes));
        If(host.MaxWriteBytes != plain.MaxWriteBytes, nameof(host.MaxWriteBytes));
        If(host.MaxRemotes != plain.MaxRemotes, nameof(host.MaxRemotes));
        If(host.Turn != plain.Turn, nameof(host.Turn));
    }
}
