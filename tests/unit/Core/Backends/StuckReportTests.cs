// StuckReport: the beginning and the end of a backend's being stuck, how often they are logged, and
// that every dropped query is in one record of an end.

using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class StuckReportTests
{
    private static readonly BackendId Id = new(5301);
    private static readonly Instant Start = Instant.Zero + Duration.FromSeconds(1);

    private readonly SimKernel _kernel = new();
    private readonly SimLog _log;
    private readonly Services _services;
    private readonly StuckReport _report;

    public StuckReportTests()
    {
        _log = new SimLog(_kernel.Clock);
        _services = new Services(_kernel.Network, new StreamOwners(), new Timers(), new Counters(),
            _log, new BalancerOptions(), TurnLimits.Standard);
        _report = new StuckReport(_services, Id);
    }

    [Fact]
    public void Drains_IsLoggedAtOnceWithHowLongAndHowMany()
    {
        Drop(0, times: 3);
        _report.OnDrained(At(0.25));

        Assert.Equal(new LogEvent.BackendStuck(Id, 100, 0), _log.Last<LogEvent.BackendStuck>());
        Assert.Equal(
            new LogEvent.BackendUnstuck(Id, Seconds(0.25), 3, StuckEnd.Drained), Ends.Single());
        Assert.Equal(0, _services.Timers.Count);
    }

    [Fact]
    public void SessionEnds_IsLoggedAsThat()
    {
        Drop(0);
        Drop(3);
        _report.OnSessionEnded(At(4));
        _report.OnSessionEnded(At(5));

        Assert.Equal(new LogEvent.BackendUnstuck(Id, Seconds(4), 2, StuckEnd.SessionEnded),
            Ends.Single());
        Assert.Equal(0, _services.Timers.Count);
    }

    [Fact]
    public void NothingDropped_NothingIsLogged()
    {
        _report.OnDrained(At(0));
        _report.OnSessionEnded(At(0));

        Assert.Empty(_log.Events);
    }

    [Fact]
    public void OthersTakeItsQueries_ItIsStuckAllTheSameAndNothingIsDropped()
    {
        Refuse(0);
        Refuse(1);
        _report.OnDrained(At(2));

        Assert.Equal(1, _log.Count<LogEvent.BackendStuck>());
        Assert.Equal(
            new LogEvent.BackendUnstuck(Id, Seconds(2), 0, StuckEnd.Drained), Ends.Single());
    }

    [Fact]
    public void DroppedThoughItTookIt_IsABug() =>
        Assert.Throws<VerificationException>(_report.OnDropped);

    [Fact]
    public void StaysStuck_IsLoggedEveryFiveSecondsWithAllThatCame()
    {
        Drop(0, times: 10);
        _services.Timers.RunDue(At(5), 10);
        // Nobody asks any more: nothing is new, and nothing is logged until the end.
        _services.Timers.RunDue(At(20), 10);
        Drop(21);
        _report.OnDrained(At(22));

        Assert.Equal([0, 8, 0], _log.Of<LogEvent.BackendStuck>().Select(e => e.Suppressed));
        Assert.Equal(
            new LogEvent.BackendUnstuck(Id, Seconds(22), 11, StuckEnd.Drained), Ends.Single());
    }

    [Fact]
    public void StuckAgainAndAgain_IsLoggedTwiceInFiveSeconds()
    {
        for (var n = 0; n < 49; n++)
        {
            Drop(n * 0.1, times: 2);
            _report.OnDrained(At(n * 0.1 + 0.05));
        }
        Assert.Equal(1, _log.Count<LogEvent.BackendStuck>());
        Assert.Single(Ends);
        _services.Timers.RunDue(At(5), 10);

        Assert.Equal(1, _log.Count<LogEvent.BackendStuck>());
        Assert.Equal([2, 96], Ends.Select(e => e.Dropped));
        Assert.Equal(Seconds(4.85 - 0.1), Ends.Last().Lasted);
        // That record begins five seconds of its own.
        Drop(5.1);
        Assert.Equal(1, _log.Count<LogEvent.BackendStuck>());
        _services.Timers.RunDue(At(10), 10);
        Assert.Equal(2, _log.Count<LogEvent.BackendStuck>());
    }

    [Fact]
    public void StuckAgainAndStillSoWhenItsTimeComes_IsLoggedAsStuck()
    {
        Drop(0);
        _report.OnDrained(At(0.1));
        Drop(1);
        _report.OnDrained(At(1.5));
        Drop(2);
        _services.Timers.RunDue(At(5), 10);
        Assert.Equal([0, 1], _log.Of<LogEvent.BackendStuck>().Select(e => e.Suppressed));
        _report.OnDrained(At(6));

        Assert.Equal(Seconds(5), Ends.Last().Lasted);
        Assert.Equal(2, Ends.Last().Dropped);
    }

    [Fact]
    public void SessionEndsBeforeTheTimeOfASuppressedEnd_TakesItAlong()
    {
        Drop(0);
        _report.OnDrained(At(0.1));
        Drop(1);
        _report.OnDrained(At(1.5));
        _report.OnSessionEnded(At(3));

        Assert.Equal(
            new LogEvent.BackendUnstuck(Id, Seconds(0.5), 1, StuckEnd.Drained), Ends.Last());
        Assert.Equal(0, _services.Timers.Count);
    }

    private LogEvent.BackendUnstuck[] Ends => [.. _log.Of<LogEvent.BackendUnstuck>()];

    private static Duration Seconds(double seconds) => Duration.FromSeconds(seconds);

    private static Instant At(double seconds) => Start + Seconds(seconds);

    private void Refuse(double seconds) => _report.OnRefused(At(seconds), queuedBytes: 100);

    private void Drop(double seconds, int times = 1)
    {
        for (var n = 0; n < times; n++)
        {
            Refuse(seconds);
            _report.OnDropped();
        }
    }
}
