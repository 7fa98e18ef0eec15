// Owns what the planting host does with a command line: `sim plant …`, `sim mutate`, and `run`,
// `replay`, `shrink` and `show` with --plant, which are those of `sim` itself in the load context
// of a changed core.
//
// What always holds: a patch that cannot be used is complained about with the exit code of wrong
// usage, before anything runs.

using System;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using Simulation.Commands;
using Simulation.Planting.Mutants;

namespace Simulation.Planting;

/// <summary>The planting host's command line.</summary>
internal sealed class PlantTool(TextWriter output, TextWriter error)
{
    /// <summary>The folder of the patches, in the repository.</summary>
    public const string Folder = "sim/plants";

    /// <summary>Does what the arguments say; the exit code, as `sim` has it.</summary>
    public int Main(string[] arguments)
    {
        if (CommandLine.Parse(arguments).Request is not { } request)
            return new Tool(new RealSimulator(), output, error).Main(arguments);
        if (CoreSource.FindRoot() is not { } root)
        {
            error.WriteLine("sim: planted bugs and mutants need the repository: no"
                + " src/Balancer.Core in or above this folder");
            return Tool.Usage;
        }
        try
        {
            var source = new CoreSource(root);
            if (request.Mutate is { } mutate)
                return Mutate(source, mutate);
            var bugs = PlantedBug.ReadAll(Path.Combine(root, Folder));
            return request.Plant is { } plant
                ? Plant(source, bugs, plant)
                : RunTool(source, PatchOf(bugs, request.Planted ?? PlantedBug.None.Name),
                    arguments);
        }
        catch (PatchException wrong)
        {
            error.WriteLine("sim: " + wrong.Message);
            return Tool.Usage;
        }
        catch (Exception wrong) when (wrong is IOException or UnauthorizedAccessException
            or FormatException)
        {
            error.WriteLine("sim: " + Tool.OnOneLine(wrong));
            return Tool.Usage;
        }
        catch (SimulatorException broken) when (broken.InnerException is EndlessRunException)
        {
            error.WriteLine("sim: " + broken.Message);
            return Tool.Crashed;
        }
        catch (SimulatorException broken)
        {
            error.WriteLine($"sim: the simulator itself failed: {broken.InnerException}");
            return Tool.Crashed;
        }
    }

    private int Mutate(CoreSource source, MutateRequest request)
    {
        var known = Survivors.Parse(
            File.ReadAllText(Path.Combine(source.Root, Survivors.File)));
        return new MutantTrials(source, known, request, output, error).Run();
    }

    private int Plant(
        CoreSource source, ImmutableArray<PlantedBug> all, PlantRequest request)
    {
        var trials = new PlantTrials(source, output, error);
        var bugs = request.Bugs.IsEmpty
            ? all
            : [.. request.Bugs.Select(id => PlantedBug.Find(all, id) ?? throw NoBug(id))];
        switch (request.Action)
        {
            case PlantAction.Run:
                return trials.RunOne(bugs[0], request);
            case PlantAction.All or PlantAction.Ablate when bugs.Contains(PlantedBug.None):
                throw NoBug(PlantedBug.None.Name);
            case PlantAction.All:
                return trials.TryAll(bugs, request);
            case PlantAction.Ablate:
                return trials.Ablate(bugs, request);
            case PlantAction.Try:
                return trials.Try(request);
            default:
                PlantReport.List(output, bugs);
                return Tool.Passed;
        }
    }

    /// <summary>One of `sim`'s own commands, on a core with a bug.</summary>
    private static int RunTool(CoreSource source, Patch? patch, string[] arguments)
    {
        var run = patch is null
            ? Entry.Run
            : new PlantedCores(source).Of(patch)
                .Get<Func<string[], bool, int>>(typeof(Entry), nameof(Entry.Run));
        return run(arguments, true);
    }

    /// <summary>The patch of a bug, by number or name, or of a file; null for no change.</summary>
    private static Patch? PatchOf(ImmutableArray<PlantedBug> bugs, string id)
    {
        if (PlantedBug.Find(bugs, id) is { } bug)
            return bug.Patch;
        return File.Exists(id)
            ? Patch.Load(id)
            : throw new PatchException($"--plant: '{id}' is neither a planted bug"
                + " (`sim plant list` has them) nor a patch that is there");
    }

    private static PatchException NoBug(string id) =>
        new($"'{id}' is not a planted bug (`sim plant list` has them)");
}
