// Owns a backend's listening AF_UNIX socket: the connections that the balancer made and the backend
// has not accepted. The kernel connects without asking the backend, so such a connection already
// carries bytes; only a hello proves that anyone lives behind it.
//
// What always holds: at most backlog + 1 wait, as in Linux, which compares with "greater than";
// beyond them a connect says EAGAIN at once. Closing resets those that wait. The listener lives
// apart from its path: unlinking leaves it, closing leaves the path, stale.

using System;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>A backend's listening socket.</summary>
public sealed class SimListener
{
    private readonly SimKernel _kernel;
    private readonly SimRing<SimEnd> _waiting = new(4);

    internal SimListener(SimKernel kernel, int backlog)
    {
        _kernel = kernel;
        Backlog = backlog;
    }

    /// <summary>The backlog of listen; 0 or more.</summary>
    public int Backlog { get; set; }

    /// <summary>A bound socket refuses connects until it listens.</summary>
    public bool IsListening { get; private set; }

    /// <summary>
    /// Its entry has a mode, for the time being, that lets nobody connect; false at first.
    /// </summary>
    public bool DeniesConnects { get; set; }

    /// <summary>Connections that wait to be accepted.</summary>
    public int WaitingCount => _waiting.Count;

    /// <summary>Connects that succeeded, and those that found the backlog full.</summary>
    public long Connects { get; private set; }

    public long Turned { get; private set; }

    /// <summary>Called, while the balancer waits, when a connection waits to be accepted.</summary>
    public Action<SimListener>? OnConnection { get; set; }

    internal bool IsNotified { get; set; }

    public void Listen() => IsListening = true;

    /// <summary>Takes the connection that has waited longest; null when none waits.</summary>
    public SimStream? Accept() =>
        _waiting.Count == 0 ? null : new SimStream(_kernel, _waiting.Pop(), default);

    /// <summary>The process ends or closes it; its path, if it has one, becomes stale.</summary>
    public void Close()
    {
        IsListening = false;
        while (_waiting.Count > 0)
            _waiting.Pop().Reset();
    }

    internal IoResult Connect(out SimEnd? balancerEnd)
    {
        balancerEnd = null;
        if (DeniesConnects)
            return IoResult.Failed(IoStatus.AccessDenied, Errnos.Eacces);
        if (!IsListening)
            return IoResult.Failed(IoStatus.Refused, Errnos.Econnrefused);
        if (_waiting.Count > Backlog)
        {
            Turned++;
            return IoResult.Failed(IoStatus.WouldBlock, Errnos.Eagain);
        }
        Connects++;
        (balancerEnd, var backendEnd) = SimEnd.Connect(
            isTcp: false, _kernel.BackendToBalancer, _kernel.BalancerToBackend);
        _waiting.Push(backendEnd);
        if (OnConnection != null)
            _kernel.Notify(this);
        return IoResult.Ok();
    }

    internal void RunWorld()
    {
        if (_waiting.Count > 0)
            OnConnection?.Invoke(this);
    }
}
