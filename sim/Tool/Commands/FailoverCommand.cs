// Owns `sim failover`: the scenarios of the benchmark one after the other, a row of a table each,
// and all that was measured as JSON.
//
// What always holds: nothing is judged unless that is asked for, and then a line names each goal
// that was missed; a row is printed when its scenario is over, and what was
// measured before something went wrong is written all the same; the table of another run has the
// same columns, so that two can be compared.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text.Json;
using System.Threading;
using CommandLines;
using Simulation.Real.Failover;

namespace Simulation.Commands;

internal sealed class FailoverCommand(Request request, TextWriter output, TextWriter error)
{
    private const string Root = "Balancer.sln";
    private const double NsPerMs = 1e6;
    private static readonly string Node = Path.Combine("tests", "integration", "node");

    private readonly List<FailoverResult> _done = [];
    private ImmutableArray<string> _missed = [];

    public bool IsTerminal { get; init; }

    public CancellationToken Interrupted { get; init; }

    public int Run()
    {
        var code = Measure();
        return request.Json is not { } file
            || Tool.Save(error, file, path => File.WriteAllBytes(path, ToJson(_done)))
            || code != Tool.Passed
            ? code
            : Tool.CannotWrite;
    }

    private int Measure()
    {
        try
        {
            var setup = new FailoverSetup(
                RealCommand.Find(request.Bbal, "bbal", "--bbal"), FindBackends())
            {
                IsInterrupted = () => Interrupted.IsCancellationRequested,
            };
            output.WriteLine(FailoverTable.Head);
            foreach (var scenario in FailoverScenario.All.Where(one =>
                one.Name == (request.FailoverScenario ?? one.Name)))
            {
                Measure(request.IsNode ? scenario.ForNode() : scenario, setup);
            }
            return request.IsJudged && !_missed.IsEmpty ? Tool.Safety : Tool.Passed;
        }
        catch (OperationCanceledException)
        {
            output.WriteLine("interrupted");
            return Tool.Interrupted;
        }
        catch (Exception wrong) when (wrong is IOException or FormatException
            or UnauthorizedAccessException or SocketException)
        {
            error.WriteLine("sim: " + StandardOptions.Reason(wrong));
            return Tool.NotMeasured;
        }
    }

    private void Measure(FailoverScenario scenario, FailoverSetup setup)
    {
        output.Flush();
        var times = (int)(request.Count ?? scenario.Times);
        var progress = new Progress(error, IsTerminal);
        try
        {
            _done.Add(FailoverRun.Execute(scenario, times, setup with
            {
                OnProgress = done => progress.Show(
                    () => $"{scenario.Name}: {done} of {times} times"),
            }));
        }
        finally
        {
            progress.End();
        }
        output.WriteLine(FailoverTable.Row(_done[^1]));
        if (!request.IsJudged)
            return;
        var missed = FailoverGoals.Missed(_done[^1]);
        foreach (var goal in missed)
            output.WriteLine("missed: " + goal);
        _missed = _missed.AddRange(missed);
    }

    private FailoverProgram FindBackends() => request.IsNode
        ? new FailoverProgram("node-mname", "node", FindServer()) { IsNode = true }
        : new FailoverProgram("fake-binder",
            RealCommand.Find(request.FakeBinder, "fake-binder", "--fake-binder"), "--");

    /// <summary>The program of the tree that one is in, or that this executable is in.</summary>
    private static string FindServer()
    {
        foreach (var start in (string[])[Environment.CurrentDirectory, AppContext.BaseDirectory])
        {
            for (var at = new DirectoryInfo(start); at is not null; at = at.Parent)
            {
                if (!File.Exists(Path.Combine(at.FullName, Root)))
                    continue;
                var folder = Path.Combine(at.FullName, Node);
                return Directory.Exists(Path.Combine(folder, "node_modules", "mname"))
                    ? Path.Combine(folder, "server.js")
                    : throw new FormatException($"{folder}: node-mname is not installed in it "
                        + "(make failover NODE=1 installs it)");
            }
        }
        throw new FormatException($"--node: there is no {Node} here, in no folder above, and "
            + "above this executable");
    }

    internal static byte[] ToJson(IEnumerable<FailoverResult> results)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(
            bytes, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteStartArray("scenarios");
            foreach (var result in results)
                Write(json, result);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return bytes.ToArray();
    }

    private static void Write(Utf8JsonWriter json, FailoverResult result)
    {
        var counts = result.Counts;
        json.WriteStartObject();
        json.WriteString("scenario", result.Scenario.Name);
        json.WriteString("backends", result.Backends);
        json.WriteNumber("times", result.Times);
        json.WriteNumber("clients", result.Scenario.Clients);
        json.WriteNumber("queries_a_second", result.Scenario.Rate);
        json.WriteNumber("seconds", Math.Round(result.Took.TotalSeconds, 1));
        json.WriteNumber("sent", counts.Sent);
        json.WriteNumber("answered", counts.Answered);
        json.WriteNumber("unanswered", counts.Unanswered);
        json.WriteNumber("unanswered_in_outage", counts.UnansweredInOutage);
        json.WriteNumber("refused", counts.Refused);
        json.WriteNumber("late", counts.Late);
        json.WriteNumber("duplicates", counts.Duplicates);
        json.WriteNumber("strays", counts.Strays);
        json.WriteNumber("moves", counts.Moves);
        json.WriteNumber("longest_silence_ms", Milliseconds(counts.LongestSilenceNs));
        json.WriteNumber("p50_ms", Milliseconds(counts.MedianNs));
        json.WriteNumber("p99_ms", Milliseconds(counts.Percentile99Ns));
        json.WriteNumber("max_ms", Milliseconds(counts.LongestNs));
        json.WriteNumber("sent_late_by_up_to_ms", Milliseconds(result.LongestDelayNs));
        json.WriteNumber("dropped_by_kernel", result.DroppedByKernel);
        json.WriteStartArray("missed");
        foreach (var goal in FailoverGoals.Missed(result))
            json.WriteStringValue(goal);
        json.WriteEndArray();
        if (result.Scenario.Killer is not null)
            WriteKiller(json, result);
        json.WriteEndObject();
    }

    private static void WriteKiller(Utf8JsonWriter json, FailoverResult result)
    {
        json.WriteStartArray("deaths_in_minutes");
        foreach (var deaths in result.Deaths)
            json.WriteNumberValue(deaths);
        json.WriteEndArray();
        json.WriteNumber("killers_sent", result.Killers.Sent);
        json.WriteNumber("killers_refused", result.Killers.Refused);
        json.WriteNumber("killers_answered", result.Killers.Answered);
    }

    private static double Milliseconds(long ns) => Math.Round(ns / NsPerMs, 2);
}

/// <summary>The table for people.</summary>
internal static class FailoverTable
{
    private const double NsPerMs = 1e6;

    public static string Head => Line("scenario", "times", "per second", "sent", "unanswered",
        "refused", "duplicates", "longest silence ms", "p99 ms", "moves", "deaths");

    public static string Row(FailoverResult result)
    {
        var counts = result.Counts;
        return Line(result.Scenario.Name, Text(result.Times), Text(result.Scenario.Rate),
            Text(counts.Sent), Text(counts.Unanswered), Text(counts.Refused),
            Text(counts.Duplicates), Milliseconds(counts.LongestSilenceNs),
            Milliseconds(counts.Percentile99Ns), Text(counts.Moves),
            result.Deaths.IsEmpty ? "-" : string.Join(',', result.Deaths));
    }

    private static string Line(string scenario, string times, string rate, string sent,
        string unanswered, string refused, string duplicates, string silence, string slow,
        string moves, string deaths) =>
        $"{scenario,-12} {times,5} {rate,10} {sent,9} {unanswered,10} {refused,8} "
            + $"{duplicates,10} {silence,18} {slow,8} {moves,6} {deaths,6}";

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Milliseconds(long ns) =>
        (ns / NsPerMs).ToString("0.0", CultureInfo.InvariantCulture);
}
