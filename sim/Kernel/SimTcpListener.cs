// Owns the listening TCP socket: the clients whose handshake the kernel finished and whom the
// balancer has not accepted. A client that resets or closes while it waits is accepted all the
// same and found reset or ended by the first read, as on Linux.
//
// What always holds: at most backlog + 1 wait, as in Linux, which compares with "greater than"; a
// client beyond them gets no connection; closing the listener resets those that wait.

using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>The balancer's TCP listener, seen from the network.</summary>
public sealed class SimTcpListener
{
    private struct Waiting
    {
        public SimEnd End;
        public Endpoint From;
    }

    private readonly SimKernel _kernel;
    private readonly SimRing<Waiting> _waiting = new();

    internal SimTcpListener(SimKernel kernel)
    {
        _kernel = kernel;
        Socket = kernel.Sockets.OpenOther(
            () => _waiting.Count > 0 ? Readiness.Read : Readiness.None);
    }

    /// <summary>The backlog of listen; 0 or more.</summary>
    public int Backlog { get; set; } = Limits.ListenBacklog;

    /// <summary>Clients that wait to be accepted.</summary>
    public int WaitingCount => _waiting.Count;

    /// <summary>Clients that found the backlog full.</summary>
    public long Dropped { get; private set; }

    /// <summary>
    /// Ok at first; else every client leaves before it is accepted, and accept returns this for
    /// each.
    /// </summary>
    public IoResult Aborts { get; set; } = IoResult.Ok();

    public bool IsClosed { get; private set; }

    internal SimSocket Socket { get; }

    /// <summary>A client connects; null when the backlog is full or nobody listens.</summary>
    public SimStream? TryConnect(Endpoint from, PipeSize toBalancer, PipeSize toClient)
    {
        if (IsClosed)
            return null;
        if (_waiting.Count > Backlog)
        {
            Dropped++;
            return null;
        }
        var (balancer, peer) = SimEnd.Connect(isTcp: true, toBalancer, toClient);
        ref var waiting = ref _waiting.Push();
        waiting.End = balancer;
        waiting.From = from;
        Socket.Touch();
        return new SimStream(_kernel, peer, from);
    }

    internal IoResult Accept(out SocketHandle stream, out Endpoint client)
    {
        stream = SocketHandle.None;
        client = default;
        if (_kernel.Faults.TryTake(SimCall.Accept, out var fault) && !fault.IsOk)
            return fault;
        if (!Aborts.IsOk && _waiting.Count > 0)
        {
            _waiting.Pop().End.Reset();
            return Aborts;
        }
        // Linux takes the descriptor before it looks whether anyone waits.
        if (_kernel.IsOutOfDescriptors)
            return IoResult.Failed(IoStatus.TooManyFiles, Errnos.Emfile);
        if (_waiting.Count == 0)
            return IoResult.Failed(IoStatus.WouldBlock, Errnos.Eagain);
        ref var waiting = ref _waiting.Pop();
        client = waiting.From;
        stream = _kernel.Sockets.OpenStream(waiting.End).Handle;
        return IoResult.Ok();
    }

    internal void Close()
    {
        IsClosed = true;
        while (_waiting.Count > 0)
            _waiting.Pop().End.Reset();
    }
}
