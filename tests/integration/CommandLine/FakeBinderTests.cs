// fake-binder as those meet it who have no balancer: a plain DNS port that misbehaves, options in
// the environment, a script that is read again, a health check.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.CommandLine;

public sealed class FakeBinderTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly IPEndPoint _dns = new(IPAddress.Loopback, Ports.Next());

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void PlainDns_IsServedOverUdpAndTcp()
    {
        using var binder = Start(["--listen", $"{_dns}", "--id", "plain"]);
        using var udp = new UdpHost();
        using var tcp = new TcpHost(_dns);

        Assert.Equal("plain", udp.Who(_dns));
        Assert.Equal("plain", tcp.Who());
        Assert.Equal("plain", tcp.Who());
    }

    [Fact]
    public void PlainDns_IsServedBesideASocket()
    {
        using var binder = Start(["--listen", $"{_dns}", _folder["5301"]]);
        using var balancer = BalancerProcess.Start(_folder.FullName, []);
        balancer.WaitHealthy(5301);
        using var host = new UdpHost();

        Assert.Equal("5301", host.Who(balancer.Endpoint));
        Assert.Equal(_dns.ToString(), host.Who(_dns));
    }

    [Fact]
    public void PlainDns_Misbehaves()
    {
        using var binder = Start(
            ["--listen", $"{_dns}", "--drop-every", "2", "--crash-after", "3", "--tcp-refuse"]);
        using var host = new UdpHost();
        var query = DnsWire.WhoAreYou(UdpHost.NextId());

        Assert.NotNull(host.AskOnce(_dns, query));
        Assert.Null(host.AskOnce(_dns, query, milliseconds: 300));
        using (var tcp = new TcpHost(_dns))
        {
            tcp.SendMessage(query);
            Assert.True(tcp.IsClosedByServer());
        }
        Assert.NotNull(host.AskOnce(_dns, query));
        Assert.Equal(1, binder.WaitForExit());
    }

    [Fact]
    public void PortThatIsTaken_IsOneLine()
    {
        using var first = Start(["--listen", $"{_dns}"]);
        using var second = new ManagedProcess(
            Places.FakeBinder, ["--listen", $"{_dns}", _folder["5301"]]);

        Assert.Equal(1, second.WaitForExit());
        Assert.Equal([$"fake-binder: cannot listen on {_dns}: Address already in use"],
            second.Errors);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.FullName));
    }

    [Fact]
    public void Environment_HasOptionsAndPaths()
    {
        using var binder = Start([], new Dictionary<string, string>
        {
            ["FAKE_BINDER_LISTEN"] = $"{_dns}",
            ["FAKE_BINDER_ID"] = "from-outside",
        });
        using var host = new UdpHost();
        Assert.Equal("from-outside", host.Who(_dns));

        using var other = Start([], new Dictionary<string, string>
        {
            ["FAKE_BINDER_PATHS"] = $"{_folder["5301"]}:{_folder["5302"]}",
        }, count: 2);
        Assert.Equal(2, Directory.GetFileSystemEntries(_folder.FullName).Length);
    }

    [Fact]
    public void Script_IsReadAgainAtSighup()
    {
        var script = _folder["script.json"];
        File.WriteAllText(script, "{}");
        using var binder = Start(["--listen", $"{_dns}", "--id", "a", "--script", script]);
        using var host = new UdpHost();
        Assert.Equal("a", host.Who(_dns));

        // A script that is wrong changes nothing, and the process lives.
        File.WriteAllText(script, "{\"dropEvry\": 1}");
        binder.Signal(Posix.SigHup);
        Eventually.Gives(() => binder.Errors is [var error] ? error : null, "a complaint");
        Assert.StartsWith("fake-binder: --script: dropEvry: no such key; the keys are ",
            binder.Errors[0], StringComparison.Ordinal);
        Assert.Equal("a", host.Who(_dns));

        File.WriteAllText(script, "{\"dropEvery\": 1}");
        binder.Signal(Posix.SigHup);
        binder.WaitForLine(line => line == "did read the script again", "the script is read");
        Assert.Null(host.AskOnce(
            _dns, DnsWire.WhoAreYou(UdpHost.NextId()), milliseconds: 300));
    }

    [Fact]
    public void Health_IsWhetherEverySocketTakesAConnection()
    {
        string[] places = ["--listen", $"{_dns}", _folder["5301"], _folder["5302"]];
        using (var binder = Start(places, count: 3))
        {
            Assert.Equal((0, ""), Health(places));
            Assert.Equal((0, ""), Health(_folder["5302"]));
            Assert.Equal(
                (1, $"fake-binder: {_folder["5303"]}: No such file or directory"),
                Health(_folder["5301"], _folder["5303"]));
            binder.Signal(Posix.SigKill);
            binder.WaitForExit();
        }
        Assert.Equal((1, $"fake-binder: {_folder["5301"]}: Connection refused"), Health(places));
        Assert.Equal((1, $"fake-binder: {_dns}: Connection refused"),
            Health("--listen", $"{_dns}"));
        Assert.Equal((1, "fake-binder: --health: there is no PATH, nor --listen, to ask after"),
            Health());
    }

    private static (int Status, string Error) Health(params string[] places)
    {
        using var check = new ManagedProcess(Places.FakeBinder, ["--health", .. places]);
        return (check.WaitForExit(), string.Join('\n', check.Errors));
    }

    private static ManagedProcess Start(
        string[] arguments, Dictionary<string, string>? environment = null, int count = 1)
    {
        var process = new ManagedProcess(Places.FakeBinder, arguments, environment);
        try
        {
            process.WaitForLine(_ => process.Lines.Count(line => line.StartsWith(
                "listening ", StringComparison.Ordinal)) >= count, "fake-binder listens");
            return process;
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }
}
