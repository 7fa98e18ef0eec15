// What a user sees while `sim` works.

using System;
using System.Threading;
using Xunit;

namespace Tests.Unit.Sim.Commands;

public sealed class ProgressTests
{
    [Fact]
    public void Terminal_GetsOneLineThatIsGoneInTheEnd()
    {
        var run = Run(isTerminal: true);

        Assert.DoesNotContain('\n', run.Error);
        Assert.EndsWith("\r\e[K", run.Error, StringComparison.Ordinal);
        var shown = run.Error.Split('\r', StringSplitOptions.RemoveEmptyEntries);
        Assert.InRange(shown.Length, 2, 100);
        Assert.All(shown[..^1], line => Assert.Matches(
            @"^[0-9]+ seeds, [0-9.]+/s, [0-9,]+ virtual s/s, no failure"
                + @"(, [0-9]+:[0-9]{2} left)?\e\[K$",
            line));
        Assert.Contains(shown, line => line.Contains(" left", StringComparison.Ordinal));
        Assert.All(shown, line => Assert.InRange(line.Length, 0, 79 + 3));
    }

    [Fact]
    public void Pipe_GetsNothingOfAShortRun() => Assert.Empty(Run(isTerminal: false).Error);

    private static CommandRun Run(bool isTerminal) => CommandRun.Of(
        "run --seed 1 --count 8 --virtual 30s --jobs 1 --profile calm", new FakeSimulator
        {
            Fail = _ =>
            {
                Thread.Sleep(100);
                return null;
            },
        }, isTerminal);
}
