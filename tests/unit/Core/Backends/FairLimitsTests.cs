// The bounds of FairShares, each on both of its sides: from when on a backend is behind, and how
// many queries a client may have there in any case.

using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class FairLimitsTests
{
    private static readonly Ipv4 Loud = Ipv4.From(10, 0, 0, 1);
    private static readonly Ipv4 Quiet = Ipv4.From(10, 0, 0, 2);
    private static readonly Instant Start = Instant.Zero + Duration.FromSeconds(1);

    private readonly FairShares _shares = new(hashKey: 7);

    [Theory]
    [InlineData(15, false)]
    [InlineData(16, true)]
    public void FewInFlight_AreNobodysExcess(int inFlight, bool isOver)
    {
        _shares.Begin();
        for (var n = 0; n < inFlight; n++)
            _shares.Add(Loud);
        _shares.Add(Quiet);

        Assert.Equal(isOver, _shares.IsOver(Loud, inFlight + 1));
        Assert.False(_shares.IsOver(Quiet, inFlight + 1));
    }

    /// <summary>What was done in the half second before this one counts, and no more.</summary>
    [Theory]
    [InlineData(500, 4000)]
    [InlineData(999, 4000)]
    [InlineData(1000, 0)]
    public void Progress_IsThatOfHalfASecond(int afterMs, long expected)
    {
        _shares.Begin();
        _shares.OnProgress(Start, 1000);
        _shares.OnProgress(Start + Duration.FromMilliseconds(499), 5000);

        Assert.Equal(
            expected, _shares.Progress(Start + Duration.FromMilliseconds(afterMs), 5000));
    }

    /// <summary>16 KB may always wait, and 64 KB for 0.15 s.</summary>
    [Theory]
    [InlineData(150, 16_384, false)]
    [InlineData(150, 16_385, true)]
    [InlineData(149, 65_536, false)]
    [InlineData(149, 65_537, true)]
    public void BackendThatAnsweredNothingLately_IsBehindFromSoManyBytesOn(
        int waitedMs, long bytes, bool isOver)
    {
        var table = TableWithTwenty(ServicesOfATest());

        Assert.Equal(isOver, table.IsOverShare(Start + Duration.FromMilliseconds(waitedMs), Loud,
            isCrowd: false, bytes, queued: 0, mayHang: false));
    }

    [Theory]
    [InlineData(true, 499, false)]
    [InlineData(true, 500, true)]
    [InlineData(false, 499, false)]
    [InlineData(false, 500, true)]
    public void ItOrTheBalancerStoodStill_IsNotBehindForHalfASecond(
        bool isBackend, int afterMs, bool isOver)
    {
        var services = ServicesOfATest();
        var table = TableWithTwenty(services);
        var end = Start + Duration.FromSeconds(1);
        if (isBackend)
            table.OnSilenceOver(end);
        else
            services.Standstill.OnTurn(end, Limits.FairTime);
        var now = end + Duration.FromMilliseconds(afterMs);

        Assert.Equal(isOver, table.IsOverShare(
            now, Loud, isCrowd: false, 100_000, queued: 0, mayHang: false));
        Assert.True(table.IsOverShare(now, Loud, isCrowd: false, 100_000,
            queued: (Limits.BackendQueueBytes / 2) + 1, mayHang: false));
    }

    private static Services ServicesOfATest() => new(new ScriptedNetwork(), new StreamOwners(),
        new Timers(), new Counters(), new SimLog(new SimKernel().Clock), new BalancerOptions(),
        TurnLimits.Standard);

    private static InFlight TableWithTwenty(Services services)
    {
        var table = new InFlight(services, new QueryPairs(), new Quarantine(services));
        for (var n = 0; n < 20; n++)
        {
            var client = new Endpoint(n == 0 ? Quiet : Loud, (ushort)(4000 + n));
            table.Add(Start, new Query(client, default, Start), new byte[12], n + 1);
        }
        return table;
    }
}
