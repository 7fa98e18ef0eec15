// L1, L2, L4 and L5 alone, after chaos is over: what is owed does not come, because it is kept from
// the check or because the world cannot give it; and what comes close to that and is in order.

using System;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Kernel;
using Simulation.Scenarios;
using Tests.Support;
using Xunit;
using static Tests.Unit.Sim.Checking.Suspect;

namespace Tests.Unit.Sim.Checking;

public sealed class LivenessViolationTests
{
    private const int Client = 4;

    /// <summary>What the simulator's clients number their first query with.</summary>
    private const ushort IdOfFirstQuery = unchecked((ushort)(Client * 31_337));

    // ---- L1 ----

    [Fact]
    public void QueryAskedFourTimesInVain_BreaksL1() => Breaks("L1", static sim =>
    {
        Heal(sim);
        Ask(sim, tries: 4);
        sim.Run(30);
    }, World());

    [Fact]
    public void QueryAnsweredAtLast_PassesL1() => Passes("L1", static sim =>
    {
        Heal(sim);
        Ask(sim, tries: 4);
        sim.Run(10);
        sim.Observer.OnClientAnswered(sim.Now, Client, 0);
        sim.Run(20);
    }, World());

    [Fact]
    public void QueryGivenUpAfterThreeTries_PassesL1() => Passes("L1", static sim =>
    {
        Heal(sim);
        Ask(sim, tries: 3);
        sim.Run(30);
    }, World());

    [Fact]
    public void QueryThatTheKernelDidNotTake_PassesL1() => Passes("L1", static sim =>
    {
        Heal(sim);
        Ask(sim, tries: 4, queued: false);
        sim.Run(30);
    }, World());

    [Fact]
    public void QueryWhileNoCoreBackendIsHealthy_PassesL1() => Passes("L1", static sim =>
    {
        Heal(sim);
        Ask(sim, tries: 4);
        sim.First.Stop();
        sim.Run(30);
    }, World());

    // ---- L2 ----

    [Fact]
    public void CoreBackendThatNeverComes_BreaksL2() => Breaks("L2", static sim =>
    {
        Heal(sim);
        sim.Run(66);
    }, World("5301", "5303"));

    [Fact]
    public void CoreBackendThatComesAfter60s_PassesL2() => Passes("L2", static sim =>
    {
        Heal(sim);
        sim.Run(60);
        _ = new SimBackend(sim.Kernel, "5303");
        sim.Run(20);
    }, World("5301", "5303"));

    [Fact]
    public void OtherBackendThatNeverComes_PassesL2() => Passes("L2", static sim =>
    {
        Heal(sim);
        sim.Run(80);
    }, World("5301"));

    // ---- L4 ----

    [Fact]
    public void SpreadThatNoRebalanceMends_BreaksL4() => Breaks("L4", static sim =>
    {
        MakeSpread(sim);
        // Time that the core does not see.
        for (var n = 1; n <= 3; n++)
            sim.Observer.OnTurnEnded(sim.Now + Duration.FromSeconds(16L * n), sim.Core);
    });

    [Fact]
    public void SpreadAfterTwoRebalances_PassesL4() => Passes("L4", static sim =>
    {
        MakeSpread(sim);
        for (var n = 1; n <= 2; n++)
            sim.Observer.OnTurnEnded(sim.Now + Duration.FromSeconds(16L * n), sim.Core);
    });

    [Fact]
    public void SpreadThatIsMended_PassesL4() => Passes("L4", static sim =>
    {
        MakeSpread(sim);
        sim.Run(90);
        Assert.True(sim.Core.Counters[Counter.RemotesMoved] > 0);
    });

    // ---- L5 ----

    [Theory]
    [InlineData(1100, true)]
    [InlineData(900, false)]
    public void TurnsThatMoveNothing_BreakL5IfTheyAreMany(int turns, bool breaks) =>
        Judge(breaks, sim =>
        {
            // A second of the check's own begins with a turn.
            sim.Run(1);
            Turns(sim, turns);
        });

    [Theory]
    [InlineData(300, true)]
    [InlineData(150, false)]
    public void TurnsOfAnIdleSystem_BreakL5IfTheyAreMany(int turns, bool breaks) =>
        Judge(breaks, sim =>
        {
            Heal(sim);
            sim.Run(11);
            Turns(sim, turns);
        });

    [Fact]
    public void TurnsOfABusySystem_PassL5() => Passes("L5", static sim =>
    {
        Heal(sim);
        sim.Run(11);
        sim.Observer.OnClientSent(sim.Now, Client, new Endpoint(Asker, 1007), [], queued: true);
        Turns(sim, 300);
    });

    [Theory]
    [InlineData(2000, 0, false)]
    [InlineData(2000, 1100, true)]
    public void TurnsThatAFaultMakes_AreNotL5s(int made, int others, bool breaks) =>
        Judge(breaks, sim =>
        {
            sim.Run(1);
            for (var n = 0; n < made; n++)
            {
                sim.Observer.OnWokenEarly();
                Turns(sim, 1);
            }
            Turns(sim, others);
        });

    private static void Judge(bool breaks, Action<Suspect> feed)
    {
        if (breaks)
            Breaks("L5", feed);
        else
            Passes("L5", feed);
    }

    private static void Turns(Suspect sim, int count)
    {
        for (var n = 0; n < count; n++)
        {
            sim.Observer.OnTurnBegan(sim.Now, []);
            sim.Observer.OnTurnEnded(sim.Now, sim.Core);
        }
    }

    private static void Heal(Suspect sim) => sim.Observer.OnHealed(sim.Now);

    /// <summary>A client asks, as far as the checks are told; the core never hears of it.</summary>
    private static void Ask(Suspect sim, int tries, bool queued = true)
    {
        Span<byte> question = new byte[12];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(question, IdOfFirstQuery);
        // Whoever asks before a turn has shown a healthy backend is owed nothing.
        sim.Run(1);
        for (var n = 0; n < tries; n++)
        {
            sim.Observer.OnClientSent(sim.Now, Client, new Endpoint(Asker, 1007), question, queued);
            sim.Run(2);
        }
    }

    /// <summary>Twelve hosts on First, and Second there again with none.</summary>
    private static void MakeSpread(Suspect sim)
    {
        sim.Second.CloseSessions();
        sim.Run(0.1);
        for (var n = 0; n < 24; n++)
        {
            sim.Query(Ipv4.From(10, 1, 1, (byte)(n % 12)), 1007);
            if (n == 11)
                sim.Run(1.2);
        }
        sim.Run(0.5);
        Heal(sim);
        sim.Run(3);
    }

    private static Scenario World(params string[] core) => new()
    {
        Backends = [.. (core.Length == 0 ? ["5301"] : core).Select((name, id) =>
            new BackendPlan(id, name, Instant.Zero, IsCore: true, Misbehaviour.None))],
        UdpClients = [new(Client, Asker, Retries: true,
            [new(Instant.Zero, 1007, QueryKind.Question, 0)])],
    };
}
