// Claims of the process: that nothing from outside ends it (S13), and that it ends when it is asked
// to, within its grace (S15).
//
// It knows by the process's end. Time in which it was made to stand still is not its own.

using System;
using Simulation.Scenarios;

namespace Simulation.Real.Checks;

internal static class ProcessChecks
{
    private const long Second = 1_000_000_000;

    /// <summary>
    /// The stop's grace of 5 s, a second each for a log and an error line that nobody takes, and
    /// two for a busy machine.
    /// </summary>
    private const long StopNs = 9 * Second;

    public static Violation? Survival(Observations seen)
    {
        var balancer = seen.Balancer;
        var said = balancer.ErrorOutput.Length > 0 ? $"; it said: {balancer.ErrorOutput}" : "";
        if (balancer.StopAskedAt is null && balancer.ExitedAt is { } ended)
        {
            return RealChecks.Fail(seen, "S13", ended,
                $"it ended by itself, {Status(balancer.ExitCode)}{said}");
        }
        if (balancer.NeverReady)
        {
            return RealChecks.Fail(seen, "S13", balancer.ReadyAt,
                $"it never listened{said}");
        }
        return balancer is { ExitedAt: { } at, ExitCode: not 0 }
            ? RealChecks.Fail(seen, "S13", at,
                $"it was told to stop and ended {Status(balancer.ExitCode)}{said}")
            : null;
    }

    public static Violation? Stop(Observations seen)
    {
        var balancer = seen.Balancer;
        if (balancer.StopAskedAt is not { } asked)
            return null;
        if (balancer.ExitedAt is not { } ended)
        {
            return RealChecks.Fail(seen, "S15", asked,
                "it was told to stop and had to be killed");
        }
        var took = ended - asked - balancer.StalledSinceStop;
        return took > StopNs
            ? RealChecks.Fail(seen, "S15", ended, FormattableString.Invariant(
                $"it ended {took / 1e9:0.0} s after it was told to stop; it has 5 s"))
            : null;
    }

    private static string Status(int? code) => code > 128
        ? FormattableString.Invariant($"of signal {code - 128}")
        : FormattableString.Invariant($"with status {code}");
}
