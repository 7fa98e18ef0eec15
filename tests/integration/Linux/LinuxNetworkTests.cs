// Owns the tests of what only the real adapter has: its start, its socket options, errors that
// the kernel gives on demand only, and that its steady path allocates nothing.

using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Threading;
using Balancer.Core;
using Balancer.Linux;
using Balancer.Linux.Interop;
using Tests.Integration.Contract;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Linux;

[SupportedOSPlatform("linux")]
public sealed class LinuxNetworkTests : IDisposable
{
    private readonly LinuxWorld _world = new(Ipv4.Loopback, forceFallbacks: false);

    private LinuxNetwork Network => _world.Linux;

    public void Dispose() => _world.Dispose();

    // ---- Start ----

    [Fact]
    public void Layout_OfThisArchitecture_IsRight() => LibC.VerifyLayout();

    [Fact]
    public void Open_PortZero_BindsUdpAndTcpToOneRealPort()
    {
        Assert.NotEqual(0, Network.ListenEndpoint.Port);
        Assert.Equal(Ipv4.Loopback, Network.ListenEndpoint.Address);
        using var client = _world.ConnectClient();
        Assert.Equal(client.Endpoint, _world.AcceptClient().Client);
    }

    [Fact]
    public void Open_UdpPortTaken_SaysSoInOneLine()
    {
        var failure = Assert.Throws<NetworkSetupException>(() => Open(Network.ListenEndpoint));
        Assert.Equal(
            $"cannot bind UDP {Network.ListenEndpoint}: Address already in use (EADDRINUSE)",
            failure.Message);
    }

    [Fact]
    public void Open_TcpPortTaken_SaysSoInOneLine()
    {
        using var other = new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        other.Listen();
        var taken = Net.Endpoint(other.LocalEndPoint);
        var failure = Assert.Throws<NetworkSetupException>(() => Open(taken));
        Assert.Equal($"cannot bind TCP {taken}: Address already in use (EADDRINUSE)",
            failure.Message);
    }

    [Fact]
    public void Open_AddressOfAnotherHost_SaysSo()
    {
        var failure = Assert.Throws<NetworkSetupException>(
            () => Open(new Endpoint(Ipv4.From(192, 0, 2, 1), 0)));
        Assert.Equal(99, failure.Errno);
        Assert.StartsWith("cannot bind UDP 192.0.2.1:0: ", failure.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void UdpPort_CannotBeTakenBesideIt_EvenWithReuse()
    {
        using var thief = new Socket(
            AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        thief.SetRawSocketOption(1, 2, BitConverter.GetBytes(1));
        var failure = Assert.Throws<SocketException>(
            () => thief.Bind(Net.EndPoint(Network.ListenEndpoint)));
        Assert.Equal(SocketError.AddressAlreadyInUse, failure.SocketErrorCode);
    }

    [Fact]
    public void Open_AfterAnotherWhoseConnectionsAreInTimeWait_Works()
    {
        var endpoint = Network.ListenEndpoint;
        using var client = _world.ConnectClient();
        var (stream, _) = _world.AcceptClient();
        Network.Close(stream);
        Assert.Equal(StreamEnd.EndOfStream, client.ReceiveEnd());
        client.Dispose();
        Network.Dispose();
        using var next = Open(endpoint);
        Assert.Equal(endpoint, next.ListenEndpoint);
    }

    [Fact]
    public void Open_OptionsThatCannotBeSet_AreWarnings() =>
        Posix.WithFailing([(SystemCall.SetSockOpt, 92)], () =>
        {
            using var network = Open(new Endpoint(Ipv4.Any, 0));
            Assert.Contains(
                "cannot set IP_PKTINFO: Protocol not available (ENOPROTOOPT)", network.Warnings);
            Assert.Contains(network.Warnings, w => w.StartsWith(
                "without IP_PKTINFO", StringComparison.Ordinal) && w.Contains(
                "queries from this host's own addresses", StringComparison.Ordinal));
            Assert.Contains(network.Warnings,
                w => w.StartsWith("cannot set TCP_KEEPIDLE", StringComparison.Ordinal));
        });

    // ---- Options ----

    /// <summary>What waits may be one more, as Linux counts.</summary>
    [Fact]
    public void Listener_LetsAsManyWaitAsTheLimitSays()
    {
        var fd = Network.DescriptorOf(Network.Listener);
        var most = int.Parse(
            File.ReadAllText("/proc/sys/net/core/somaxconn"), CultureInfo.InvariantCulture);
        Assert.Equal(Math.Min(most, Limits.ListenBacklog), Posix.LargestAcceptQueue(fd));
    }

    /// <summary>Linux doubles what is asked for, and reports the double.</summary>
    [Fact]
    public void AcceptedConnection_HasBuffersOfTheLimit()
    {
        using var client = _world.ConnectClient();
        var fd = Network.DescriptorOf(_world.AcceptClient().Stream);
        Assert.Equal(2 * Limits.TcpBufferBytes, Posix.SocketOption(fd, C.SOL_SOCKET, C.SO_SNDBUF));
        Assert.Equal(2 * Limits.TcpBufferBytes, Posix.SocketOption(fd, C.SOL_SOCKET, C.SO_RCVBUF));
    }

    [Fact]
    public void AcceptedConnection_HasKeepAliveAndNoDelay()
    {
        using var client = _world.ConnectClient();
        var fd = Network.DescriptorOf(_world.AcceptClient().Stream);
        Assert.Equal(1, Posix.SocketOption(fd, C.SOL_SOCKET, C.SO_KEEPALIVE));
        Assert.Equal(1, Posix.SocketOption(fd, C.IPPROTO_TCP, C.TCP_KEEPIDLE));
        Assert.Equal(1, Posix.SocketOption(fd, C.IPPROTO_TCP, C.TCP_KEEPINTVL));
        Assert.Equal(15, Posix.SocketOption(fd, C.IPPROTO_TCP, C.TCP_KEEPCNT));
        Assert.Equal(1, Posix.SocketOption(fd, C.IPPROTO_TCP, C.TCP_NODELAY));
    }

    [Fact]
    public void Replies_LeaveWithoutPathMtuDiscovery()
    {
        var fd = Network.DescriptorOf(Network.DatagramSocket);
        Assert.Equal(
            C.IP_PMTUDISC_OMIT, Posix.SocketOption(fd, C.IPPROTO_IP, C.IP_MTU_DISCOVER));
    }

    [Fact]
    public void DatagramsThatFindNoRoom_AreCounted()
    {
        using var network = LinuxNetwork.Open(new LinuxNetworkOptions
        {
            Address = Ipv4.Loopback,
            Port = 0,
            DatagramBufferBytes = 4096,
        });
        Assert.Equal(0, network.DatagramsDropped);
        using var peer = _world.NewDatagramPeer(Ipv4.Loopback);
        for (var i = 0; i < 200; i++)
            peer.Send(network.ListenEndpoint, new byte[512]);
        var batch = new DatagramBatch();
        var received = 0;
        while (network.ReceiveDatagrams(batch) is { IsOk: true } some)
            received += some.Count;
        Assert.InRange(received, 1, 199);
        Assert.Equal(200 - received, network.DatagramsDropped);
    }

    [Fact]
    public void ConnectionsThatFindNoRoom_AreCounted_AlsoWhenTheListenerIsClosed()
    {
        Assert.Equal(0, Network.ConnectionsDropped);
        // Called again, listen changes the queue of a listener alone.
        Assert.Equal(0, LibC.Listen(Network.DescriptorOf(Network.Listener), 1));
        using var first = _world.ConnectClient();
        using var second = _world.ConnectClient();
        Assert.Equal(0, Network.ConnectionsDropped);
        var others = Enumerable.Range(0, 4).Select(_ => new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)).ToArray();
        foreach (var other in others)
        {
            other.Blocking = false;
            Assert.Throws<SocketException>(
                () => other.Connect(Net.EndPoint(Network.ListenEndpoint)));
        }
        Eventually.That(() => Network.ConnectionsDropped >= 4, "4 connections find no room");
        // Those that try again are counted again.
        var dropped = Network.ConnectionsDropped;
        Network.Close(Network.Listener);
        Assert.InRange(Network.ConnectionsDropped, dropped, dropped + 4);
        foreach (var other in others)
            other.Dispose();
    }

    [Fact]
    public void MemoryThatIsDiscarded_GoesToTheSystemAndWhatIsAroundItStays()
    {
        const int Page = 4096;
        var memory = new byte[64 * Page];
        Array.Fill(memory, (byte)7);
        var unused = memory.AsSpan(100, 50 * Page);
        Network.Discard(unused);
        var taken = unused.Count((byte)0);

        // Whole pages are: some 49 of 50, and as many bytes are 0 now.
        Assert.InRange(taken, 40 * Page, 50 * Page);
        Assert.Equal(0, taken % Page);
        Assert.DoesNotContain((byte)0, memory[..100]);
        Assert.DoesNotContain((byte)0, memory[(100 + 50 * Page)..]);
        Network.Discard([]);
        Network.Discard(memory.AsSpan(3, 5));
        Assert.Equal(taken, memory.AsSpan().Count((byte)0));
    }

    [Fact]
    public void UdpBuffers_AreAsLargeAsWanted_OrAWarningSaysWhy()
    {
        var fd = Network.DescriptorOf(Network.DatagramSocket);
        foreach (var (option, name) in new[] { (C.SO_RCVBUF, "receive"), (C.SO_SNDBUF, "send") })
        {
            var large = Posix.SocketOption(fd, C.SOL_SOCKET, option) >= 4 * 1024 * 1024;
            var warned = Network.Warnings.Any(
                w => w.Contains($"UDP {name} buffer", StringComparison.Ordinal));
            Assert.NotEqual(large, warned);
        }
    }

    // ---- Errors that the kernel gives on demand ----

    [Theory]
    [InlineData(103, IoStatus.Aborted)]
    [InlineData(71, IoStatus.Aborted)]
    [InlineData(113, IoStatus.Aborted)]
    [InlineData(100, IoStatus.Aborted)]
    [InlineData(110, IoStatus.Aborted)]
    [InlineData(24, IoStatus.TooManyFiles)]
    [InlineData(23, IoStatus.TooManyFiles)]
    [InlineData(105, IoStatus.NoBuffers)]
    [InlineData(12, IoStatus.NoBuffers)]
    [InlineData(1, IoStatus.AccessDenied)]
    [InlineData(111, IoStatus.Refused)]
    [InlineData(5, IoStatus.Other)]
    public void AcceptFails_EachErrno_IsAValue(int errno, IoStatus expected) =>
        Posix.WithFailing([(SystemCall.Accept4, errno)], () => Assert.Equal(
            IoResult.Failed(expected, errno), Network.Accept(out _, out _)));

    [Theory]
    [InlineData(11, IoStatus.WouldBlock)]
    [InlineData(1, IoStatus.AccessDenied)]
    [InlineData(13, IoStatus.AccessDenied)]
    [InlineData(22, IoStatus.InvalidArgument)]
    [InlineData(90, IoStatus.MessageTooLong)]
    [InlineData(101, IoStatus.Unreachable)]
    [InlineData(113, IoStatus.Unreachable)]
    [InlineData(105, IoStatus.NoBuffers)]
    [InlineData(111, IoStatus.Refused)]
    [InlineData(5, IoStatus.Other)]
    public void SendFails_EachErrno_IsAValue(int errno, IoStatus expected)
    {
        var batch = new DatagramBatch();
        batch.TryAdd(new Endpoint(Ipv4.Loopback, 9), Ipv4.Any, "x"u8);
        Posix.WithFailing([(SystemCall.SendMMsg, errno)], () => Assert.Equal(
            IoResult.Failed(expected, errno), Network.SendDatagrams(batch, 0)));
    }

    [Theory]
    [InlineData(12, IoStatus.NoBuffers)]
    [InlineData(111, IoStatus.Refused)]
    [InlineData(104, IoStatus.Reset)]
    [InlineData(5, IoStatus.Other)]
    public void ReceiveFails_EachErrno_IsAValue(int errno, IoStatus expected) =>
        Posix.WithFailing([(SystemCall.RecvMMsg, errno)], () => Assert.Equal(
            IoResult.Failed(expected, errno), Network.ReceiveDatagrams(new DatagramBatch())));

    [Theory]
    [InlineData(4)]
    [InlineData(38)]
    [InlineData(1)]
    [InlineData(13)]
    [InlineData(22)]
    public void WaitFails_InterruptedOrNotKnown_WaitsOnWithWhatThereIs(int errno)
    {
        using var peer = _world.NewDatagramPeer(Ipv4.Loopback);
        peer.Send(Network.ListenEndpoint, "x"u8);
        Network.SetInterest(Network.DatagramSocket, Readiness.Read);
        Posix.WithFailing([(SystemCall.EpollPwait2, errno)], () =>
        {
            Assert.Equal(0, Network.Wait(Instant.Never, new NetworkEvent[4]));
            if (errno != 4)
                _world.AwaitReady(Network.DatagramSocket, Readiness.Read);
        });
        _world.AwaitReady(Network.DatagramSocket, Readiness.Read);
    }

    /// <summary>An old kernel, and the sandbox of an old container engine.</summary>
    [Theory]
    [InlineData(38, "Function not implemented (ENOSYS)")]
    [InlineData(1, "Operation not permitted (EPERM)")]
    public void KernelWithoutNewCalls_ServesAllTheSame_AndSaysWhatIsLost(int errno, string why) =>
        AssertServesWithNewCallsFailing(errno, forceFallbacks: false,
        [
            $"queries are received one by one: no recvmmsg: {why}",
            $"replies are sent one by one: no sendmmsg: {why}",
            $"accepting a connection takes three calls: no accept4: {why}",
            "a restarted backend is recognised by its socket's time of change: no statx: "
                + why,
            "connects may block on a hung socket directory: no openat2 that looks up a path "
                + $"without waiting: {why}",
            $"deadlines are up to a millisecond late: no epoll_pwait2: {why}",
            $"changes in the socket directory are noticed only by the periodic scan: {why}",
        ]);

    [Fact]
    public void SandboxWithoutLimitsAndCounts_SaysSo_AndOpenFilesAreTakenForFew() =>
        Posix.WithFailing([(SystemCall.PrLimit, 1), (SystemCall.GetSockOpt, 1)], () =>
        {
            using var world = new LinuxWorld(Ipv4.Loopback, forceFallbacks: false);
            const string Why = "Operation not permitted (EPERM)";
            Assert.Equal(
            [
                $"the limit of open files cannot be read, and is taken for 1024: {Why}",
                $"what the kernel drops is not counted: no SO_MEMINFO: {Why}",
            ],
                world.Linux.Warnings
                    .Where(warning => !warning.Contains(" buffer ", StringComparison.Ordinal)));
            var room = DescriptorRoom.Measure(world.Linux);
            Assert.Equal(1024, room.Limit);
            Assert.InRange(room.Connections, 1, 400);
            Assert.InRange(room.Reserve, 100, 256);
            Assert.Equal(61, world.Linux.Paths.MostHeld);
        });

    /// <summary>Descriptors that backends passed, whose close takes longer than the test.</summary>
    [Theory]
    [InlineData(SocketFlags.None)]
    [InlineData(SocketFlags.OutOfBand)]
    public void DescriptorsThatHang_CostOneEachAndHoldUpNoOther(SocketFlags flags)
    {
        using var world = new LinuxWorld(Ipv4.Loopback, forceFallbacks: true);
        using var bad = new RawBackend(Text(world.PathOf("5301")));
        using var good = new RawBackend(Text(world.PathOf("5302")));
        var buffer = new byte[100];
        var lingering = new System.Collections.Generic.List<LingeringSocket>();
        for (var n = 0; n < Limits.UnclosedSessions; n++)
        {
            Assert.True(world.Network.ConnectBackend(world.PathOf("5301"), out var stream).IsOk);
            using var session = bad.Accept();
            lingering.Add(new LingeringSocket(seconds: 20));
            // Out of band, what is passed comes with the last byte, if that is the first.
            Assert.True(session.Pass(
                lingering[n], flags == SocketFlags.None ? [1, 2, 3, 4] : [1], flags));
            lingering[n].LetGo();
            // Read or not.
            if (n % 2 == 0)
                Assert.Equal(71, world.Network.Read(stream, buffer).Errno);
            world.Network.Close(stream);
            session.WaitForEnd();
        }

        Assert.Equal(71, world.Network.ConnectBackend(world.PathOf("5301"), out _).Errno);
        var open = System.IO.Directory.GetFiles("/proc/self/fd").Length;
        for (var n = 0; n < 50; n++)
        {
            Assert.True(world.Network.ConnectBackend(world.PathOf("5302"), out var stream).IsOk);
            using var session = good.Accept();
            session.Write([1, 2, 3, 4]);
            if (n % 2 == 0)
                Assert.Equal(IoResult.Ok(4), world.Network.Read(stream, buffer));
            world.Network.Close(stream);
            session.WaitForEnd();
        }
        Assert.InRange(System.IO.Directory.GetFiles("/proc/self/fd").Length, 0, open + 20);
        foreach (var socket in lingering)
            socket.Dispose();
    }

    /// <summary>A byte that is not in the stream is not waited for in vain.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ByteOutOfBand_WakesOneWaitOnly(bool forceFallbacks)
    {
        using var world = new LinuxWorld(Ipv4.Loopback, forceFallbacks);
        using var backend = new RawBackend(Text(world.PathOf("5301")));
        var network = world.Network;
        Assert.True(network.ConnectBackend(world.PathOf("5301"), out var stream).IsOk);
        using var session = backend.Accept();
        network.SetInterest(stream, Readiness.Read);
        var buffer = new byte[100];
        for (byte n = 1; n <= 3; n++)
        {
            session.WriteUrgent(n);
            world.AwaitReady(stream, Readiness.Read);
            var read = network.Read(stream, buffer);
            Assert.True(read.IsOk || read.Status == IoStatus.WouldBlock, read.ToString());
            Assert.Empty(world.PollSockets());
        }
        session.Write([1, 2, 3, 4]);
        session.WriteUrgent(5);
        world.AwaitReady(stream, Readiness.Read);
        Assert.Equal(IoResult.Ok(4), network.Read(stream, buffer));
        network.Read(stream, buffer);
        Assert.Empty(world.PollSockets());
    }

    private static string Text(byte[] path) => System.Text.Encoding.UTF8.GetString(path);

    [Fact]
    public void ForcedFallbacks_NeverMakeTheNewCalls() =>
        AssertServesWithNewCallsFailing(errno: 5, forceFallbacks: true);

    private static void AssertServesWithNewCallsFailing(
        int errno, bool forceFallbacks, params string[] warnings) => Posix.WithFailing(
        [
            (SystemCall.RecvMMsg, errno), (SystemCall.SendMMsg, errno),
            (SystemCall.EpollPwait2, errno), (SystemCall.InotifyInit1, errno),
            (SystemCall.Accept4, errno), (SystemCall.StatX, errno), (SystemCall.OpenAt2, errno),
        ],
        () =>
        {
            using var world = new LinuxWorld(Ipv4.Any, forceFallbacks);
            Assert.Equal(warnings, world.Linux.Warnings
                .Where(warning => !warning.Contains(" buffer ", StringComparison.Ordinal))
                .Concat(world.Sockets.Warnings));
            using var peer = world.NewDatagramPeer(Ipv4.Loopback);
            var asked = new Endpoint(
                Ipv4.From(127, 0, 0, 5), world.Network.ListenEndpoint.Port);
            for (var i = 0; i < 5; i++)
                peer.Send(asked, BitConverter.GetBytes(i));
            var batch = new DatagramBatch();
            world.ReceiveSome(batch);
            Assert.Equal(5, batch.Count);
            Assert.True(batch.Headers[0].IsFromThisHost);
            Assert.Equal(IoResult.Ok(5), world.Network.SendDatagrams(batch, 0));
            for (var i = 0; i < 5; i++)
            {
                var (from, payload) = peer.Receive();
                Assert.Equal(asked, from);
                Assert.Equal(i, BitConverter.ToInt32(payload));
            }
            using var client = world.ConnectClient();
            Assert.Equal(client.Endpoint, world.AcceptClient().Client);
            using var listener = world.Listen("5301");
            Assert.True(world.OpenScan().IsOk);
            Assert.True(world.NextEntry(out var entry).IsOk);
            Assert.True(entry.IsSocket);
            Assert.NotEqual(default, entry.Identity);
        });

    [Theory]
    [InlineData(28)]
    [InlineData(12)]
    [InlineData(1)]
    public void EpollFull_SocketIsTakenInByALaterWait(int errno)
    {
        using var listener = _world.Listen("b");
        var stream = _world.Connect("b");
        Posix.WithFailing([(SystemCall.EpollCtl, errno)], () =>
        {
            Assert.True(Network.Unwatched.IsOk);
            Network.SetInterest(stream, Readiness.Write);
            Assert.Equal(errno, Network.Unwatched.Errno);
            Assert.Empty(_world.PollSockets());
            Assert.Equal(errno, Network.Unwatched.Errno);
        });
        Assert.Equal(Readiness.Write, _world.AwaitReady(stream, Readiness.Write));
        Assert.True(Network.Unwatched.IsOk);
    }

    /// <summary>Thousands of sockets may wait for room, and each call may be slow.</summary>
    [Fact]
    public void EpollFull_IsAskedForOneSocketEveryTenMilliseconds()
    {
        const int Sockets = 5;
        const int Waits = 300;
        using var listener = _world.Listen("b");
        var streams = Enumerable.Range(0, Sockets).Select(_ => _world.Connect("b")).ToArray();
        var took = new System.Diagnostics.Stopwatch();
        var calls = Posix.CountFailing(SystemCall.EpollCtl, errno: 28, () =>
        {
            took.Start();
            foreach (var stream in streams)
                Network.SetInterest(stream, Readiness.Write);
            for (var n = 0; n < Waits; n++)
                Assert.Empty(_world.PollSockets());
            Thread.Sleep(20);
            Assert.Empty(_world.PollSockets());
            took.Stop();
        });
        // One for each, the first try again, and one every 10 ms.
        Assert.InRange(calls, Sockets + 2, Sockets + 1 + took.ElapsedMilliseconds / 10 + 1);
        foreach (var stream in streams)
            _world.AwaitReady(stream, Readiness.Write);
    }

    [Fact]
    public void WatchesUsedUp_IsOneWarningAndAScanThatWorks() =>
        Posix.WithFailing([(SystemCall.InotifyAddWatch, 28)], () =>
        {
            using var world = new LinuxWorld(Ipv4.Loopback, forceFallbacks: false);
            Assert.True(world.OpenScan().IsOk);
            world.Directory.CloseScan();
            Assert.Single(world.Sockets.Warnings);
        });

    [Theory]
    [InlineData(SystemCall.GetDents64, 5, IoStatus.Other)]
    [InlineData(SystemCall.GetDents64, 13, IoStatus.AccessDenied)]
    internal void ScanBreaksOff_EachErrno_IsAValue(
        SystemCall call, int errno, IoStatus expected)
    {
        LinuxWorld? world = null;
        Posix.WithFailing([(call, errno)], () =>
        {
            // A thread that is made here is denied what this one is.
            world = new LinuxWorld(Ipv4.Loopback, forceFallbacks: false);
            using var listener = world.Listen("5301");
            Assert.True(world.OpenScan().IsOk);
            Assert.Equal(expected, world.NextEntry(out _).Status);
            world.Directory.CloseScan();
        });
        world?.Dispose();
    }

    // ---- The directory's watch ----

    [Fact]
    public void DirectoryReplacedByAnother_IsReportedAndFollowedByTheNextScan()
    {
        _world.OpenScan();
        _world.Directory.CloseScan();
        _world.ReplaceDirectory();
        AwaitChange();
        _world.OpenScan();
        _world.Directory.CloseScan();
        while (_world.Poll().Length > 0)
        {
        }
        _world.MakeFile("in-the-new-one");
        AwaitChange();
    }

    private void AwaitChange() =>
        _world.Await(came => came.Kind == NetworkEventKind.DirectoryChanged);

    // ---- Posts ----

    [Fact]
    public void Post_FromAnotherThread_EndsAWait()
    {
        var poster = new Thread(() => Network.Post(NetworkEventKind.StatusRequested));
        poster.Start();
        _world.Await(came => came.Kind == NetworkEventKind.StatusRequested);
        poster.Join();
        Assert.Empty(_world.Poll());
    }

    [Fact]
    public void Posts_MoreThanRoom_AllComeOnce()
    {
        Network.Post(NetworkEventKind.StopRequested);
        Network.Post(NetworkEventKind.RescanRequested);
        Network.Post(NetworkEventKind.RescanRequested);
        Network.Post(NetworkEventKind.StatusRequested);
        var kinds = Enumerable.Range(0, 6)
            .SelectMany(_ => _world.Poll(room: 1)).Select(came => came.Kind);
        Assert.Equal(
            [NetworkEventKind.StopRequested, NetworkEventKind.RescanRequested,
                NetworkEventKind.StatusRequested], kinds);
        Network.Dispose();
        Network.Post(NetworkEventKind.StopRequested);
    }

    // ---- The steady path ----

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void QueriesAndReplies_InASteadyState_AllocateNothing(bool forceFallbacks)
    {
        using var world = new LinuxWorld(Ipv4.Any, forceFallbacks);
        using var listener = world.Listen("b");
        var stream = world.Connect("b");
        var network = world.Network;
        network.SetInterest(network.DatagramSocket, Readiness.Read);
        network.SetInterest(stream, Readiness.Read);
        using var peer = new Socket(
            AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        peer.Connect(Net.EndPoint(
            new Endpoint(Ipv4.Loopback, network.ListenEndpoint.Port)));
        var batch = new DatagramBatch();
        var events = new NetworkEvent[64];
        var read = new byte[1024];
        var received = 0;
        long before = 0;
        for (var round = 0; round < 300; round++)
        {
            if (round == 200)
                (received, before) = (0, GC.GetAllocatedBytesForCurrentThread());
            for (var i = 0; i < 8; i++)
                peer.Send("query"u8);
            network.Wait(world.Clock.Now + Duration.FromSeconds(30L), events);
            received += network.ReceiveDatagrams(batch).Count;
            network.SendDatagrams(batch, 0);
            for (var i = 0; i < batch.Count; i++)
                peer.Receive(read);
            network.Write(stream, "frame"u8);
            network.Read(stream, read);
            network.SetInterest(stream, round % 2 == 0 ? Readiness.HangUp : Readiness.Read);
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(800, received);
    }

    /// <summary>The heap may be full by the time that a client asks first.</summary>
    [Fact]
    public void FirstUseOfABalancersBatches_TakesNoMemory()
    {
        using var world = new LinuxWorld(Ipv4.Loopback, forceFallbacks: false);
        DatagramBatch queries = new(), replies = new(), ownAnswers = new();
        Assert.True(replies.TryAdd(new(Ipv4.Loopback, 9), Ipv4.Any, "reply"u8));
        Assert.True(ownAnswers.TryAdd(new(Ipv4.Loopback, 9), Ipv4.Any, "answer"u8));
        // What the runtime makes for a call's first time is not what is looked at.
        using (var other = new LinuxWorld(Ipv4.Loopback, forceFallbacks: false))
        {
            other.Network.ReceiveDatagrams(queries);
            other.Network.SendDatagrams(replies, 0);
        }
        var before = GC.GetAllocatedBytesForCurrentThread();
        world.Network.ReceiveDatagrams(queries);
        world.Network.SendDatagrams(replies, 0);
        world.Network.SendDatagrams(ownAnswers, 0);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static LinuxNetwork Open(Endpoint endpoint) => LinuxNetwork.Open(
        new LinuxNetworkOptions { Address = endpoint.Address, Port = endpoint.Port });
}
