// Scenarios in files: what was written reads back, with the same bytes and the same run, and what
// is wrong is one line that names the field.

using System;
using System.Linq;
using System.Text;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class ScenarioFileTests
{
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
    [InlineData("  \"TcpConnectionsPerClient\": 1000,\n")]
    [InlineData("  \"WarmUp\": 1000000000,\n")]
    [InlineData(" \"StopAgain\": 0,\n")]
    [InlineData(" \"Profile\": \"hand-made\",\n")]
    public void FieldThatAnOlderFileLacks_IsAtItsDefault(string field)
    {
        var scenario = RunningWorlds.Calm() with { Kernel = new KernelPlan() };
        var text = Encoding.UTF8.GetString(ScenarioFile.Write(scenario));
        Assert.Contains(field, text, StringComparison.Ordinal);
        var back = ScenarioFile.Read(
            Encoding.UTF8.GetBytes(text.Replace(field, "", StringComparison.Ordinal)));
        Assert.Equal(scenario.Kernel, back.Kernel);
        Assert.Equal(text, Encoding.UTF8.GetString(ScenarioFile.Write(back)));
    }

    [Theory]
    [InlineData("\"Seed\": 7", "\"Seed\": \"x\"", "$.Seed: is no whole number that fits")]
    [InlineData("\"Seed\": 7", "\"Seed\": -1", "$.Seed: is no whole number that fits")]
    [InlineData("\"HealAt\": 40000000000", "\"HealAt\": 1.5",
        "$.HealAt: a time is a whole number of nanoseconds")]
    [InlineData("\"10.1.0.1\"", "\"10.1.0\"", "$.UdpClients[0].Address: an address is four")]
    [InlineData("\"Kind\": \"Question\"", "\"Kind\": \"Riddle\"",
        "$.UdpClients[0].Queries[0].Kind: is none of Question, ")]
    [InlineData("\"MaxReadBytes\": 2147483647", "\"MaxReadBytes\": 0",
        "$.Kernel.MaxReadBytes: is 1 or more")]
    [InlineData("\"MaxReadBytes\": 2147483647", "\"MaxReadBytes\": 2147483648",
        "$.Kernel.MaxReadBytes: is no whole number that fits")]
    [InlineData("\"MaxReadBytes\": 2147483647", "\"MaxReadBytes\": 0.5",
        "$.Kernel.MaxReadBytes: is no whole number that fits")]
    [InlineData("\"MaxReadBytes\": 2147483647", "\"MaxReadBytes\": true",
        "$.Kernel.MaxReadBytes: is no whole number that fits")]
    [InlineData("\"TellsChanges\": true", "\"TellsChanges\": 1",
        "$.Kernel.TellsChanges: is neither true nor false")]
    [InlineData("\"Name\": \"5302\"", "\"Name\": \"5301\"", "$.Backends[1].Name: is taken")]
    [InlineData("\"Name\": \"5302\"", "\"Name\": 5302", "$.Backends[1].Name: is no text")]
    [InlineData("\"Name\": \"5302\"", "\"Name\": null", "$.Backends[1].Name: is null")]
    [InlineData("\"Faults\": []", "\"Faults\": {}", "$.Faults: is not as it is written")]
    [InlineData("\"Seed\"", "\"Sead\"", "$.Sead: no such field: Sead")]
    [InlineData("\"Seed\": 7,", "\"Seed\": 7", "line 3: ")]
    [InlineData("\"Seed\": 7", "\"Seed\": 7, \"Seed\": 8", "$: a field is there twice: Seed")]
    [InlineData("\"MaxReadBytes\": 2147483647", "\"MaxReadBytes\": 1, \"MaxReadBytes\": 2",
        "$: a field is there twice: MaxReadBytes")]
    [InlineData("\"Name\": \"5302\"", "\"Name\": \"5302\", \"Name\": \"5303\"",
        "$: a field is there twice: Name")]
    public void WrongField_IsOneLineThatNamesIt(string right, string wrong, string field)
    {
        var text = Encoding.UTF8.GetString(ScenarioFile.Write(RunningWorlds.Calm()));
        var at = text.IndexOf(right, StringComparison.Ordinal);
        Assert.True(at >= 0);
        var broken = text.Remove(at, right.Length).Insert(at, wrong);
        var thrown = Assert.Throws<ScenarioFormatException>(
            () => ScenarioFile.Read(Encoding.UTF8.GetBytes(broken)));
        Assert.StartsWith(field, thrown.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', thrown.Message);
        Assert.DoesNotMatch("JSON (value|prop)|System|Simulation|type '", thrown.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    public void NoScenario_IsRefused(string text) =>
        Assert.Throws<ScenarioFormatException>(
            () => ScenarioFile.Read(Encoding.UTF8.GetBytes(text)));
}
