// Owns the fluent way to a scenario. It writes the same file that people write, and has it read:
// so there is one set of defaults and bounds, and one place that refuses what is wrong.
//
// What always holds: a scenario that Build gives can be run; a fault that can do nothing is refused
// there, with the reason, or left out if that was asked for.

using System;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Simulation.Scenarios;

namespace Balancer.Simulation;

/// <summary>
/// Builds a scenario. Times are virtual, from the start of the balancer, 0 or more.
/// </summary>
public sealed class ScenarioBuilder
{
    private readonly JsonArray _backends = [];
    private readonly JsonArray _udpClients = [];
    private readonly JsonArray _tcpClients = [];
    private readonly JsonArray _faults = [];
    private readonly JsonObject _kernel = [];
    private bool _skipsFaults;
    private ulong _seed;
    private TimeSpan _healAt = TimeSpan.FromSeconds(60);
    private TimeSpan _end = TimeSpan.FromSeconds(90);

    /// <summary>What is drawn at random while it runs depends on this; 0 if not set.</summary>
    public ScenarioBuilder Seed(ulong seed)
    {
        _seed = seed;
        return this;
    }

    /// <summary>
    /// When faults end and backends heal (60 s if not set), and when an orderly stop is asked for
    /// (90 s if not set).
    /// </summary>
    public ScenarioBuilder Until(TimeSpan healAt, TimeSpan end)
    {
        (_healAt, _end) = (healAt, end);
        return this;
    }

    /// <summary>Sets an option of the host or the balancer, such as warmUp to "2s".</summary>
    /// <param name="field">A field of `kernel` in docs/scenario-file.md.</param>
    /// <param name="json">Its value as JSON; the quotes around a text may be left out.</param>
    public ScenarioBuilder Kernel(string field, string json)
    {
        try
        {
            _kernel[field] = JsonNode.Parse(json);
        }
        catch (JsonException)
        {
            _kernel[field] = json;
        }
        return this;
    }

    /// <summary>A backend.</summary>
    /// <param name="name">Its socket's name, unique, such as 5301.</param>
    /// <param name="startAt">When it binds its socket.</param>
    /// <param name="script">What it does wrong, as JSON: { "delay": "150ms" }.</param>
    public ScenarioBuilder Backend(
        string name, TimeSpan startAt = default, string? script = null)
    {
        var backend = new JsonObject { ["name"] = name, ["startAt"] = Text(startAt) };
        if (script is not null)
            backend["script"] = Json($"script of backend {name}", script);
        _backends.Add((JsonNode)backend);
        return this;
    }

    /// <summary>A host of its own that asks questions over UDP, one every so often.</summary>
    /// <param name="from">When it asks first.</param>
    /// <param name="every">The time between two questions.</param>
    /// <param name="times">How many, 1 to 100,000.</param>
    /// <param name="retries">Whether it asks again, every 2 s, 3 times, until answered.</param>
    public ScenarioBuilder UdpClient(
        TimeSpan from, TimeSpan every, int times, bool retries = true)
    {
        _udpClients.Add((JsonNode)new JsonObject
        {
            ["retries"] = retries,
            ["queries"] = new JsonArray(new JsonObject
            {
                ["at"] = Text(from),
                ["every"] = Text(every),
                ["times"] = times,
            }),
        });
        return this;
    }

    /// <summary>A host of its own that asks over one TCP connection.</summary>
    /// <param name="at">When it connects.</param>
    /// <param name="queries">Questions, 0 to 100,000, sent without waiting for answers.</param>
    public ScenarioBuilder TcpClient(TimeSpan at, int queries = 1)
    {
        _tcpClients.Add((JsonNode)new JsonObject { ["at"] = Text(at), ["queries"] = queries });
        return this;
    }

    /// <summary>The backend dies, leaves its path behind, and is started again.</summary>
    /// <param name="backend">Its name.</param>
    /// <param name="at">When.</param>
    /// <param name="restartAfter">From its death to its next start.</param>
    public ScenarioBuilder Crash(string backend, TimeSpan at, TimeSpan restartAfter) =>
        Fault("backendCrash", backend, at, restartAfter);

    /// <summary>The backend removes its path, exits, and is started again.</summary>
    /// <param name="backend">Its name.</param>
    /// <param name="at">When.</param>
    /// <param name="restartAfter">From its exit to its next start.</param>
    public ScenarioBuilder Stop(string backend, TimeSpan at, TimeSpan restartAfter) =>
        Fault("backendStop", backend, at, restartAfter);

    /// <summary>The backend does nothing for a while.</summary>
    /// <param name="backend">Its name.</param>
    /// <param name="at">When.</param>
    /// <param name="time">For how long, above 0.</param>
    public ScenarioBuilder Pause(string backend, TimeSpan at, TimeSpan time) =>
        Fault("backendPause", backend, at, time);

    /// <summary>Datagrams to the balancer are lost for a while, one in so many.</summary>
    /// <param name="at">When.</param>
    /// <param name="time">For how long, above 0.</param>
    /// <param name="oneIn">One in how many, 1 and up.</param>
    public ScenarioBuilder Loss(TimeSpan at, TimeSpan time, int oneIn) => Fault(new JsonObject
    {
        ["kind"] = "udpLoss",
        ["at"] = Text(at),
        ["for"] = Text(time),
        ["oneIn"] = oneIn,
    });

    /// <summary>
    /// Any other fault, as a scenario file has it:
    /// { "kind": "kernelAccept", "at": "3s", "for": "2s", "error": "EMFILE" }.
    /// </summary>
    public ScenarioBuilder Fault(string json) => Fault(Json("fault", json)!);

    /// <summary>
    /// Build leaves out faults that can do nothing, such as one after the healing or of a backend
    /// that is down, where it would refuse them: for faults that are drawn at random.
    /// </summary>
    public ScenarioBuilder SkipIneffectiveFaults()
    {
        _skipsFaults = true;
        return this;
    }

    /// <summary>The scenario.</summary>
    /// <exception cref="FormatException">It is not one; the message names the field.</exception>
    public SimulatedScenario Build()
    {
        Scenario scenario;
        try
        {
            var root = FileNode.Parse(Encoding.UTF8.GetBytes(Text()));
            scenario = FileFields.Read(
                ScenarioFields.Scenarios, root, new FilePlace("", root.Line), new Scenario());
        }
        catch (ScenarioFormatException wrong)
        {
            // The file is nothing that the user wrote, so its lines mean nothing.
            throw new FormatException(WithoutLine(wrong.Message), wrong);
        }
        if (_skipsFaults)
            scenario = ScenarioFile.WithoutVainFaults(scenario);
        return ScenarioFile.WhyNot(scenario) is { } why
            ? throw new FormatException(why)
            : new SimulatedScenario(scenario);
    }

    private string Text() => new JsonObject
    {
        ["seed"] = _seed,
        ["healAt"] = Text(_healAt),
        ["end"] = Text(_end),
        ["kernel"] = _kernel.DeepClone(),
        ["backends"] = _backends.DeepClone(),
        ["udpClients"] = _udpClients.DeepClone(),
        ["tcpClients"] = _tcpClients.DeepClone(),
        ["faults"] = _faults.DeepClone(),
    }.ToJsonString();

    private static string WithoutLine(string message) =>
        message.StartsWith("line ", StringComparison.Ordinal)
        && message.IndexOf(": ", StringComparison.Ordinal) is > 0 and var end
            ? message[(end + 2)..] : message;

    private static JsonNode? Json(string what, string json)
    {
        try
        {
            // It takes comments and trailing commas, and no field twice, as a file does.
            return JsonNode.Parse(FileNode.Parse(Encoding.UTF8.GetBytes(json)).ToText());
        }
        catch (ScenarioFormatException wrong)
        {
            throw new FormatException($"{what}: {wrong.Message}", wrong);
        }
    }

    private ScenarioBuilder Fault(string kind, string backend, TimeSpan at, TimeSpan time) =>
        Fault(new JsonObject
        {
            ["kind"] = kind,
            ["backend"] = backend,
            ["at"] = Text(at),
            ["for"] = Text(time),
        });

    private ScenarioBuilder Fault(JsonNode fault)
    {
        _faults.Add(fault);
        return this;
    }

    private static string Text(TimeSpan time) =>
        (time.Ticks * 100L).ToString(CultureInfo.InvariantCulture) + "ns";
}
