// A balancer told to do without batch calls and inotify, as on an older platform: the essentials,
// so that they are seen in every run. The larger part is that the classes in Udp, Tcp, Failover
// and Discovery run once more on the fallbacks; see Harness/Places.cs.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Fallbacks;

public sealed class FallbackTests
{
    private static readonly Dictionary<string, string> OldPlatform =
        new() { ["BBAL_NO_BATCH_CALLS"] = "1" };

    [Fact]
    public void WithoutBatchCalls_UdpAndTcpAreServedAndSpreadAsEver()
    {
        using var cluster = new Cluster(3, environment: OldPlatform);

        Assert.Equal([13, 13, 13], Cluster.Sizes(cluster.WhoMeetsWhom(2, 40)));
        using var client = new TcpHost(cluster.Balancer.Endpoint);
        Assert.Equal(48_000,
            client.Ask(DnsWire.Query(1, "size-48000.example.com", DnsWire.Txt)).Length);
    }

    [Fact]
    public void WithoutBatchCalls_RepliesLeaveFromTheAddressAsked()
    {
        using var cluster = new Cluster(1, ["-b", "0.0.0.0"], environment: OldPlatform);
        using var host = new UdpHost();
        var asked = new IPEndPoint(IPAddress.Parse("127.0.0.9"), cluster.Balancer.Port);
        host.Send(asked, DnsWire.WhoAreYou(1));

        Assert.Equal(asked, host.Receive()!.Value.From);
    }

    [Fact]
    public void WithoutInotify_NoInotifyDescriptorIsOpen()
    {
        using var folder = new TestFolder();
        using var old = BalancerProcess.Start(folder.FullName, environment: OldPlatform);
        using var present = BalancerProcess.Start(folder.FullName, environment:
            new Dictionary<string, string> { ["BBAL_NO_BATCH_CALLS"] = "0" });
        old.WaitFor(Log.Started);
        present.WaitFor(Log.Started);

        Assert.DoesNotContain(Targets(old), IsInotify);
        Assert.Contains(Targets(present), IsInotify);
    }

    private static bool IsInotify(string target) =>
        target.Contains("inotify", StringComparison.Ordinal);

    private static IEnumerable<string> Targets(BalancerProcess balancer) =>
        Directory.GetFileSystemEntries($"/proc/{balancer.Pid}/fd")
            .Select(entry => new FileInfo(entry).LinkTarget ?? "");
}
