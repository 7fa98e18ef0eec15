// A fault that can do nothing is refused with its reason; the nearest fault that can do something
// is not. And what is refused really does nothing: a run without it is the same.

using System;
using System.Linq;
using System.Text;
using Balancer.Core;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class VainFaultTests
{
    [Theory]
    [InlineData("""{ "kind": "backendCrash", "backend": "5303", "at": "9s" }""",
        "line 8: faults[0].backend: there is no backend '5303' (there are '5301', '5302', 'late')")]
    [InlineData("""{ "kind": "backendPause", "backend": "5301", "at": "40s", "for": "1s" }""",
        "line 8: faults[0].at: the fault begins at 40s, and chaos ends at healAt, 40s")]
    [InlineData("""{ "kind": "udpLoss", "at": "9s", "for": "0s", "oneIn": 2 }""",
        "line 8: faults[0].for: must be above 0s: the fault lasts no time")]
    [InlineData("""{ "kind": "udpReorder", "at": "9s", "for": "1s", "upTo": "0s" }""",
        "line 8: faults[0].upTo: must be above 0: the fault does nothing")]
    [InlineData("""{ "kind": "backendReset", "backend": "late", "at": "9s" }""",
        "line 8: faults[0]: it finds nobody: 'late' starts later, at 20s")]
    [InlineData("""{ "kind": "backendScript", "backend": "5301", "at": "9s", "on": false }""",
        "line 8: faults[0]: '5301' has no script")]
    [InlineData("""{ "kind": "backendScript", "backend": "5302", "at": "9s", "on": true }""",
        "line 8: faults[0].on: '5302' does so already")]
    [InlineData("""{ "kind": "udpLoss", "at": "20s", "for": "9s", "oneIn": 2 }""",
        "line 8: faults[0]: no UDP client sends anything while the fault lasts")]
    [InlineData("""{ "kind": "udpSendBlocked", "at": "1s", "for": "8.9s" }""",
        "line 8: faults[0]: no UDP client asks anything before the fault ends")]
    [InlineData("""{ "kind": "udpSendBlocked", "at": "47.1s", "for": "1s" }""",
        "line 8: faults[0]: no UDP client waits for an answer then", "50s")]
    [InlineData("""{ "kind": "udpSendFails", "at": "47.1s", "times": 2 }""",
        "line 8: faults[0]: no UDP client waits for an answer then", "50s")]
    [InlineData("""{ "kind": "kernelAccept", "at": "1s", "for": "2s", "error": "EMFILE" }""",
        "line 8: faults[0]: no TCP client connects before the fault ends")]
    [InlineData("""
        { "kind": "backendCrash", "backend": "5301", "at": "9s", "for": "5s" },
            { "kind": "backendReset", "backend": "5301", "at": "13.9s" }
        """, "line 9: faults[1]: it finds nobody: '5301' is down from 9s to 14s")]
    [InlineData("""
        { "kind": "backendUnlink", "backend": "5301", "at": "9s", "for": "5s" },
            { "kind": "backendReset", "backend": "5301", "at": "30s" }
        """, "line 9: faults[1]: it finds nobody: '5301' has ended at 14s")]
    [InlineData("""
        { "kind": "streamShort", "at": "9s", "for": "5s", "bytes": 3 },
            { "kind": "streamShort", "at": "10s", "for": "4s", "bytes": 3 }
        """, "line 9: faults[1]: faults[0] is the same and lasts longer")]
    [InlineData("""
        { "kind": "kernelWakes", "at": "9s", "times": 2 },
            { "kind": "kernelWakes", "at": "9s", "times": 2 }
        """, "line 9: faults[1]: is the same as faults[0]")]
    public void FaultThatCanDoNothing_IsRefusedWithItsReason(
        string faults, string why, string healAt = "40s") => Assert.Equal(why,
            Assert.Throws<ScenarioFormatException>(() => Read(faults, healAt)).Message);

    [Theory]
    [InlineData("""{ "kind": "backendPause", "backend": "5301", "at": "39.9s", "for": "1s" }""")]
    [InlineData("""{ "kind": "backendReset", "backend": "late", "at": "20s" }""")]
    [InlineData("""{ "kind": "udpLoss", "at": "16s", "for": "9s", "oneIn": 2 }""")]
    [InlineData("""{ "kind": "udpSendBlocked", "at": "1s", "for": "9.1s" }""")]
    [InlineData("""{ "kind": "udpSendBlocked", "at": "46.9s", "for": "1s" }""", "50s")]
    [InlineData("""{ "kind": "udpSendFails", "at": "46.9s", "times": 2 }""", "50s")]
    [InlineData("""
        { "kind": "clockStall", "at": "11s", "for": "5s" },
            { "kind": "udpSendFails", "at": "48s", "times": 2 }
        """, "50s")]
    [InlineData("""{ "kind": "kernelAccept", "at": "1s", "for": "4s", "error": "EMFILE" }""")]
    [InlineData("""
        { "kind": "backendRebind", "backend": "late", "at": "5s" },
            { "kind": "backendReset", "backend": "late", "at": "9s" }
        """)]
    [InlineData("""
        { "kind": "backendCrash", "backend": "5301", "at": "9s", "for": "5s" },
            { "kind": "backendReset", "backend": "5301", "at": "14.1s" }
        """)]
    [InlineData("""
        { "kind": "backendCrash", "backend": "5302", "at": "9s", "for": "5s" },
            { "kind": "backendReset", "backend": "5302", "at": "10s" }
        """)]
    [InlineData("""
        { "kind": "backendScript", "backend": "5302", "at": "8s", "on": false },
            { "kind": "backendScript", "backend": "5302", "at": "9s", "on": true }
        """)]
    [InlineData("""
        { "kind": "streamShort", "at": "9s", "for": "5s", "bytes": 3 },
            { "kind": "streamShort", "at": "10s", "for": "6s", "bytes": 3 }
        """)]
    [InlineData("""
        { "kind": "streamShort", "at": "9s", "for": "9s", "bytes": 3 },
            { "kind": "streamShort", "at": "10s", "for": "6s", "bytes": 4 },
            { "kind": "streamShort", "at": "11s", "for": "2s", "bytes": 3 }
        """)]
    public void FaultThatMayDoSomething_IsTaken(string faults, string healAt = "40s") =>
        Read(faults, healAt);

    [Fact]
    public void Generator_MakesNone()
    {
        for (ulong seed = 0; seed < 300; seed++)
        {
            foreach (var profile in Enum.GetValues<Profile>())
                Assert.Null(ScenarioFile.WhyNot(Generator.FromSeed(seed, profile)));
        }
    }

    [Fact]
    public void WhatIsLeftOut_DidNothing()
    {
        var dropped = 0;
        for (ulong seed = 0; seed < 40; seed++)
        {
            var length = new GeneratorOptions { Length = Duration.FromSeconds(60L) };
            var scenario = Generator.FromSeed(seed, Profile.Swarm, length);
            // Half of these come while the process is down, since it is down half of the time.
            var target = scenario.Backends[0];
            var crashes = Enumerable.Range(1, 20).Select(n => new FaultPlan(
                90_000 + n, new Instant(scenario.HealAt.Nanoseconds / 21 * n),
                new Duration(scenario.HealAt.Nanoseconds / 9), FaultKind.BackendCrash, target.Id));
            var more = scenario with
            {
                Faults = [.. scenario.Faults.Concat(crashes).OrderBy(fault => fault.At)],
            };
            var without = ScenarioFile.WithoutVainFaults(more);
            dropped += more.Faults.Length - without.Faults.Length;
            Assert.Equal(ScenarioRun.Execute(more).Hash, ScenarioRun.Execute(without).Hash);
        }
        Assert.True(dropped > 100, $"{dropped} were left out");
    }

    [Fact]
    public void SendsBlockedBeforeTheFirstQuery_DoNothing()
    {
        var none = Read("");
        var blocked = none with
        {
            Faults = [new FaultPlan(1, new Instant(1_000_000_000),
                new Duration(8_900_000_000), FaultKind.UdpSendBlocked)],
        };

        Assert.Equal(HashOf(none), HashOf(blocked));

        static ulong HashOf(Scenario scenario)
        {
            var hash = new RunHash { IgnoresFaults = true };
            ScenarioRun.Execute(scenario, hash);
            return hash.Value;
        }
    }

    private static Scenario Read(string faults, string healAt = "40s") =>
        ScenarioFile.Read(Encoding.UTF8.GetBytes($$"""
        {
          "healAt": "{{healAt}}", "end": "60s",
          "backends": [{ "name": "5301" }, { "name": "5302", "script": { "crashAfter": 9 } },
            { "name": "late", "startAt": "20s" }],
          "udpClients": [{ "queries": [{ "at": "10s" }] }],
          "tcpClients": [{ "at": "5s" }],
          "faults": [
            {{faults}}
          ]
        }
        """));
}
