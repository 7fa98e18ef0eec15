// A scenario in words: everything of a small one is there, a large one stays short.

using System;
using System.IO;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Commands;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Commands;

public sealed class ScenarioTextTests
{
    [Fact]
    public void SmallScenario_IsDescribedWhole()
    {
        var scenario = new Scenario
        {
            Seed = 7,
            HealAt = At(3_000),
            End = At(9_500),
            Kernel = new KernelPlan { ClockStep = Duration.FromMilliseconds(250) },
            Backends =
            [
                new BackendPlan(0, "5301", Instant.Zero, true, Misbehaviour.None),
                new BackendPlan(1, "5302", At(500), false, Misbehaviour.None with
                {
                    NoHeartbeat = true, DelayNs = 1_500_000_000,
                }),
            ],
            UdpClients =
            [
                new UdpClientPlan(3, Ipv4.From(10, 1, 0, 4), true,
                    [new QueryPlan(At(1_000), 20_001, QueryKind.Question, 0)]),
            ],
            TcpClients =
            [
                new TcpClientPlan(1000, Ipv4.From(10, 2, 0, 7), 11_000, At(2_000), 0, 5,
                    TcpManner.Resets, Duration.FromMilliseconds(40)),
            ],
            Faults =
            [
                new FaultPlan(1, At(1_200), Duration.FromSeconds(2L), FaultKind.BackendCrash, 0),
                new FaultPlan(2, At(1_300), Duration.FromSeconds(1L),
                    FaultKind.KernelAccept, -1, 1),
            ],
        };

        Assert.Equal("""
              until     9.500 s, chaos until 3.000 s
              host      a clock with steps of 250 ms
              backend   0 is '5301'
              backend   1 is '5302', from 0.500 s on: Delay 1.5s, NoHeartbeat
              UDP       3 is 10.1.0.4, asks at 1.000 s (port 20001); retries
              TCP       1000 is 10.2.0.7:11000, connects at 2.000 s, 0 questions; resets 40 ms later
              fault     at 1.200 s BackendCrash of '5301', for 2 s
              fault     at 1.300 s KernelAccept: ENFILE, for 1 s

            """, Shrunk(scenario));
    }

    [Fact]
    public void LargeScenario_StaysShort()
    {
        var seed = Enumerable.Range(1, 100).Select(n => new RealSimulator().Generate(
            (ulong)n, new Choice { Profile = "tcp" })).MaxBy(s => s.Faults.Length)!;

        var text = Shrunk(seed);

        Assert.Contains(" more\n", text, StringComparison.Ordinal);
        Assert.InRange(text.Split('\n').Length, 10, 60);
    }

    private static Instant At(long milliseconds) => new(milliseconds * 1_000_000);

    /// <summary>What is said of a scenario of which nothing can be taken away.</summary>
    private static string Shrunk(Scenario scenario)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, new RealSimulator().Write(scenario));
            var run = CommandRun.Of($"shrink {file} -o {file}", new FakeSimulator
            {
                Fail = tried => new RealSimulator().Write(tried) == File.ReadAllText(file)
                    ? new Violation("S3", At(1_500), 1, "") : null,
            });
            var from = run.Output.IndexOf("  until ", StringComparison.Ordinal);
            return run.Output[from..run.Output.IndexOf("fails with", StringComparison.Ordinal)];
        }
        finally
        {
            File.Delete(file);
        }
    }
}
