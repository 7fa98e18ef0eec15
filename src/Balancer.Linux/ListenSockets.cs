// Owns the making of the two sockets that clients meet, UDP and TCP on one address and port.
// This is start-up: what the balancer cannot be without throws NetworkSetupException; an option
// that the system does not know (LX zones have several) is a warning and a lost feature.
//
// Why it is so: no SO_REUSEADDR on UDP, because with it a second process can bind the same port
// and take the traffic; on TCP it is right, for a restart while old connections are in TIME_WAIT.
// Options of connections are set on the listener, whose connections inherit them.
//
// What always holds: after a throw nothing that was opened here is left open.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class ListenSockets
{
    /// <summary>Ports tried when any will do but the one free for UDP is taken for TCP.</summary>
    private const int PortTries = 32;

    private readonly LinuxNetworkOptions _options;
    private readonly List<string> _warnings;

    private ListenSockets(LinuxNetworkOptions options, List<string> warnings)
    {
        _options = options;
        _warnings = warnings;
    }

    internal int Datagram { get; private set; } = -1;

    internal int Listener { get; private set; } = -1;

    /// <summary>What both are bound to; the port is the real one.</summary>
    internal Endpoint Endpoint { get; private set; }

    /// <summary>Whether each datagram's own local address comes and goes with it.</summary>
    internal bool HasPacketInfo { get; private set; }

    internal static ListenSockets Open(LinuxNetworkOptions options, List<string> warnings)
    {
        var sockets = new ListenSockets(options, warnings);
        try
        {
            sockets.BindBoth();
            sockets.SetDatagramOptions();
            sockets.SetListenerOptions();
            if (LibC.Listen(sockets.Listener, Limits.ListenBacklog) < 0)
                throw Failure("listen on", "TCP", sockets.Endpoint, LibC.Errno);
            return sockets;
        }
        catch (NetworkSetupException)
        {
            sockets.Close();
            throw;
        }
    }

    internal void Close()
    {
        if (Datagram >= 0)
            _ = LibC.Close(Datagram);
        if (Listener >= 0)
            _ = LibC.Close(Listener);
        Datagram = Listener = -1;
    }

    private static NetworkSetupException Failure(
        string verb, string protocol, Endpoint endpoint, int errno) =>
        NetworkSetupException.For($"cannot {verb} {protocol} {endpoint}", errno);

    private void BindBoth()
    {
        var wanted = new Endpoint(_options.Address, _options.Port);
        for (var tries = 1; ; tries++)
        {
            Datagram = NewSocket("UDP", C.SOCK_DGRAM);
            var errno = Bind(Datagram, wanted);
            if (errno != 0)
                throw Failure("bind", "UDP", wanted, errno);
            Endpoint = new Endpoint(_options.Address, BoundPort(Datagram));

            Listener = NewSocket("TCP", C.SOCK_STREAM);
            SetOption(Listener, C.SOL_SOCKET, C.SO_REUSEADDR, 1, "SO_REUSEADDR of TCP");
            errno = Bind(Listener, Endpoint);
            if (errno == 0)
                return;
            if (errno != Errno.EADDRINUSE || wanted.Port != 0 || tries == PortTries)
                throw Failure("bind", "TCP", Endpoint, errno);
            Close();
        }
    }

    private static int NewSocket(string protocol, int type)
    {
        var fd = LibC.Socket(C.AF_INET, type | C.SOCK_NONBLOCK | C.SOCK_CLOEXEC, 0);
        if (fd < 0)
            throw NetworkSetupException.For($"cannot make a {protocol} socket", LibC.Errno);
        return fd;
    }

    /// <summary>0 or the errno.</summary>
    private static int Bind(int fd, Endpoint to)
    {
        SocketAddressIn address = default;
        address.Family = C.AF_INET;
        address.NetworkPort = BinaryPrimitives.ReverseEndianness(to.Port);
        address.NetworkAddress = BinaryPrimitives.ReverseEndianness(to.Address.Value);
        return LibC.Bind(fd, &address, (uint)sizeof(SocketAddressIn)) == 0 ? 0 : LibC.Errno;
    }

    private static ushort BoundPort(int fd)
    {
        SocketAddressIn address = default;
        var length = (uint)sizeof(SocketAddressIn);
        if (LibC.GetSockName(fd, &address, &length) < 0)
            throw NetworkSetupException.For("cannot read the UDP socket's port", LibC.Errno);
        return BinaryPrimitives.ReverseEndianness(address.NetworkPort);
    }

    private void SetDatagramOptions()
    {
        SetBuffer("receive", C.SO_RCVBUFFORCE, C.SO_RCVBUF, "net.core.rmem_max");
        SetBuffer("send", C.SO_SNDBUFFORCE, C.SO_SNDBUF, "net.core.wmem_max");
        SetFragmentation();
        // Bound to one address, replies leave from it anyway, and cheaper.
        if (_options.Address != Ipv4.Any)
            return;
        HasPacketInfo = SetOption(Datagram, C.IPPROTO_IP, C.IP_PKTINFO, 1, "IP_PKTINFO");
        if (!HasPacketInfo)
        {
            _warnings.Add("without IP_PKTINFO, replies of a host with several addresses may leave"
                + " from another than was asked, and queries from this host's own addresses but"
                + " loopback are not recognised as a loop: listen on one address");
        }
    }

    /// <summary>
    /// Replies are fragmented on their way where they must be, and no ICMP says how large they
    /// may be: a forged one could force tiny fragments, and a lost one could make replies vanish.
    /// </summary>
    private void SetFragmentation()
    {
        var omit = C.IP_PMTUDISC_OMIT;
        if (LibC.SetSockOpt(Datagram, C.IPPROTO_IP, C.IP_MTU_DISCOVER, &omit, sizeof(int)) == 0)
            return;
        // Before Linux 3.15: cut up as well, but ICMP is believed.
        var dont = C.IP_PMTUDISC_DONT;
        _ = LibC.SetSockOpt(Datagram, C.IPPROTO_IP, C.IP_MTU_DISCOVER, &dont, sizeof(int));
    }

    private void SetListenerOptions()
    {
        SetOption(Listener, C.SOL_SOCKET, C.SO_SNDBUF, Limits.TcpBufferBytes,
            "the TCP send buffer");
        SetOption(Listener, C.SOL_SOCKET, C.SO_RCVBUF, Limits.TcpBufferBytes,
            "the TCP receive buffer");
        SetOption(Listener, C.IPPROTO_TCP, C.TCP_NODELAY, 1, "TCP_NODELAY");
        SetOption(Listener, C.SOL_SOCKET, C.SO_KEEPALIVE, 1, "SO_KEEPALIVE");
        SetOption(Listener, C.IPPROTO_TCP, C.TCP_KEEPIDLE, Limits.KeepAliveIdleSeconds,
            "TCP_KEEPIDLE");
        SetOption(Listener, C.IPPROTO_TCP, C.TCP_KEEPINTVL, Limits.KeepAliveIntervalSeconds,
            "TCP_KEEPINTVL");
        SetOption(Listener, C.IPPROTO_TCP, C.TCP_KEEPCNT, Limits.KeepAliveProbes,
            "TCP_KEEPCNT");
    }

    private bool SetOption(int fd, int level, int name, int value, string title)
    {
        if (LibC.SetSockOpt(fd, level, name, &value, sizeof(int)) == 0)
            return true;
        _warnings.Add(NetworkSetupException.Explain($"cannot set {title}", LibC.Errno));
        return false;
    }

    /// <summary>
    /// Sets a buffer past the system's limit if this process may, else up to it, and says so when
    /// that is less than wanted.
    /// </summary>
    private void SetBuffer(string which, int forced, int plain, string sysctl)
    {
        var wanted = _options.DatagramBufferBytes;
        if (LibC.SetSockOpt(Datagram, C.SOL_SOCKET, forced, &wanted, sizeof(int)) == 0)
            return;
        if (!SetOption(Datagram, C.SOL_SOCKET, plain, wanted, $"the UDP {which} buffer"))
            return;
        int actual;
        uint length = sizeof(int);
        if (LibC.GetSockOpt(Datagram, C.SOL_SOCKET, plain, &actual, &length) < 0)
            return;
        // Linux doubles what is asked for, for its own overhead, and reports the double.
        if (actual / 2 < wanted)
        {
            _warnings.Add(string.Create(CultureInfo.InvariantCulture,
                $"the UDP {which} buffer is {actual / 2} bytes, not {wanted}: see {sysctl}"));
        }
    }
}
