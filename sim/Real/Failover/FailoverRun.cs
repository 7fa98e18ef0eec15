// Owns one scenario of the failover benchmark from its start to its counts: three backends, the
// balancer's executable in front of them, clients that ask all the while, and the fault, done as
// often as it is wanted.
//
//   the start   all backends are healthy and warm before the first query is sent
//   a fault     as FailoverFault says; then its victims serve clients again, as clients see it, or
//               are healthy, as the balancer's log has it, or 20 s are over; then a second of calm.
//               A killer is asked for from the first minute to the last without a break
//   the end     nothing more is sent, and replies are read until there is one to each query, but
//               for 5 s at most
//
// The log is read for the start and for the time of the next fault alone: what is counted is what
// clients see.
//
// What always holds: nothing is judged here, only counted; no process and no folder outlives a run,
// however it ends; one that cannot be measured is an IOException with the reason in one line.

using System;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using Balancer.Core;
using Simulation.Real.Interop;
using Simulation.Scenarios;

namespace Simulation.Real.Failover;

/// <summary>What is measured.</summary>
internal sealed record FailoverSetup(string Balancer, FailoverProgram Backends)
{
    /// <summary>Whether the user has had enough.</summary>
    public Func<bool> IsInterrupted { get; init; } = () => false;

    /// <summary>Told four times a second how often the fault was done.</summary>
    public Action<int> OnProgress { get; init; } = _ => { };
}

/// <summary>What a scenario came to.</summary>
internal sealed record FailoverResult(FailoverScenario Scenario, FailoverCounts Counts)
{
    /// <summary>fake-binder or node-mname.</summary>
    public required string Backends { get; init; }

    /// <summary>How often the fault was done.</summary>
    public required int Times { get; init; }

    /// <summary>From the first query to the last.</summary>
    public required TimeSpan Took { get; init; }

    /// <summary>How late the clients sent a query at most: this host was busy.</summary>
    public required long LongestDelayNs { get; init; }

    /// <summary>Queries that the kernel dropped, because the balancer's queue was full.</summary>
    public required long DroppedByKernel { get; init; }

    /// <summary>Backends that a killer ended, in each minute.</summary>
    public ImmutableArray<int> Deaths { get; init; } = [];

    /// <summary>How often a killer was asked, refused and answered otherwise.</summary>
    public (long Sent, long Refused, long Answered) Killers { get; init; }
}

/// <summary>Runs scenarios of the benchmark.</summary>
internal sealed class FailoverRun : IDisposable
{
    private const long Second = 1_000_000_000;
    private const long Ms = 1_000_000;
    private const long LookNs = 10 * Ms;
    private const long ProgressNs = 250 * Ms;
    private const long StartLimitNs = 20 * Second;
    private const long DownNs = Second;

    /// <summary>
    /// Until one of all backends that were started again is healthy; what is unanswered after that
    /// counts, healthy or not.
    /// </summary>
    private const long OutageLimitNs = Second;
    private const long HangNs = 10 * Second;
    private const long FlutterNs = 200 * Ms;
    private const long FluttersForNs = MinuteNs;
    private const long ServesAgainLimitNs = 20 * Second;
    private const long CalmNs = Second;
    private const long MinuteNs = 60 * Second;

    /// <summary>After the last reply, so that one that comes twice is seen.</summary>
    private const long EndNs = 500 * Ms;

    private readonly Reactor _reactor = new();
    private readonly FailoverScenario _scenario;
    private readonly FailoverSetup _setup;
    private readonly int _times;
    private readonly RealStage _stage;
    private readonly Observations _seen;
    private readonly RealBalancer _balancer;
    private readonly FailoverBackend[] _backends;
    private readonly FailoverLedger _ledger;
    private readonly int[] _deaths;
    private readonly bool[] _comesBack = new bool[FailoverScenario.Backends];
    private FailoverLoad? _load;
    private FailoverKillerClient? _killer;
    private bool _balancerListens;
    private int _done;

    private FailoverRun(FailoverScenario scenario, int times, FailoverSetup setup)
    {
        _scenario = scenario;
        _times = times;
        _setup = setup;
        _deaths = new int[scenario.Killer is null ? 0 : times];
        _stage = new RealStage(new Executables(setup.Balancer, setup.Backends.Executable));
        var plan = new RealPlan
        {
            Scenario = new Scenario
            {
                Kernel = new KernelPlan { Listen = Ipv4.Loopback, Probe = scenario.Probes },
            },
            Nemesis = new Nemesis { Log = LogFate.Kept, Level = "info" },
            Faults = [],
            LeftOut = ImmutableSortedDictionary<string, int>.Empty,
        };
        _seen = new Observations(plan.Scenario);
        _balancer = new RealBalancer(_reactor, _stage, plan, _seen);
        _backends = [.. Enumerable.Range(5301, FailoverScenario.Backends)
            .Select(id => new FailoverBackend(
                _stage, setup.Backends, $"{id}", scenario.ColdForMs))];
        _ledger = new FailoverLedger(scenario.Clients, FailoverScenario.Backends);
    }

    /// <summary>Measures a scenario.</summary>
    /// <exception cref="IOException">Something did not start, or the balancer ended.</exception>
    /// <exception cref="OperationCanceledException">The user has had enough.</exception>
    public static FailoverResult Execute(
        FailoverScenario scenario, int times, FailoverSetup setup)
    {
        using var run = new FailoverRun(scenario, times, setup);
        return run.Measure();
    }

    public void Dispose()
    {
        _killer?.Dispose();
        _load?.Dispose();
        _balancer.Dispose();
        foreach (var backend in _backends)
            backend.Dispose();
        _stage.Dispose();
    }

    private FailoverResult Measure()
    {
        StartBackends();
        StartBalancer();
        ShowProgress();
        _load = new FailoverLoad(_reactor, _scenario, _ledger,
            _backends.Select(backend => backend.Name), _balancer.ServerOf(Ipv4.Loopback));
        var began = Reactor.NowNs;
        _load.Start();
        Wait(CalmNs);
        for (; _done < _times; _done++)
            Fail(_done);
        _killer?.Stop();
        _load.Stop();
        var took = Reactor.NowNs - began;
        WaitUntil(() => _ledger.Waiting == 0, FailoverLedger.AnswerLimitNs);
        Wait(EndNs);
        return new FailoverResult(_scenario, _ledger.Finish())
        {
            Backends = _setup.Backends.Kind,
            Times = _times,
            Took = TimeSpan.FromSeconds(took / (double)Second),
            LongestDelayNs = _load.LongestDelayNs,
            DroppedByKernel = _balancer.LostDatagrams(),
            Deaths = [.. _deaths],
            Killers = _killer is null
                ? default
                : (_killer.Sent, _killer.Refused, _killer.Answered),
        };
    }

    // ---- The start ----

    private void StartBackends()
    {
        foreach (var backend in _backends)
            backend.Start();
        foreach (var backend in _backends)
        {
            if (!WaitUntil(() => backend.HasSocket || backend.End is not null, StartLimitNs))
                throw new IOException($"{Kind} {backend.Name}: it made no socket in 20 s");
            CheckRuns(backend);
        }
    }

    private void CheckRuns(FailoverBackend backend)
    {
        if (backend.End is { } end)
            throw new IOException($"{Kind} {backend.Name}: {end}");
    }

    private void StartBalancer()
    {
        if (!_balancer.Start())
        {
            _balancer.Finish();
            var said = _seen.Balancer.ErrorOutput.ReplaceLineEndings(" ");
            throw new IOException(
                $"{_setup.Balancer}: it does not listen{(said.Length > 0 ? ": " + said : "")}");
        }
        _balancerListens = true;
        if (!WaitUntil(AreAllHealthy, StartLimitNs))
            throw new IOException($"{_setup.Balancer}: not every {Kind} is healthy after 20 s");
        // From then on a backend is warm, and what a fault moves does not wait for that.
        Wait(_seen.Scenario.Kernel.WarmUp.Nanoseconds);
    }

    private string Kind => _setup.Backends.Kind;

    private bool AreAllHealthy() => _backends.All(backend => IsHealthySince(0, backend));

    /// <summary>Whether the log has that it became healthy, from that line on.</summary>
    private bool IsHealthySince(int line, FailoverBackend backend)
    {
        _balancer.ReadLog();
        var lines = _seen.Balancer.Log;
        for (; line < lines.Count; line++)
        {
            if (lines[line].Contains("\"event\":\"backend_healthy\"", StringComparison.Ordinal)
                && lines[line].Contains($"/{backend.Name}\"", StringComparison.Ordinal))
                return true;
        }
        return false;
    }

    // ---- The faults ----

    private void Fail(int number)
    {
        var victims = Enumerable.Range(number, _scenario.Victims)
            .Select(victim => victim % _backends.Length).ToArray();
        switch (_scenario.Fault)
        {
            case FailoverFault.Kill:
                Restart(Signal.Kill, victims);
                break;
            case FailoverFault.Restart:
                for (var victim = 0; victim < _backends.Length; victim++)
                    Restart(Signal.Terminate, victim);
                break;
            case FailoverFault.Storm:
                RestartAll();
                break;
            case FailoverFault.Killer:
                LetItKill(number);
                break;
            case FailoverFault.KillAndHang:
                SignalTo(victims[1..], Signal.Stop);
                SignalTo(victims[..1], Signal.Kill);
                Wait(DownNs);
                _backends[victims[0]].Start();
                Wait(HangNs - DownNs);
                SignalTo(victims[1..], Signal.Continue);
                WaitUntilTheyServe(victims);
                break;
            case FailoverFault.Hang:
                Pause(HangNs, victims);
                WaitUntilTheyServe(victims);
                break;
            default:
                for (var ns = 0L; ns < FluttersForNs; ns += 2 * FlutterNs)
                {
                    Pause(FlutterNs, victims);
                    Wait(FlutterNs);
                }
                WaitUntilTheyServe(victims);
                break;
        }
    }

    private void Restart(Signal signal, params int[] victims)
    {
        SignalTo(victims, signal);
        Wait(DownNs);
        foreach (var victim in victims)
            _backends[victim].Start();
        WaitUntilTheyServe(victims);
    }

    /// <summary>
    /// From the signal until the first of them is healthy again there is nobody to ask.
    /// </summary>
    private void RestartAll()
    {
        int[] all = [.. Enumerable.Range(0, _backends.Length)];
        var from = Reactor.NowNs;
        SignalTo(all, Signal.Terminate);
        Wait(DownNs);
        var (since, line) = Now();
        foreach (var backend in _backends)
            backend.Start();
        WaitUntil(() => _backends.Any(backend => IsHealthySince(line, backend)), OutageLimitNs);
        _ledger.OnOutage(from, Reactor.NowNs);
        WaitUntilTheyServe(all, since, line);
    }

    /// <summary>A minute in which a killer is repeated.</summary>
    private void LetItKill(int minute)
    {
        if (_killer is null)
        {
            var query = _scenario.Killer!.ToBytes(_setup.Backends.IsNode);
            _killer = new FailoverKillerClient(
                _reactor, _scenario.Killer, query, _balancer.ServerOf(Ipv4.Loopback));
            _killer.Start();
        }
        WaitUntil(() =>
        {
            for (var backend = 0; backend < _backends.Length; backend++)
                StartIfEnded(backend, minute);
            return false;
        }, MinuteNs);
    }

    private void StartIfEnded(int backend, int minute)
    {
        if (_comesBack[backend] || !_backends[backend].HasEnded)
            return;
        _deaths[minute]++;
        _comesBack[backend] = true;
        _reactor.After(DownNs, () =>
        {
            _backends[backend].Start();
            _comesBack[backend] = false;
        });
    }

    private void Pause(long ns, int[] victims)
    {
        SignalTo(victims, Signal.Stop);
        Wait(ns);
        SignalTo(victims, Signal.Continue);
    }

    private void SignalTo(int[] victims, Signal signal)
    {
        foreach (var victim in victims)
            _backends[victim].Signal(signal);
    }

    /// <summary>
    /// A backend whose clients do not come back at once has nothing to answer until the next
    /// rebalance, so being healthy is enough.
    /// </summary>
    private void WaitUntilTheyServe(int[] victims)
    {
        var (since, line) = Now();
        WaitUntilTheyServe(victims, since, line);
    }

    private void WaitUntilTheyServe(int[] victims, long since, int line)
    {
        WaitUntil(() => victims.All(victim => _ledger.ServedAt(victim) > since
            || IsHealthySince(line, _backends[victim])), ServesAgainLimitNs);
        foreach (var victim in victims)
            CheckRuns(_backends[victim]);
        // One that is cold says hello long before it has its data.
        Wait(CalmNs + 2 * _scenario.ColdForMs * Ms);
    }

    /// <summary>The time, and how many lines the log has.</summary>
    private (long Ns, int Line) Now()
    {
        _balancer.ReadLog();
        return (Reactor.NowNs, _seen.Balancer.Log.Count);
    }

    // ---- Waiting ----

    private void Wait(long ns) => WaitUntil(() => false, ns);

    /// <summary>Whether that holds before the time is over.</summary>
    private bool WaitUntil(Func<bool> holds, long ns)
    {
        var until = Reactor.NowNs + ns;
        while (!holds())
        {
            if (_setup.IsInterrupted())
                throw new OperationCanceledException();
            if (_balancerListens && _balancer.HasExited)
            {
                _balancer.NoteExit();
                throw new IOException($"{_setup.Balancer}: it ended by itself, with status "
                    + $"{_seen.Balancer.ExitCode}");
            }
            var now = Reactor.NowNs;
            if (now >= until)
                return false;
            _reactor.RunUntil(() => false, Math.Min(until, now + LookNs));
        }
        return true;
    }

    private void ShowProgress()
    {
        _setup.OnProgress(_done);
        _reactor.After(ProgressNs, ShowProgress);
    }
}
