// Owns the tests that change or measure the whole process: its limit of descriptors, its count of
// them, its signals. They run alone, after all others, as do those that no other test may start a
// process beside.

using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.Versioning;
using System.Text;
using Balancer.Core;
using Balancer.Linux;
using Tests.Integration.Contract;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Linux;

[CollectionDefinition(nameof(ProcessWide), DisableParallelization = true)]
public sealed class ProcessWide;

[SupportedOSPlatform("linux")]
[Collection(nameof(ProcessWide))]
public sealed class ProcessWideTests : IDisposable
{
    private readonly LinuxWorld _world = new(Ipv4.Loopback, forceFallbacks: false);

    private LinuxNetwork Network => _world.Linux;

    public void Dispose() => _world.Dispose();

    [Fact]
    public void NoDescriptorLeft_AcceptSaysSo_AndTheClientGoesOnWaiting()
    {
        using var client = _world.ConnectClient();
        Network.SetInterest(Network.Listener, Readiness.Read);
        _world.AwaitReady(Network.Listener, Readiness.Read);
        IoResult result = default;
        Posix.WithoutDescriptors(() => result = Network.Accept(out _, out _));
        Assert.Equal(IoResult.Failed(IoStatus.TooManyFiles, 24), result);
        Assert.Equal(client.Endpoint, _world.AcceptClient().Client);
    }

    [Fact]
    public void NoDescriptorLeft_ConnectAndScanSaySo()
    {
        using var listener = _world.Listen("5301");
        var path = _world.PathOf("5301");
        IoResult connect = default;
        IoResult scan = default;
        Posix.WithoutDescriptors(() =>
        {
            connect = Network.ConnectBackend(path, out _);
            scan = _world.OpenScan();
        });
        Assert.Equal(IoResult.Failed(IoStatus.TooManyFiles, 24), connect);
        Assert.Equal(IoResult.Failed(IoStatus.TooManyFiles, 24), scan);
        Assert.True(_world.OpenScan().IsOk);
    }

    [Fact]
    public void FailuresAndEndings_LeaveNoDescriptor()
    {
        using var listener = _world.Listen("full", backlog: 0);
        _world.Connect("full");
        _world.MakeFile("file");
        var taken = Network.ListenEndpoint;
        TryEverything(taken);
        var before = OpenDescriptors();
        for (var i = 0; i < 50; i++)
            TryEverything(taken);
        // The thread of a directory lets go of what it has in its own time.
        Eventually.That(() => OpenDescriptors() <= before, "all descriptors are closed");
    }

    [Theory]
    [InlineData(15, NetworkEventKind.StopRequested)]
    [InlineData(2, NetworkEventKind.StopRequested)]
    [InlineData(1, NetworkEventKind.RescanRequested)]
    [InlineData(10, NetworkEventKind.StatusRequested)]
    public void Signal_IsAnEventAndNotTheEnd(int signal, NetworkEventKind expected)
    {
        var signals = new Signals();
        signals.Tell(Network);
        for (var times = 0; times < 2; times++)
        {
            Posix.RaiseSignal(signal);
            _world.Await(came => came.Kind == expected);
        }
    }

    [Theory]
    [InlineData(15, NetworkEventKind.StopRequested)]
    [InlineData(10, NetworkEventKind.StatusRequested)]
    public void SignalBeforeThereIsANetwork_IsAnEventOfItsFirstWait(
        int signal, NetworkEventKind expected)
    {
        var signals = new Signals();
        Posix.RaiseSignal(signal);

        signals.Tell(Network);

        _world.Await(came => came.Kind == expected);
    }

    [Fact]
    public void PipeSignal_IsIgnoredByTheRuntime()
    {
        var line = File.ReadLines("/proc/self/status")
            .Single(l => l.StartsWith("SigIgn:", StringComparison.Ordinal));
        var ignored = ulong.Parse(line["SigIgn:".Length..].Trim(), NumberStyles.HexNumber,
            CultureInfo.InvariantCulture);
        Assert.NotEqual(0ul, ignored & 1ul << (13 - 1));
    }

    [Fact]
    public void Open_RaisesTheSoftLimitOfDescriptorsToTheHardOne()
    {
        var words = File.ReadLines("/proc/self/limits")
            .Single(l => l.StartsWith("Max open files", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(words[4], words[3]);
    }

    private void TryEverything(Endpoint taken)
    {
        foreach (var name in new[] { "absent", "file", "full" })
            Assert.False(Network.ConnectBackend(_world.PathOf(name), out _).IsOk);
        Assert.Throws<NetworkSetupException>(() => LinuxNetwork.Open(
            new LinuxNetworkOptions { Address = taken.Address, Port = taken.Port }));
        using var network = LinuxNetwork.Open(
            new LinuxNetworkOptions { Address = Ipv4.Loopback, Port = 0 });
        using var directory = new SocketDirectory(
            Encoding.UTF8.GetBytes(Path.GetTempPath()), network, forceFallbacks: false);
        directory.OpenScan();
        directory.CloseScan();
    }

    private static int OpenDescriptors() => Directory.GetFiles("/proc/self/fd").Length;
}
