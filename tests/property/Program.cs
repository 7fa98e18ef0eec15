// Owns the start of this assembly as a program of its own, which tests run in another process: it
// says what kind of process it is - culture, time zone, collector, compiler - so that a setting
// that did not act is seen, and then does what `sim` does with the same arguments, for each
// profile.

using System;
using System.Globalization;
using System.IO;
using System.Runtime;
using Simulation.Commands;

namespace Tests.Property;

public static class Program
{
    /// <summary>
    /// Prints hashes: the arguments are those of `sim hashes` but for the profile.
    /// </summary>
    public static int Main(string[] args)
    {
        ArgumentNullException.ThrowIfNull(args);
        using var output = new StreamWriter(Console.OpenStandardOutput());
        foreach (var profile in CommandLine.Profiles)
        {
            output.WriteLine(profile);
            var tool = new Tool(new RealSimulator(), output, Console.Error);
            if (tool.Main(["hashes", .. args, "--profile", profile]) is not 0 and var failed)
                return failed;
        }
        // Last, since the collector and the compiler are judged by what they have done.
        Say(output, "culture", CultureInfo.CurrentCulture.Name);
        // Turkish has an i of its own.
        Say(output, "upper", "i".ToUpper(CultureInfo.CurrentCulture));
        Say(output, "zone", TimeZoneInfo.Local.BaseUtcOffset);
        Say(output, "server", GCSettings.IsServerGC);
        Say(output, "collections", GC.CollectionCount(0));
        Say(output, "compiled", JitInfo.GetCompiledMethodCount());
        return 0;
    }

    private static void Say(StreamWriter output, string what, object value) =>
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}={value}"));
}
