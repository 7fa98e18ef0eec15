// Owns one backend of the scenario through all its processes: the one that has its path now, and
// older ones that went on after another took the path. It starts them, kills them, and starts them
// again as a supervisor does.
//
// What always holds: a backend has at most one process that bound its path; when chaos is over, a
// core backend has one clean process, and any other is left as it is: what was to be started later
// never is, what was paused stays paused, and a script goes on.

using System;
using System.Collections.Generic;
using Balancer.Core;
using FakeBinder;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>A backend of the scenario.</summary>
internal sealed class BinderHost(
    SimKernel kernel, RunObserver observer, BackendPlan plan, byte[] buffer)
{
    private const int Backlog = 511;

    /// <summary>From a crash of the script's doing to the next start, by a supervisor.</summary>
    private static readonly Duration SupervisorPause = Duration.FromSeconds(3);

    private readonly List<BinderProcess> _old = [];
    private BinderProcess? _current;
    private bool _scripted = true;
    private bool _chaosIsOver;
    private long _starts;

    public SimKernel Kernel => kernel;

    public RunObserver Observer => observer;

    public BackendPlan Plan => plan;

    public byte[] Buffer => buffer;

    /// <summary>A process is there, clean or not.</summary>
    public bool IsUp => _current is { IsDead: false };

    /// <summary>
    /// Binds the path, whatever is there, and serves, or does not listen yet; connects are denied
    /// until then if it is so.
    /// </summary>
    public void Start(bool listens = true, bool isDenied = false)
    {
        _starts++;
        if (IsUp)
            _old.Add(_current!);
        kernel.Directory.Unlink(plan.Name);
        _current?.LosePath();
        _current = new BinderProcess(
            this, _scripted ? plan.Script : Misbehaviour.None, listens, isDenied);
    }

    /// <summary>The first start, at the plan's time.</summary>
    public void StartAsPlanned()
    {
        if (_starts == 0 && !_chaosIsOver)
            Start();
    }

    /// <summary>Dies; the path stays, stale. Starts again after that time.</summary>
    public void Crash(Duration restartAfter)
    {
        _current?.Die();
        StartLater(restartAfter);
    }

    /// <summary>Unlinks its path and exits; starts again after that time.</summary>
    public void Stop(Duration restartAfter)
    {
        kernel.Directory.Unlink(plan.Name);
        Crash(restartAfter);
    }

    /// <summary>Unlinks its path and goes on until Exit.</summary>
    public void Unlink()
    {
        kernel.Directory.Unlink(plan.Name);
        _current?.LosePath();
    }

    /// <summary>Its path, and what is bound to it, is out of the directory for a time.</summary>
    public void MovePathAway() => kernel.Directory.MoveAway(plan.Name);

    /// <summary>It is there again, unless something else has its name by now.</summary>
    public void MovePathBack() => kernel.Directory.MoveBack(plan.Name);

    public void Exit() => _current?.Die();

    /// <summary>The process that bound the path last, so that another can be told.</summary>
    public object? Current => _current;

    public void Pause(Duration time) => _current?.PauseUntil(kernel.Now + time);

    public void SetScripted(bool scripted)
    {
        _scripted = scripted;
        _current?.SetMisbehaviour(scripted ? plan.Script : Misbehaviour.None);
    }

    public void SetAccepting(bool accepts, int backlog) =>
        _current?.SetAccepting(accepts, accepts ? Backlog : backlog);

    public void EndSessions(bool reset, ReadOnlySpan<byte> before)
    {
        _current?.EndSessions(reset, before);
        foreach (var process in _old)
            process.EndSessions(reset, before);
    }

    /// <summary>A script made the process crash; a supervisor starts it again.</summary>
    public void OnCrashed(BinderProcess process)
    {
        process.Die();
        if (process == _current)
            StartLater(SupervisorPause, isSupervisors: true);
    }

    /// <summary>Chaos is over: a core backend is clean from now on.</summary>
    public void Heal()
    {
        _chaosIsOver = true;
        if (!plan.IsCore)
        {
            StayPaused();
            return;
        }
        _scripted = false;
        foreach (var process in _old)
            process.Die();
        _old.Clear();
        if (_current is { IsClean: true })
            return;
        _current?.Die();
        Start();
    }

    private void StayPaused()
    {
        if (_current is { IsPaused: true })
            _current.PauseUntil(Instant.Never);
    }

    private void StartLater(Duration after, bool isSupervisors = false)
    {
        var expected = _starts;
        kernel.After(after, () =>
        {
            if (_starts == expected && (isSupervisors || !_chaosIsOver))
                Start();
        });
    }
}
