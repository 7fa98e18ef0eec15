// What `sim replay` and `sim show` make of a small scenario in a file, crash.json, to the byte: the
// trace of a run in which a check fails, and its picture. The check is planted here: it objects to
// any backup. What is meant to change either is looked at and taken over by deleting the snapshot.

using System;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using Balancer.Core;
using Simulation.Commands;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;
using Snapshooter.Xunit;
using Xunit;

namespace Tests.Property.Sim;

public sealed class ReplayTests
{
    private static readonly string File =
        Path.Combine(AppContext.BaseDirectory, "Sim", "crash.json");

    [Fact]
    public void Trace_MatchesTheSnapshot()
    {
        var (exitCode, output) = Run(new ObjectsToBackups(), "replay", File, "--trace");
        Assert.Equal(Tool.Safety, exitCode);
        Snapshot.Match(output);
    }

    [Fact]
    public void Picture_MatchesTheSnapshot()
    {
        var svg = Path.GetTempFileName();
        try
        {
            var (exitCode, output) = Run(new ObjectsToBackups(), "show", File, "--svg", svg);
            Assert.Equal((Tool.Safety, $"drawn: {svg}\n"), (exitCode, output));
            Snapshot.Match(System.IO.File.ReadAllText(svg));
        }
        finally
        {
            System.IO.File.Delete(svg);
        }
    }

    [Fact]
    public void RealChecks_FindNothingInIt()
    {
        var (exitCode, output) = Run(new RealSimulator(), "replay", File);
        Assert.Equal(Tool.Passed, exitCode);
        Assert.StartsWith("passed\n", output, StringComparison.Ordinal);
    }

    private static (int ExitCode, string Output) Run(Simulator simulator, params string[] arguments)
    {
        using var output = new StringWriter { NewLine = "\n" };
        return (new Tool(simulator, output, output).Main(arguments), output.ToString());
    }

    /// <summary>The real simulator, with one check that no balancer could pass.</summary>
    private sealed class ObjectsToBackups : Simulator
    {
        private readonly RealSimulator _real = new();

        public override Scenario Generate(ulong seed, Choice choice) =>
            _real.Generate(seed, choice);

        public override RunResult Run(Scenario scenario, ImmutableArray<string> checks,
            params RunObserver[] watchers) =>
            _real.Run(scenario, checks, [.. watchers, new NoBackup()]);

        public override Scenario Read(string json) => _real.Read(json);

        public override string Write(Scenario scenario) => _real.Write(scenario);
    }

    private sealed class NoBackup : RunObserver
    {
        public override void OnLogged(Instant now, ILogEvent logged)
        {
            if (logged is LogEvent.RemoteAssigned { IsBackup: true } assigned)
            {
                throw new ViolationException("S3", now,
                    $"{assigned.Remote} was given backend {assigned.Backend} as backup;"
                    + " planted: nobody should", backend: 1, client: 1);
            }
        }
    }
}
