// Owns the corpus: every scenario that ever found something, one file each, with what it found. All
// of them are run again and again; one that fails has come back.
//
// What always holds: a file is named after its check and its scenario, so adding one twice is
// adding it once; no file is passed over, and a corpus with none is a mistake, not a pass.

using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Commands;

internal sealed class Corpus(
    Simulator simulator, Request request, TextWriter output, TextWriter error)
{
    private const string Root = "Balancer.sln";
    private static readonly string Place = Path.Combine("sim", "corpus");

    private int _code = Tool.Passed;
    private int _done;
    private int _failed;

    public bool IsTerminal { get; init; }

    /// <summary>Adds a file; one that passes must come with what it once found.</summary>
    public int Add()
    {
        var scenario = Tool.Load(simulator, request.Subject, request.Choice);
        var violation = simulator.Run(scenario, request.Checks).Violation;
        if (violation is null && request.Found is null)
        {
            throw new FormatException(
                $"{request.Subject}: it passes; say with --found what it found");
        }
        var check = violation?.Check
            ?? (request.Checks is [var named] ? named : "found");
        var text = simulator.Write(scenario);
        var hash = HashOf(Encoding.UTF8.GetBytes(text)).ToString("x16")[..10];
        var folder = request.Directory ?? Find()
            ?? throw new FormatException("no tree of bbal is above here: name a --directory");
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, $"{check.ToLowerInvariant()}-{hash}.json");
        var bytes = ScenarioFile.Write(scenario,
            ("check", check), ("found", request.Found ?? violation!.Evidence));
        if (!Tool.Save(error, path, file => File.WriteAllBytes(file, bytes)))
            return Tool.CannotWrite;
        output.WriteLine(path);
        return Tool.Passed;
    }

    /// <summary>Runs all, in the order of their names; the first failure's exit code.</summary>
    public int Run()
    {
        var files = Files(request.Directory);
        // Read first, so that a file that is not a scenario is reported before any has run.
        var scenarios = Array.ConvertAll(
            files, file => Tool.Load(simulator, file, request.Choice));
        var progress = new Progress(error, IsTerminal);
        var all = new InOrder<(string File, Violation? Violation)>
        {
            Has = index => index < files.Length,
            Make = index => (files[index], simulator.Run(scenarios[index], []).Violation),
            IsLast = _ => false,
            TakeUp = TakeUp,
        };
        all.Run(request.Jobs, progress.Every,
            () => progress.Show(() => $"{_done} of {files.Length} scenarios, {_failed} failed"));
        progress.End();
        output.WriteLine(_failed == 0
            ? $"passed: {files.Length} scenarios"
            : $"FAILED: {_failed} of {files.Length} scenarios");
        return _code;
    }

    /// <summary>The files of a folder, or of the corpus one is in, in the order of names.</summary>
    public static string[] Files(string? directory)
    {
        var folder = directory ?? Find() ?? Place;
        var files = Directory.Exists(folder)
            ? Directory.GetFiles(folder, "*.json").Order(StringComparer.Ordinal).ToArray()
            : [];
        return files.Length > 0
            ? files
            : throw new FormatException($"{folder}: no scenario is there");
    }

    private void TakeUp((string File, Violation? Violation) item)
    {
        _done++;
        if (item.Violation is not { } violation)
            return;
        _failed++;
        output.WriteLine($"FAILED {item.File}: {Tool.Describe(violation)}");
        if (_code == Tool.Passed)
            _code = Tool.ExitCode(violation);
    }

    /// <summary>
    /// FNV-1a, for a name alone. Not SHA-256: the runtime's is OpenSSL's, loaded when it is first
    /// asked for, and a static executable that loads a library has a second C library in it, which
    /// shares its thread's memory. The next allocation crashed.
    /// </summary>
    private static ulong HashOf(byte[] text)
    {
        var hash = 0xcbf29ce484222325;
        foreach (var one in text)
            hash = unchecked((hash ^ one) * 0x100000001b3);
        return hash;
    }

    /// <summary>The corpus of the tree that one is in; null outside of one.</summary>
    private static string? Find()
    {
        var here = Directory.GetCurrentDirectory();
        for (var at = new DirectoryInfo(here); at != null; at = at.Parent)
        {
            var folder = Path.Combine(at.FullName, Place);
            if (Directory.Exists(folder) || File.Exists(Path.Combine(at.FullName, Root)))
                return Path.GetRelativePath(here, folder);
        }
        return null;
    }
}
