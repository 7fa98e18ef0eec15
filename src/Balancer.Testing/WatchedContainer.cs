// Owns what the two containers have in common: they are ready when their output says so, they take
// signals, and their output is at hand, line by line, as a text to wait for.
//
// Ready is told by a line of this start: a container that is started again still has the lines of
// the start before, so those are counted first.
//
// What always holds: a wait that fails tells what the container wrote last.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Docker.DotNet;
using Docker.DotNet.Models;
using DotNet.Testcontainers.Configurations;
using DotNet.Testcontainers.Containers;

namespace Balancer.Testing;

/// <summary>A container of one of the two images.</summary>
public abstract class WatchedContainer : DockerContainer
{
    private const int LinesTold = 20;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly DockerClient _docker;
    private int _readyBefore;

    /// <summary>Makes the container's object; the container is made by its first start.</summary>
    protected WatchedContainer(IContainerConfiguration configuration)
        : base(configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        _docker = configuration.DockerEndpointAuthConfig
            .GetDockerClientBuilder(configuration.SessionId).Build();
    }

    /// <summary>How long the waits of this object wait; a minute unless set.</summary>
    public TimeSpan WaitLimit { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Ends the process with SIGKILL, as a crash does, and returns when it has ended: it has no
    /// chance to do anything, so a fake Binder leaves its socket's path behind.
    /// </summary>
    public async Task KillAsync(CancellationToken ct = default)
    {
        await SignalAsync("SIGKILL", ct).ConfigureAwait(false);
        // Ended already, so all that this does is to see that it has.
        await StopAsync(ct).ConfigureAwait(false);
    }

    /// <summary>Sends a signal, e.g. SIGHUP or SIGUSR1.</summary>
    public Task SignalAsync(string signal, CancellationToken ct = default) =>
        _docker.Containers.KillContainerAsync(
            Id, new ContainerKillParameters { Signal = signal }, ct);

    /// <summary>What it wrote on its standard output up to now, line by line.</summary>
    public async Task<IReadOnlyList<string>> LinesAsync(CancellationToken ct = default)
    {
        var (output, _) = await GetLogsAsync(timestampsEnabled: false, ct: ct)
            .ConfigureAwait(false);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Waits for a line on its standard output that has this text in it.</summary>
    /// <returns>The first such line.</returns>
    /// <exception cref="TimeoutException">
    /// There was none within <see cref="WaitLimit" />.
    /// </exception>
    public async Task<string> WaitForLineAsync(string text, CancellationToken ct = default)
    {
        string? found = null;
        await WaitAsync(
            lines => (found = lines.FirstOrDefault(
                line => line.Contains(text, StringComparison.Ordinal))) is not null,
            $"a line with \"{text}\"", ct).ConfigureAwait(false);
        return found!;
    }

    internal async Task<bool> IsReadyAsync() =>
        await CountReadyAsync(default).ConfigureAwait(false) > _readyBefore;

    /// <summary>Whether a line of its standard output says that it is ready.</summary>
    protected abstract bool TellsReadiness(string line);

    /// <summary>Waits until what it wrote is as it should be.</summary>
    protected async Task WaitAsync(
        Func<IReadOnlyList<string>, bool> isIt, string what, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(isIt);
        var until = DateTime.UtcNow + WaitLimit;
        while (true)
        {
            var lines = await LinesAsync(ct).ConfigureAwait(false);
            if (isIt(lines))
                return;
            if (DateTime.UtcNow > until)
            {
                throw new TimeoutException(
                    $"not within {WaitLimit.TotalSeconds:0} s: {what}; the last of the output:\n"
                    + string.Join('\n', lines.TakeLast(LinesTold)));
            }
            await Task.Delay(Pause, ct).ConfigureAwait(false);
        }
    }

    /// <inheritdoc />
    protected override async Task UnsafeStartAsync(CancellationToken ct = default)
    {
        _readyBefore = await CountReadyAsync(ct).ConfigureAwait(false);
        await base.UnsafeStartAsync(ct).ConfigureAwait(false);
    }

    /// <inheritdoc />
    protected override async ValueTask DisposeAsyncCore()
    {
        await base.DisposeAsyncCore().ConfigureAwait(false);
        _docker.Dispose();
    }

    private async Task<int> CountReadyAsync(CancellationToken ct) =>
        (await LinesAsync(ct).ConfigureAwait(false)).Count(TellsReadiness);

    /// <summary>Ready, in the terms of the base class.</summary>
    internal sealed class UntilReady : IWaitUntil
    {
        public Task<bool> UntilAsync(IContainer container) =>
            ((WatchedContainer)container).IsReadyAsync();
    }
}
