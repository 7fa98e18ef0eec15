// Owns the options that are in the environment, where whoever runs containers has them: each
// option is FAKE_BINDER_ and its name, --crash-after FAKE_BINDER_CRASH_AFTER; a flag's value is 1,
// true, 0 or false; the PATHs are FAKE_BINDER_PATHS, with colons between. They are turned into
// arguments, so that what an option means is said once.
//
// What always holds: the command line wins, variable by variable; an empty variable is none. A
// variable of that prefix that is not an option is refused, but for those that Kubernetes makes up
// for a service named fake-binder (FAKE_BINDER_PORT…, FAKE_BINDER_SERVICE_…).

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Linq;

namespace FakeBinder;

internal static class EnvironmentOptions
{
    public const string Paths = Prefix + "PATHS";

    private const string Prefix = "FAKE_BINDER_";

    private static readonly string[] NotOurs = [Prefix + "PORT", Prefix + "SERVICE_"];

    /// <summary>
    /// The arguments with those of the environment before them, or what is wrong with these.
    /// </summary>
    public static (string[] Arguments, string? Complaint) Add(
        Options options, string[] arguments, IReadOnlyDictionary<string, string> environment)
    {
        var given = options.Parse(arguments);
        var added = new List<string>();
        foreach (var (variable, value) in environment.OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            if (!variable.StartsWith(Prefix, StringComparison.Ordinal) || value.Length == 0
                || variable == Paths || Array.Exists(NotOurs, name => variable.StartsWith(
                    name, StringComparison.Ordinal)))
                continue;
            var name = "--" + variable[Prefix.Length..].ToLowerInvariant().Replace('_', '-');
            if (options.Find(name) is not { } option)
                return (arguments, $"{variable}: there is no option {name} (try --help)");
            if (given.GetResult(option) is { Implicit: false })
                continue;
            if (option.Arity.MaximumNumberOfValues > 0)
            {
                added.Add($"{name}={value}");
                if (options.Complaint(option, value) is { } wrong)
                    return (arguments, $"{variable}: {wrong}");
            }
            else if (value is "1" or "true")
            {
                added.Add(name);
            }
            else if (value is not ("0" or "false"))
            {
                return (arguments, $"{variable}={value}: must be 1, true, 0 or false");
            }
        }
        // They stand in for the PATHs that an image has by default.
        var all = options.Parse([.. added, .. arguments]);
        var paths = environment.GetValueOrDefault(Paths) ?? "";
        if (!options.SaysWhere(all))
            added.AddRange(paths.Split(':', StringSplitOptions.RemoveEmptyEntries));
        return ([.. added, .. arguments], null);
    }
}
