// Owns the reading of the systemd unit, deploy/systemd/bbal.service: its settings, its command line
// with the variables put in, and its filter of system calls as a set of names, made with the groups
// that `systemd-analyze syscall-filter` tells.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Deploy;

/// <summary>A unit file.</summary>
internal sealed class SystemdUnit
{
    public static readonly string Path =
        System.IO.Path.Combine(Places.Root, "deploy", "systemd", "bbal.service");

    private readonly List<(string Section, string Key, string Value)> _settings = [];

    private SystemdUnit(string path)
    {
        var section = "";
        foreach (var line in File.ReadLines(path).Select(line => line.Trim()))
        {
            if (line.Length == 0 || line[0] is '#' or ';')
                continue;
            if (line[0] == '[')
                section = line.Trim('[', ']');
            else
                _settings.Add((section, line.Split('=')[0], line[(line.IndexOf('=') + 1)..]));
        }
    }

    public static SystemdUnit Read() => new(Path);

    /// <summary>The one value of a setting that is given once.</summary>
    public string this[string section, string key] => Assert.Single(All(section, key));

    /// <summary>Every value of a setting, in order.</summary>
    public List<string> All(string section, string key) =>
        [.. _settings.Where(one => one.Section == section && one.Key == key)
            .Select(one => one.Value)];

    /// <summary>The words of ExecStart, as systemd cuts them with these variables set.</summary>
    public List<string> CommandLine(IReadOnlyDictionary<string, string> variables)
    {
        var words = new List<string>();
        foreach (var word in this["Service", "ExecStart"].Split(' '))
        {
            if (word.StartsWith("${", StringComparison.Ordinal))
                words.Add(variables[word[2..^1]]);
            else if (word[0] == '$')
                words.AddRange(variables[word[1..]].Split(' '));
            else
                words.Add(word);
        }
        return words;
    }

    /// <summary>The system calls that are let through.</summary>
    public HashSet<string> AllowedSystemCalls()
    {
        var groups = Groups();
        var allowed = new HashSet<string>();
        foreach (var line in All("Service", "SystemCallFilter"))
        {
            var names = line.TrimStart('~').Split(' ').SelectMany(name => Expand(name, groups));
            if (line[0] == '~')
                allowed.ExceptWith(names);
            else
                allowed.UnionWith(names);
        }
        // Whatever is taken away, these stay, or no process could even begin and end.
        allowed.UnionWith(Expand("@default", groups));
        return allowed;
    }

    private static IEnumerable<string> Expand(
        string name, Dictionary<string, List<string>> groups) =>
        name[0] == '@' ? groups[name].SelectMany(inner => Expand(inner, groups)) : [name];

    private static Dictionary<string, List<string>> Groups()
    {
        using var analyze = new ManagedProcess(
            "systemd-analyze", ["--no-pager", "syscall-filter"]);
        Assert.True(analyze.WaitForExit() == 0, analyze.Tail());
        var groups = new Dictionary<string, List<string>>();
        List<string> group = [];
        foreach (var line in analyze.Lines.Where(line => line.Length > 0))
        {
            if (line[0] == '@')
                groups[line] = group = [];
            else if (line[0] == ' ' && !line.TrimStart().StartsWith('#'))
                group.Add(line.Trim());
        }
        return groups;
    }
}
