// What a service manager is told: READY=1 when both sockets listen, STOPPING=1 when a stop begins,
// each once, on the socket that NOTIFY_SOCKET names. A socket that is not as it should be costs a
// warning and nothing else.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Net.Sockets;
using System.Text;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Deploy;

public sealed class NotifyTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly TestFolder _sockets = new();

    public void Dispose()
    {
        _sockets.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void SocketAtAPath_IsNotifiedOfTheStartAndOfTheStop()
    {
        using var manager = new NotifySocket(_folder["notify"]);

        ExpectReadyThenStopping(manager, _folder["notify"]);
    }

    /// <summary>As if no descriptor were left, or the path led to a mount that hangs.</summary>
    [Fact]
    public void SocketThatIsUnlinked_IsNotifiedOfTheStop()
    {
        using var manager = new NotifySocket(_folder["notify"]);
        using var balancer = Start(_folder["notify"]);
        Assert.Equal("READY=1", manager.Receive());
        File.Delete(_folder["notify"]);

        Assert.Equal(0, balancer.Stop());

        Assert.Equal("STOPPING=1", manager.Receive());
        Assert.DoesNotContain(balancer.Records, IsAboutNotifying);
    }

    [Fact]
    public void AbstractSocket_IsNotifiedOfTheStartAndOfTheStop()
    {
        var name = "bbal-test-" + Guid.NewGuid();
        using var manager = new NotifySocket("\0" + name);

        ExpectReadyThenStopping(manager, "@" + name);
    }

    [Fact]
    public void StopThatWaitsForAConnection_NotifiesWhenItBegins()
    {
        using var manager = new NotifySocket(_folder["notify"]);
        using var backend = new FakeBinderProcess(_sockets["5301"]);
        using var balancer = Start(_folder["notify"]);
        balancer.WaitHealthy(5301);
        using var client = new TcpHost(balancer.Endpoint);
        client.Who();
        Assert.Equal("READY=1", manager.Receive());

        balancer.Signal(Posix.SigTerm);

        Assert.Equal("STOPPING=1", manager.Receive());
        Assert.False(balancer.HasExited);
        Assert.Equal("5301", client.Who());
    }

    [Fact]
    public void StartThatFails_IsNotReady()
    {
        using var manager = new NotifySocket(_folder["notify"]);
        using var first = Start(null);
        using var second = new ManagedProcess(Places.Bbal,
            ["-s", _sockets.FullName, "-b", "127.0.0.1", "-p", $"{first.Port}"],
            Environment(_folder["notify"]));

        Assert.Equal(1, second.WaitForExit());
        Assert.False(manager.HasNews);
    }

    [Theory]
    [InlineData("/nowhere/at/all", "No such file or directory")]
    [InlineData("relative", "neither a path nor an abstract name")]
    [InlineData("vsock:2:1234", "neither a path nor an abstract name")]
    [InlineData("@", "neither a path nor an abstract name")]
    [InlineData("/dev/null", "Connection refused")]
    [InlineData("@nobody-has-this-name", "Connection refused")]
    [InlineData("/tmp/0123456789012345678901234567890123456789012345678901234567890123456789"
        + "0123456789012345678901234567890123456789", "bytes long")]
    public void SocketThatIsNotAsItShouldBe_IsAWarningAndTheBalancerGoesOn(
        string name, string cause)
    {
        using var backend = new FakeBinderProcess(_sockets["5301"]);
        using var balancer = Start(name);
        using var host = new UdpHost();

        Assert.Equal("5301", host.Who(balancer.Endpoint));
        Assert.Equal(0, balancer.Stop());
        var warning = Assert.Single(balancer.Records, IsAboutNotifying);
        Assert.Equal(40, warning.Level);
        Assert.Contains(cause, warning.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void NoSocketNamed_IsNothingToWarnOf(string? name)
    {
        using var balancer = Start(name);

        Assert.Equal(0, balancer.Stop());
        Assert.DoesNotContain(balancer.Records, IsAboutNotifying);
    }

    [Fact]
    public void ManagerThatReadsNothing_DelaysNoStop()
    {
        using var manager = new NotifySocket(_folder["notify"]);
        manager.Fill();
        var took = Stopwatch.StartNew();
        using var balancer = Start(_folder["notify"]);
        balancer.WaitForRecord(IsAboutNotifying, "a warning");
        // Two seconds for the manager, and what a slow machine takes to start.
        Assert.InRange(took.Elapsed.TotalSeconds, 1.95, 12);

        Assert.Equal(0, balancer.Stop());
    }

    private static bool IsAboutNotifying(LogRecord record) =>
        record.Message.Contains("NOTIFY_SOCKET", StringComparison.Ordinal);

    private static Dictionary<string, string> Environment(string? notify) =>
        notify is null ? [] : new() { ["NOTIFY_SOCKET"] = notify };

    private void ExpectReadyThenStopping(NotifySocket manager, string name)
    {
        using var balancer = Start(name);
        Assert.Equal("READY=1", manager.Receive());
        // It listens: a connection is taken at once.
        using (var client = new TcpClient())
            client.Connect(balancer.Endpoint);

        Assert.Equal(0, balancer.Stop());

        Assert.Equal("STOPPING=1", manager.Receive());
        Assert.False(manager.HasNews);
        Assert.DoesNotContain(balancer.Records, IsAboutNotifying);
    }

    private BalancerProcess Start(string? notify) =>
        BalancerProcess.Start(_sockets.FullName, environment: Environment(notify));
}

/// <summary>A service manager's end of the socket.</summary>
internal sealed class NotifySocket : IDisposable
{
    private readonly Socket _socket =
        new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

    private readonly UnixDomainSocketEndPoint _name;

    public NotifySocket(string name)
    {
        _name = new UnixDomainSocketEndPoint(name);
        _socket.Bind(_name);
        _socket.ReceiveTimeout = Eventually.Seconds * 1000;
    }

    public bool HasNews => _socket.Poll(0, SelectMode.SelectRead);

    public string Receive()
    {
        var buffer = new byte[4096];
        return Encoding.UTF8.GetString(buffer, 0, _socket.Receive(buffer));
    }

    /// <summary>Sends itself as much as it may hold.</summary>
    public void Fill()
    {
        using var sender = new Socket(
            AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified)
        {
            Blocking = false,
        };
        sender.Connect(_name);
        var error = SocketError.Success;
        while (error == SocketError.Success)
            sender.Send([0], SocketFlags.None, out error);
    }

    public void Dispose() => _socket.Dispose();
}
