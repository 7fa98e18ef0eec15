// What is logged while the kernel does not watch a socket.

using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class WatchReportTests : CoreTest
{
    private static readonly IoResult NoSpace = IoResult.Failed(IoStatus.Other, 28);

    [Fact]
    public void SocketIsNotWatched_IsLoggedOnceWithItsEnd()
    {
        HealthyBackends("5301");
        Assert.Empty(Log.Of<LogEvent.SocketsWatched>());
        Kernel.Faults.Unwatched = NoSpace;
        Run(30);
        Assert.Equal(NoSpace, Assert.Single(Log.Of<LogEvent.SocketsNotWatched>()).Why);
        Assert.Empty(Log.Of<LogEvent.SocketsWatched>());
        Kernel.Faults.Unwatched = IoResult.Ok();
        Run(30);

        Assert.Single(Log.Of<LogEvent.SocketsNotWatched>());
        var over = Assert.Single(Log.Of<LogEvent.SocketsWatched>());
        Assert.InRange(over.Lasted.TotalSeconds, 25, 35);
        Assert.Equal(0, over.Suppressed);
    }

    [Fact]
    public void SocketIsNotWatchedNowAndThen_IsLoggedAtMostEveryFiveSecondsAndTheLastIsSo()
    {
        HealthyBackends("5301");
        for (var n = 0; n < 25; n++)
        {
            Kernel.Faults.Unwatched = NoSpace;
            Ask(1);
            Kernel.Faults.Unwatched = IoResult.Ok();
            Ask(1);
            Run(0.1);
        }
        Assert.Single(Log.Of<LogEvent.SocketsNotWatched>());
        Assert.Empty(Log.Of<LogEvent.SocketsWatched>());
        Run(10);

        Assert.Single(Log.Of<LogEvent.SocketsNotWatched>());
        Assert.Equal(48, Assert.Single(Log.Of<LogEvent.SocketsWatched>()).Suppressed);
    }

    [Fact]
    public void ReasonIsAnother_IsLogged()
    {
        HealthyBackends("5301");
        Kernel.Faults.Unwatched = NoSpace;
        Run(6);
        Kernel.Faults.Unwatched = IoResult.Failed(IoStatus.NoBuffers, 12);
        Run(6);

        Assert.Equal(2, Log.Count<LogEvent.SocketsNotWatched>());
        Assert.Equal(12, Log.Last<LogEvent.SocketsNotWatched>().Why.Errno);
    }
}
