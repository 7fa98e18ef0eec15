// Owns `sim plant`. An ordinary build holds no planted bug; there all but the list is handed on, as
// it stands, to the build that has them, which stands beside this one.

using System.IO;
using Simulation.Commands;
#if !PLANT
using System;
using System.Diagnostics;
#endif

namespace Simulation.Planting;

/// <summary>`sim plant`: the proof that the checks find what they should.</summary>
internal static class PlantCommand
{
    /// <summary>Does what is asked for; the arguments are those of the whole command.</summary>
    public static int Run(
        PlantRequest request, string[] arguments, TextWriter output, TextWriter error)
    {
        if (request.Action != PlantAction.List)
            return Start(request, arguments, output, error);
        PlantReport.List(output, request.Bugs);
        return Tool.Passed;
    }

#if PLANT
    private static int Start(
        PlantRequest request, string[] arguments, TextWriter output, TextWriter error)
    {
        _ = arguments;
        return request.Action switch
        {
            PlantAction.Run => PlantTrials.RunOne(request, output, error),
            PlantAction.All => PlantTrials.TryAll(request, output, error),
            _ => PlantTrials.Ablate(request, output, error),
        };
    }
#else
    private static int Start(
        PlantRequest request, string[] arguments, TextWriter output, TextWriter error)
    {
        _ = request;
        output.Flush();
        var folder = AppContext.BaseDirectory;
        var planted = Path.Combine(folder, "sim-planted");
        if (!File.Exists(planted))
        {
            error.WriteLine($"sim: {planted} is missing: `make build` makes it, and `dotnet run"
                + " --project sim -c Release -p:Plant=true -- plant ...` does without it");
            return Tool.Usage;
        }
        var start = new ProcessStartInfo(planted) { UseShellExecute = false };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        process.WaitForExit();
        return process.ExitCode;
    }
#endif
}
