// Owns what the two containers have in common: they are ready when their output says so, they take
// signals, and their output is at hand, line by line, as a text to wait for.
//
// It is ready when a line of this start says so: a container that is started again still has those
// of the start before, so those are counted first. One that runs already is ready if it was.
//
// What always holds: a wait that fails reports what the container wrote last, and none goes on once
// the container has ended, because then nothing that it waits for can come.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
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
    private DateTime _startsUntil;

    /// <summary>Makes the container's object; the container is made by its first start.</summary>
    protected WatchedContainer(IContainerConfiguration configuration)
        : base(configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        _docker = configuration.DockerEndpointAuthConfig
            .GetDockerClientBuilder(configuration.SessionId).Build();
    }

    /// <summary>
    /// How long the waits of this object wait, that for a start among them; a minute unless set.
    /// </summary>
    public TimeSpan WaitLimit { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Ends the process with SIGKILL, as a crash does, and returns when it has ended: it has no
    /// chance to do anything, so a fake Binder leaves its socket's path behind. One that has ended
    /// by itself, or was not started yet, is left as it is.
    /// </summary>
    public async Task KillAsync(CancellationToken ct = default)
    {
        if (State == TestcontainersStates.Undefined)
            return;
        try
        {
            await SignalAsync("SIGKILL", ct).ConfigureAwait(false);
        }
        catch (DockerApiException ended) when (ended.StatusCode == HttpStatusCode.Conflict)
        {
            // The engine's answer for one that does not run.
        }
        // Ended already, so all that this does is to see that it has.
        await StopAsync(ct).ConfigureAwait(false);
    }

    /// <summary>Sends a signal, e.g. SIGHUP or SIGUSR1.</summary>
    public Task SignalAsync(string signal, CancellationToken ct = default) =>
        _docker.Containers.KillContainerAsync(
            Id, new ContainerKillParameters { Signal = signal }, ct);

    /// <summary>
    /// What it wrote on its standard output up to now, line by line, in all its starts.
    /// </summary>
    public async Task<IReadOnlyList<string>> LinesAsync(CancellationToken ct = default)
    {
        var (output, _) = await GetLogsAsync(timestampsEnabled: false, ct: ct)
            .ConfigureAwait(false);
        return Lines(output);
    }

    /// <summary>Waits for a line on its standard output that has this text in it.</summary>
    /// <returns>The first such line, be it of an earlier start.</returns>
    /// <exception cref="TimeoutException">
    /// There was none within <see cref="WaitLimit" />.
    /// </exception>
    /// <exception cref="InvalidOperationException">There was none, and it has ended.</exception>
    public async Task<string> WaitForLineAsync(string text, CancellationToken ct = default)
    {
        string? found = null;
        await WaitAsync(
            (lines, _) => (found = lines.FirstOrDefault(
                line => line.Contains(text, StringComparison.Ordinal))) is not null,
            $"a line with \"{text}\"", ct).ConfigureAwait(false);
        return found!;
    }

    /// <summary>The engine, for what the base class does not do.</summary>
    private protected DockerClient Engine => _docker;

    internal async Task<bool> IsReadyAsync()
    {
        if (await CountReadyAsync(default).ConfigureAwait(false) > _readyBefore)
            return true;
        if (DateTime.UtcNow > _startsUntil)
            throw await NotWithinAsync("ready", default).ConfigureAwait(false);
        return false;
    }

    /// <summary>Whether a line of its standard output says that it is ready.</summary>
    protected abstract bool TellsReadiness(string line);

    /// <summary>Whether it runs at this moment; a paused one does.</summary>
    protected async Task<bool> IsRunningAsync(CancellationToken ct) =>
        (await StateAsync(ct).ConfigureAwait(false)).Running;

    /// <summary>
    /// Waits until a condition holds, which is given the lines it wrote and whether it runs.
    /// </summary>
    /// <exception cref="TimeoutException">
    /// It was not within <see cref="WaitLimit" />.
    /// </exception>
    /// <exception cref="InvalidOperationException">It was not, and it has ended.</exception>
    protected async Task WaitAsync(
        Func<IReadOnlyList<string>, bool, bool> asked, string what, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(asked);
        var until = DateTime.UtcNow + WaitLimit;
        while (true)
        {
            // In this order: of one that has ended the lines are then all there.
            var state = await StateAsync(ct).ConfigureAwait(false);
            if (asked(await LinesAsync(ct).ConfigureAwait(false), state.Running))
                return;
            if (!state.Running)
            {
                throw new InvalidOperationException(
                    $"ended with status {state.ExitCode}, waited for: {what}"
                    + await LastLinesAsync(ct).ConfigureAwait(false));
            }
            if (DateTime.UtcNow > until)
                throw await NotWithinAsync(what, ct).ConfigureAwait(false);
            await Task.Delay(Pause, ct).ConfigureAwait(false);
        }
    }

    /// <inheritdoc />
    protected override async Task UnsafeCreateAsync(CancellationToken ct = default)
    {
        try
        {
            await base.UnsafeCreateAsync(ct).ConfigureAwait(false);
        }
        catch (DockerImageNotFoundException e)
        {
            throw new InvalidOperationException(
                $"there is no image {Image.FullName} here: `make image` makes it", e);
        }
    }

    /// <inheritdoc />
    protected override async Task UnsafeStartAsync(CancellationToken ct = default)
    {
        // Where it runs already the start that it is in counts, be it not ready yet.
        if (!await IsRunningAsync(ct).ConfigureAwait(false))
            _readyBefore = await CountReadyAsync(ct).ConfigureAwait(false);
        _startsUntil = DateTime.UtcNow + WaitLimit;
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

    private async Task<State> StateAsync(CancellationToken ct) =>
        (await _docker.Containers.InspectContainerAsync(Id, ct).ConfigureAwait(false)).State!;

    private async Task<TimeoutException> NotWithinAsync(string what, CancellationToken ct) =>
        new($"not within {WaitLimit.TotalSeconds:0.#} s: {what}"
            + await LastLinesAsync(ct).ConfigureAwait(false));

    private async Task<string> LastLinesAsync(CancellationToken ct)
    {
        var (output, errors) = await GetLogsAsync(timestampsEnabled: false, ct: ct)
            .ConfigureAwait(false);
        return "; the last of the output:\n" + string.Join('\n',
            Lines(output).TakeLast(LinesTold).Concat(Lines(errors).TakeLast(LinesTold)));
    }

    private static string[] Lines(string text) =>
        text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Ready, in the terms of the base class.</summary>
    internal sealed class UntilReady : IWaitUntil
    {
        public Task<bool> UntilAsync(IContainer container) =>
            ((WatchedContainer)container).IsReadyAsync();
    }
}
