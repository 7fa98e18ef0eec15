// The simulator's scenarios in wall time: real processes, real clients, the built balancer, and
// faults that are done to it from outside. Twenty scenarios find nothing; and so that this means
// something, an executable that is wrong in one way is put in the place of each of the two, and
// must be found by the check that is there for it.
//
// They mostly wait, but would disturb tests that measure, so none of those runs beside them.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using Tests.Integration.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Tests.Integration.Real;

[CollectionDefinition(nameof(WallTime), DisableParallelization = true)]
public sealed class WallTime;

[SupportedOSPlatform("linux")]
[Collection(nameof(WallTime))]
public sealed class RealTests(ITestOutputHelper output) : IDisposable
{
    private const int Seconds = 600;
    private const int Count = 30;

    /// <summary>How the one scenario of these tests is called that has something to find.</summary>
    private const string Failed = "FAILED 7 --profile=calm: ";

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Corpus_FindsNothing()
    {
        var (code, lines) = Real($"--corpus --count {Count}");

        Assert.True(code == 0, string.Join('\n', lines));
        Assert.Equal($"passed: {Count} scenarios", lines[^1]);
        Assert.Contains(
            lines, line => Regex.IsMatch(line, @"^ok .* [1-9]\d* faults?, [^;]* planned;"));
        // What cannot be done for real is said, and how often.
        Assert.Contains(lines, line => line.StartsWith("left out  ", StringComparison.Ordinal)
            && line.Contains(" KernelWakes", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(Posix.SigInt)]
    [InlineData(Posix.SigTerm)]
    [InlineData(Posix.SigHup)]
    public void Interrupted_LeavesNeitherProcessesNorFiles(int signal)
    {
        using var sim = new ManagedProcess(Places.Sim,
            ["real", "7", "--profile", "calm", "--virtual", "30s"],
            new Dictionary<string, string> { ["TMPDIR"] = _folder.FullName });
        Eventually.That(() => Started().Length >= 3, "two backends and the balancer run");

        sim.Signal(signal);

        Assert.Equal(130, sim.WaitForExit(60));
        Assert.Equal("interrupted", sim.Lines[^1]);
        Assert.Empty(Started());
        Assert.Empty(Directory.GetFileSystemEntries(_folder.FullName));
    }

    [Fact]
    public void BalancerThatDropsDead_IsS13()
    {
        var dead = Script("bbal", $"{Places.Bbal} \"$@\" & sleep 4; kill -9 $!; exit 3");

        var (code, lines) = Real($"7 --profile calm --virtual 10s --bbal {dead}");

        Assert.Equal(4, code);
        Assert.Contains(Failed + "S13 survival", lines);
        Assert.Contains(lines, line => line.Contains(
            "it ended by itself, with status 3", StringComparison.Ordinal));
        Assert.Contains("  sim real 7 --profile=calm --virtual=10s", lines);
    }

    [Fact]
    public void BalancerThatNeverStarts_IsS13WithItsWords()
    {
        var dumb = Script("bbal", "echo cannot >&2; exit 1");

        var (code, lines) = Real($"7 --profile calm --virtual 10s --bbal {dumb}");

        Assert.Equal(4, code);
        Assert.Contains(lines, line => line.EndsWith(
            "it ended by itself, with status 1; it said: cannot", StringComparison.Ordinal));
    }

    [Fact]
    public void BalancerThatFindsItsPortTaken_GetsAnother()
    {
        var late = Script("bbal", $$"""
            [ -e late ] && exec {{Places.Bbal}} "$@"
            : > late; echo "bbal: cannot bind UDP: Address already in use (EADDRINUSE)" >&2; exit 1
            """);

        var (code, lines) = Real($"7 --profile calm --virtual 10s --bbal {late}");

        Assert.True(code == 0, string.Join('\n', lines));
    }

    [Fact]
    public void BackendThatTakesNoConnections_LeavesTcpUnanswered()
    {
        var busy = Script("fake-binder", $"exec {Places.FakeBinder} --tcp-no-ok \"$@\"");

        // All backends of this seed are core; another that was tried would excuse its clients.
        var (code, lines) = Real($"17 --profile calm --virtual 10s --fake-binder {busy}");

        Assert.Equal(2, code);
        Assert.Contains("FAILED 17 --profile=calm: L1 answers", lines);
        Assert.Contains(lines, line => line.Contains(" over TCP asked ", StringComparison.Ordinal));
    }

    [Fact]
    public void BackendThatIsDeaf_LeavesClientsUnanswered()
    {
        var deaf = Script("fake-binder", $"exec {Places.FakeBinder} --drop-every 1 \"$@\"");

        var (code, lines) = Real($"7 --profile calm --virtual 10s --fake-binder {deaf}");

        Assert.Equal(2, code);
        Assert.Contains(Failed + "L1 answers", lines);
    }

    [Fact]
    public void BackendThatNeverSaysHello_IsNotHealthyInTime()
    {
        var mute = Script("fake-binder", $"exec {Places.FakeBinder} --no-hello \"$@\"");

        var (code, lines) = Real($"7 --profile calm --virtual 10s --fake-binder {mute}");

        Assert.Equal(2, code);
        Assert.Contains(Failed + "L2 recovery", lines);
    }

    /// <summary>Queries that none of the clients sent must not be taken for theirs.</summary>
    [Fact]
    public void QueryOfSomebodyElse_IsS1()
    {
        // A query of somebody else's, sent to the balancer as soon as it listens.
        var nosy = Script("bbal", $$"""
            port=0; before=; for word; do [ "$before" = -p ] && port=$word; before=$word; done
            { sleep 3; for n in 1 2 3; do printf 0123456789abcdef >/dev/udp/127.0.0.1/$port; done
            } >/dev/null 2>&1 &
            exec {{Places.Bbal}} "$@"
            """, shell: "bash");

        var (code, lines) = Real($"7 --profile calm --virtual 10s --bbal {nosy}");

        Assert.Equal(1, code);
        Assert.Contains(lines, line => line.StartsWith(Failed + "S1 ", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("which nobody sent so",
            StringComparison.Ordinal));
    }

    /// <summary>Processes that were told of this test's folder.</summary>
    private string[] Started() => [.. Directory.GetDirectories("/proc").Where(process =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline"))
                .Contains(_folder.FullName + "/sr-", StringComparison.Ordinal);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    })];

    private string Script(string name, string text, string shell = "sh")
    {
        var path = _folder[name];
        File.WriteAllText(path, $"#!/usr/bin/env {shell}\n{text}\n");
        File.SetUnixFileMode(path,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    private (int Code, string[] Lines) Real(string arguments)
    {
        using var sim = new ManagedProcess(Places.Sim,
            ["real", .. arguments.Split(' '), "--directory",
                Path.Combine(Places.Root, "sim", "corpus")]);
        var code = sim.WaitForExit(Seconds);
        output.WriteLine($"sim real {arguments}: {code}\n" + string.Join('\n',
            sim.Lines.Concat(sim.Errors.TakeLast(5))));
        return (code, [.. sim.Lines]);
    }
}
