// Scripts as text, and the commands that a running process takes.

using System.IO;
using FakeBinder;
using Xunit;

namespace Tests.Unit.FakeBinder;

public sealed class ScriptFileTests
{
    [Fact]
    public void Script_ReadsBackEqual()
    {
        var script = new Misbehaviour
        {
            DelayNs = 5,
            HangAfter = 0,
            NoHello = true,
            CloseAfterHelloNs = 0,
            ReplyAddress = 0x7f000001,
            ReplyPort = 65_589,
            DuplicateReplies = 3,
        };

        Assert.Equal(script, ScriptFile.Read(ScriptFile.Write(script)));
        Assert.Equal("{\"delay\":\"0.000005ms\",\"hangAfter\":0,\"noHello\":true,"
            + "\"closeAfterHello\":\"0s\",\"replyPort\":65589,\"replyAddress\":\"127.0.0.1\","
            + "\"duplicateReplies\":3}", ScriptFile.Write(script));
        Assert.Equal("{}", ScriptFile.Write(Misbehaviour.None));
        Assert.Equal(Misbehaviour.None, ScriptFile.Read("{}"));
    }

    [Fact]
    public void EveryKeyAndOption_IsInTheDocuments()
    {
        var page = File.ReadAllText(Path.Combine(ArchitectureTests.Root, "docs", "fake-binder.md"));

        Assert.All(MisbehaviourTable.All, misdeed => Assert.Contains(
            $"| `{misdeed.Name}` | `{misdeed.Key}` |", page));
    }

    [Fact]
    public void EveryMember_CanBeSaidInAScript()
    {
        // Whatever is not there would be lost between the simulator and the process.
        foreach (var property in typeof(Misbehaviour).GetProperties())
        {
            var key = char.ToLowerInvariant(property.Name[0]) + property.Name[1..];
            if (key.EndsWith("Ns", System.StringComparison.Ordinal))
                key = key[..^2];
            var misdeed = Assert.Single(MisbehaviourTable.All, m => m.Key == key);
            var value = misdeed.Form switch
            {
                ValueForm.Flag => "true",
                ValueForm.Number => "7",
                ValueForm.Time => "1.5s",
                _ => "192.0.2.1",
            };

            var (set, wrong) = misdeed.Set(Misbehaviour.None, value);

            Assert.Null(wrong);
            Assert.NotEqual(
                property.GetValue(Misbehaviour.None), property.GetValue(set));
            Assert.Equal(set, ScriptFile.Read(ScriptFile.Write(set)));
        }
        Assert.Equal(
            typeof(Misbehaviour).GetProperties().Length, MisbehaviourTable.All.Length);
    }

    [Theory]
    [InlineData("", "is not JSON: line 1")]
    [InlineData("{\"noHello\":true", "is not JSON: line 1")]
    [InlineData("null", "must be an object")]
    [InlineData("[]", "must be an object")]
    [InlineData("{\"noHallo\":true}", "noHallo: no such key; the keys are delay, dropEvery, ")]
    [InlineData("{\"NoHello\":true}", "NoHello: no such key; the keys are delay, dropEvery, ")]
    [InlineData("{\"noHello\":1}", "noHello: must be true or false")]
    [InlineData("{\"noHello\":\"true\"}", "noHello: must be true or false")]
    [InlineData("{\"dropEvery\":0}", "dropEvery: must be a whole number, 1 to ")]
    [InlineData("{\"dropEvery\":\"3\"}", "dropEvery: must be a whole number, 1 to ")]
    [InlineData("{\"dropEvery\":null}", "dropEvery: must be a whole number, 1 to ")]
    [InlineData("{\"dropEvery\":1,\"dropEvery\":2}", "dropEvery: given more than once")]
    [InlineData("{\"frameSplit\":-1}", "frameSplit: ")]
    [InlineData("{\"replyLength\":65536}", "replyLength: ")]
    [InlineData("{\"duplicateReplies\":1001}", "duplicateReplies: ")]
    [InlineData("{\"pause\":\"-1s\"}", "pause: must be a time such as 250ms")]
    [InlineData("{\"pause\":5}", "pause: must be a time such as 250ms")]
    [InlineData("{\"replyAddress\":\"::1\"}", "replyAddress: must be an IPv4 address")]
    public void WhatIsNotAScript_IsOneLineThatNamesTheMember(string json, string named)
    {
        var wrong = Assert.Throws<ScriptFormatException>(() => ScriptFile.Read(json));

        Assert.StartsWith(named, wrong.Message);
        Assert.DoesNotContain('\n', wrong.Message);
        Assert.DoesNotContain("Misbehaviour", wrong.Message);
    }

    [Fact]
    public void Commands_AreRead()
    {
        Assert.Equal(new Command(CommandKind.Reset), Command.Read("reset"));
        Assert.Equal(new Command(CommandKind.End, 7), Command.Read("end 7"));
        Assert.Equal(new Command(CommandKind.Accept), Command.Read("accept on"));
        Assert.Equal(new Command(CommandKind.AcceptNot, 0), Command.Read("accept off 0"));
        Assert.Equal(
            new Command(CommandKind.Script, Script: new Misbehaviour { NoHello = true }),
            Command.Read("script {\"noHello\":true}"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("resets")]
    [InlineData("reset 1")]
    [InlineData("end")]
    [InlineData("end 17")]
    [InlineData("end -1")]
    [InlineData("accept")]
    [InlineData("accept off")]
    [InlineData("script")]
    [InlineData("script {\"noHallo\":true}")]
    public void WhatIsNotACommand_IsNone(string line) => Assert.Null(Command.Read(line));
}
