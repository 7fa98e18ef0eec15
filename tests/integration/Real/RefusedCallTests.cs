// The adapter under calls that fail now and then: real scenarios of the corpus, with a balancer
// whose system calls strace answers with an error, each kind of call with one that it may have.
// Nothing may end the process, be lost beyond what is excused, or stay wrong: the scenarios' checks
// say so. That errors were really given, and how many, is counted in strace's own words.

using System;
using System.IO;
using System.Linq;
using System.Runtime.Versioning;
using Tests.Integration.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Tests.Integration.Real;

[SupportedOSPlatform("linux")]
[Collection(nameof(WallTime))]
public sealed class RefusedCallTests(ITestOutputHelper output) : IDisposable
{
    private const int Seconds = 600;
    private const int Scenarios = 6;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// Which of a thread's calls fail: strace's first..last+step, ended before the last questions
    /// of a scenario, which are owed their answers.
    /// </summary>
    [Theory]
    [InlineData("recvmmsg,sendmmsg,recvfrom,sendto,recvmsg,sendmsg,accept4,connect,read,write,"
        + "epoll_pwait2:error=EINTR:when=3+4")]
    [InlineData("epoll_ctl,accept4,connect,statx,getdents64,recvmmsg:error=ENOMEM:when=5+4",
        "socket,setsockopt:error=ENOBUFS:when=12+3", "sendmmsg,sendmsg:error=ENOBUFS:when=2..8+3")]
    [InlineData("epoll_ctl,setsockopt,getsockopt,shutdown,connect:error=EPERM:when=12+3",
        "accept4:error=ECONNABORTED:when=1+3", "sendmmsg,sendmsg:error=EPERM:when=2..8+3")]
    [InlineData("epoll_ctl:error=ENOSPC:when=8+2", "accept4,socket,openat:error=EMFILE:when=9+3",
        "recvmmsg,connect:error=EAGAIN:when=3+3", "statx,getdents64:error=EIO:when=4+5")]
    public void CallsThatFail_EndNothingAndLoseNothing(params string[] failures)
    {
        var balancer = Wrapper(failures);

        using var sim = new ManagedProcess(Places.Sim,
            ["real", "--corpus", "--count", $"{Scenarios}", "--jobs", $"{Scenarios}",
                "--virtual", "10s", "--bbal", balancer,
                "--directory", Path.Combine(Places.Root, "sim", "corpus")]);
        var code = sim.WaitForExit(Seconds);

        var lines = string.Join('\n', sim.Lines.Concat(sim.Errors.TakeLast(5)));
        output.WriteLine(lines);
        Assert.True(code == 0, lines);
        Assert.Equal($"passed: {Scenarios} scenarios", sim.Lines[^1]);
        var given = Directory.GetFiles(_folder.FullName, "calls.*")
            .Sum(file => File.ReadLines(file).Count(IsInjected));
        output.WriteLine($"{given} calls failed");
        Assert.True(given >= 10 * failures.Length, $"only {given} calls failed");
    }

    private static bool IsInjected(string line) =>
        line.Contains("(INJECTED)", StringComparison.Ordinal);

    private string Wrapper(string[] failures)
    {
        var calls = string.Join(',', failures.Select(failure => failure.Split(':')[0]));
        var injected = string.Join(' ', failures.Select(failure => $"-e inject={failure}"));
        var path = _folder["bbal"];
        File.WriteAllText(path, $"""
            #!/bin/sh
            exec strace -D -f --seccomp-bpf -qq -o {_folder.FullName}/calls.$$ \
              -e trace={calls} {injected} {Places.Bbal} "$@"

            """);
        File.SetUnixFileMode(path,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
