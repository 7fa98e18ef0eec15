// What the tests of the commands share: a command line run in this process, and a simulator that
// is the real one but for what a test makes of its results.

using System;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using System.Threading;
using Balancer.Core;
using Simulation.Commands;
using Simulation.Running;
using Simulation.Scenarios;

namespace Tests.Unit.Sim.Commands;

/// <summary>What a command came to.</summary>
internal sealed record CommandRun(int Code, string Output, string Error)
{
    public string[] Lines => Output.Split('\n');

    public static CommandRun Of(string arguments) => Of(arguments, new RealSimulator());

    public static CommandRun Of(string arguments, Simulator simulator,
        bool isTerminal = false, Twin? twin = null, CancellationToken stop = default)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var tool = new Tool(simulator, output, error)
        {
            IsTerminal = isTerminal,
            Stop = stop,
            Twin = twin,
        };
        var code = tool.Main(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        return new CommandRun(code, output.ToString(), error.ToString());
    }
}

/// <summary>A simulator whose runs a test interferes with.</summary>
internal class FakeSimulator : Simulator
{
    private readonly RealSimulator _real = new();

    /// <summary>Fails a run, or not.</summary>
    public Func<Scenario, Violation?> Fail { get; init; } = _ => null;

    public override Scenario Generate(ulong seed, Choice choice) => _real.Generate(seed, choice);

    public override RunResult Run(
        Scenario scenario, ImmutableArray<string> checks, params RunObserver[] watchers)
    {
        var result = _real.Run(scenario, checks, watchers);
        return Fail(scenario) is { } violation ? result with { Violation = violation } : result;
    }

    public override Scenario Read(string json) => _real.Read(json);

    public override string Write(Scenario scenario) => _real.Write(scenario);
}

/// <summary>A simulator whose runs of one scenario are alike only up to some moment.</summary>
internal sealed class ForgetfulSimulator(ulong seed) : FakeSimulator
{
    private readonly Instant _lastAlike = new(20_000_000_000);
    private int _runs;

    public override RunResult Run(
        Scenario scenario, ImmutableArray<string> checks, params RunObserver[] watchers)
    {
        if (scenario.Seed != seed || Interlocked.Increment(ref _runs) % 2 == 1)
            return base.Run(scenario, checks, watchers);
        var other = scenario with
        {
            UdpClients = [.. scenario.UdpClients.Select(client => client with
            {
                Queries = [.. client.Queries.Where(query => query.At < _lastAlike)],
            })],
        };
        return base.Run(other, checks, watchers) with { Scenario = scenario };
    }
}
