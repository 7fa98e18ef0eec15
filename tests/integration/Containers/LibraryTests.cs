// The library that others use, beyond what the other tests here use of it: the example of the
// README, misbehaviour, and what it says when it is used wrongly.

using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Balancer.Testing;
using DnsClient;
using DotNet.Testcontainers.Builders;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Containers;

public sealed class LibraryTests
{
    [FactNeedingDocker]
    public async Task Example_Works()
    {
        // The example begins here.
        using var dir = new SocketFolder();
        await using var one = new FakeBinderBuilder().WithSocketFolder(dir).WithId("5301").Build();
        await using var two = new FakeBinderBuilder().WithSocketFolder(dir).WithId("5302").Build();
        await using var balancer = new BalancerBuilder().WithSocketFolder(dir).Build();
        await Task.WhenAll(one.StartAsync(), two.StartAsync(), balancer.StartAsync());
        await balancer.WaitUntilHealthyAsync("5301", "5302");
        await one.KillAsync(); // a crash; PauseAsync is a hang, StopAsync an orderly end
        await balancer.WaitUntilUnhealthyAsync("5301");
        var dns = new LookupClient(balancer.Endpoint);
        Assert.NotEmpty((await dns.QueryAsync("www.example.com", QueryType.A)).Answers);
        // The example ends here.
    }

    [Theory]
    [InlineData("README.md")]
    [InlineData("src/Balancer.Testing/README.md")]
    public void Example_IsWhatTheReadmeShows(string readme)
    {
        var shown = File.ReadAllLines(Path.Combine(Places.Root, readme))
            .SkipWhile(line => line != "```csharp").Skip(1).TakeWhile(line => line != "```");

        Assert.Equal(Example(), shown);
        Assert.Equal(10, Example().Length);
    }

    [FactNeedingDocker]
    public async Task Misbehaviour_IsDone()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets)
            .WithMisbehaviour("--crash-after", "2").Build();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets).Build();
        await Task.WhenAll(binder.StartAsync(), balancer.StartAsync());
        await balancer.WaitUntilHealthyAsync("5301");
        using var host = new UdpHost();

        host.Who(balancer.Endpoint);
        host.Send(balancer.Endpoint, DnsWire.WhoAreYou(UdpHost.NextId()));

        await balancer.WaitUntilUnhealthyAsync("5301");
        Assert.Equal(1, await binder.GetExitCodeAsync());
        Assert.Equal(["5301"], sockets.Names);
        Assert.Empty(await balancer.HealthyAsync());
    }

    [FactNeedingDocker]
    public async Task ContainerThatCannotStart_FailsWithWhatItSaid()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets)
            .WithMisbehaviour("--nonsense").Build();

        var failure = await Assert.ThrowsAnyAsync<Exception>(() => binder.StartAsync());

        Assert.Contains("--nonsense: no such option", failure.Message, StringComparison.Ordinal);
    }

    [FactNeedingDocker]
    public async Task WaitInVain_EndsWithTheLastOfTheOutput()
    {
        using var sockets = new SocketFolder();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets).Build();
        await balancer.StartAsync();
        balancer.WaitLimit = TimeSpan.FromSeconds(0.1);

        var failure = await Assert.ThrowsAsync<TimeoutException>(
            () => balancer.WaitUntilHealthyAsync("5301"));

        Assert.Contains("healthy: 5301", failure.Message, StringComparison.Ordinal);
        Assert.Contains("listening on 127.0.0.1:", failure.Message, StringComparison.Ordinal);
    }

    [FactNeedingDocker]
    public async Task BalancerThatEnded_EndsEveryWaitAtOnceAndTakesNoneForHealthy()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets).Build();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets).Build();
        await Task.WhenAll(binder.StartAsync(), balancer.StartAsync());
        await balancer.WaitUntilHealthyAsync("5301");
        await balancer.KillAsync();

        // One that went on to its limit would be a TimeoutException.
        foreach (var wait in new Func<Task>[]
        {
            () => balancer.WaitUntilHealthyAsync("5301"),
            () => balancer.WaitUntilUnhealthyAsync("5302"),
            () => balancer.WaitForLineAsync("what it never says"),
        })
        {
            var failure = await Assert.ThrowsAsync<InvalidOperationException>(wait);
            Assert.Contains("ended with status 137", failure.Message, StringComparison.Ordinal);
            Assert.Contains("5301 is healthy", failure.Message, StringComparison.Ordinal);
        }
        Assert.Empty(await balancer.HealthyAsync());
        // What it said before can still be asked for.
        await balancer.WaitForLineAsync("listening on");
    }

    [FactNeedingDocker]
    public async Task BackendWhoseSocketIsUnlinkedWhileItRuns_IsNotHealthy()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets).Build();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets).Build();
        // One after the other: a socket that does not listen yet is a fault in the log.
        await binder.StartAsync();
        await balancer.StartAsync();
        await balancer.WaitUntilHealthyAsync("5301");

        File.Delete(binder.SocketPath!);

        await balancer.WaitUntilUnhealthyAsync("5301");
        Assert.DoesNotContain(await balancer.LinesAsync(),
            line => line.Contains("faulted", StringComparison.Ordinal));
    }

    [FactNeedingDocker]
    public async Task BackendWhoseSocketIsMovedAwayAndBack_IsHealthyAgain()
    {
        using var sockets = new SocketFolder();
        using var elsewhere = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets).Build();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets).Build();
        await Task.WhenAll(binder.StartAsync(), balancer.StartAsync());
        await balancer.WaitUntilHealthyAsync("5301");
        var away = elsewhere.PathOf("5301");

        File.Move(binder.SocketPath!, away);
        await balancer.WaitUntilUnhealthyAsync("5301");
        File.Move(away, binder.SocketPath!);

        await balancer.WaitUntilHealthyAsync("5301");
    }

    [FactNeedingDocker]
    public async Task VolumeInThePlaceOfAFolder_CarriesTheSockets()
    {
        await using var volume = new VolumeBuilder().Build();
        await volume.CreateAsync();
        await using var binder = new FakeBinderBuilder().WithVolumeMount(volume, "/sockets")
            .Build();
        await using var balancer = new BalancerBuilder().WithVolumeMount(volume, "/sockets")
            .Build();

        await Task.WhenAll(binder.StartAsync(), balancer.StartAsync());
        await balancer.WaitUntilHealthyAsync("5301");

        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(balancer.Endpoint));
        Assert.Null(binder.SocketPath);
    }

    [FactNeedingDocker]
    public async Task BalancerOnAllAddresses_HasAnEndpointThatClientsCanAsk()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets).Build();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets)
            .WithAddress("0.0.0.0").Build();
        await Task.WhenAll(binder.StartAsync(), balancer.StartAsync());
        await balancer.WaitUntilHealthyAsync("5301");

        var dns = new LookupClient(balancer.Endpoint);

        Assert.NotEmpty((await dns.QueryAsync("www.example.com", QueryType.A)).Answers);
    }

    [FactNeedingDocker]
    public async Task StartOfWhatRunsAlready_IsNothing()
    {
        using var sockets = new SocketFolder();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets).Build();
        await balancer.StartAsync();
        balancer.WaitLimit = TimeSpan.FromSeconds(10);

        await balancer.StartAsync();

        Assert.Single(await balancer.LinesAsync(),
            line => line.Contains("listening on", StringComparison.Ordinal));
    }

    [FactNeedingDocker]
    public async Task ContainerThatIsNeverReady_FailsToStartWithWhatItSaid()
    {
        using var sockets = new SocketFolder();
        // Another program in the place of a fake Binder.
        await using var binder = new FakeBinderBuilder("bbal:latest").WithSocketFolder(sockets)
            .WithEntrypoint("/bbal", "-s").Build();
        binder.WaitLimit = TimeSpan.FromSeconds(2);

        await Assert.ThrowsAsync<TimeoutException>(() => binder.StartAsync());
        // It runs, and still is not ready.
        var failure = await Assert.ThrowsAsync<TimeoutException>(() => binder.StartAsync());

        Assert.Contains("not within 2 s: ready", failure.Message, StringComparison.Ordinal);
        Assert.Contains("listening on 0.0.0.0:53", failure.Message, StringComparison.Ordinal);
    }

    [FactNeedingDocker]
    public async Task ImageThatIsNotThere_IsNamedAndFetchedFromNowhere()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder("fake-binder:nosuch")
            .WithSocketFolder(sockets).Build();

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(
            () => binder.StartAsync());

        Assert.Equal("there is no image fake-binder:nosuch here: `make image` makes it",
            failure.Message);
    }

    [TheoryNeedingDocker]
    [InlineData("-p", "5300", "WithPort")]
    [InlineData("--port=5300", "x", "WithPort")]
    [InlineData("-b", "127.0.0.2", "WithAddress")]
    [InlineData("--backend-path", "/elsewhere", "WithSocketFolder")]
    [InlineData("-l", "warn", "log level")]
    [InlineData("--log-level=FATAL", "x", "log level")]
    [InlineData("-lwarn", "info", "log level")]
    [InlineData("--port:5300", "x", "WithPort")]
    [InlineData("--log-level:warn", "info", "log level")]
    public void OptionThatTheContainerLivesBy_IsRefused(string option, string value, string named)
    {
        var failure = Assert.Throws<ArgumentException>(() => new BalancerBuilder()
            .WithSocketFolder("/tmp").WithOptions(option, value).Build());

        Assert.Contains(named, failure.Message, StringComparison.Ordinal);
    }

    [FactNeedingDocker]
    public void LogLevelOfTheEnvironment_IsRefusedToo()
    {
        var builder = new BalancerBuilder().WithSocketFolder("/tmp");

        Assert.Throws<ArgumentException>(
            () => builder.WithEnvironment("LOG_LEVEL", "error").Build());
        Assert.NotNull(builder.WithEnvironment("LOG_LEVEL", "debug")
            .WithOptions("-l", "trace", "--warm-up", "0").Build());
    }

    [TheoryNeedingDocker]
    [InlineData("::1")]
    [InlineData("1")]
    [InlineData("localhost")]
    [InlineData("127.0.0.01")]
    public void AddressThatIsNotIPv4_IsNamed(string address)
    {
        var failure = Assert.Throws<ArgumentException>(() => new BalancerBuilder()
            .WithSocketFolder("/tmp").WithAddress(address).Build());

        Assert.Contains($"\"{address}\" is no IPv4 address", failure.Message,
            StringComparison.Ordinal);
    }

    [FactNeedingDocker]
    public void AddressOfAnotherMachine_IsNamed()
    {
        var failure = Assert.Throws<ArgumentException>(() => new BalancerBuilder()
            .WithSocketFolder("/tmp").WithAddress("192.0.2.1").Build());

        Assert.Equal("192.0.2.1 is no address of this machine", failure.Message);
    }

    [TheoryNeedingDocker]
    [InlineData(0)]
    [InlineData(65_536)]
    public void PortThatIsNone_IsNamed(int port)
    {
        var failure = Assert.Throws<ArgumentException>(() => new BalancerBuilder()
            .WithSocketFolder("/tmp").WithPort(port).Build());

        Assert.Contains($"{port} is no port", failure.Message, StringComparison.Ordinal);
    }

    [FactNeedingDocker]
    public async Task DisposedContainersAndFolder_AreGone()
    {
        var sockets = new SocketFolder();
        var binder = new FakeBinderBuilder().WithSocketFolder(sockets).Build();
        await binder.StartAsync();
        await binder.PauseAsync();
        var id = binder.Id;

        await binder.DisposeAsync();
        sockets.Dispose();

        Assert.False(Directory.Exists(sockets.FullName));
        using var docker = Engine.Client();
        await Assert.ThrowsAsync<Docker.DotNet.DockerContainerNotFoundException>(
            () => docker.Containers.InspectContainerAsync(id));
    }

    [FactNeedingDocker]
    public void WithoutASocketFolder_NothingIsBuilt()
    {
        Assert.Throws<ArgumentException>(() => new FakeBinderBuilder().Build());
        Assert.Throws<ArgumentException>(() => new BalancerBuilder().Build());
    }

    [Fact]
    public void PathTooLongForASocket_IsRefused()
    {
        using var sockets = new SocketFolder();

        Assert.Equal(Path.Combine(sockets.FullName, "5301"), sockets.PathOf("5301"));
        Assert.Throws<ArgumentException>(() => sockets.PathOf(new string('a', 108)));
    }

    private static string[] Example() =>
        [.. File.ReadAllLines(Path.Combine(
                Places.Root, "tests", "integration", "Containers", "LibraryTests.cs"))
            .SkipWhile(line => line.Trim() != "// The example begins here.").Skip(1)
            .TakeWhile(line => line.Trim() != "// The example ends here.")
            .Select(line => line.Trim())];
}
