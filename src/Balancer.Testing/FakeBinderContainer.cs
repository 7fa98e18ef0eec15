// Owns one fake Binder in a container: a DNS backend on one socket, without a network, that does
// wrong what it is told to. What it answers and how it misbehaves is fake-binder's, which
// `docker run --rm fake-binder --help` tells.
//
// Its deaths are those that a balancer must tell apart: KillAsync is a crash and leaves the path,
// StopAsync unlinks the path and exits 0, PauseAsync is a hang that only heartbeats find, and
// StartAsync makes the socket anew.

using System;
using System.Linq;
using Docker.DotNet.Models;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Configurations;

namespace Balancer.Testing;

/// <summary>What a <see cref="FakeBinderBuilder" /> was told.</summary>
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

    /// <summary>A fake Binder 5301.</summary>
    /// <param name="image">
    /// The image, e.g. one in a registry of your own; without a slash in its name it is one that
    /// is here, and is never fetched.
    /// </param>
    public FakeBinderBuilder(string image = DefaultImage)
        : this(new FakeBinderConfiguration(binderId: "5301")) =>
        DockerResourceConfiguration = Init().WithImage(image)
            .WithImagePullPolicy(Sandbox.PullPolicyOf(image)).DockerResourceConfiguration;

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
    /// The name of its socket, which it also answers to CH TXT id.server; "5301" unless told. The
    /// balancer takes 5300 to 5399 for its own id of the backend as well.
    /// </summary>
    public FakeBinderBuilder WithId(string id) =>
        Merge(DockerResourceConfiguration, new FakeBinderConfiguration(binderId: id));

    /// <summary>What it does wrong, e.g. ("--no-heartbeat") or ("--crash-after", "100").</summary>
    public FakeBinderBuilder WithMisbehaviour(params string[] options) => WithCommand(options);

    /// <inheritdoc />
    public override FakeBinderContainer Build()
    {
        Validate();
        var path = $"{Sandbox.Sockets}/{DockerResourceConfiguration.BinderId}";
        return new FakeBinderContainer(WithCommand(path).DockerResourceConfiguration);
    }

    /// <inheritdoc />
    protected override FakeBinderBuilder Init() => base.Init()
        .WithCreateParameterModifier(Sandbox.Harden)
        .WithCreateParameterModifier(Sandbox.Network("none"))
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
    protected override FakeBinderBuilder Clone(IContainerConfiguration resourceConfiguration) =>
        Merge(DockerResourceConfiguration, new FakeBinderConfiguration(resourceConfiguration));

    /// <inheritdoc />
    protected override FakeBinderBuilder Merge(
        FakeBinderConfiguration oldValue, FakeBinderConfiguration newValue) =>
        new(new FakeBinderConfiguration(oldValue, newValue));
}

/// <summary>A fake Binder; started, it listens on its socket.</summary>
public sealed class FakeBinderContainer : WatchedContainer
{
    internal FakeBinderContainer(FakeBinderConfiguration configuration)
        : base(configuration)
    {
        BinderId = configuration.BinderId!;
        SocketPath = configuration.Folder is { } folder
            ? System.IO.Path.Combine(folder, BinderId)
            : null;
    }

    /// <summary>The name of its socket, and its answer to CH TXT id.server.</summary>
    public string BinderId { get; }

    /// <summary>Its socket on this machine; null if that is in a volume.</summary>
    public string? SocketPath { get; }

    /// <inheritdoc />
    protected override bool TellsReadiness(string line) =>
        line == $"listening {Sandbox.Sockets}/{BinderId}";
}
