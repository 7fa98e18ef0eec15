// Owns what a scenario of the failover benchmark is to come to: what is left unanswered or is
// answered with an error at most, how long a client hears nothing, how often clients are moved, and
// how many backends a killer ends.
//
// Counts are what they are on any machine. A time is measured by clients that may be late
// themselves on a busy one; as late as they were, it may be longer.
//
// What always holds: a result meets its goals or each that it misses is named, with the number and
// the bound; nothing but the result is looked at.

using System.Collections.Immutable;
using System.Globalization;
using System.Linq;

namespace Simulation.Real.Failover;

/// <summary>Judges results of the benchmark.</summary>
internal static class FailoverGoals
{
    /// <summary>
    /// Of one client of backends that hang: 0.2 s until that is found out, and 0.05 s to spare.
    /// </summary>
    public const long LongestSilenceMs = 250;

    /// <summary>Of all clients, while one backend stops and goes on for a minute.</summary>
    public const int MostMovesOfAFlutter = 19;

    /// <summary>Backends that a killer ends in a minute.</summary>
    public const int MostDeathsInAMinute = 2;

    private const double NsPerMs = 1e6;

    /// <summary>One line for each goal that was missed.</summary>
    public static ImmutableArray<string> Missed(FailoverResult result)
    {
        var missed = ImmutableArray.CreateBuilder<string>();
        var counts = result.Counts;
        // While no backend is there, silence is what the balancer owes; see docs/behaviour.md.
        Judge("unanswered", counts.Unanswered - counts.UnansweredInOutage, 0);
        Judge("refused", counts.Refused, 0);
        Judge("duplicates", counts.Duplicates, 0);
        if (result.Scenario.Fault == FailoverFault.Hang)
        {
            var most = LongestSilenceMs + result.LongestDelayNs / NsPerMs;
            Judge("longest silence ms", counts.LongestSilenceNs / NsPerMs, most);
        }
        if (result.Scenario.Fault == FailoverFault.Flutter)
            Judge("moves", counts.Moves, MostMovesOfAFlutter * (long)result.Times);
        if (!result.Deaths.IsEmpty)
            Judge("deaths in a minute", result.Deaths.Max(), MostDeathsInAMinute);
        return missed.ToImmutable();

        void Judge(string what, double number, double most)
        {
            if (number > most)
            {
                missed.Add(string.Create(CultureInfo.InvariantCulture,
                    $"{result.Scenario.Name}: {what} {number:0.#}, {most:0.#} at most"));
            }
        }
    }
}
