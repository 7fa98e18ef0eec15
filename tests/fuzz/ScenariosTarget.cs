// Owns the fuzzing of the scenario file's reader.
//
// What always holds of it: a file is refused with a reason or is a scenario, and a scenario that is
// written and read again is the same file.

using System;
using Simulation.Scenarios;

namespace Tests.Fuzz;

internal static class ScenariosTarget
{
    public static void Run(ReadOnlySpan<byte> file)
    {
        Scenario scenario;
        try
        {
            scenario = ScenarioFile.Read(file);
        }
        catch (ScenarioFormatException)
        {
            return;
        }
        var written = ScenarioFile.Write(scenario);
        FindingException.Unless(
            written.AsSpan().SequenceEqual(ScenarioFile.Write(ScenarioFile.Read(written))),
            "a scenario is another one when it was written and read");
    }
}
