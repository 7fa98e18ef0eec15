// Scripts as text, and the commands that a running process takes.

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
        Assert.Equal("{}", ScriptFile.Write(Misbehaviour.None));
        Assert.Equal(Misbehaviour.None, ScriptFile.Read("{}"));
    }

    [Theory]
    [InlineData("", "$")]
    [InlineData("null", "$: there is no script")]
    [InlineData("{\"NoHallo\":true}", "NoHallo")]
    [InlineData("{\"DropEvery\":0}", "$.DropEvery")]
    [InlineData("{\"FrameSplit\":-1}", "$.FrameSplit")]
    [InlineData("{\"ReplyLength\":65536}", "$.ReplyLength")]
    [InlineData("{\"DuplicateReplies\":1001}", "$.DuplicateReplies")]
    [InlineData("{\"PauseNs\":-1}", "$.PauseNs")]
    public void WhatIsNoScript_IsOneLineThatNamesTheMember(string json, string named)
    {
        var wrong = Assert.Throws<ScriptFormatException>(() => ScriptFile.Read(json));

        Assert.Contains(named, wrong.Message);
        Assert.DoesNotContain('\n', wrong.Message);
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
            Command.Read("script {\"NoHello\":true}"));
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
    [InlineData("script {\"NoHallo\":true}")]
    public void WhatIsNoCommand_IsNone(string line) => Assert.Null(Command.Read(line));
}
