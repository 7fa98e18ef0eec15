// All checks on an unchanged core, with scripted backends: what they must not object to.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Sim.Checking;

public sealed class WatchedTests
{
    private readonly Watched _sim = new();

    private static Ipv4 Host(int n) => Ipv4.From(10, 1, (byte)(n >> 8), (byte)n);

    [Fact]
    public void QuietBackends_BreakNoCheck()
    {
        _ = new SimBackend(_sim.Kernel, "5301") { EchoesQueries = true };
        _ = new SimBackend(_sim.Kernel, "5302") { EchoesQueries = true };

        for (var n = 0; n < 400; n++)
        {
            _sim.Query(Host(n % 50), (ushort)(1000 + n));
            _sim.Run(1);
        }

        Pass();
        Assert.True(_sim.Core.Counters[Counter.RepliesSent] > 300);
    }

    [Fact]
    public void BackendsThatComeAndGo_BreakNoCheck()
    {
        var first = new SimBackend(_sim.Kernel, "5301") { EchoesQueries = true };
        var second = new SimBackend(_sim.Kernel, "foo") { EchoesQueries = true };
        for (var n = 0; n < 300; n++)
        {
            _sim.Query(Host(n % 40), (ushort)(1000 + n));
            _sim.Query(Host(n % 40), 0);
            Disturb(n, first, second);
            _sim.Run(0.7);
        }
        Pass();
    }

    [Fact]
    public void TcpConnections_BreakNoCheck()
    {
        var backend = new SimBackend(_sim.Kernel, "5301") { EchoesTcp = true };
        _sim.Run(2);
        for (var n = 0; n < 60; n++)
        {
            var client = _sim.Kernel.ConnectClient(new Endpoint(Host(n % 5), (ushort)(2000 + n)));
            client.Send(new byte[1 + n * 700]);
            _sim.Run(0.3);
            if (n % 3 == 0)
                client.HalfClose();
            else if (n % 3 == 1)
                client.Reset();
            if (n % 20 == 19)
                backend.CloseSessions();
            _sim.Run(0.3);
            if (n % 3 == 0)
                client.Close();
        }
        _sim.Run(200);
        Pass();
    }

    [Fact]
    public void StuckBackend_BreaksNoCheck()
    {
        _sim.Kernel.BalancerToBackend = new PipeSize(4096, 100);
        var backend = new SimBackend(_sim.Kernel, "5301") { EchoesQueries = true };
        _sim.Run(2);
        backend.Hang();
        for (var n = 0; n < 600; n++)
        {
            _sim.Query(Host(n), (ushort)(1000 + n), new byte[n * 2]);
            if (n % 10 == 0)
                _sim.Run(0.01);
        }
        backend.Resume();
        _sim.Run(10);
        Pass();
        Assert.True(_sim.Core.Counters[Counter.QueriesToStuckBackend] > 0);
    }

    [Fact]
    public void FullTable_BreaksNoCheck()
    {
        var sim = new Watched(new Scenario { Kernel = new KernelPlan { MaxRemotes = 20 } });
        _ = new SimBackend(sim.Kernel, "5301") { EchoesQueries = true };
        _ = new SimBackend(sim.Kernel, "5302") { EchoesQueries = true };
        sim.Run(3);
        for (var n = 0; n < 400; n++)
        {
            sim.Query(Host(n * 7 % 31), (ushort)(1000 + n));
            if (n % 5 == 0)
                sim.Run(0.1);
        }
        sim.Run(1);
        Assert.Null(sim.Checks.Violation);
        Assert.True(sim.Core.Counters[Counter.RemotesEvicted] > 50);
    }

    private static void Disturb(int n, SimBackend first, SimBackend second)
    {
        switch (n % 24)
        {
            case 5:
                first.CloseSessions();
                break;
            case 9:
                second.Unlink();
                break;
            case 12:
                second.Rebind();
                break;
            case 15:
                first.ResetSessions();
                break;
            case 17:
                second.Stop();
                break;
            case 19:
                second.Rebind();
                break;
            case 21:
                first.Control?.SendType(77);
                break;
            case 22:
                first.Hang();
                break;
            case 2 when n > 30:
                first.Resume();
                break;
        }
    }

    private void Pass()
    {
        _sim.Run(1);
        Assert.Null(_sim.Checks.Violation);
    }
}
