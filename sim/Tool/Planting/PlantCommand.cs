// Owns `sim plant`.

using System.IO;
using Simulation.Commands;

namespace Simulation.Planting;

/// <summary>`sim plant`: the proof that the checks find what they should.</summary>
internal static class PlantCommand
{
    /// <summary>Does what is asked for.</summary>
    public static int Run(PlantRequest request, TextWriter output, TextWriter error)
    {
        if (request.Action != PlantAction.List)
        {
            error.WriteLine("sim: planted bugs are being moved out of the core, into patches");
            return Tool.Usage;
        }
        PlantReport.List(output, request.Bugs);
        return Tool.Passed;
    }
}
