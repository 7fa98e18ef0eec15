// Owns one backend of the scenario through all its processes, as the simulator's BinderHost does:
// the one that has the path now, and older ones that went on after another took it. It starts them,
// kills them, starts them again as a supervisor does, and writes down when it was in trouble.
//
// What always holds: at most one process of a backend bound its path; when chaos is over a core
// backend has one clean process, and any other is left as it is.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using FakeBinder;
using Simulation.Real.Interop;
using Simulation.Scenarios;

namespace Simulation.Real;

/// <summary>A backend of a run.</summary>
internal sealed class RealBackend(
    Reactor reactor, RealStage stage, Observations seen, BackendPlan plan) : IDisposable
{
    public const string Absence = "is away";

    /// <summary>Until the next scan, a connect and the warm-up.</summary>
    private const long AfterAbsenceNs = 10_000_000_000;

    private const long SupervisorPauseNs = 3_000_000_000;
    /// <summary>From a start to the hello, at most, if nothing is wrong.</summary>
    private const long StartNs = 7_000_000_000;

    private const long ExitLookNs = 50_000_000;
    private const long StartLimitNs = 20_000_000_000;
    private const long StartLookNs = 5_000_000;

    private readonly List<RealBinder> _old = [];
    private readonly string _name = stage.Fit(plan.Name);
    private RealBinder? _current;
    private bool _scripted = true;
    private bool _chaosIsOver;
    private int _starts;

    public BackendPlan Plan => plan;

    public bool IsUp => _current is { IsDead: false };

    /// <summary>The process that bound the path last.</summary>
    public object? Current => _current;

    /// <summary>Since when a hello was said on a session that is still there.</summary>
    public long? HealthySince()
    {
        if (!IsUp)
            return null;
        _current!.ReadJournal();
        return _current.HealthySince();
    }

    /// <summary>Kills old processes' claim to the path, binds it and serves.</summary>
    public void Start()
    {
        _starts++;
        if (IsUp)
            _old.Add(_current!);
        var number = seen.Processes.Count;
        var process = new ObservedProcess(plan.Id, Reactor.NowNs);
        seen.Processes.Add(process);
        var journal = stage[string.Create(
            CultureInfo.InvariantCulture, $"{plan.Id}.{number}")];
        var script = _scripted ? plan.Script : Misbehaviour.None;
        EndAbsence();
        Trouble(Real.Trouble.Starts, Reactor.NowNs,
            Reactor.NowNs + StartNs + seen.Scenario.Kernel.WarmUp.Nanoseconds);
        _current = new RealBinder(stage, process, journal, _name, script);
        reactor.After(ExitLookNs, LookForExit);
    }

    public void StartAsPlanned()
    {
        if (_starts == 0 && !_chaosIsOver)
            Start();
    }

    /// <summary>Waits until the current process listens, or has ended.</summary>
    public bool WaitUntilItListens()
    {
        var until = Reactor.NowNs + StartLimitNs;
        while (IsUp && !_current!.IsListening && Reactor.NowNs < until)
            reactor.RunUntil(() => false, Reactor.NowNs + StartLookNs);
        return IsUp && _current!.IsListening;
    }

    public void Crash(long restartAfterNs)
    {
        _current?.Die();
        StartLater(restartAfterNs, isSupervisors: false);
    }

    /// <summary>SIGTERM: it unlinks its own path and exits.</summary>
    public void Stop(long restartAfterNs)
    {
        _current?.Stop();
        StartLater(restartAfterNs, isSupervisors: false);
    }

    public void Unlink()
    {
        File.Delete(stage.SocketOf(plan.Name));
        _current?.Dirty();
    }

    public void Exit() => _current?.Die();

    public void Pause(long ns)
    {
        if (_current is not { IsDead: false } paused)
            return;
        paused.Pause();
        var until = paused.PausedUntil = Math.Max(paused.PausedUntil, Reactor.NowNs + ns);
        reactor.At(until, () =>
        {
            if (paused.PausedUntil == until)
                paused.GoOn();
        });
    }

    public void SetScripted(bool scripted)
    {
        _scripted = scripted;
        _current?.SetScript(scripted ? plan.Script : Misbehaviour.None);
    }

    public void SetAccepting(bool accepts, int backlog) => _current?.Tell(
        accepts ? "accept on" : FormattableString.Invariant($"accept off {backlog}"));

    /// <summary>Resets or ends all sessions of all its processes.</summary>
    public void EndSessions(string command)
    {
        _current?.Tell(command);
        foreach (var process in _old)
            process.Tell(command);
    }

    /// <summary>Chaos is over: a core backend is clean from now on.</summary>
    public void Heal()
    {
        _chaosIsOver = true;
        if (!plan.IsCore)
        {
            if (_current is { IsPaused: true })
                _current.PausedUntil = long.MaxValue;
            return;
        }
        _scripted = false;
        foreach (var process in _old)
            process.Die();
        _old.Clear();
        if (_current is { IsClean: true, IsDead: false })
            return;
        _current?.Die();
        Start();
    }

    /// <summary>All journals are read to their ends.</summary>
    public void ReadJournals()
    {
        foreach (var process in _old)
            process.ReadJournal();
        _current?.ReadJournal();
    }

    public void Dispose()
    {
        foreach (var process in _old)
            process.Dispose();
        _current?.Dispose();
    }

    public void Trouble(string what, long from, long until) =>
        seen.Troubles.Add(new Trouble(plan.Id, from, until, what));

    private void StartLater(long afterNs, bool isSupervisors)
    {
        var expected = _starts;
        Trouble(Absence, Reactor.NowNs, long.MaxValue);
        reactor.After(afterNs, () =>
        {
            if (_starts == expected && (isSupervisors || !_chaosIsOver))
                Start();
        });
    }

    /// <summary>
    /// From now on it is not away any more, which explains what is seen for a while.
    /// </summary>
    private void EndAbsence()
    {
        for (var i = 0; i < seen.Troubles.Count; i++)
        {
            var trouble = seen.Troubles[i];
            if (trouble is { What: Absence, Until: long.MaxValue } && trouble.Backend == plan.Id)
                seen.Troubles[i] = trouble with { Until = Reactor.NowNs + AfterAbsenceNs };
        }
    }

    /// <summary>A script may have ended it; a supervisor starts it again.</summary>
    private void LookForExit()
    {
        var process = _current!;
        var starts = _starts;
        if (process.IsDead)
            return;
        if (process.HasExited)
        {
            process.Die();
            StartLater(SupervisorPauseNs, isSupervisors: true);
            return;
        }
        reactor.After(ExitLookNs, () =>
        {
            if (_starts == starts)
                LookForExit();
        });
    }
}

/// <summary>One process of a fake backend.</summary>
internal sealed class RealBinder : IDisposable
{
    private readonly ObservedProcess _seen;
    private readonly JournalReader _reader;
    private readonly string _journal;
    private readonly ChildProcess _process;

    public RealBinder(RealStage stage, ObservedProcess seen, string journal, string name,
        Misbehaviour script)
    {
        _seen = seen;
        _journal = journal;
        _reader = new JournalReader(seen);
        IsClean = script == Misbehaviour.None;
        var scriptFile = journal + ".script";
        File.WriteAllText(scriptFile, ScriptFile.Write(script));
        _process = ChildProcess.Start("", ">/dev/null 2>>../fakes.err", stage.Sockets,
            stage.Executables.FakeBinder,
            ["--script", scriptFile, "--journal", journal, "--commands", "--", name]);
    }

    public bool IsDead { get; private set; }

    public bool HasExited => _process.HasExited;

    /// <summary>Nothing was ever wrong with it.</summary>
    public bool IsClean { get; private set; }

    public bool IsPaused { get; private set; }

    public long PausedUntil { get; set; }

    public bool IsListening
    {
        get
        {
            ReadJournal();
            return _reader.IsListening;
        }
    }

    public void ReadJournal() => _reader.Read(_journal);

    public long? HealthySince()
    {
        long? since = null;
        foreach (var session in _seen.Sessions)
        {
            if (session is { Over: null, PeerEndedAt: null, HelloAt: { } hello })
                since = Math.Min(since ?? long.MaxValue, hello);
        }
        return since;
    }

    public void Dirty() => IsClean = false;

    public void SetScript(Misbehaviour script)
    {
        IsClean &= script == Misbehaviour.None;
        _process.Tell("script " + ScriptFile.Write(script));
    }

    /// <summary>Has it do what a line on its standard input says.</summary>
    public void Tell(string command)
    {
        IsClean = false;
        _process.Tell(command);
    }

    public void Pause()
    {
        IsClean = false;
        IsPaused = true;
        _process.Signal(Signal.Stop);
    }

    public void GoOn()
    {
        IsPaused = false;
        _process.Signal(Signal.Continue);
    }

    public void Stop()
    {
        _process.Signal(Signal.Terminate);
        GoOn();
        IsClean = false;
        EndAtOnce(5000);
    }

    public void Die() => EndAtOnce(0);

    /// <summary>It ends by itself within the milliseconds, or is killed.</summary>
    private void EndAtOnce(int milliseconds)
    {
        if (IsDead)
            return;
        IsDead = true;
        for (; milliseconds > 0 && !_process.HasExited; milliseconds -= 5)
            System.Threading.Thread.Sleep(5);
        if (!_process.HasExited)
            _process.Kill();
        _seen.EndedAt = Reactor.NowNs;
        ReadJournal();
    }

    public void Dispose() => _process.Dispose();
}
