// The shrinker on predicates whose smallest scenario is known: that it gets there, that it never
// trades one failure for another, and that it stops when its budget does.

using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Running;
using Simulation.Scenarios;
using Simulation.Shrinking;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class ShrinkingTests
{
    private static readonly Violation S3 = new("S3", At(200), 1, "evidence");

    [Fact]
    public void TwoFaultsNeeded_AreAllThatIsLeft()
    {
        var result = Shrink(scenario =>
            scenario.Faults.Any(fault => fault.Id == 3)
            && scenario.Faults.Any(fault => fault.Id == 7));
        Assert.True(result.IsMinimal);
        Assert.Equal([3, 7], result.Smallest.Faults.Select(fault => fault.Id).Order());
        Assert.Empty(result.Smallest.UdpClients);
        Assert.Empty(result.Smallest.TcpClients);
        Assert.Empty(result.Smallest.Backends);
        Assert.All(result.Smallest.Faults, fault => Assert.Equal(Instant.Zero, fault.At));
    }

    [Fact]
    public void OneQueryNeeded_StaysWithItsClientAlone()
    {
        var result = Shrink(scenario => scenario.UdpClients.Any(client =>
            client.Id == 12 && client.Queries.Any(query => query.Port == 5)));
        var client = Assert.Single(result.Smallest.UdpClients);
        Assert.Equal(5, Assert.Single(client.Queries).Port);
        Assert.Empty(result.Smallest.Faults);
    }

    [Fact]
    public void AmountNeeded_IsNotMuchMoreThanThat()
    {
        var result = Shrink(scenario => scenario.Faults.Any(fault => fault.Amount >= 30));
        Assert.InRange(Assert.Single(result.Smallest.Faults).Amount, 30, 40);
    }

    [Fact]
    public void OneMisdeedNeeded_IsAllThatIsLeftOfTheScript()
    {
        var result = Shrink(scenario =>
            scenario.Backends.Any(backend => backend.Script.DropEvery == 3));
        Assert.Equal(new Misbehaviour { DropEvery = 3 },
            Assert.Single(result.Smallest.Backends).Script);
    }

    [Fact]
    public void AddressListenedOn_IsTheUsualOneAgain() => Assert.Equal(new KernelPlan(),
        Shrink(scenario => scenario.Faults.Length > 0).Smallest.Kernel);

    [Fact]
    public void AnotherCheck_DoesNotKeepAStep()
    {
        var start = Start();
        var result = Shrinker.Shrink(start, S3, scenario =>
            scenario.Backends.Length == 4 ? S3 : S3 with { Check = "S1" }, () => false);
        Assert.Equal("S3", result.Violation.Check);
        Assert.Equal(4, result.Smallest.Backends.Length);
    }

    [Fact]
    public void SpentBudget_EndsItWithWhatIsFound()
    {
        var runs = 0;
        var result = Shrinker.Shrink(Start(), S3, _ => { runs++; return S3; }, () => runs >= 3);
        Assert.False(result.IsMinimal);
        Assert.Equal(3, runs);
        Assert.Equal(3, result.Runs);
    }

    [Fact]
    public void Result_FailsAndStaysInOrder()
    {
        var result = Shrink(scenario => scenario.Faults.Length >= 3);
        Assert.Equal(3, result.Smallest.Faults.Length);
        Assert.Equal(result.Smallest.Faults.OrderBy(fault => fault.At).ThenBy(fault => fault.Id),
            result.Smallest.Faults);
    }

    /// <summary>
    /// Two things that must be some time apart cannot be moved one by one, but together they can.
    /// </summary>
    [Fact]
    public void WhatMustBeApart_ComesEarlierTogether()
    {
        var result = Shrink(scenario =>
            scenario.Faults.FirstOrDefault(fault => fault.Id == 8) is { } first
            && scenario.Faults.FirstOrDefault(fault => fault.Id == 10) is { } second
            && second.At - first.At == Duration.FromSeconds(7.4));

        Assert.Equal([At(0), At(7.4)], result.Smallest.Faults.Select(fault => fault.At));
    }

    [Fact]
    public void AmountNeeded_IsRound()
    {
        var result = Shrink(
            scenario => scenario.Faults.Any(fault => fault.Amount is > 3_900 and < 5_000),
            Start() with
            {
                Faults = [new FaultPlan(1, At(1), Duration.Zero, FaultKind.UdpLoss, -1, 4_711)],
            });

        Assert.Equal(4_000, Assert.Single(result.Smallest.Faults).Amount);
    }

    [Fact]
    public void OddTcpClient_IsAPlainOneAgain()
    {
        var result = Shrink(scenario => scenario.TcpClients.Any(client => client.Id == 21),
            Start() with
            {
                TcpClients = [new TcpClientPlan(21, Ipv4.From(10, 0, 1, 1), 21, At(1), 3, 10,
                    TcpManner.Trickles, Duration.FromSeconds(1L), 1, 100, 2,
                    Duration.FromMilliseconds(30))],
            });

        var left = Assert.Single(result.Smallest.TcpClients);
        Assert.Equal((TcpManner.Proper, Duration.Zero, 0, 0, 0, Duration.Zero), (left.Manner,
            left.After, left.Killer, left.Padding, left.Empty, left.Late));
        Assert.Equal(65_536, left.ChunkBytes);
    }

    [Fact]
    public void OddQuery_IsAQuestionAgain()
    {
        var result = Shrink(scenario => scenario.UdpClients.Any(client => client.Id == 12),
            Start() with
            {
                UdpClients = [new UdpClientPlan(12, Ipv4.From(10, 0, 0, 1), false,
                    [new QueryPlan(At(1), 5, QueryKind.Garbage, 700)])],
            });

        Assert.All(Assert.Single(result.Smallest.UdpClients).Queries, query =>
            Assert.Equal((QueryKind.Question, 0), (query.Kind, query.Bytes)));
    }

    private static ShrinkResult Shrink(
        System.Func<Scenario, bool> fails, Scenario start)
    {
        var result = Shrinker.Shrink(
            start, S3, scenario => fails(scenario) ? S3 : null, () => false);
        Assert.True(fails(result.Smallest));
        return result;
    }

    private static ShrinkResult Shrink(System.Func<Scenario, bool> fails) =>
        Shrink(fails, Start());

    private static Instant At(double seconds) => Instant.Zero + Duration.FromSeconds(seconds);

    private static Scenario Start() => new()
    {
        Seed = 1,
        HealAt = At(100.25),
        End = At(300),
        Backends = [.. Enumerable.Range(0, 4).Select(id => new BackendPlan(
            id, $"530{id}", At(id * 0.3), true,
            new Misbehaviour { DelayNs = 5, DropEvery = 3, NoHello = true }))],
        UdpClients = [.. Enumerable.Range(10, 5).Select(id => new UdpClientPlan(
            id, Ipv4.From(10, 0, 0, (byte)id), true, [.. Enumerable.Range(1, 9).Select(n =>
                new QueryPlan(At(n * 1.23), (ushort)n, QueryKind.Question, 40))]))],
        TcpClients = [.. Enumerable.Range(20, 3).Select(id => new TcpClientPlan(
            id, Ipv4.From(10, 0, 1, 1), (ushort)id, At(id), 3, 10, TcpManner.Proper, default))],
        Faults = [.. Enumerable.Range(0, 13).Select(id => new FaultPlan(id, At(1 + id * 3.7),
            Duration.FromSeconds(2.5), FaultKind.UdpLoss, -1, id * 10))],
    };
}
