// Owns the form that scenarios have in files: JSON, with times in nanoseconds, addresses as four
// octets and kinds by their names. What a script does not do is left out; everything else is
// written, so that a file says all that a run depends on.
//
// What always holds: equal scenarios give equal bytes; what was written reads back equal; a file
// that is wrong is one line that names the field, and a scenario that was read can be run.

using System;
using System.Buffers;
using System.Collections.Generic;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Balancer.Core;
using FakeBinder;

namespace Simulation.Scenarios;

/// <summary>A file that holds no scenario; the message is one line that names the field.</summary>
public sealed class ScenarioFormatException(string message) : Exception(message);

/// <summary>Writes and reads scenarios.</summary>
public static class ScenarioFile
{
    private static readonly ScenarioJson Json = new(new JsonSerializerOptions
    {
        WriteIndented = true,
        IndentSize = 1,
        NewLine = "\n",
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        Converters =
        {
            new InstantJson(), new DurationJson(), new Ipv4Json(),
            new NameJson<QueryKind>(), new NameJson<TcpManner>(), new NameJson<FaultKind>(),
        },
    });

    private static readonly JsonTypeInfo<Scenario> Shape = MakeShape();

    private static readonly JsonObject Defaults =
        (JsonObject)JsonNode.Parse(Write(new Scenario()))!;

    /// <summary>The scenario as UTF-8, with a line feed at its end.</summary>
    public static byte[] Write(Scenario scenario)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(
            bytes, new JsonWriterOptions { Indented = true, IndentSize = 1, NewLine = "\n" }))
        {
            JsonSerializer.Serialize(writer, scenario, Shape);
        }
        return [.. bytes.WrittenSpan, (byte)'\n'];
    }

    /// <exception cref="ScenarioFormatException">It is no scenario that can be run.</exception>
    public static Scenario Read(ReadOnlySpan<byte> json)
    {
        Scenario? scenario;
        try
        {
            scenario = JsonSerializer.Deserialize(WithDefaults(json), Shape);
        }
        catch (JsonException wrong)
        {
            throw new ScenarioFormatException(JsonError.Of(wrong));
        }
        if (scenario is null)
            throw new ScenarioFormatException("$: there is no scenario");
        ScenarioCheck.Check(scenario);
        return scenario;
    }

    /// <summary>
    /// What a file does not say is at its default, so that files outlive the fields that come
    /// later: the serializer would take such a field for zero.
    /// </summary>
    private static JsonNode? WithDefaults(ReadOnlySpan<byte> json)
    {
        var read = JsonNode.Parse(json, documentOptions: new JsonDocumentOptions
        {
            CommentHandling = JsonCommentHandling.Skip,
            AllowTrailingCommas = true,
            AllowDuplicateProperties = false,
        });
        if (read is not JsonObject { Count: > 0 } scenario)
            return read;
        if (scenario["Kernel"] is JsonObject kernel)
            AddMissing(kernel, (JsonObject)Defaults["Kernel"]!);
        foreach (var name in (string[])[nameof(Scenario.Profile), nameof(Scenario.StopAgain)])
        {
            if (!scenario.ContainsKey(name))
                scenario[name] = Defaults[name]!.DeepClone();
        }
        return scenario;
    }

    private static void AddMissing(JsonObject to, JsonObject defaults)
    {
        foreach (var (name, value) in defaults)
        {
            if (!to.ContainsKey(name))
                to[name] = value?.DeepClone();
        }
    }

    private static JsonTypeInfo<Scenario> MakeShape()
    {
        var options = new JsonSerializerOptions(Json.Options)
        {
            TypeInfoResolver = Json.WithAddedModifier(LeaveOutWhatIsNotDone),
        };
        return (JsonTypeInfo<Scenario>)options.GetTypeInfo(typeof(Scenario));
    }

    private static void LeaveOutWhatIsNotDone(JsonTypeInfo type)
    {
        if (type.Type != typeof(Misbehaviour))
            return;
        foreach (var property in type.Properties)
            property.ShouldSerialize = (_, value) => value is not (null or false or 0L)
                && !(value is int and 0 && property.PropertyType == typeof(int));
    }
}

/// <summary>What the bounds of a scenario are; a run takes any scenario that passes.</summary>
internal static class ScenarioCheck
{
    public static void Check(Scenario scenario)
    {
        That(scenario.Kernel is not null, "Kernel: is missing");
        That(!scenario.Backends.IsDefault, "Backends: is missing");
        That(!scenario.UdpClients.IsDefault, "UdpClients: is missing");
        That(!scenario.TcpClients.IsDefault, "TcpClients: is missing");
        That(!scenario.Faults.IsDefault, "Faults: is missing");
        That(scenario.Profile is not null, "Profile: is missing");
        That(scenario.End > Instant.Zero, "End: is above 0");
        That(scenario.HealAt >= Instant.Zero, "HealAt: is 0 or more");
        That(scenario.StopAgain >= Duration.Zero, "StopAgain: is 0 or more");
        CheckKernel(scenario.Kernel!);
        CheckBackends(scenario);
        CheckClients(scenario);
        CheckFaults(scenario);
    }

    private static void CheckKernel(KernelPlan kernel)
    {
        That(kernel.UnixBufferBytes >= 1, "Kernel.UnixBufferBytes: is 1 or more");
        That(kernel.TcpBufferBytes >= 1, "Kernel.TcpBufferBytes: is 1 or more");
        That(kernel.DescriptorLimit >= 0, "Kernel.DescriptorLimit: is 0 or more");
        That(kernel.DatagramQueue >= 0, "Kernel.DatagramQueue: is 0 or more");
        That(kernel.ClockStep >= Duration.Zero, "Kernel.ClockStep: is 0 or more");
        That(kernel.MaxReadBytes >= 1, "Kernel.MaxReadBytes: is 1 or more");
        That(kernel.MaxWriteBytes >= 1, "Kernel.MaxWriteBytes: is 1 or more");
        That(kernel.WarmUp >= Duration.Zero, "Kernel.WarmUp: is 0 or more");
        That(kernel.TcpConnections >= 1, "Kernel.TcpConnections: is 1 or more");
        That(kernel.TcpConnectionsPerClient >= 1,
            "Kernel.TcpConnectionsPerClient: is 1 or more");
        That(kernel.TcpIdle > Duration.Zero, "Kernel.TcpIdle: is above 0");
        That(kernel.TcpLifetime > Duration.Zero, "Kernel.TcpLifetime: is above 0");
        That(kernel.MaxRemotes >= 1, "Kernel.MaxRemotes: is 1 or more");
    }

    private static void CheckBackends(Scenario scenario)
    {
        var ids = new HashSet<int>();
        var names = new HashSet<string>();
        for (var i = 0; i < scenario.Backends.Length; i++)
        {
            var backend = scenario.Backends[i];
            That(backend.Id >= 0 && ids.Add(backend.Id), $"Backends[{i}].Id: is taken, or below 0");
            That(backend.Name.Length > 0 && !backend.Name.Contains('/', StringComparison.Ordinal)
                && names.Add(backend.Name), $"Backends[{i}].Name: is taken, or is no name");
        }
    }

    private static void CheckClients(Scenario scenario)
    {
        var ids = new HashSet<int>();
        for (var i = 0; i < scenario.UdpClients.Length; i++)
        {
            var client = scenario.UdpClients[i];
            That(client.Id >= 0 && ids.Add(client.Id), $"UdpClients[{i}].Id: is taken, or below 0");
            That(!client.Queries.IsDefault, $"UdpClients[{i}].Queries: is missing");
            for (var n = 0; n < client.Queries.Length; n++)
            {
                var where = $"UdpClients[{i}].Queries[{n}]";
                That(client.Queries[n].Bytes is >= 0 and <= 65_507, $"{where}.Bytes: 0 to 65507");
                That(client.Queries[n].Copies >= 1, $"{where}.Copies: is 1 or more");
                That(n == 0 || client.Queries[n].At >= client.Queries[n - 1].At,
                    $"{where}.At: is before the one before");
            }
        }
        for (var i = 0; i < scenario.TcpClients.Length; i++)
        {
            var client = scenario.TcpClients[i];
            That(client.Id >= 0 && ids.Add(client.Id), $"TcpClients[{i}].Id: is taken, or below 0");
            That(client.Queries is >= 0 and <= 100_000, $"TcpClients[{i}].Queries: 0 to 100000");
        }
    }

    private static void CheckFaults(Scenario scenario)
    {
        var ids = new HashSet<int>();
        for (var i = 0; i < scenario.Faults.Length; i++)
        {
            var fault = scenario.Faults[i];
            That(fault.Id >= 0 && ids.Add(fault.Id), $"Faults[{i}].Id: is taken, or below 0");
            That(fault.For >= Duration.Zero, $"Faults[{i}].For: is 0 or more");
        }
    }

    private static void That(bool holds, string what)
    {
        if (!holds)
            throw new ScenarioFormatException("$." + what);
    }
}
