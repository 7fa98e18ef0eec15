// Owns one process of a fake backend, from its bind to its death: its listener, its sessions, and
// whether it runs at all. A backend that is restarted is another process.
//
// What always holds: what is paused, hung or dead neither accepts nor reads nor writes; a process
// that died does nothing more, and its path is whoever's it was.

using System;
using System.Collections.Generic;
using Balancer.Core;
using FakeBinder;
using Simulation.Kernel;

namespace Simulation.Running;

/// <summary>One process of a fake backend in virtual time.</summary>
internal sealed class BinderProcess
{
    private readonly BinderHost _host;
    private readonly BinderShared _shared;
    private readonly SimListener _listener;
    private readonly List<BinderLink> _links = [];
    private Misbehaviour _misbehaviour;
    private Instant _pausedUntil;
    private bool _accepts = true;
    private bool _listens;
    private bool _isTainted;

    /// <summary>A process that binds the host's name; the name must be free.</summary>
    public BinderProcess(
        BinderHost host, Misbehaviour misbehaviour, bool listens, bool isDenied)
    {
        _host = host;
        _misbehaviour = misbehaviour;
        _listens = listens;
        _isTainted = misbehaviour != Misbehaviour.None;
        _shared = new BinderShared(Now.Nanoseconds);
        _listener = Kernel.Directory.Bind(host.Plan.Name, listen: listens);
        _listener.DeniesConnects = isDenied;
        _listener.OnConnection = _ => Accept();
    }

    public SimKernel Kernel => _host.Kernel;

    public RunObserver Observer => _host.Observer;

    /// <summary>The backend's number in the scenario.</summary>
    public int Backend => _host.Plan.Id;

    /// <summary>Where reads put their bytes; one for all, since each is used up at once.</summary>
    public byte[] Buffer => _host.Buffer;

    public Instant Now => Kernel.Now;

    public bool IsDead { get; private set; }

    /// <summary>It does what there is to do.</summary>
    public bool IsActive => !IsDead && Now >= _pausedUntil && !_shared.Hung;

    public bool IsPaused => Now < _pausedUntil;

    /// <summary>
    /// It behaves as it should, and always did by itself: pauses that are over, connections that it
    /// let wait, and sessions that were ended leave nothing behind.
    /// </summary>
    public bool IsClean =>
        !_isTainted && !IsDead && !IsPaused && _accepts && _listens;

    /// <summary>Begins or ceases to misbehave, in the sessions that there are too.</summary>
    public void SetMisbehaviour(Misbehaviour misbehaviour)
    {
        _misbehaviour = misbehaviour;
        _isTainted |= misbehaviour != Misbehaviour.None;
        foreach (var link in _links)
            link.Misbehaviour = misbehaviour;
    }

    /// <summary>Does nothing until then; Never for ever.</summary>
    public void PauseUntil(Instant until)
    {
        _pausedUntil = Instant.Max(_pausedUntil, until);
        if (_pausedUntil != Instant.Never)
            Kernel.At(_pausedUntil, GoOn);
    }

    /// <summary>It listens from now on, or from the end of its pause.</summary>
    public void Listen()
    {
        _listens = true;
        if (IsActive)
            OpenListener();
    }

    /// <summary>Stops to accept, with a backlog of so many, or accepts again.</summary>
    public void SetAccepting(bool accepts, int backlog)
    {
        _accepts = accepts;
        _listener.Backlog = backlog;
        Accept();
    }

    /// <summary>Its path is gone or another's.</summary>
    public void LosePath() => _isTainted = true;

    /// <summary>All sessions end, with the beginning of a frame before it if asked for.</summary>
    public void EndSessions(bool reset, ReadOnlySpan<byte> before)
    {
        foreach (var link in _links.ToArray())
        {
            link.Inject(before);
            link.End(reset);
        }
    }

    /// <summary>It dies: everything that it has open closes; its path stays.</summary>
    public void Die()
    {
        if (IsDead)
            return;
        IsDead = true;
        _listener.OnConnection = null;
        _listener.Close();
        foreach (var link in _links.ToArray())
            link.End(reset: false);
    }

    public void CrashByScript() => _host.OnCrashed(this);

    public void Forget(BinderLink link) => _links.Remove(link);

    private void GoOn()
    {
        if (!IsActive)
            return;
        if (_listens)
            OpenListener();
        foreach (var link in _links.ToArray())
            link.GoOn();
        Accept();
    }

    private void OpenListener()
    {
        _listener.DeniesConnects = false;
        _listener.Listen();
    }

    private void Accept()
    {
        while (IsActive && _accepts && _listener.Accept() is { } stream)
        {
            var session = new BinderSession(_host.Plan.Name, _misbehaviour, _shared);
            var link = new BinderLink(this, stream, session);
            _links.Add(link);
            link.GoOn();
        }
    }
}
