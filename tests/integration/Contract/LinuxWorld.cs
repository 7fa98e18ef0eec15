// Owns the world of real sockets: a LinuxNetwork on 127.0.0.x, a folder of its own under the
// system's temporary one, and peers made of .NET's own sockets, which are another implementation
// than the one under test.

using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using System.Threading;
using Balancer.Core;
using Balancer.Linux;
using Tests.Integration.Linux;

namespace Tests.Integration.Contract;

[SupportedOSPlatform("linux")]
public sealed class LinuxWorld : NetworkWorld
{
    private readonly DirectoryInfo _root = System.IO.Directory.CreateTempSubdirectory("bb");
    private readonly string _folder;
    private readonly List<IDisposable> _peers = [];

    public LinuxWorld(Ipv4 address, bool forceFallbacks)
    {
        _folder = System.IO.Path.Combine(_root.FullName, "d");
        MakeDirectory();
        Linux = LinuxNetwork.Open(new LinuxNetworkOptions
        {
            Address = address,
            Port = 0,
            ForceFallbacks = forceFallbacks,
        });
        Sockets = new SocketDirectory(Encoding.UTF8.GetBytes(_folder), Linux, forceFallbacks);
        NoticesChanges = !forceFallbacks;
    }

    public LinuxNetwork Linux { get; }

    public SocketDirectory Sockets { get; private set; }

    public override INetwork Network => Linux;

    public override IBackendDirectory Directory => Sockets;

    public override IClock Clock { get; } = new MonotonicClock();

    public override bool NoticesChanges { get; }

    public override IDatagramPeer NewDatagramPeer(Ipv4 address) =>
        Keep(new RealDatagramPeer(address));

    /// <summary>With NoDelay: bytes that waited on this side, a reset would drop.</summary>
    public override IStreamPeer ConnectClient()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true,
        };
        var to = Network.ListenEndpoint.Address == Ipv4.Any
            ? Ipv4.Loopback : Network.ListenEndpoint.Address;
        socket.Connect(Net.EndPoint(new Endpoint(to, Network.ListenEndpoint.Port)));
        return Keep(new RealStreamPeer(socket));
    }

    public override IListenerPeer Listen(string name, int backlog = 16) =>
        Keep(new RealListenerPeer(FileOf(name), backlog));

    public override byte[] PathOf(string name) => Encoding.UTF8.GetBytes(FileOf(name));

    public override void MakeFile(string name) => File.WriteAllText(FileOf(name), "");

    public override void MakeFolder(string name) =>
        System.IO.Directory.CreateDirectory(FileOf(name));

    public override void MakeLink(string name, string target) =>
        File.CreateSymbolicLink(FileOf(name), target);

    public override void Delete(string name) => File.Delete(FileOf(name));

    public override void Rename(string oldName, string newName) =>
        File.Move(FileOf(oldName), FileOf(newName), true);

    public override void ChangeMode(string name) =>
        File.SetUnixFileMode(FileOf(name), (UnixFileMode)0b110_110_110);

    public override void RemoveDirectory() => System.IO.Directory.Delete(_folder, true);

    public override void MakeDirectory() => System.IO.Directory.CreateDirectory(_folder);

    /// <summary>Root reads what it may not, so for the time being this thread is nobody.</summary>
    public override void WhileUnreadable(Action action)
    {
        const UnixFileMode Search = (UnixFileMode)0b001_001_001;
        var mode = File.GetUnixFileMode(_folder);
        File.SetUnixFileMode(_root.FullName, _root.UnixFileMode | Search);
        File.SetUnixFileMode(_folder, Search);
        Posix.AsNobody(() =>
        {
            // The reading thread is restarted as user nobody.
            Sockets.Dispose();
            Sockets = new SocketDirectory(
                Encoding.UTF8.GetBytes(_folder), Linux, forceFallbacks: !NoticesChanges);
            action();
        });
        File.SetUnixFileMode(_folder, mode);
    }

    /// <summary>Puts a new folder in the old one's place, as one step.</summary>
    public void ReplaceDirectory()
    {
        System.IO.Directory.Move(_folder, _folder + ".old");
        MakeDirectory();
    }

    public override void Dispose()
    {
        foreach (var peer in _peers)
            peer.Dispose();
        Sockets.Dispose();
        Linux.Dispose();
        _root.Delete(true);
    }

    protected override void Rest() => Thread.Sleep(1);

    private string FileOf(string name) => System.IO.Path.Combine(_folder, name);

    private T Keep<T>(T peer)
        where T : IDisposable
    {
        _peers.Add(peer);
        return peer;
    }
}

internal static class Net
{
    internal const int PatienceMilliseconds = 30_000;

    internal static IPEndPoint EndPoint(Endpoint endpoint) =>
        new(IPAddress.Parse(endpoint.Address.ToString()), endpoint.Port);

    internal static Endpoint Endpoint(EndPoint? endPoint)
    {
        var ip = (IPEndPoint)endPoint!;
        return Ipv4.TryParse(ip.Address.ToString(), out var address)
            ? new Endpoint(address, (ushort)ip.Port)
            : throw new ArgumentException("not an IPv4 address", nameof(endPoint));
    }
}

internal sealed class RealDatagramPeer : IDatagramPeer
{
    private readonly Socket _socket =
        new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);

    internal RealDatagramPeer(Ipv4 address)
    {
        _socket.ReceiveTimeout = Net.PatienceMilliseconds;
        _socket.Bind(Net.EndPoint(new Endpoint(address, 0)));
    }

    public Endpoint Endpoint => Net.Endpoint(_socket.LocalEndPoint);

    public void Send(Endpoint destination, ReadOnlySpan<byte> payload) =>
        _socket.SendTo(payload, Net.EndPoint(destination));

    public (Endpoint From, byte[] Payload) Receive()
    {
        var buffer = new byte[65_536];
        EndPoint from = new IPEndPoint(IPAddress.Any, 0);
        var count = _socket.ReceiveFrom(buffer, ref from);
        return (Net.Endpoint(from), buffer[..count]);
    }

    public void Dispose() => _socket.Dispose();
}

internal sealed class RealStreamPeer : IStreamPeer
{
    private readonly Socket _socket;

    internal RealStreamPeer(Socket socket)
    {
        _socket = socket;
        _socket.ReceiveTimeout = Net.PatienceMilliseconds;
        _socket.SendTimeout = Net.PatienceMilliseconds;
    }

    public Endpoint Endpoint => Net.Endpoint(_socket.LocalEndPoint);

    public void Send(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
            bytes = bytes[_socket.Send(bytes)..];
    }

    public IoResult TryRead(Span<byte> into)
    {
        _socket.Blocking = false;
        var count = _socket.Receive(into, SocketFlags.None, out var error);
        _socket.Blocking = true;
        return error != SocketError.Success ? Failure(error)
            : count == 0 ? IoResult.Failed(IoStatus.EndOfStream)
            : IoResult.Ok(count);
    }

    public IoResult TryWrite(ReadOnlySpan<byte> from)
    {
        _socket.Blocking = false;
        var count = _socket.Send(from, SocketFlags.None, out var error);
        _socket.Blocking = true;
        return error != SocketError.Success ? Failure(error) : IoResult.Ok(count);
    }

    public byte[] Receive(int count)
    {
        var bytes = new byte[count];
        for (var at = 0; at < count;)
        {
            var read = _socket.Receive(bytes, at, count - at, SocketFlags.None);
            if (read == 0)
                throw new EndOfStreamException();
            at += read;
        }
        return bytes;
    }

    public StreamEnd ReceiveEnd()
    {
        var buffer = new byte[65_536];
        try
        {
            while (_socket.Receive(buffer) > 0)
            {
            }
            return StreamEnd.EndOfStream;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return StreamEnd.Reset;
        }
    }

    /// <summary>.NET throws where the peer is gone, which the next read tells.</summary>
    public void HalfClose()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
        }
    }

    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    public void Dispose() => _socket.Dispose();

    private static IoResult Failure(SocketError error) => IoResult.Failed(error switch
    {
        SocketError.WouldBlock => IoStatus.WouldBlock,
        SocketError.ConnectionReset => IoStatus.Reset,
        SocketError.Shutdown => IoStatus.BrokenPipe,
        _ => throw new SocketException((int)error),
    });
}

internal sealed class RealListenerPeer : IListenerPeer
{
    private readonly Socket _socket =
        new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    private readonly string _path;

    /// <summary>
    /// .NET unlinks the path that a listener was bound to when it closes; bound to another name
    /// and moved, the path outlives it, as with a process that crashed.
    /// </summary>
    internal RealListenerPeer(string path, int backlog)
    {
        _path = path;
        var folder = Path.GetDirectoryName(Path.GetDirectoryName(path))!;
        var bound = Path.Combine(folder, Guid.NewGuid().ToString("N")[..8]);
        _socket.Bind(new UnixDomainSocketEndPoint(bound));
        _socket.Listen(backlog);
        File.Move(bound, path, true);
    }

    public IStreamPeer Accept()
    {
        if (!_socket.Poll(Net.PatienceMilliseconds * 1000, SelectMode.SelectRead))
            throw new TimeoutException("nothing to accept");
        return new RealStreamPeer(_socket.Accept());
    }

    public void Retire()
    {
        File.Delete(_path);
        _socket.Dispose();
    }

    public void Dispose() => _socket.Dispose();
}
