// Owns one run of a scenario in wall time: real processes of backends, real clients, the balancer's
// executable, and faults that are done to them from outside. It has these parts:
//
//   chaos      as planned, up to the healing
//   the rest   what is planned up to the stop; meanwhile, and for as long as it takes, every host
//              of a client that retries asks once more, some new ones ask over TCP, and core
//              backends become healthy; a few seconds later each host asks again. A run that is
//              well takes ten seconds for that; what is not well has 22 s and 65 s, as in the
//              simulation, and some more, because a busy machine is slow
//   the quiet  nothing is sent for a while, and the balancer is asked for its counters
//   the stop   as planned, with what goes on during it
//
// What always holds: no process outlives its run; the checks judge when all is over, by what was
// written down.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Balancer.Core;
using Simulation.Real.Checks;
using Simulation.Real.Interop;
using Simulation.Scenarios;

namespace Simulation.Real;

/// <summary>What a run came to.</summary>
internal sealed record RealResult(
    RealPlan Plan, Observations Seen, IReadOnlyList<Violation> Violations,
    IReadOnlyDictionary<RealFaultKind, int> Faults, TimeSpan Took)
{
    public Violation? Violation => Violations.Count > 0 ? Violations[0] : null;
}

/// <summary>Runs scenarios in wall time.</summary>
internal sealed class RealRun : IDisposable
{
    private const long Second = 1_000_000_000;
    private const long LookNs = Second / 4;

    /// <summary>Nothing is sent for so long before counters are compared.</summary>
    private const long QuietNs = Second * 3 / 2;

    /// <summary>How long the balancer has to log its counters.</summary>
    private const long StatusLimitNs = 15 * Second;

    /// <summary>When a process that was told to stop is given up.</summary>
    private const long StopLimitNs = 30 * Second;

    private readonly Reactor _reactor;
    private readonly RealPlan _plan;
    private readonly Scenario _scenario;
    private readonly Func<bool> _isInterrupted;
    private readonly Observations _seen;
    private readonly RealStage _stage;
    private readonly RealBalancer _balancer;
    private readonly Dictionary<int, RealBackend> _backends = [];
    private readonly List<RealTcpClient> _tcp = [];
    private readonly RealHosts _hosts = new();
    private readonly RealUdpClients _udp;
    private readonly RealTcpProbes _tcpProbes;
    private readonly RealFaults _faults;

    private RealRun(RealPlan plan, Executables executables, Func<bool> isInterrupted)
    {
        _plan = plan;
        _scenario = plan.Scenario;
        _isInterrupted = isInterrupted;
        _seen = new Observations(_scenario);
        _reactor = new Reactor
        {
            OnStoodStill = (from, until) => _seen.Troubles.Add(
                new Trouble(-1, from, until, Trouble.StoodStill)),
        };
        _stage = new RealStage(executables);
        _balancer = new RealBalancer(_reactor, _stage, plan, _seen);
        foreach (var backend in _scenario.Backends)
        {
            _backends.Add(backend.Id, new RealBackend(_reactor, _stage, _seen, backend));
            if (backend.Script != FakeBinder.Misbehaviour.None)
                _backends[backend.Id].Trouble(Trouble.Misbehaves, 0, long.MaxValue);
            if (backend.Script.HangAfter is not null || backend.Script.PauseAfter is not null)
                _backends[backend.Id].Trouble(Trouble.Hangs, 0, long.MaxValue);
        }
        _udp = new RealUdpClients(_reactor, _seen, _hosts, _balancer.ServerOf);
        _tcpProbes = new RealTcpProbes(_reactor, _seen, _hosts, _balancer.ServerOf);
        _faults = new RealFaults(
            _reactor, _stage, _balancer, _seen, _udp.Transit, _backends);
    }

    /// <summary>Whether what is owed has been given, or its time is over.</summary>
    private bool IsSettled
    {
        get
        {
            var now = Reactor.NowNs;
            return IsOver || now > _seen.HealedAt + LivenessChecks.LongestNs
                || (_seen.Probes.All(probe => probe.Answered != null
                        || now > probe.Asked + LivenessChecks.AnswerNs + Second)
                    && AreCoreBackendsHealthy(now));
        }
    }

    private bool IsOver => _balancer.HasExited || _isInterrupted();

    /// <summary>Runs a plan to its end.</summary>
    public static RealResult Execute(
        RealPlan plan, Executables executables, Func<bool> isInterrupted)
    {
        var began = Reactor.NowNs;
        using var run = new RealRun(plan, executables, isInterrupted);
        run.Execute();
        return new RealResult(plan, run._seen, RealChecks.Judge(run._seen), run._faults.Counts,
            TimeSpan.FromSeconds((Reactor.NowNs - began) / 1e9));
    }

    public void Dispose()
    {
        _balancer.Dispose();
        foreach (var backend in _backends.Values)
            backend.Dispose();
        foreach (var client in _tcp)
            client.Dispose();
        _udp.Dispose();
        _tcpProbes.Dispose();
        _stage.Dispose();
    }

    private void Execute()
    {
        foreach (var backend in _backends.Values.Where(b => b.Plan.StartAt <= Instant.Zero))
            backend.StartAsPlanned();
        foreach (var backend in _backends.Values)
            backend.WaitUntilItListens();
        var isReady = _balancer.Start();
        _seen.StartedAt = Reactor.NowNs;
        if (isReady)
        {
            ScheduleWhatIsPlanned();
            _reactor.RunUntil(() => IsOver, At(_scenario.End));
            if (_plan.Heals && !IsOver)
                Settle();
            Stop();
        }
        _balancer.SetStalled(false);
        _balancer.NoteExit();
        foreach (var client in _tcp)
            client.Finish();
        _tcpProbes.Finish();
        foreach (var backend in _backends.Values)
            backend.ReadJournals();
        _balancer.Finish();
    }

    // ---- What is planned ----

    private long At(Instant at) => _seen.StartedAt + at.Nanoseconds;

    private void ScheduleWhatIsPlanned()
    {
        foreach (var backend in _backends.Values)
            Schedule(backend.Plan.StartAt, backend.StartAsPlanned);
        foreach (var fault in _plan.Faults)
            Schedule(fault.At, () => _faults.Begin(fault));
        Schedule(_plan.Nemesis.LogFrom, _balancer.LoseReader);
        Schedule(_plan.Nemesis.LogUntil, _balancer.ReadOn);
        Schedule(_scenario.HealAt, Heal);
        foreach (var client in _scenario.UdpClients)
        {
            for (var query = 0; query < client.Queries.Length; query++)
            {
                var number = query;
                Schedule(client.Queries[query].At, () => _udp.Ask(client, number));
            }
        }
        foreach (var client in _scenario.TcpClients)
            Schedule(client.At, () => Connect(client));
    }

    /// <summary>What comes after the stop waits for it, whenever that is.</summary>
    private void Schedule(Instant at, Action action)
    {
        if (at < _scenario.End || (at == _scenario.End && at == _scenario.HealAt))
            _reactor.At(At(at), action);
        else
            _afterStop.Add((at - _scenario.End, action));
    }

    private readonly List<(Duration After, Action Action)> _afterStop = [];

    private void Connect(TcpClientPlan plan)
    {
        var host = _hosts[plan.Address];
        var client = new RealTcpClient(_reactor, _seen, plan, host, _balancer.ServerOf(host));
        _tcp.Add(client);
        client.Connect();
    }

    private void Heal()
    {
        _faults.EndAll();
        foreach (var backend in _backends.Values)
            backend.Heal();
        _seen.HealedAt = Reactor.NowNs;
        // Nobody is owed an answer where no backend has to heal.
        if (!_plan.Heals || !_scenario.Backends.Any(LivenessChecks.IsOwed))
            return;
        _udp.Probe();
        _tcpProbes.Probe(_plan);
    }

    // ---- What is owed, the quiet, the stop ----

    private bool AreCoreBackendsHealthy(long now)
    {
        foreach (var backend in _backends.Values)
        {
            if (!LivenessChecks.IsOwed(backend.Plan))
                continue;
            if (backend.HealthySince() is not { } since
                || now < since + _scenario.Kernel.WarmUp.Nanoseconds)
                return false;
        }
        return true;
    }

    private void Settle()
    {
        WaitUntilSettled();
        // Whoever met a backup is back at its own backend by now, and shows it.
        if (_seen.Probes.Count > 0 && !IsOver)
        {
            _reactor.RunUntil(() => IsOver, Reactor.NowNs + StickinessCheck.EffectNs + Second);
            _udp.Probe();
            WaitUntilSettled();
        }
        _seen.SettledAt = Reactor.NowNs;
        _udp.EndProbes();
        _tcpProbes.End();
        var quietFrom = Reactor.NowNs;
        _reactor.RunUntil(() => IsOver
            || Reactor.NowNs > Math.Max(_udp.LastSentAt, quietFrom) + QuietNs,
            Reactor.NowNs + 6 * QuietNs);
        if (!IsOver)
            AskForCounters();
    }

    private void WaitUntilSettled()
    {
        var isLast = false;
        while (!isLast)
        {
            _reactor.RunUntil(() => IsOver, Reactor.NowNs + LookNs);
            isLast = IsSettled;
        }
    }

    private void AskForCounters()
    {
        var sent = _seen.Sent.Count;
        var lost = _balancer.LostDatagrams();
        var connected = _seen.Connections.Count(connection => connection.WasConnected);
        CounterRecord? record = null;
        if (_plan.Nemesis.LogIsReadable)
        {
            _balancer.ReadLog();
            var before = _seen.Balancer.Records.Count;
            _balancer.Signal(Signal.User1);
            var until = Reactor.NowNs + StatusLimitNs;
            while (!IsOver && Reactor.NowNs < until && _seen.Balancer.Records.Count == before)
            {
                _reactor.RunUntil(() => IsOver, Reactor.NowNs + LookNs);
                _balancer.ReadLog();
            }
            record = _seen.Balancer.Records.Count > before ? _seen.Balancer.Records[before] : null;
            // A scenario's clients may have gone on sending all the while.
            if (_seen.Sent.Count != sent)
                return;
        }
        _seen.Quiet = new QuietMoment(sent, lost, connected, record);
    }

    private void Stop()
    {
        _balancer.NoteExit();
        var now = Reactor.NowNs;
        _balancer.AskToStop();
        if (_scenario.StopAgain > Duration.Zero)
            _reactor.At(now + _scenario.StopAgain.Nanoseconds, _balancer.AskToStop);
        foreach (var (after, action) in _afterStop)
            _reactor.At(now + after.Nanoseconds, action);
        _balancer.WaitForExit(now + (_isInterrupted() ? Second : StopLimitNs));
    }
}
