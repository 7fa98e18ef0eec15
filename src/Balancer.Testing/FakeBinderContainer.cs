// Owns one fake Binder in a container: a DNS backend on one socket, without a network, that does
// wrong what it is asked to, at its start or later. What it answers and how it misbehaves is
// up to fake-binder: `docker run --rm fake-binder --help` lists it.
//
// It takes commands on standard input, because that needs nothing in the image, no file that both
// sides see, and no right; and it confirms each command on its output.
//
// What always holds: of two that share a folder and an id one runs at most, because the second
// takes the first one's path, and a balancer would see a restart that nobody asked for.
//
// Its deaths are those that a balancer must tell apart: KillAsync is a crash and leaves the path,
// StopAsync unlinks the path and exits 0, PauseAsync is a hang, which shows by the answers that do
// not come, and StartAsync makes the socket again.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Docker.DotNet.Models;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Configurations;

namespace Balancer.Testing;

/// <summary>The settings of a <see cref="FakeBinderBuilder" />.</summary>
public sealed class FakeBinderConfiguration : ContainerConfiguration
{
    internal FakeBinderConfiguration(string? binderId = null, string? hostPath = null)
    {
        BinderId = binderId;
        Folder = hostPath;
    }

    internal FakeBinderConfiguration(IResourceConfiguration<CreateContainerParameters> general)
        : base(general)
    {
    }

    internal FakeBinderConfiguration(IContainerConfiguration general)
        : base(general)
    {
    }

    internal FakeBinderConfiguration(FakeBinderConfiguration before, FakeBinderConfiguration then)
        : base(before, then)
    {
        BinderId = BuildConfiguration.Combine(before.BinderId, then.BinderId);
        Folder = BuildConfiguration.Combine(before.Folder, then.Folder);
    }

    /// <summary>The name of its socket.</summary>
    public string? BinderId { get; }

    /// <summary>The folder of its socket on this machine; null if it is in a volume.</summary>
    public string? Folder { get; }
}

/// <summary>Makes fake Binders.</summary>
public sealed class FakeBinderBuilder
    : ContainerBuilder<FakeBinderBuilder, FakeBinderContainer, FakeBinderConfiguration>
{
    /// <summary>The image that is run unless another one is named.</summary>
    public const string DefaultImage = "fake-binder:latest";

    private const string NoNetwork =
        "a fake Binder has no network: the balancer asks it on its socket, in the folder that "
        + "WithSocketFolder gives";

    /// <summary>A fake Binder 5301.</summary>
    /// <param name="image">
    /// The image, e.g. one in a registry of your own; without a slash in its name it is one that
    /// is here, and is never fetched.
    /// </param>
    public FakeBinderBuilder(string image = DefaultImage)
        : this(new FakeBinderConfiguration(binderId: "5301")) =>
        DockerResourceConfiguration = Init().WithImage(image)
            .WithImagePullPolicy(Sandbox.UsualPullPolicy).DockerResourceConfiguration;

    private FakeBinderBuilder(FakeBinderConfiguration configuration)
        : base(configuration) => DockerResourceConfiguration = configuration;

    /// <inheritdoc />
    protected override FakeBinderConfiguration DockerResourceConfiguration { get; }

    /// <summary>The folder in which it makes its socket.</summary>
    public FakeBinderBuilder WithSocketFolder(SocketFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return WithSocketFolder(folder.FullName);
    }

    /// <summary>The folder, made by you and open to the container's user.</summary>
    public FakeBinderBuilder WithSocketFolder(string folder) =>
        Merge(DockerResourceConfiguration, new FakeBinderConfiguration(hostPath: folder))
            .WithBindMount(folder, Sandbox.Sockets)
            .WithCreateParameterModifier(Sandbox.RunAsCaller);

    /// <summary>
    /// The name of its socket, which it also answers to CH TXT id.server; "5301" by default. The
    /// balancer takes 5300 to 5399 for its own id of the backend as well.
    /// </summary>
    public FakeBinderBuilder WithId(string id) =>
        Merge(DockerResourceConfiguration, new FakeBinderConfiguration(binderId: id));

    /// <summary>
    /// What it does wrong from its start on; FakeBinderContainer.MisbehaveAsync changes it.
    /// </summary>
    public FakeBinderBuilder WithMisbehaviour(Misbehaviour misbehaviour)
    {
        ArgumentNullException.ThrowIfNull(misbehaviour);
        return WithEnvironment("FAKE_BINDER_SCRIPT", misbehaviour.ToScript());
    }

    /// <summary>Further options of fake-binder, e.g. ("--verbose").</summary>
    public FakeBinderBuilder WithOptions(params string[] options) => WithCommand(options);

    /// <inheritdoc />
    public override FakeBinderContainer Build()
    {
        Validate();
        var path = $"{Sandbox.Sockets}/{DockerResourceConfiguration.BinderId}";
        var usual = DockerResourceConfiguration.ImagePullPolicy == Sandbox.UsualPullPolicy
            ? WithImagePullPolicy(
                Sandbox.UsualPullPolicyOf(DockerResourceConfiguration.Image.FullName))
            : this;
        return new FakeBinderContainer(usual.WithCommand(path).DockerResourceConfiguration);
    }

    /// <inheritdoc />
    protected override FakeBinderBuilder Init() => base.Init()
        .WithCreateParameterModifier(Sandbox.Harden)
        .WithCreateParameterModifier(Sandbox.Network("none"))
        .WithCreateParameterModifier(container => container.OpenStdin = true)
        .WithEnvironment("FAKE_BINDER_COMMANDS", "1")
        .WithWaitStrategy(Wait.ForUnixContainer().AddCustomWaitStrategy(
            new WatchedContainer.UntilReady(),
            wait => wait.WithInterval(TimeSpan.FromMilliseconds(50))));

    /// <inheritdoc />
    protected override void Validate()
    {
        base.Validate();
        var id = DockerResourceConfiguration.BinderId;
        if (string.IsNullOrEmpty(id) || id.Contains('/', StringComparison.Ordinal))
            throw new ArgumentException($"\"{id}\" cannot be the name of a socket");
        if (!DockerResourceConfiguration.Mounts.Any(mount => mount.Target == Sandbox.Sockets))
            throw new ArgumentException("WithSocketFolder says where the sockets are");
    }

    /// <inheritdoc />
    protected override FakeBinderBuilder Clone(
        IResourceConfiguration<CreateContainerParameters> resourceConfiguration) =>
        Merge(DockerResourceConfiguration, new FakeBinderConfiguration(resourceConfiguration));

    /// <inheritdoc />
    protected override FakeBinderBuilder Clone(IContainerConfiguration resourceConfiguration)
    {
        Sandbox.RefuseNetworks(resourceConfiguration, NoNetwork);
        return Merge(
            DockerResourceConfiguration, new FakeBinderConfiguration(resourceConfiguration));
    }

    /// <inheritdoc />
    protected override FakeBinderBuilder Merge(
        FakeBinderConfiguration oldValue, FakeBinderConfiguration newValue) =>
        new(new FakeBinderConfiguration(oldValue, newValue));
}

/// <summary>A fake Binder; started, it listens on its socket.</summary>
public sealed class FakeBinderContainer : WatchedContainer
{
    private static readonly ConcurrentDictionary<string, FakeBinderContainer> Owners = [];

    private readonly string _place;
    private volatile bool _starts;

    internal FakeBinderContainer(FakeBinderConfiguration configuration)
        : base(configuration)
    {
        // The folder, or the volume.
        _place = configuration.Mounts.First(mount => mount.Target == Sandbox.Sockets).Source
            + "/" + configuration.BinderId;
        BinderId = configuration.BinderId!;
        SocketPath = configuration.Folder is { } folder
            ? System.IO.Path.Combine(folder, BinderId)
            : null;
    }

    /// <summary>The name of its socket, and its answer to CH TXT id.server.</summary>
    public string BinderId { get; }

    /// <summary>Its socket on this machine; null if that is in a volume.</summary>
    public string? SocketPath { get; }

    /// <summary>
    /// Has it do this wrong from now on and nothing else, in the sessions that there are too; it
    /// returns when it has heard. What began, such as an answer that is put off, ends as it began.
    /// Each start, also of the same container, begins with the builder's settings.
    /// </summary>
    /// <exception cref="TimeoutException">
    /// It did not hear within <see cref="WatchedContainer.WaitLimit" />: it is paused, or hangs.
    /// </exception>
    /// <exception cref="InvalidOperationException">It does not run.</exception>
    public async Task MisbehaveAsync(Misbehaviour misbehaviour, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(misbehaviour);
        var command = "script " + misbehaviour.ToScript();
        bool Heard(string line) => line == "did " + command;
        var before = (await LinesAsync(ct).ConfigureAwait(false)).Count(Heard);
        if (!await IsRunningAsync(ct).ConfigureAwait(false))
            throw new InvalidOperationException($"fake Binder {BinderId} does not run");
        var line = Encoding.UTF8.GetBytes(command + "\n");
        using var input = await Engine.Containers.AttachContainerAsync(
            Id, new ContainerAttachParameters { Stream = true, Stdin = true }, ct)
            .ConfigureAwait(false);
        await input.WriteAsync(line, 0, line.Length, ct).ConfigureAwait(false);
        await WaitAsync((lines, _) => lines.Count(Heard) > before, command, ct)
            .ConfigureAwait(false);
    }

    /// <inheritdoc />
    protected override async Task UnsafeStartAsync(CancellationToken ct = default)
    {
        _starts = true;
        try
        {
            while (!Owners.TryAdd(_place, this))
            {
                if (!Owners.TryGetValue(_place, out var other))
                    continue;
                if (other == this)
                    break;
                if (other._starts || await other.IsRunningAsync(ct).ConfigureAwait(false))
                {
                    throw new InvalidOperationException($"a fake Binder {BinderId} runs already "
                        + "in this folder, and would lose its socket; WithId gives another id");
                }
                Owners.TryRemove(KeyValuePair.Create(_place, other));
            }
            await base.UnsafeStartAsync(ct).ConfigureAwait(false);
        }
        finally
        {
            _starts = false;
        }
    }

    /// <inheritdoc />
    protected override async ValueTask DisposeAsyncCore()
    {
        await base.DisposeAsyncCore().ConfigureAwait(false);
        Owners.TryRemove(KeyValuePair.Create(_place, this));
    }

    /// <inheritdoc />
    protected override bool TellsReadiness(string line) =>
        line == $"listening {Sandbox.Sockets}/{BinderId}";
}
