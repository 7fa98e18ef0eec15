// Owns how a scenario is told to a person: what is there, who asks what and when, what goes wrong,
// and what of the host is not as usual. A small scenario, as the shrinker leaves it, is told whole
// and understood in a minute; of a large one the first lines of each kind are told.
//
// What always holds: what is at its default is not mentioned; the file says all, this need not.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.IO;
using System.Linq;
using Balancer.Core;
using Simulation.Pictures;
using Simulation.Scenarios;

namespace Simulation.Commands;

/// <summary>Scenarios in words.</summary>
internal static class ScenarioText
{
    private const int MostLines = 12;
    private const int MostQueries = 6;

    private static readonly ImmutableArray<string> AcceptErrors =
        ["EMFILE", "ENFILE", "ENOMEM", "ECONNABORTED", "ENOBUFS", "EPERM", "EPROTO"];

    private static readonly ImmutableArray<string> SocketErrors =
        ["EMFILE", "ENOMEM", "ENOBUFS"];

    private static readonly ImmutableArray<string> MemoryErrors =
        ["for writes", "for reads", "for both"];

    private static readonly ImmutableArray<string> DirectoryErrors =
        ["missing", "EMFILE", "EACCES"];

    private static readonly ImmutableArray<string> Entries =
        ["a plain file", "a folder", "a dangling link", "a stale socket", "a socket of datagrams",
            "a socket of another user"];

    public static void Write(TextWriter output, Scenario scenario)
    {
        output.WriteLine($"  until     {Time(scenario.End)}, chaos until {Time(scenario.HealAt)}"
            + (scenario.StopAgain > Duration.Zero
                ? $", a second stop {Time(scenario.StopAgain)} later" : ""));
        foreach (var line in Host(scenario.Kernel))
            output.WriteLine($"  host      {line}");
        Lines(output, "backend", scenario.Backends.Select(Describe));
        Lines(output, "UDP", scenario.UdpClients.Select(Describe));
        Lines(output, "TCP", scenario.TcpClients.Select(Describe));
        Lines(output, "fault", scenario.Faults.Select(fault => Describe(fault, scenario)));
    }

    /// <summary>How much there is of everything, in a line.</summary>
    public static string Size(Scenario scenario)
    {
        var queries = scenario.UdpClients.Sum(client => client.Queries.Length);
        return string.Join(", ",
            Many(scenario.Backends.Length, "backend"),
            $"{Many(scenario.UdpClients.Length, "UDP client")} with "
                + (queries == 1 ? "1 query" : $"{queries} queries"),
            Many(scenario.TcpClients.Length, "TCP connection"),
            Many(scenario.Faults.Length, "fault"), Time(scenario.End));
    }

    private static string Many(int count, string what) =>
        count == 1 ? $"1 {what}" : $"{count} {what}s";

    private static void Lines(TextWriter output, string label, IEnumerable<string> lines)
    {
        var all = lines.ToArray();
        foreach (var line in all.Take(MostLines))
            output.WriteLine($"  {label,-9} {line}");
        if (all.Length > MostLines)
            output.WriteLine($"  {label,-9} and {all.Length - MostLines} more");
    }

    private static string Time(Instant at) => Chart.Time(at);

    private static string Time(Duration time) => Chart.Length(time);

    /// <summary>What of the host differs from the usual one.</summary>
    private static IEnumerable<string> Host(KernelPlan host)
    {
        var plain = new KernelPlan();
        if (host.Listen != plain.Listen)
            yield return $"listens on {host.Listen}";
        if (host.UnixBufferBytes != plain.UnixBufferBytes)
            yield return $"AF_UNIX buffers of {host.UnixBufferBytes} bytes";
        if (host.TcpBufferBytes != plain.TcpBufferBytes)
            yield return $"TCP buffers of {host.TcpBufferBytes} bytes";
        if (host.DescriptorLimit != plain.DescriptorLimit)
            yield return $"at most {host.DescriptorLimit} descriptors";
        if (host.DatagramQueue != plain.DatagramQueue)
            yield return $"at most {host.DatagramQueue} datagrams wait to be received";
        if (host.ClockStep != plain.ClockStep)
            yield return $"a clock with steps of {Time(host.ClockStep)}";
        if (host.MaxReadBytes != plain.MaxReadBytes)
            yield return $"reads of at most {host.MaxReadBytes} bytes";
        if (host.MaxWriteBytes != plain.MaxWriteBytes)
            yield return $"writes of at most {host.MaxWriteBytes} bytes";
        if (!host.TellsChanges)
            yield return "does not tell of changes in the directory";
        if (host.WarmUp != plain.WarmUp)
            yield return $"--warm-up {Time(host.WarmUp)}";
        if (host.Probe)
        {
            yield return $"--probe {SpecifiedLimits.ProbeName} --probe-rise {host.ProbeRise}"
                + $" --probe-fall {host.ProbeFall}";
        }
        if (host.AnswersWithoutBackend)
            yield return "--no-backend servfail";
        if (host.TcpConnections != plain.TcpConnections)
            yield return $"--tcp-connections {host.TcpConnections}";
        if (host.TcpConnectionsPerClient != plain.TcpConnectionsPerClient)
            yield return $"--tcp-connections-per-client {host.TcpConnectionsPerClient}";
        if (host.TcpIdle != plain.TcpIdle)
            yield return $"--tcp-idle {Time(host.TcpIdle)}";
        if (host.TcpMessage != plain.TcpMessage)
            yield return $"--tcp-message {Time(host.TcpMessage)}";
        if (host.TcpNotReading != plain.TcpNotReading)
            yield return $"--tcp-not-reading {host.TcpNotReading}";
        if (host.TcpLifetime != plain.TcpLifetime)
            yield return $"--tcp-lifetime {Time(host.TcpLifetime)}";
        if (host.MaxRemotes != plain.MaxRemotes)
            yield return $"at most {host.MaxRemotes} remotes";
        var turn = TurnBounds.All.Where(bound => bound.Get(host.Turn) != bound.Standard)
            .Select(bound => $"{bound.Name} {bound.Get(host.Turn)}").ToList();
        if (turn.Count > 0)
            yield return $"turns with {string.Join(", ", turn)}";
    }

    private static string Describe(BackendPlan backend)
    {
        var script = string.Join(", ", Misdeeds.Of(backend.Script));
        return $"{backend.Id} is '{backend.Name}'"
            + (backend.StartAt > Instant.Zero ? $", from {Time(backend.StartAt)} on" : "")
            + (script.Length > 0 ? ": " + script : "")
            + (script.Length > 0 && backend.IsCore ? "; heals after chaos" : "");
    }

    private static string Describe(UdpClientPlan client)
    {
        var queries = string.Join(", ", client.Queries.Take(MostQueries).Select(Describe));
        var more = client.Queries.Length - MostQueries;
        return $"{client.Id} is {client.Address}, asks at {queries}"
            + (more > 0 ? $" and {more} times more until {Time(client.Queries[^1].At)}" : "")
            + (client.Retries ? "; retries" : "");
    }

    private static string Describe(QueryPlan query)
    {
        var what = query switch
        {
            { Kind: QueryKind.Question, Bytes: 0 } => "",
            { Kind: QueryKind.Question } => $", {query.Bytes} bytes",
            { Kind: QueryKind.Killer } => $", which ends whoever reads it ({query.Bytes}"
                + (query.Variant > 0 ? $", variant {query.Variant})" : ")"),
            { Kind: QueryKind.Decoy } => $", like what ends whoever reads it ({query.Bytes})",
            { Kind: QueryKind.Dropped } => ", which nobody answers",
            { Kind: QueryKind.Response } => $", a response of {query.Bytes} bytes",
            _ => $", {query.Bytes} bytes of garbage",
        };
        var more = query.Copies > 1 ? $", {query.Copies} times from forged addresses" : "";
        return $"{Time(query.At)} (port {query.Port}{what}{more})";
    }

    private static string Describe(TcpClientPlan client)
    {
        var manner = client.Manner switch
        {
            TcpManner.HalfClosesEarly => "; ends its direction after its last question",
            TcpManner.HalfClosesLate => "; ends its direction after its first answer",
            TcpManner.StaysOpen => "; never closes",
            TcpManner.NeverReads => "; never reads",
            TcpManner.Resets => $"; resets {Time(client.After)} later",
            TcpManner.Trickles => $"; sends another byte every {Time(client.After)}",
            TcpManner.Leaves => $"; leaves {Time(client.After)} later",
            _ => "",
        };
        return $"{client.Id} is {client.Address}:{client.Port}, connects at {Time(client.At)}, "
            + (client.Queries == 1 ? "1 question" : $"{client.Queries} questions")
            + (client.Queries > 0 && client.ChunkBytes < 1024
                ? $" in pieces of {client.ChunkBytes} bytes" : "")
            + (client is { Killer: > 0, Queries: > 0 }
                ? $", the last of which ends whoever reads it ({client.Killer - 1})" : "")
            + (client.Padding > 0 ? $" with {client.Padding} bytes of padding" : "")
            + (client.Empty > 0 ? $" behind {client.Empty} empty messages" : "")
            + (client.Late > Duration.Zero ? $", the others answered {client.Late} late" : "")
            + manner;
    }

    private static string Describe(FaultPlan fault, Scenario scenario)
    {
        var target = scenario.Backends.FirstOrDefault(backend => backend.Id == fault.Target);
        var amount = Amount(fault);
        return $"at {Time(fault.At)} {fault.Kind}"
            + (target is null ? "" : $" of '{target.Name}'")
            + (amount.Length > 0 ? ": " + amount : "")
            + (fault.For > Duration.Zero ? $", for {Time(fault.For)}" : "");
    }

    private static string Amount(FaultPlan fault) => fault.Kind switch
    {
        FaultKind.BackendScript => fault.Amount == 0 ? "stops to misbehave" : "misbehaves again",
        FaultKind.BackendEnd => fault.Amount > 0 ? "in the middle of a frame" : "",
        FaultKind.BackendBacklog => $"a backlog of {fault.Amount}",
        FaultKind.UdpLoss or FaultKind.UdpDuplicate => $"one in {fault.Amount}",
        FaultKind.UdpReorder => $"by up to {Time(new Duration(fault.Amount))}",
        FaultKind.UdpSendFails => $"the next {fault.Amount} sends",
        FaultKind.UdpReceiveFails => $"the next {fault.Amount} receives",
        FaultKind.KernelAccept => Pick(AcceptErrors, fault.Amount),
        FaultKind.KernelSocket => Pick(SocketErrors, fault.Amount),
        FaultKind.KernelWakes => $"{fault.Amount} waits",
        FaultKind.StreamShort => $"at most {fault.Amount} bytes",
        FaultKind.StreamWouldBlock => $"the next {fault.Amount} writes",
        FaultKind.StreamReset => $"the next {fault.Amount} reads",
        FaultKind.StreamNoMemory => Pick(MemoryErrors, fault.Amount),
        FaultKind.DirectoryUnreadable => Pick(DirectoryErrors, fault.Amount),
        FaultKind.DirectoryUnknown => fault.Amount == 0
            ? "" : $"that of backend {fault.Amount} alone",
        FaultKind.DirectoryBreaksOff => $"after {fault.Amount} entries",
        FaultKind.DirectoryEntry => Pick(Entries, fault.Amount % Entries.Length)
            + (fault.Amount < Entries.Length ? "" : $" and {fault.Amount / Entries.Length} more"),
        FaultKind.ClockBack => $"by {Time(new Duration(fault.Amount))}",
        FaultKind.ClockStall => ((fault.Amount & 1) == 0 ? "" : "in the middle of a scan ")
            + ((fault.Amount & 2) == 0 ? "" : "in a wait that is interrupted"),
        _ => "",
    };

    private static string Pick(ImmutableArray<string> words, long amount) =>
        amount >= 0 && amount < words.Length
            ? words[(int)amount]
            : amount.ToString(CultureInfo.InvariantCulture);
}
