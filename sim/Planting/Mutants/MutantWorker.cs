// Owns a process that runs seeds with mutants, one after another, and both ends of what is said
// between it and the process that started it. A process of its own, since a mutant may do what no
// thread survives: fill the stack, or all memory, or never end.
//
// A question is one line of words with tabs between them: mutant, seed, profile, most rounds,
// sites. The answer is one line too: what MutantRun.Execute gives. The process ends when there are
// no more questions.
//
// What always holds: one that gave no answer in time, or ended, is ended and begun again with the
// next question.

using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using Simulation.Commands;

namespace Simulation.Planting.Mutants;

/// <summary>MutantRun.Execute, on the core with mutants.</summary>
internal delegate string[] ExecuteMutant(
    int mutant, ulong seed, string profile, long rounds, int sites);

/// <summary>What is asked of a worker.</summary>
internal readonly record struct MutantQuestion(
    int Mutant, ulong Seed, string Profile, long Rounds, int Sites);

/// <summary>What a run came to.</summary>
/// <param name="Check">The check that failed, or what else found it; "" for nothing.</param>
/// <param name="Hash">Of the run.</param>
/// <param name="Events">What the run cost.</param>
/// <param name="Rounds">Rounds of the core's loops.</param>
/// <param name="Evidence">What the check saw.</param>
/// <param name="Reached">Sites, packed; see MutantRun.</param>
internal sealed record MutantAnswer(
    string Check, string Hash, long Events, long Rounds, string Evidence, byte[] Reached);

/// <summary>The process.</summary>
internal static class MutantWorker
{
    /// <summary>The word that makes the planting host a worker; the core is next.</summary>
    public const string Verb = "mutant-worker";

    /// <summary>Answers until there are no more questions; the exit code.</summary>
    public static int Run(string assembly, TextReader input, TextWriter output)
    {
        var core = new PlantedCore("mutants", File.ReadAllBytes(assembly));
        var execute = core.Get<ExecuteMutant>(typeof(MutantRun), nameof(MutantRun.Execute));
        var thread = new Thread(Work, InOrder<int>.StackBytes);
        thread.Start();
        thread.Join();
        return Tool.Passed;

        void Work()
        {
            while (input.ReadLine() is { } line)
            {
                output.WriteLine(string.Join('\t', Answer(line.Split('\t')).Select(OneWord)));
                output.Flush();
            }
        }

        string[] Answer(string[] words) => execute(
            int.Parse(words[0], CultureInfo.InvariantCulture),
            ulong.Parse(words[1], CultureInfo.InvariantCulture), words[2],
            long.Parse(words[3], CultureInfo.InvariantCulture),
            int.Parse(words[4], CultureInfo.InvariantCulture));
    }

    private static string OneWord(string text) =>
        text.ReplaceLineEndings(" ").Replace('\t', ' ');
}

/// <summary>The other end of a worker.</summary>
/// <param name="assembly">The file that has the core with mutants.</param>
internal sealed class MutantWorkerProcess(string assembly) : IDisposable
{
    /// <summary>What is said to have found a mutant that ends the process.</summary>
    public const string Crash = "crash";

    /// <summary>
    /// Bytes that a run may have. A mutant that takes memory without end must not take the
    /// machine's.
    /// </summary>
    private const string MostMemory = "0x60000000";

    /// <summary>
    /// Processor time of one run, far beyond what any seed takes: loops of the core end by
    /// themselves. How busy the machine is does not matter.
    /// </summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private Process? _process;

    /// <summary>Has a seed run. A worker that fails it is begun again with the next.</summary>
    public MutantAnswer Ask(MutantQuestion question)
    {
        _process ??= Start();
        try
        {
            _process.StandardInput.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{question.Mutant}\t{question.Seed}\t{question.Profile}\t{question.Rounds}\t")
                + question.Sites.ToString(CultureInfo.InvariantCulture));
            _process.StandardInput.Flush();
            var end = _process.TotalProcessorTime + Limit;
            var answer = _process.StandardOutput.ReadLineAsync();
            while (!answer.Wait(LookEvery))
            {
                _process.Refresh();
                if (!answer.IsCompleted && _process.TotalProcessorTime > end)
                    return Failed(MutantRun.Time, "it does not end");
            }
            if (answer.Result?.Split('\t') is not [var check, var hash, var events, var rounds,
                var evidence, var reached])
            {
                return Failed(Crash, "the process ended");
            }
            return new MutantAnswer(check, hash,
                long.Parse(events, CultureInfo.InvariantCulture),
                long.Parse(rounds, CultureInfo.InvariantCulture), evidence,
                Convert.FromBase64String(reached));
        }
        catch (Exception ended) when (ended is IOException or InvalidOperationException)
        {
            return Failed(Crash, "the process ended");
        }
    }

    public void Dispose()
    {
        if (_process is not { } process)
            return;
        _process = null;
        process.Kill();
        process.WaitForExit();
        process.Dispose();
    }

    private MutantAnswer Failed(string by, string evidence)
    {
        Dispose();
        return new MutantAnswer(by, "", 0, 0, evidence, []);
    }

    private Process Start()
    {
        var start = new ProcessStartInfo("dotnet",
            [typeof(MutantWorker).Assembly.Location, MutantWorker.Verb, assembly])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_GCHeapHardLimit"] = MostMemory;
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        var process = Process.Start(start)!;
        // A stack that is full is told at length.
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        return process;
    }
}
