// Backends that live and do nothing. Only the heartbeat finds them: it is sent 5 s after the
// hello or the last answer, and unanswered for 15 s it faults the backend. Each class here takes
// some twenty seconds, so each test is a class, and they run at the same time.
//
// That nothing is early is measured from before the cause, by the test's clock: a line of the log
// may be written any while after the moment that it tells of.

using System;
using System.Diagnostics;
using System.Linq;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Failover;

public sealed class SuspendedBackendTests
{
    [Fact]
    public void BackendSuspended_IsFoundByHeartbeatAndIsBackWhenItGoesOn()
    {
        var started = Stopwatch.StartNew();
        using var cluster = new Cluster(2);
        var before = cluster.WhoMeetsWhom(2, 7);

        cluster[5301].Signal(Posix.SigStop);
        var fault = cluster.Balancer.WaitFor(Log.Faulted, 5301);

        Assert.Equal("heartbeat_timeout", fault.Text("fault"));
        Assert.True(started.Elapsed.TotalSeconds >= 5 + 15, "faulted too early");
        Assert.All(cluster.WhoMeetsWhom(2, 7).Values, id => Assert.Equal("5302", id));

        cluster[5301].Signal(Posix.SigCont);
        cluster.Balancer.WaitFor(Log.Healthy, 5301, nth: 2);
        Assert.Equal(before, cluster.WhoMeetsWhom(2, 7));
    }
}

public sealed class SilentBackendTests
{
    [Fact]
    public void BackendThatAnswersNoHeartbeat_IsFaultedAndConnectedToAgain()
    {
        var started = Stopwatch.StartNew();
        using var cluster = new Cluster(1, backend: ["--no-heartbeat"]);

        var fault = cluster.Balancer.WaitFor(Log.Faulted, 5301);

        Assert.Equal("heartbeat_timeout", fault.Text("fault"));
        Assert.True(started.Elapsed.TotalSeconds >= 5 + 15, "faulted too early");
        cluster.Balancer.WaitFor(Log.Healthy, 5301, nth: 2);
    }
}

public sealed class LateHeartbeatTests
{
    [Fact]
    public void HeartbeatAnsweredLateButInTime_FaultsNobody()
    {
        var started = Stopwatch.StartNew();
        using var cluster = new Cluster(1, ["-l", "trace"], ["--heartbeat-delay", "8s"]);

        cluster.Balancer.WaitFor(Log.HeartbeatAnswered, 5301);
        cluster.Balancer.WaitFor(Log.HeartbeatSent, 5301, nth: 2);

        Assert.True(started.Elapsed.TotalSeconds >= 5 + 8 + 5, "sent too early");
        Assert.Empty(cluster.Balancer.All(Log.Faulted));
    }
}

public sealed class MissingHelloTests
{
    [Fact]
    public void BackendThatSaysNoHello_IsFaultedAfterThirtySeconds()
    {
        using var folder = new TestFolder();
        using var binder = new FakeBinderProcess(folder["5301"], "--no-hello");
        var started = Stopwatch.StartNew();
        using var balancer = BalancerProcess.Start(folder.FullName);

        var fault = balancer.WaitFor(Log.Faulted, 5301);

        Assert.Equal("hello_timeout", fault.Text("fault"));
        Assert.True(started.Elapsed.TotalSeconds >= 30, "faulted too early");
    }
}

public sealed class UnacceptedSessionTests
{
    [Fact]
    public void BackendThatAcceptsNoConnection_GetsNoClients()
    {
        using var folder = new TestFolder();
        using var hung = new FakeBinderProcess(folder["5301"], "--no-accept");
        using var sound = new FakeBinderProcess(folder["5302"]);
        using var balancer = BalancerProcess.Start(folder.FullName, ["-l", "debug"]);
        balancer.WaitHealthy(5302);
        balancer.WaitFor(Log.Connected, 5301);

        for (var i = 2; i <= 9; i++)
        {
            using var host = new UdpHost($"127.0.0.{i}");
            Assert.Equal("5302", host.Who(balancer.Endpoint));
        }
    }
}

public sealed class HangingBackendTests
{
    [Fact]
    public void BackendThatHangsAfterSomeQueries_LosesItsClientsToTheOther()
    {
        using var cluster = new Cluster(1, backend: ["--hang-after", "3"]);
        cluster.StartBackend(5302);
        cluster.Balancer.WaitHealthy(5302);
        using var host = new UdpHost("127.0.0.2");
        using var second = new UdpHost("127.0.0.3");
        var hung = host.Who(cluster.Balancer.Endpoint) == "5301" ? host : second;
        if (hung == second)
            second.Who(cluster.Balancer.Endpoint);

        Eventually.That(
            () => hung.AskOnce(cluster.Balancer.Endpoint, DnsWire.WhoAreYou(UdpHost.NextId()), 1000)
                ?.Answers[0] == "5302",
            "the client of the hung backend meets the other");

        Assert.Equal("heartbeat_timeout",
            cluster.Balancer.WaitFor(Log.Faulted, 5301).Text("fault"));
    }
}
