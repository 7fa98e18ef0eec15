// Scenarios in files: what was written reads back, with the same bytes and the same run; what a
// file leaves out is at its default; and what is wrong is one line that names the line of the file
// and the field.

using System;
using System.Linq;
using System.Text;
using Balancer.Core;
using FakeBinder;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class ScenarioFileTests
{
    private const string Small = """
        {
          // Comments are fine.
          "healAt": "40s",
          "end": "1m",
          "backends": [
            { "name": "5301", "script": { "delay": "150ms" } },
            { "name": "5302" },
          ],
          "udpClients": [
            { "queries": [{ "at": "2s", "every": "500ms", "times": 3 }, { "at": "2.6s" }] }
          ],
          "tcpClients": [{ "at": "3s" }],
          "faults": [
            { "kind": "backendCrash", "backend": "5302", "at": "10s", "for": "4s" },
            { "kind": "udpLoss", "at": "2s", "for": "3s", "oneIn": 2 }
          ]
        }
        """;

    [Fact]
    public void SmallFile_HasDefaultsForAllThatItLeavesOut()
    {
        var scenario = Read(Small);
        Assert.Equal((0ul, "hand-made", Duration.Zero),
            (scenario.Seed, scenario.Profile, scenario.StopAgain));
        Assert.Equal((At(40), At(60)), (scenario.HealAt, scenario.End));
        Assert.Equal(new KernelPlan(), scenario.Kernel);
        Assert.Equal(
            [
                new BackendPlan(0, "5301", Instant.Zero, true,
                    new Misbehaviour { DelayNs = 150_000_000 }),
                new BackendPlan(1, "5302", Instant.Zero, true, Misbehaviour.None),
            ],
            scenario.Backends.AsEnumerable());
        var client = Assert.Single(scenario.UdpClients);
        Assert.Equal((0, Ipv4.From(10, 1, 0, 1), true),
            (client.Id, client.Address, client.Retries));
        Assert.Equal([2000, 2500, 2600, 3000],
            client.Queries.Select(query => query.At.Nanoseconds / 1_000_000));
        Assert.All(client.Queries, query => Assert.Equal(
            new QueryPlan(query.At, 40_000, QueryKind.Question, 0), query));
        Assert.Equal(new TcpClientPlan(1, Ipv4.From(10, 2, 0, 1), 50_000, At(3), 1, 65_536,
            TcpManner.Proper, Duration.Zero), Assert.Single(scenario.TcpClients));
        Assert.Equal(
            [
                new FaultPlan(0, At(10), Duration.FromSeconds(4L), FaultKind.BackendCrash, 1),
                new FaultPlan(1, At(2), Duration.FromSeconds(3L), FaultKind.UdpLoss, -1, 2),
            ],
            scenario.Faults.AsEnumerable());
    }

    [Fact]
    public void WhatIsWritten_SaysNothingThatIsAtItsDefault()
    {
        var text = Encoding.UTF8.GetString(ScenarioFile.Write(Read(Small)));
        Assert.Equal("""
            {
              "seed": 0,
              "healAt": "40s",
              "end": "60s",
              "backends": [{ "name": "5301", "script": { "delay": "150ms" } }, { "name": "5302" }],
              "udpClients": [
                { "queries": [{ "at": "2s" }, { "at": "2.5s" }, { "at": "2.6s" }, { "at": "3s" }] }
              ],
              "tcpClients": [{ "at": "3s" }],
              "faults": [
                { "kind": "backendCrash", "backend": "5302", "at": "10s", "for": "4s" },
                { "kind": "udpLoss", "at": "2s", "for": "3s", "oneIn": 2 }
              ]
            }

            """, text);
    }

    [Fact]
    public void TwoHundredScenarios_ReadBackTheSame()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            var scenario = Generator.FromSeed(seed, (Profile)(seed % 5));
            var bytes = ScenarioFile.Write(scenario);
            var back = ScenarioFile.Read(bytes);
            Assert.Equal(scenario.Backends.ToArray(), back.Backends.ToArray());
            Assert.Equal(scenario.TcpClients.ToArray(), back.TcpClients.ToArray());
            Assert.Equal(scenario.Faults.ToArray(), back.Faults.ToArray());
            Assert.Equal(scenario.Kernel, back.Kernel);
            Assert.True(bytes.AsSpan().SequenceEqual(ScenarioFile.Write(back)), $"seed {seed}");
        }
    }

    [Fact]
    public void ScenarioReadBack_RunsTheSame()
    {
        var scenario = RunningWorlds.Calm(
            RunningWorlds.Fault(FaultKind.BackendStop, 10, 4, target: 0));
        var back = ScenarioFile.Read(ScenarioFile.Write(scenario));
        Assert.Equal(ScenarioRun.Execute(scenario).Hash, ScenarioRun.Execute(back).Hash);
    }

    [Theory]
    [InlineData("1ns", 1)]
    [InlineData("2.5us", 2_500)]
    [InlineData("150ms", 150_000_000)]
    [InlineData("3.2s", 3_200_000_000)]
    [InlineData("96.124878262s", 96_124_878_262)]
    [InlineData("1.5m", 90_000_000_000)]
    [InlineData("2h", 7_200_000_000_000)]
    [InlineData("10.000s", 10_000_000_000)]
    public void Times_AreExact(string text, long nanoseconds)
    {
        var scenario = Read($$"""{ "healAt": "{{text}}", "end": "240h" }""");
        Assert.Equal(nanoseconds, scenario.HealAt.Nanoseconds);
        Assert.Equal(scenario.HealAt, ScenarioFile.Read(ScenarioFile.Write(scenario)).HealAt);
    }

    [Fact]
    public void LargestSeed_IsKept()
    {
        var scenario = new Scenario { Seed = ulong.MaxValue, End = At(1) };
        Assert.Equal(ulong.MaxValue, ScenarioFile.Read(ScenarioFile.Write(scenario)).Seed);
    }

    [Theory]
    [InlineData("\"40s\"", "40", "line 3: healAt: 40 is not a time (write \"3.2s\",")]
    [InlineData("\"40s\"", "\"40\"", "line 3: healAt: '40' is not a time")]
    [InlineData("\"40s\"", "\"-1s\"", "line 3: healAt: '-1s' is below 0s")]
    [InlineData("\"40s\"", "\"0.1ns\"", "line 3: healAt: '0.1ns' is not a time")]
    [InlineData("\"40s\"", "\"1e3s\"", "line 3: healAt: '1e3s' is not a time")]
    [InlineData("\"40s\"", "\"241h\"", "line 3: healAt: '241h' is not a time")]
    [InlineData("\"end\": \"1m\",", "", "line 1: the field end is missing")]
    [InlineData("\"end\": \"1m\"", "\"end\": \"0s\"", "line 4: end: must be above 0s")]
    [InlineData("\"healAt\"", "\"seed\": \"x\", \"healAt\"", "line 3: seed: 'x' is not a seed")]
    [InlineData("\"healAt\"", "\"seed\": -1, \"healAt\"", "line 3: seed: -1 is not a seed")]
    [InlineData("\"healAt\"", "\"kernel\": { \"maxReadBytes\": 0 }, \"healAt\"",
        "line 3: kernel.maxReadBytes: 0 is not a whole number from 1 to 2147483647")]
    [InlineData("\"healAt\"", "\"kernel\": { \"maxReadBytes\": 0.5 }, \"healAt\"",
        "line 3: kernel.maxReadBytes: 0.5 is not a whole number")]
    [InlineData("\"healAt\"", "\"kernel\": { \"tellsChanges\": 1 }, \"healAt\"",
        "line 3: kernel.tellsChanges: 1 is neither true nor false")]
    [InlineData("\"healAt\"", "\"kernel\": { \"listen\": \"10.1.0\" }, \"healAt\"",
        "line 3: kernel.listen: '10.1.0' is not an address (write four numbers: \"10.1.0.7\")")]
    [InlineData("\"healAt\"", "\"sead\": 1, \"healAt\"",
        "line 3: sead: there is no such field (there are seed, profile, healAt,")]
    [InlineData("\"healAt\"", "\"end\": \"2s\", \"healAt\"",
        "line 4: end: the field is written twice")]
    [InlineData("\"name\": \"5301\"", "\"name\": \"5302\"",
        "line 7: backends[1].name: another backend is called '5302'")]
    [InlineData("\"name\": \"5301\"", "\"name\": \"a/b\"",
        "line 6: backends[0].name: 'a/b' cannot be a socket's name")]
    [InlineData("\"name\": \"5302\"", "\"name\": 5302",
        "line 7: backends[1].name: 5302 is not a text")]
    [InlineData("\"name\": \"5302\"", "\"id\": 0, \"name\": \"5302\"",
        "line 7: backends[1].id: another backend has the id 0")]
    [InlineData("\"delay\": \"150ms\"", "\"dropEvery\": 0",
        "line 6: backends[0].script.dropEvery: 0 is not a whole number from 1")]
    [InlineData("\"delay\"", "\"slow\"", "line 6: backends[0].script.slow: there is no such field")]
    [InlineData("\"at\": \"2.6s\"", "\"kind\": \"garbage\"",
        "line 10: udpClients[0].queries[1]: the field at is missing")]
    [InlineData("\"at\": \"2.6s\"", "\"at\": \"2s\", \"kind\": \"riddle\"",
        "line 10: udpClients[0].queries[1].kind: 'riddle' is none of question, garbage, response")]
    [InlineData("\"tcpClients\": [{ \"at\": \"3s\" }]", "\"tcpClients\": { }",
        "line 12: tcpClients: must be a list, in [ ]")]
    [InlineData("[{ \"at\": \"3s\" }]", "[3]", "line 12: tcpClients[0]: must be an object, in { }")]
    [InlineData("{ \"at\": \"3s\" }", "{ \"at\": \"3s\", \"id\": 0 }",
        "line 12: tcpClients[0].id: another client has the id 0")]
    [InlineData("\"backendCrash\"", "\"backendCrush\"",
        "line 14: faults[0].kind: 'backendCrush' is none of backendCrash,")]
    [InlineData("\"oneIn\": 2", "\"times\": 2",
        "line 15: faults[1].times: there is no such field (there are id, kind, at, for, oneIn)")]
    [InlineData(", \"oneIn\": 2", "", "line 15: faults[1]: the field oneIn is missing")]
    [InlineData("\"oneIn\": 2", "\"oneIn\": 2, \"at\": \"3s\"",
        "line 15: faults[1].at: the field is written twice")]
    [InlineData("\"backendCrash\"", "\"BackendCrash\"",
        "line 14: faults[0].kind: 'BackendCrash' is not known (did you mean 'backendCrash'?)")]
    [InlineData("\"oneIn\"", "\"onein\"",
        "line 15: faults[1].onein: there is no such field (did you mean 'oneIn'?)")]
    [InlineData("\"at\": \"2.6s\"", "\"at\": \"2s\", \"often\": 3",
        "line 10: udpClients[0].queries[1].often: there is no such field (there are at, port, "
            + "kind, bytes, copies, variant, times, every)")]
    [InlineData("\"at\": \"2.6s\"", "\"at\": \"2s\", \"every\": \"3s\"",
        "line 10: udpClients[0].queries[1].every: comes with times, how many times it is sent")]
    [InlineData("\"name\": \"5302\"", "\"name\": \"5301\"",
        "line 7: backends[1].name: another backend is called '5301'")]
    [InlineData("{ \"at\": \"3s\" }", "{ \"at\": \"70s\" }",
        "line 12: tcpClients[0].at: the client connects at 70s, and the run ends at 60s")]
    [InlineData("\"end\": \"1m\",", "\"end\": \"1m\"",
        "line 5, column 3: not JSON: '\"' cannot stand here: is a comma missing before it?")]
    [InlineData("\"end\": \"1m\"", "end: \"1m\"",
        "line 4, column 3: not JSON: texts and names of fields stand in double quotes")]
    [InlineData("\"1m\"", "1m", "line 4, column 11: not JSON: 'm' cannot stand here")]
    [InlineData("\"1m\"", "'1m'",
        "line 4, column 10: not JSON: texts and names of fields stand in double quotes")]
    [InlineData("\"1m\"", "",
        "line 4, column 10: not JSON: ',' cannot stand here: is a value missing before it?")]
    [InlineData("\"1m\"", "\"1m", "line 4, column 14: not JSON: the line ends within a text")]
    [InlineData("\"1m\"", "\"1\\m\"",
        "line 4, column 13: not JSON: \\m means nothing in a text")]
    public void WrongField_IsOneLineThatNamesIt(string right, string wrong, string expected)
    {
        var at = Small.IndexOf(right, StringComparison.Ordinal);
        Assert.True(at >= 0);
        var thrown = Assert.Throws<ScenarioFormatException>(
            () => Read(Small.Remove(at, right.Length).Insert(at, wrong)));
        Assert.StartsWith(expected, thrown.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', thrown.Message);
        Assert.DoesNotMatch("System|Simulation|type '", thrown.Message);
    }

    [Fact]
    public void Every_OfNothing_SendsAllAtOnce()
    {
        var client = Assert.Single(Read(Small.Replace(
            "\"500ms\"", "\"0s\"", StringComparison.Ordinal)).UdpClients);
        Assert.Equal([2000, 2000, 2000, 2600],
            client.Queries.Select(query => query.At.Nanoseconds / 1_000_000));
    }

    [Theory]
    [InlineData("", "line 1, column 1: not JSON: there is nothing in it")]
    [InlineData("{ \"end\": \"\u00e9\" \"",
        "line 1, column 14: not JSON: '\"' cannot stand here: is")]
    [InlineData("{\n  \"end\": {\n", "line 3, column 1: not JSON: it ends too early")]
    [InlineData("{} {}", "line 1, column 4: not JSON: '{' cannot stand here")]
    [InlineData("{ \"end\": [1 2] }",
        "line 1, column 13: not JSON: '2' cannot stand here: is a comma")]
    [InlineData("{ \"end\": nul }", "line 1, column 13: not JSON: a value is true, ")]
    [InlineData("{ \"end\" \"1s\" }", "line 1, column 9: not JSON: ")]
    [InlineData("{ \"end\": 01 }", "line 1, column 11: not JSON: '1' cannot stand here")]
    [InlineData("{ \"end\": \"\\ud800\" }",
        "line 1, column 10: not JSON: a text is not proper Unicode")]
    public void WhatIsNotJson_IsSaidInOurWords(string text, string expected)
    {
        var thrown = Assert.Throws<ScenarioFormatException>(() => Read(text));
        Assert.StartsWith(expected, thrown.Message, StringComparison.Ordinal);
        Assert.DoesNotMatch("\n|0x|BytePosition|token|depth", thrown.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{} {}")]
    public void NoScenario_IsRefused(string text) =>
        Assert.Throws<ScenarioFormatException>(() => Read(text));

    [Fact]
    public void Remarks_ChangeNothing()
    {
        var scenario = Read(Small);
        var bytes = ScenarioFile.Write(scenario, ("check", "S1"), ("found", "a \"loss\""));
        Assert.Contains("\"check\": \"S1\"", Encoding.UTF8.GetString(bytes),
            StringComparison.Ordinal);
        Assert.Equal(ScenarioFile.Write(scenario), ScenarioFile.Write(ScenarioFile.Read(bytes)));
    }

    private static Instant At(long seconds) => Instant.Zero + Duration.FromSeconds(seconds);

    private static Scenario Read(string text) => ScenarioFile.Read(Encoding.UTF8.GetBytes(text));
}
