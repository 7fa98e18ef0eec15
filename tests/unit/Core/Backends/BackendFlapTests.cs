// A backend whose sessions end again and again: for how long it has no clients after its hello, and
// what is no reason for that (docs/behaviour.md, section 3).

using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class BackendFlapTests : CoreTest
{
    [Fact]
    public void SessionsThatEndByFaults_AreColdForLongerEachTime()
    {
        var flapping = Flapping();
        flapping.CloseSessions();
        Run(1.1);
        Assert.True(GetsClients(flapping));
        double[] times = [2, 4, 8, 16, 32, 32];
        foreach (var cold in times)
        {
            flapping.CloseSessions();
            Run(1.1);
            Assert.Equal(BackendState.Healthy, State("5302"));
            Run(cold - 0.2);
            Assert.False(GetsClients(flapping));
            Run(0.2);
            Assert.True(GetsClients(flapping));
        }
        Run(Limits.FlapMemory.TotalSeconds);
        flapping.CloseSessions();
        Run(1.1);

        Assert.True(GetsClients(flapping));
    }

    [Fact]
    public void SessionsThatLastAWhile_DoNotCount()
    {
        var killed = Flapping();
        for (var n = 0; n < 10; n++)
        {
            killed.CloseSessions();
            Run(1.1);
            Assert.True(GetsClients(killed));
            Run(2.1);
        }
    }

    [Fact]
    public void SocketThatIsReplacedWhileSuspect_CountsAsAFault()
    {
        var flapping = Flapping();
        for (var n = 0; n < 2; n++)
        {
            flapping.EchoesQueries = flapping.AnswersHeartbeats = false;
            Ask(2);
            Run(0.25);
            Assert.True(Snapshot("5302").IsSuspect);
            flapping.Rebind();
            flapping.EchoesQueries = flapping.AnswersHeartbeats = true;
            Run(0.1);
            Assert.Equal(n == 0, GetsClients(flapping));
        }
        Run(2);

        Assert.True(GetsClients(flapping));
    }

    [Fact]
    public void OrderlyRestarts_AreNotAReason()
    {
        var restarted = Flapping();
        for (var n = 0; n < 10; n++)
        {
            restarted.Stop();
            Run(0.5);
            restarted.Rebind();
            Run(0.1);
            Assert.True(GetsClients(restarted));
            restarted.Rebind();
            Run(0.1);
            Assert.True(GetsClients(restarted));
        }
    }

    [Fact]
    public void EveryOneFlaps_AllAreUsed()
    {
        var backends = HealthyBackends("5301", "5302");
        for (var n = 0; n < 5; n++)
        {
            foreach (var backend in backends)
                backend.CloseSessions();
            Run(1.1);
        }
        Ask(1);

        Assert.Equal(1, backends.Sum(backend => backend.QueryCount));
    }

    /// <summary>The second of two, which client 2 is bound to.</summary>
    private SimBackend Flapping()
    {
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Ask(2);
        Assert.Equal(5302, Remote(2)!.Value.Primary.Value);
        return backends[1];
    }

    private bool GetsClients(SimBackend backend)
    {
        var before = backend.QueryCount;
        Ask(2);
        return backend.QueryCount > before;
    }
}
