// Owns the reading of the balancer's log, as far as checks need it: records with all counters, the
// lines about backends and remotes that follow them, when a rebalance began, and when a backend
// became suspect or was trusted again.
//
// What always holds: a line that is not a record, or one that is not known, changes nothing.

using System;
using System.Collections.Immutable;
using System.Text.Json;

namespace Simulation.Real;

/// <summary>Reads lines of the log.</summary>
internal static class LogReader
{
    public static void Take(string line, ObservedBalancer seen)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            if (json.RootElement.ValueKind == JsonValueKind.Object)
                Take(json.RootElement, seen);
        }
        catch (JsonException)
        {
            // Every line is a record, which tests of the log see to.
        }
    }

    private static void Take(JsonElement record, ObservedBalancer seen)
    {
        var name = record.TryGetProperty("event", out var text) ? text.GetString() : null;
        if (record.TryGetProperty("time", out var time) && time.TryGetDateTime(out var at))
        {
            if (name == "rebalancing")
                seen.Rebalances.Add(ToNs(at) - seen.LogClockAheadNs);
            if (name is "backend_suspected" or "backend_trusted"
                or "backend_down_by_probe" or "backend_up_by_probe")
                seen.Suspicions.Add(ToNs(at) - seen.LogClockAheadNs);
        }
        if (name is "status" or "stopped")
            seen.Records.Add(Counters(record, name == "stopped"));
        if (seen.Records is [.., var last])
            TakeDetail(record, name, last);
    }

    /// <summary>Nanoseconds since 1970.</summary>
    public static long ToNs(DateTime at) => (at - DateTime.UnixEpoch).Ticks * 100;

    private static void TakeDetail(JsonElement record, string? name, CounterRecord of)
    {
        if (name == "backend_status"
            && record.TryGetProperty("be_path", out var path)
            && record.TryGetProperty("udp_queries", out var queries))
        {
            of.Forwarded[path.GetString()!] = queries.GetInt64();
        }
        if (name == "remote_status"
            && record.TryGetProperty("remote_ip", out var address)
            && record.TryGetProperty("udp_forwarded", out var forwarded))
        {
            of.Remotes[address.GetString()!] = forwarded.GetInt64();
        }
    }

    private static CounterRecord Counters(JsonElement record, bool isFinal)
    {
        var counters = ImmutableSortedDictionary.CreateBuilder<string, long>(
            StringComparer.Ordinal);
        foreach (var field in record.EnumerateObject())
        {
            // The longest turn is a number of the status report alone, and no count.
            var isCounter = field.Value.ValueKind == JsonValueKind.Number
                && field.Name.Contains('_', StringComparison.Ordinal)
                && field.Name != "longest_turn_us";
            if (isCounter && field.Value.TryGetInt64(out var value))
                counters[field.Name] = value;
        }
        var open = record.TryGetProperty("connections", out var connections)
            ? connections.GetInt64() : 0;
        return new CounterRecord(isFinal, open, counters.ToImmutable());
    }
}
