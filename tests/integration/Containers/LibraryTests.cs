// The library that others use, beyond what the other tests here use of it: the example of the
// README, misbehaviour, and what it says when it is used wrongly.

using System;
using System.IO;
using System.Linq;
using System.Threading;
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
            .WithMisbehaviour(new Misbehaviour { CrashAfter = 2 }).Build();
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
    public async Task Misbehaviour_CanBeChangedWhileItRuns()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets)
            .WithMisbehaviour(new Misbehaviour { DropEvery = 1 }).Build();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets).Build();
        await Task.WhenAll(binder.StartAsync(), balancer.StartAsync());
        await balancer.WaitUntilHealthyAsync("5301");
        using var host = new UdpHost();
        var query = DnsWire.WhoAreYou(UdpHost.NextId());
        Assert.Null(host.AskOnce(balancer.Endpoint, query, milliseconds: 300));

        await binder.MisbehaveAsync(Misbehaviour.None);
        Assert.NotNull(host.AskOnce(balancer.Endpoint, query));

        await binder.MisbehaveAsync(new Misbehaviour { DropEvery = 1 });
        Assert.Null(host.AskOnce(balancer.Endpoint, query, milliseconds: 300));

        // The same again is heard again.
        await binder.MisbehaveAsync(Misbehaviour.None);
        Assert.NotNull(host.AskOnce(balancer.Endpoint, query));
        await binder.KillAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => binder.MisbehaveAsync(Misbehaviour.None));
    }

    [FactNeedingDocker]
    public async Task EveryMisbehaviour_IsOneThatTheImageKnows()
    {
        using var sockets = new SocketFolder();
        var all = new Misbehaviour();
        foreach (var property in typeof(Misbehaviour).GetProperties())
        {
            object value = property.PropertyType switch
            {
                var type when type == typeof(bool) => true,
                var type when type == typeof(TimeSpan?) => TimeSpan.FromMilliseconds(1.5),
                var type when type == typeof(System.Net.IPAddress) =>
                    System.Net.IPAddress.Parse("192.0.2.1"),
                var type when type == typeof(int?) => 7,
                _ => 7L,
            };
            property.SetValue(all, value);
        }
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets)
            .WithMisbehaviour(all).Build();

        await binder.StartAsync();

        Assert.Equal(["5301"], sockets.Names);
    }

    [FactNeedingDocker]
    public async Task Kill_OfWhatHasEndedOrNeverRan_IsNotAnError()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets).Build();

        await binder.KillAsync();
        await binder.StartAsync();
        await binder.KillAsync();
        await binder.KillAsync();
        await binder.StartAsync();
        await binder.StopAsync();
        await binder.KillAsync();

        Assert.Empty(sockets.Names);
    }

    [FactNeedingDocker]
    public async Task SecondBackendWithTheIdOfOneThatRuns_DoesNotStart()
    {
        using var sockets = new SocketFolder();
        await using var first = new FakeBinderBuilder().WithSocketFolder(sockets).Build();
        await using var second = new FakeBinderBuilder().WithSocketFolder(sockets).Build();
        using var elsewhere = new SocketFolder();
        await using var third = new FakeBinderBuilder().WithSocketFolder(elsewhere).Build();
        await Task.WhenAll(first.StartAsync(), third.StartAsync());

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(
            () => second.StartAsync());

        Assert.StartsWith("a fake Binder 5301 runs already in this folder", failure.Message,
            StringComparison.Ordinal);
        await first.KillAsync();
        await second.StartAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => first.StartAsync());
        await second.DisposeAsync();
        await first.StartAsync();
    }

    [FactNeedingDocker]
    public async Task Wait_EndsWhenItIsCancelled()
    {
        using var sockets = new SocketFolder();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets).Build();
        await balancer.StartAsync();
        using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(0.2));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => balancer.WaitUntilHealthyAsync(["5301"], soon.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => balancer.WaitForLineAsync("what it never says", soon.Token));
        await balancer.WaitUntilUnhealthyAsync(["5301"], CancellationToken.None);
    }

    [FactNeedingDocker]
    public void NetworksAndPorts_AreRefusedWhereTheyAreAskedFor()
    {
        foreach (var refused in new Action[]
        {
            () => new BalancerBuilder().WithPortBinding(53, 5300),
            () => new BalancerBuilder().WithPortBinding(53, assignRandomHostPort: true),
            () => new FakeBinderBuilder().WithPortBinding(53),
        })
        {
            Assert.StartsWith("WithPortBinding: ", Assert.Throws<ArgumentException>(refused)
                .Message, StringComparison.Ordinal);
        }
        foreach (var refused in new Action[]
        {
            () => new BalancerBuilder().WithNetwork("mine"),
            () => new BalancerBuilder().WithNetworkAliases("mine"),
            () => new FakeBinderBuilder().WithNetwork("mine"),
        })
        {
            Assert.StartsWith("WithNetwork: ", Assert.Throws<ArgumentException>(refused)
                .Message, StringComparison.Ordinal);
        }
    }

    [FactNeedingDocker]
    public async Task ImageNamedByAMethod_IsPulledAsOneNamedByTheConstructor()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithImage("fake-binder:nosuch")
            .WithSocketFolder(sockets).Build();
        await using var balancer = new BalancerBuilder("registry.invalid/bbal:1")
            .WithImage("bbal:nosuch").WithSocketFolder(sockets).Build();

        Assert.StartsWith("there is no image fake-binder:nosuch here", (await Assert
            .ThrowsAsync<InvalidOperationException>(() => binder.StartAsync())).Message,
            StringComparison.Ordinal);
        Assert.StartsWith("there is no image bbal:nosuch here", (await Assert
            .ThrowsAsync<InvalidOperationException>(() => balancer.StartAsync())).Message,
            StringComparison.Ordinal);
    }

    [FactNeedingDocker]
    public async Task ContainerThatCannotStart_FailsWithWhatItSaid()
    {
        using var sockets = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets)
            .WithOptions("--nonsense").Build();

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
    public async Task BackendThatComesAndGoesOftenerThanIsLoggedAtInfo_IsFollowed()
    {
        using var sockets = new SocketFolder();
        using var elsewhere = new SocketFolder();
        await using var binder = new FakeBinderBuilder().WithSocketFolder(sockets).Build();
        await using var balancer = new BalancerBuilder().WithSocketFolder(sockets).Build();
        await Task.WhenAll(binder.StartAsync(), balancer.StartAsync());
        await balancer.WaitUntilHealthyAsync("5301");

        for (var time = 0; time < 12; time++)
        {
            File.Move(binder.SocketPath!, elsewhere.PathOf("5301"));
            await balancer.WaitUntilUnhealthyAsync("5301");
            File.Move(elsewhere.PathOf("5301"), binder.SocketPath!);
            await balancer.WaitUntilHealthyAsync("5301");
        }
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
    [InlineData("-lwarn", "debug", "log level")]
    [InlineData("-l", "info", "log level")]
    [InlineData("-l", "40", "log level")]
    [InlineData("-l50", "debug", "log level")]
    [InlineData("--log-level=60", "x", "log level")]
    [InlineData("--port:5300", "x", "WithPort")]
    [InlineData("--log-level:warn", "debug", "log level")]
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
        Assert.Throws<ArgumentException>(
            () => builder.WithEnvironment("LOG_LEVEL", "50").Build());
        Assert.Throws<ArgumentException>(
            () => builder.WithEnvironment("LOG_LEVEL", "info").Build());
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

        Assert.Contains($"\"{address}\" is not an IPv4 address", failure.Message,
            StringComparison.Ordinal);
    }

    [FactNeedingDocker]
    public void AddressOfAnotherMachine_IsNamed()
    {
        var failure = Assert.Throws<ArgumentException>(() => new BalancerBuilder()
            .WithSocketFolder("/tmp").WithAddress("192.0.2.1").Build());

        Assert.Equal("192.0.2.1 is not an address of this machine", failure.Message);
    }

    [TheoryNeedingDocker]
    [InlineData(0)]
    [InlineData(65_536)]
    public void PortThatIsNone_IsNamed(int port)
    {
        var failure = Assert.Throws<ArgumentException>(() => new BalancerBuilder()
            .WithSocketFolder("/tmp").WithPort(port).Build());

        Assert.Contains($"{port} is not a port", failure.Message, StringComparison.Ordinal);
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
