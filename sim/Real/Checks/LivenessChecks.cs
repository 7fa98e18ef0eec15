// Claims of what is owed once chaos is over: every core backend is healthy within 65 s (L2), and
// every host of a client that retries, and some over TCP, are answered within 22 s of a healthy
// core backend being there (L1); in wall time some seconds more for a busy machine.
//
// It knows by the clients' own words and by the hellos in the journals of backends. A host that the
// policy has at a backend that never heals is excused: that one read what it asked.

using System.Linq;
using System.Text;
using Simulation.Scenarios;

namespace Simulation.Real.Checks;

internal static class LivenessChecks
{
    private const long Second = 1_000_000_000;

    /// <summary>From the healing to all core backends' health, with 10 s for the machine.</summary>
    public const long LongestNs = 75 * Second;

    /// <summary>From a question to its answer, with 8 s for the machine.</summary>
    public const long AnswerNs = 30 * Second;

    /// <summary>Bytes of the simulated directory's path, with its slash.</summary>
    private const int DirectoryBytes = 10;

    /// <summary>It must be healthy in the end: it heals, and its path can be used.</summary>
    public static bool IsOwed(BackendPlan plan) => plan.IsCore
        && Encoding.UTF8.GetByteCount(plan.Name) <= SpecifiedLimits.LongestPath - DirectoryBytes;

    public static Violation? Recovery(Observations seen)
    {
        if (seen is not { HealedAt: { } healed, SettledAt: { } settled }
            || settled - healed < LongestNs)
            return null;
        foreach (var plan in seen.Scenario.Backends)
        {
            if (IsOwed(plan) && HealthySince(seen, plan.Id, settled) is null)
            {
                return RealChecks.Fail(seen, "L2", settled,
                    $"core backend {RealChecks.Name(seen, plan.Id)} is not healthy 65 s after the"
                    + " healing", plan.Id);
            }
        }
        return null;
    }

    public static Violation? Answers(Observations seen)
    {
        if (seen.SettledAt is not { } settled || CoreSince(seen, settled) is not { } core)
            return null;
        foreach (var probe in seen.Probes)
        {
            var from = System.Math.Max(
                probe.Asked, core + seen.Scenario.Kernel.WarmUp.Nanoseconds);
            var isLate = (probe.Answered ?? settled) > from + AnswerNs;
            if (isLate && !IsExcused(seen, probe))
            {
                return RealChecks.Fail(seen, "L1", settled,
                    (probe.OverTcp ? $"{probe.From.Address} over TCP" : $"{probe.From}")
                    + $" asked {probe.Tries} times from "
                    + $"{RealChecks.Moment(seen, probe.Asked)} on and "
                    + (probe.Answered is { } at
                        ? $"was answered at {RealChecks.Moment(seen, at)}" : "is unanswered")
                    + $"; a core backend is healthy since {RealChecks.Moment(seen, core)}");
            }
        }
        return null;
    }

    /// <summary>Since when some core backend's hello holds.</summary>
    private static long? CoreSince(Observations seen, long settled) => seen.Scenario.Backends
        .Where(plan => plan.IsCore)
        .Select(plan => HealthySince(seen, plan.Id, settled))
        .Where(since => since != null).Min();

    private static long? HealthySince(Observations seen, int backend, long settled) =>
        seen.Processes.Where(process => process.Backend == backend
            && !(process.EndedAt <= settled))
        .SelectMany(process => process.Sessions)
        .Where(session => session.IsHealthyAt(settled))
        .Select(session => session.HelloAt).Min();

    private static bool IsExcused(Observations seen, ObservedProbe probe)
    {
        var core = seen.Scenario.Backends.Where(plan => plan.IsCore)
            .Select(plan => plan.Id).ToHashSet();
        return seen.Sessions().Where(session => !core.Contains(session.Backend)).Any(session =>
            probe.OverTcp
                ? session.Client?.Address == probe.From.Address
                : session.Queries.Any(query => query.At >= probe.Asked
                    && query.Peer == probe.From.Address && query.Port == probe.From.Port));
    }
}
