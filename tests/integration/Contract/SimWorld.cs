// Owns the world of simulated sockets: a SimKernel that owns the addresses 127.x.x.x, and peers
// made of the handles that the simulator's own clients and backends use.
//
// Nothing happens here but by a call, so what a peer waits for has come or never will: its waits
// let the world act, and fail at once when that brought nothing.

using System;
using System.Collections.Generic;
using System.Text;
using Balancer.Core;
using Simulation.Kernel;

namespace Tests.Integration.Contract;

public sealed class SimWorld : NetworkWorld
{
    private const string Folder = "/run/bbal";

    private readonly Dictionary<Endpoint, SimDatagramPeer> _datagramPeers = [];
    private ushort _nextPort = 40_000;

    public SimWorld(Ipv4 address)
    {
        Kernel = new SimKernel(new Endpoint(address, 53), Folder)
        {
            RecordDatagrams = false,
        };
        Kernel.Datagrams.OwnsAddress = static own => own.IsLoopback;
        Kernel.Datagrams.OnSent = Deliver;
    }

    public SimKernel Kernel { get; }

    public override INetwork Network => Kernel.Network;

    public override IBackendDirectory Directory => Kernel.Directory;

    public override IClock Clock => Kernel.Clock;

    public override bool NoticesChanges => true;

    public override IDatagramPeer NewDatagramPeer(Ipv4 address)
    {
        var peer = new SimDatagramPeer(Kernel, NewEndpoint(address));
        _datagramPeers.Add(peer.Endpoint, peer);
        return peer;
    }

    public override IStreamPeer ConnectClient() =>
        Kernel.TryConnectClient(NewEndpoint(Ipv4.Loopback)) is { } client
            ? new SimStreamPeer(Kernel, client)
            : throw new InvalidOperationException("nobody listens, or the backlog is full");

    public override IListenerPeer Listen(string name, int backlog = 16)
    {
        if (!Kernel.Directory.Contains(name))
            return new SimListenerPeer(Kernel, Kernel.Directory.Bind(name, backlog), name);
        var elsewhere = name + ".new";
        var listener = Kernel.Directory.Bind(elsewhere, backlog);
        Kernel.Directory.Rename(elsewhere, name);
        return new SimListenerPeer(Kernel, listener, name);
    }

    public override byte[] PathOf(string name) => Encoding.UTF8.GetBytes($"{Folder}/{name}");

    public override void MakeFile(string name) =>
        Kernel.Directory.Create(name, SimEntryKind.File);

    public override void MakeFolder(string name) =>
        Kernel.Directory.Create(name, SimEntryKind.Folder);

    public override void MakeLink(string name, string target) =>
        Kernel.Directory.Link(name, target);

    public override void Delete(string name) => Kernel.Directory.Unlink(name);

    public override void Rename(string oldName, string newName) =>
        Kernel.Directory.Rename(oldName, newName);

    /// <summary>The simulated directory has no modes but that of the whole.</summary>
    public override void ChangeMode(string name)
    {
    }

    public override void RemoveDirectory() => Kernel.Directory.Remove();

    public override void MakeDirectory() => Kernel.Directory.Make();

    public override void WhileUnreadable(Action action)
    {
        Kernel.Directory.Readable = IoResult.Failed(IoStatus.AccessDenied, 13);
        action();
        Kernel.Directory.Readable = IoResult.Ok();
    }

    public override void Dispose()
    {
    }

    protected override void Rest() => Kernel.Pass(Duration.FromMilliseconds(1));

    private Endpoint NewEndpoint(Ipv4 address) => new(address, _nextPort++);

    private void Deliver(Instant at, Ipv4 from, Endpoint to, ReadOnlySpan<byte> payload)
    {
        var listening = Network.ListenEndpoint;
        // Left to the kernel, a datagram within the host leaves from where it goes to.
        var source = listening.Address != Ipv4.Any ? listening.Address
            : from != Ipv4.Any ? from : to.Address;
        if (_datagramPeers.TryGetValue(to, out var peer))
            peer.Deliver(new Endpoint(source, listening.Port), payload);
    }
}

/// <summary>How long, in virtual time, peers wait for what the world may bring.</summary>
internal static class SimPatience
{
    internal static void Await(SimKernel kernel, Func<bool> hasCome)
    {
        kernel.RunWorld();
        if (!hasCome())
            kernel.Pass(Duration.FromSeconds(1L));
        if (!hasCome())
            throw new TimeoutException("it did not come, and virtual time brings nothing more");
    }
}

internal sealed class SimDatagramPeer(SimKernel kernel, Endpoint endpoint) : IDatagramPeer
{
    private readonly Queue<(Endpoint From, byte[] Payload)> _came = [];

    public Endpoint Endpoint => endpoint;

    public void Send(Endpoint destination, ReadOnlySpan<byte> payload)
    {
        var listening = kernel.Network.ListenEndpoint;
        if (destination.Port == listening.Port
            && (listening.Address == Ipv4.Any || listening.Address == destination.Address))
        {
            kernel.InjectDatagram(endpoint, destination.Address, payload);
        }
    }

    public (Endpoint From, byte[] Payload) Receive()
    {
        SimPatience.Await(kernel, () => _came.Count > 0);
        return _came.Dequeue();
    }

    public void Dispose()
    {
    }

    internal void Deliver(Endpoint from, ReadOnlySpan<byte> payload) =>
        _came.Enqueue((from, payload.ToArray()));
}

internal sealed class SimStreamPeer(SimKernel kernel, SimStream stream) : IStreamPeer
{
    public Endpoint Endpoint => stream.From;

    public void Send(ReadOnlySpan<byte> bytes) => stream.Send(bytes);

    public IoResult TryRead(Span<byte> into) => stream.Read(into);

    public IoResult TryWrite(ReadOnlySpan<byte> from) => stream.Write(from);

    public byte[] Receive(int count)
    {
        var bytes = new byte[count];
        for (var at = 0; at < count;)
        {
            var result = Read(bytes.AsSpan(at));
            if (!result.IsOk)
                throw new InvalidOperationException(result.ToString());
            at += result.Count;
        }
        return bytes;
    }

    public StreamEnd ReceiveEnd()
    {
        var buffer = new byte[65_536];
        IoResult result;
        while ((result = Read(buffer)).IsOk)
        {
        }
        return result.Status switch
        {
            IoStatus.EndOfStream => StreamEnd.EndOfStream,
            IoStatus.Reset => StreamEnd.Reset,
            _ => throw new InvalidOperationException(result.ToString()),
        };
    }

    public void HalfClose() => stream.HalfClose();

    public void Reset() => stream.Reset();

    public void Dispose()
    {
        if (!stream.IsClosed)
            stream.Close();
    }

    private IoResult Read(Span<byte> into)
    {
        SimPatience.Await(kernel,
            () => stream.Available > 0 || stream.IsAtEnd || stream.IsReset);
        return stream.Read(into);
    }
}

internal sealed class SimListenerPeer(SimKernel kernel, SimListener listener, string name)
    : IListenerPeer
{
    public IStreamPeer Accept()
    {
        SimPatience.Await(kernel, () => listener.WaitingCount > 0);
        return new SimStreamPeer(kernel, listener.Accept()!);
    }

    public void Retire()
    {
        kernel.Directory.Unlink(name);
        listener.Close();
    }

    public void Dispose() => listener.Close();
}
