// Resends when more than one backend is in trouble: silent for a second time, or gone just when
// another hangs (docs/behaviour.md, section 5).

using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class SecondSilenceTests : CoreTest
{
    [Fact]
    public void BackendDiesJustWhenAnotherHangs_TheThirdAnswersAllThatItHad()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        backends[0].EchoesQueries = false;
        for (var client = 1; client <= 9; client++)
            Ask(client);
        Assert.Equal(6, Kernel.Datagrams.Sent.Count);
        backends[1].Hang();
        backends[0].Crash();
        Run(0.03);

        Assert.Equal(9, Kernel.Datagrams.Sent.Count);
        Assert.Equal(3, Count(Counter.ResendsAnswered));
    }

    [Fact]
    public void OneThatProvesItselfIsSilentAgain_AnotherThatDoesGetsWhatItHas()
    {
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Ask(2);
        MakeProve(backends[0], client: 1);
        MakeProve(backends[1], client: 2);
        var sent = Kernel.Datagrams.Sent.Count;
        backends[0].Hang();
        Ask(1, Query(7));
        Assert.Equal(1, Snapshot("5301").InFlight);
        Run(0.3);

        Assert.True(Snapshot("5302").IsSuspect);
        Assert.Equal(sent + 1, Kernel.Datagrams.Sent.Count);
        Assert.Equal(7, Kernel.Datagrams.Sent[^1].Payload[1]);
    }

    [Fact]
    public void AllAreSilentAgain_TheFirstThatAnswersGetsWhatTheOthersHave()
    {
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Ask(2);
        MakeProve(backends[0], client: 1);
        MakeProve(backends[1], client: 2);
        var sent = Kernel.Datagrams.Sent.Count;
        backends[0].Hang();
        backends[1].Hang();
        Run(0.3);
        Ask(1, Query(7));
        Ask(2, Query(8));
        Run(0.3);
        Assert.Equal(sent, Kernel.Datagrams.Sent.Count);
        backends[1].Resume();
        Run(0.05);

        Assert.True(Snapshot("5302").IsSuspect);
        Assert.Equal(sent + 2, Kernel.Datagrams.Sent.Count);
    }

    [Fact]
    public void OnesOwnIsStuckAndTheOtherSuspect_TheSuspectOneGetsTheQuery()
    {
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Ask(2);
        backends[0].Hang();
        Ask(1);
        Run(0.3);
        Assert.True(Snapshot("5301").IsSuspect);
        var before = Snapshot("5301").InFlight;
        backends[1].Hang();
        for (var n = 0; Log.Count<LogEvent.BackendStuck>() == 0; n++)
        {
            Kernel.InjectDatagram(Client(100 + n % 100), Query(n, 1400));
            Balancer.Turn();
        }
        Ask(2, Query(7));

        Assert.Equal(0, Count(Counter.QueriesToStuckBackend));
        Assert.True(Snapshot("5301").InFlight > before);
    }

    [Fact]
    public void WaitsBehindAYoungerOne_IsLostWhenItsOwnTimeIsOver()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        foreach (var backend in backends)
            backend.EchoesQueries = backend.AnswersHeartbeats = false;
        for (var client = 1; client <= 3; client++)
            Ask(client, Query(client));
        backends[2].Crash();
        backends[0].Crash();
        Run(0.01);
        backends[1].Crash();
        // Another comes while the last one's queries wait for their moment, and goes.
        backends[0].Rebind();
        Run(0.001);
        backends[0].Crash();
        Run(6);

        Assert.Equal(3, Count(Counter.UnansweredLost) + Count(Counter.UnansweredQuarantined));
        AssertCountersAddUp();
    }

    /// <summary>Silent twice, so it has to prove itself, and answers for now.</summary>
    private void MakeProve(SimBackend backend, int client)
    {
        for (var n = 0; n < 2; n++)
        {
            backend.Hang();
            Ask(client, Query(50 + n));
            Run(0.25);
            Assert.True(Snapshot(backend.Name).IsSuspect);
            backend.Resume();
            Run(0.05);
        }
        Assert.True(Snapshot(backend.Name).IsSuspect);
    }
}
