// Owns what a contract test needs beside the seams themselves: the other ends. A world is one
// network with its directory and clock, and the means to play clients and backends against them,
// so that one suite of tests can be run on real sockets and on simulated ones.
//
// What always holds: a peer's Receive and Accept wait until what they wait for has come, or fail
// the test after a generous time; everything else is done when the call returns.

using System;
using System.Threading;
using Balancer.Core;

namespace Tests.Integration.Contract;

/// <summary>How a peer saw a stream end.</summary>
public enum StreamEnd
{
    EndOfStream,
    Reset,
}

/// <summary>What a stream of the balancer's is made of.</summary>
public enum StreamFamily
{
    /// <summary>A session to a backend.</summary>
    Unix,

    /// <summary>A client's connection.</summary>
    Tcp,
}

/// <summary>A client's UDP socket.</summary>
public interface IDatagramPeer : IDisposable
{
    Endpoint Endpoint { get; }

    void Send(Endpoint destination, ReadOnlySpan<byte> payload);

    (Endpoint From, byte[] Payload) Receive();
}

/// <summary>The other end of a stream; disposing it closes it.</summary>
public interface IStreamPeer : IDisposable
{
    /// <summary>Its own address; means something for TCP only.</summary>
    Endpoint Endpoint { get; }

    void Send(ReadOnlySpan<byte> bytes);

    /// <summary>One read, which does not wait: Ok, EndOfStream or why not.</summary>
    IoResult TryRead(Span<byte> into);

    /// <summary>One write, which does not wait: Ok or why not.</summary>
    IoResult TryWrite(ReadOnlySpan<byte> from);

    /// <summary>Receives exactly as many bytes.</summary>
    byte[] Receive(int count);

    /// <summary>Receives what is left, and how it ended.</summary>
    StreamEnd ReceiveEnd();

    void HalfClose();

    /// <summary>Closes a TCP connection with a reset.</summary>
    void Reset();
}

/// <summary>A backend's listening socket; disposing it is a crash, which leaves the path.</summary>
public interface IListenerPeer : IDisposable
{
    IStreamPeer Accept();

    /// <summary>An orderly end: the path is unlinked first.</summary>
    void Retire();
}

public abstract class NetworkWorld : IDisposable
{
    public abstract INetwork Network { get; }

    public abstract IBackendDirectory Directory { get; }

    public abstract IClock Clock { get; }

    /// <summary>Whether changes in the directory are told without a scan.</summary>
    public abstract bool NoticesChanges { get; }

    public abstract IDatagramPeer NewDatagramPeer(Ipv4 address);

    /// <summary>A TCP client that is connected to the network's listener.</summary>
    public abstract IStreamPeer ConnectClient();

    /// <summary>
    /// A socket in the directory that listens; it takes the place of what has that name, in one
    /// step.
    /// </summary>
    public abstract IListenerPeer Listen(string name, int backlog = 16);

    /// <summary>A name's path in the directory.</summary>
    public abstract byte[] PathOf(string name);

    public abstract void MakeFile(string name);

    public abstract void MakeFolder(string name);

    /// <summary>A symbolic link to another name, which need not exist.</summary>
    public abstract void MakeLink(string name, string target);

    public abstract void Delete(string name);

    public abstract void Rename(string oldName, string newName);

    /// <summary>Changes the mode of an entry to one that all may read and write.</summary>
    public abstract void ChangeMode(string name);

    /// <summary>Removes the directory of backends with all that is in it.</summary>
    public abstract void RemoveDirectory();

    public abstract void MakeDirectory();

    /// <summary>
    /// Does something while the directory can be searched but not read, as by its mode.
    /// </summary>
    public abstract void WhileUnreadable(Action action);

    public abstract void Dispose();

    /// <summary>Lets a millisecond pass.</summary>
    protected abstract void Rest();

    /// <summary>Opens a scan of the directory, however long that takes to answer.</summary>
    public IoResult OpenScan()
    {
        IoResult result;
        while ((result = Directory.OpenScan()).Status == IoStatus.WouldBlock)
            AwaitAnswer();
        return result;
    }

    /// <summary>Takes the next entry of a scan in the same way.</summary>
    public IoResult NextEntry(out DirectoryEntry entry)
    {
        IoResult result;
        while ((result = Directory.NextEntry(out entry)).Status == IoStatus.WouldBlock)
            AwaitAnswer();
        return result;
    }

    private void AwaitAnswer() => Await(came => came.Kind == NetworkEventKind.DirectoryAnswered);

    /// <summary>Waits until an event comes that fits, and returns it.</summary>
    public NetworkEvent Await(Func<NetworkEvent, bool> fits)
    {
        var events = new NetworkEvent[Limits.EventsPerTurn];
        var end = Clock.Now + Duration.FromSeconds(30L);
        while (Clock.Now < end)
        {
            var count = Network.Wait(end, events);
            foreach (var came in events.AsSpan(0, count))
            {
                if (fits(came))
                    return came;
            }
            // What is ready and does not fit is told again at once; time must pass all the same.
            if (count > 0)
                Rest();
        }
        throw new TimeoutException("the event did not come within 30 s");
    }

    /// <summary>Waits until a socket is ready for all that is asked.</summary>
    public Readiness AwaitReady(SocketHandle socket, Readiness ready) =>
        Await(came => came.Kind == NetworkEventKind.Socket && came.Handle == socket
            && (came.Ready & ready) == ready).Ready;

    /// <summary>What is to be had without waiting.</summary>
    public NetworkEvent[] Poll(int room = Limits.EventsPerTurn)
    {
        var events = new NetworkEvent[room];
        return events[..Network.Wait(Clock.Now, events)];
    }

    /// <summary>The same, of sockets alone: the directory's changes are another test's.</summary>
    public NetworkEvent[] PollSockets(int room = Limits.EventsPerTurn) =>
        Array.FindAll(Poll(room), came => came.Kind == NetworkEventKind.Socket);

    /// <summary>
    /// Connects to a name of the directory, which must be there; again while only a wait for the
    /// file system could tell where it leads, as the core does.
    /// </summary>
    public SocketHandle Connect(string name)
    {
        var tries = 3_000;
        IoResult result;
        SocketHandle stream;
        do
        {
            result = Network.ConnectBackend(PathOf(name), out stream);
            if (result.Status == IoStatus.WouldBlock)
                Thread.Sleep(10);
        }
        while (result.Status == IoStatus.WouldBlock && --tries > 0);
        return result.IsOk ? stream : throw new InvalidOperationException(result.ToString());
    }

    /// <summary>A stream of either family, and its other end.</summary>
    public (SocketHandle Stream, IStreamPeer Peer) ConnectPair(StreamFamily family)
    {
        if (family == StreamFamily.Tcp)
        {
            var client = ConnectClient();
            return (AcceptClient().Stream, client);
        }
        using var listener = Listen("pair");
        return (Connect("pair"), listener.Accept());
    }

    /// <summary>Accepts the client that waits, or will.</summary>
    public (SocketHandle Stream, Endpoint Client) AcceptClient()
    {
        Network.SetInterest(Network.Listener, Readiness.Read);
        AwaitReady(Network.Listener, Readiness.Read);
        Network.SetInterest(Network.Listener, Readiness.None);
        var result = Network.Accept(out var stream, out var client);
        return result.IsOk ? (stream, client)
            : throw new InvalidOperationException(result.ToString());
    }

    /// <summary>Receives at least one datagram.</summary>
    public void ReceiveSome(DatagramBatch batch)
    {
        Network.SetInterest(Network.DatagramSocket, Readiness.Read);
        AwaitReady(Network.DatagramSocket, Readiness.Read);
        Network.SetInterest(Network.DatagramSocket, Readiness.None);
        var result = Network.ReceiveDatagrams(batch);
        if (!result.IsOk || result.Count != batch.Count)
            throw new InvalidOperationException(result.ToString());
    }
}
