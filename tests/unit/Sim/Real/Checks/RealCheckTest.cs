// What the tests of the checks of real runs share: each takes a run that is well but for one thing,
// which a check must see, or one close by that it must not complain of. A complaint must come from
// the check itself and from all of them together.

using System;
using Simulation.Real;
using Simulation.Real.Checks;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Real.Checks;

/// <summary>Asks one check about one run.</summary>
public abstract class RealCheckTest
{
    private protected static string Expect(
        string check, SeenRun run, Func<Observations, Violation?> judge)
    {
        var found = judge(run.Seen);
        Assert.NotNull(found);
        Assert.Equal(check, found.Check);
        Assert.Contains(RealChecks.Judge(run.Seen), one => one.Check == check);
        return found.Evidence;
    }

    private protected static void Judge(
        string check, bool passes, SeenRun run, Func<Observations, Violation?> judge)
    {
        if (passes)
            Assert.Null(judge(run.Seen));
        else
            Expect(check, run, judge);
    }
}
