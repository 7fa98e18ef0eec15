// Owns the start of the planting host. `sim` is native code, which can load no other core, so it
// has the host (sim/Planting, compiled at run time) do what needs one, with the same arguments.
// Only developers do that, in the repository and with the SDK; without either there is a line that
// says so. The host is built first, which takes a moment if nothing has changed.
//
// What always holds: what a build prints is shown only if it fails, and never on standard output.

using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;

namespace Simulation.Commands;

/// <summary>Starts the planting host.</summary>
internal static class PlantingHost
{
    private const string Project = "sim/Planting/Planting.csproj";

    /// <summary>Runs the host with these arguments, and returns its exit code.</summary>
    public static int Run(string[] arguments, TextWriter error)
    {
        if (Find() is not { } project)
        {
            error.WriteLine($"sim: planted bugs and mutants need the repository: no {Project} in or"
                + " above this folder");
            return Tool.Usage;
        }
        try
        {
            using var build = Start(isQuiet: true,
                ["build", project, "-c", "Release", "--nologo", "-v", "quiet"]);
            var errors = build.StandardError.ReadToEndAsync();
            var lines = build.StandardOutput.ReadToEnd() + errors.Result;
            build.WaitForExit();
            if (build.ExitCode != 0)
            {
                error.WriteLine($"sim: {Project} does not build\n{lines.Trim()}");
                return Tool.Usage;
            }
            using var host = Start(isQuiet: false,
                ["run", "--project", project, "-c", "Release", "--no-build", "--", .. arguments]);
            host.WaitForExit();
            return host.ExitCode;
        }
        catch (Win32Exception)
        {
            error.WriteLine(
                "sim: planted bugs and mutants need the .NET SDK: there is no `dotnet`");
            return Tool.Usage;
        }
    }

    private static Process Start(bool isQuiet, IEnumerable<string> arguments) => Process.Start(
        new ProcessStartInfo("dotnet", arguments)
        {
            RedirectStandardOutput = isQuiet,
            RedirectStandardError = isQuiet,
        })!;

    private static string? Find()
    {
        foreach (var start in new[] { AppContext.BaseDirectory, Environment.CurrentDirectory })
        {
            for (var at = start; at is not null; at = Path.GetDirectoryName(at))
            {
                var project = Path.Combine(at, Project);
                if (File.Exists(project))
                    return project;
            }
        }
        return null;
    }
}
