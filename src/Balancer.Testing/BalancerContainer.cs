// Owns the balancer in a container. It has the host's network and is bound to 127.0.0.1, because
// it tells clients apart by their address: behind a published port all of them would be one host.
// Tests are then many clients by binding to 127.0.0.2, 127.0.0.3, … themselves.
//
// Which backends it takes for healthy is read off its log: the last of the records that say so.
//
// What always holds: it runs on a port that was free when it was built, unless one is given.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Docker.DotNet.Models;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Configurations;

namespace Balancer.Testing;

/// <summary>What a <see cref="BalancerBuilder" /> was told.</summary>
public sealed class BalancerConfiguration : ContainerConfiguration
{
    internal BalancerConfiguration(string? address = null, int? port = null)
    {
        Address = address;
        Port = port;
    }

    internal BalancerConfiguration(IResourceConfiguration<CreateContainerParameters> general)
        : base(general)
    {
    }

    internal BalancerConfiguration(IContainerConfiguration general)
        : base(general)
    {
    }

    internal BalancerConfiguration(BalancerConfiguration before, BalancerConfiguration then)
        : base(before, then)
    {
        Address = BuildConfiguration.Combine(before.Address, then.Address);
        Port = BuildConfiguration.Combine(before.Port, then.Port);
    }

    /// <summary>The address that it listens on.</summary>
    public string? Address { get; }

    /// <summary>The port that it listens on; null for any that is free.</summary>
    public int? Port { get; }
}

/// <summary>Makes balancers.</summary>
public sealed class BalancerBuilder
    : ContainerBuilder<BalancerBuilder, BalancerContainer, BalancerConfiguration>
{
    /// <summary>The image that is run unless another one is named.</summary>
    public const string DefaultImage = "bbal:latest";

    /// <summary>A balancer on a free port of 127.0.0.1.</summary>
    /// <param name="image">The image, e.g. one in a registry of your own.</param>
    public BalancerBuilder(string image = DefaultImage)
        : this(new BalancerConfiguration(address: "127.0.0.1")) =>
        DockerResourceConfiguration = Init().WithImage(image).DockerResourceConfiguration;

    private BalancerBuilder(BalancerConfiguration configuration)
        : base(configuration) => DockerResourceConfiguration = configuration;

    /// <inheritdoc />
    protected override BalancerConfiguration DockerResourceConfiguration { get; }

    /// <summary>The folder in which the backends make their sockets.</summary>
    public BalancerBuilder WithSocketFolder(SocketFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return WithSocketFolder(folder.FullName);
    }

    /// <summary>The folder, made by you and open to the container's user.</summary>
    public BalancerBuilder WithSocketFolder(string folder) =>
        WithBindMount(folder, Sandbox.Sockets, AccessMode.ReadOnly)
            .WithCreateParameterModifier(Sandbox.RunAsCaller);

    /// <summary>The IPv4 address to listen on; 127.0.0.1 unless told.</summary>
    public BalancerBuilder WithAddress(string address) =>
        Merge(DockerResourceConfiguration, new BalancerConfiguration(address: address));

    /// <summary>The port to listen on, 1024 or more; one that is free unless told.</summary>
    public BalancerBuilder WithPort(int port) =>
        Merge(DockerResourceConfiguration, new BalancerConfiguration(port: port));

    /// <summary>Further options of bbal, e.g. ("--warm-up", "0").</summary>
    public BalancerBuilder WithOptions(params string[] options) => WithCommand(options);

    /// <inheritdoc />
    public override BalancerContainer Build()
    {
        Validate();
        var address = DockerResourceConfiguration.Address!;
        var port = DockerResourceConfiguration.Port ?? Sandbox.FreePort(address);
        var complete = WithPort(port).WithCommand("-s", Sandbox.Sockets, "-b", address,
            "-p", port.ToString(CultureInfo.InvariantCulture));
        return new BalancerContainer(complete.DockerResourceConfiguration);
    }

    /// <inheritdoc />
    protected override BalancerBuilder Init() => base.Init()
        .WithCreateParameterModifier(Sandbox.Harden)
        .WithCreateParameterModifier(Sandbox.Network("host"))
        .WithWaitStrategy(Wait.ForUnixContainer().AddCustomWaitStrategy(
            new WatchedContainer.UntilReady(),
            wait => wait.WithInterval(TimeSpan.FromMilliseconds(50))));

    /// <inheritdoc />
    protected override void Validate()
    {
        base.Validate();
        if (!IPAddress.TryParse(DockerResourceConfiguration.Address, out _))
            throw new ArgumentException($"{DockerResourceConfiguration.Address} is no address");
        if (!DockerResourceConfiguration.Mounts.Any(mount => mount.Target == Sandbox.Sockets))
            throw new ArgumentException("WithSocketFolder says where the sockets are");
    }

    /// <inheritdoc />
    protected override BalancerBuilder Clone(
        IResourceConfiguration<CreateContainerParameters> resourceConfiguration) =>
        Merge(DockerResourceConfiguration, new BalancerConfiguration(resourceConfiguration));

    /// <inheritdoc />
    protected override BalancerBuilder Clone(IContainerConfiguration resourceConfiguration) =>
        Merge(DockerResourceConfiguration, new BalancerConfiguration(resourceConfiguration));

    /// <inheritdoc />
    protected override BalancerBuilder Merge(
        BalancerConfiguration oldValue, BalancerConfiguration newValue) =>
        new(new BalancerConfiguration(oldValue, newValue));
}

/// <summary>A balancer; started, it listens for clients.</summary>
public sealed class BalancerContainer : WatchedContainer
{
    private static readonly string[] EndsHealth =
        [" faulted: ", " removed: ", " unlinked ", " was restarted: "];

    internal BalancerContainer(BalancerConfiguration configuration)
        : base(configuration) => Endpoint = new IPEndPoint(
            IPAddress.Parse(configuration.Address!), configuration.Port!.Value);

    /// <summary>Where clients ask, over UDP and TCP.</summary>
    public IPEndPoint Endpoint { get; }

    /// <summary>Waits until these backends, named by their sockets, are healthy.</summary>
    /// <exception cref="TimeoutException">
    /// They were not all healthy within <see cref="WatchedContainer.WaitLimit" />.
    /// </exception>
    public Task WaitUntilHealthyAsync(params string[] binderIds) => WaitAsync(
        lines => Healthy(lines).IsSupersetOf(binderIds),
        "healthy: " + string.Join(", ", binderIds), CancellationToken.None);

    /// <summary>
    /// Waits until none of these backends is healthy. A hang takes 20 s to be found, 5 s to the
    /// next heartbeat and 15 s for its answer; a crash or an orderly end is found at once.
    /// </summary>
    /// <exception cref="TimeoutException">
    /// One still was healthy after <see cref="WatchedContainer.WaitLimit" />.
    /// </exception>
    public Task WaitUntilUnhealthyAsync(params string[] binderIds) => WaitAsync(
        lines => !Healthy(lines).Overlaps(binderIds),
        "not healthy: " + string.Join(", ", binderIds), CancellationToken.None);

    /// <summary>The backends that it takes for healthy, named by their sockets.</summary>
    public async Task<IReadOnlySet<string>> HealthyAsync(CancellationToken ct = default) =>
        Healthy(await LinesAsync(ct).ConfigureAwait(false));

    /// <inheritdoc />
    protected override bool TellsReadiness(string line) =>
        Message(line, out _).StartsWith("listening on ", StringComparison.Ordinal);

    private HashSet<string> Healthy(IReadOnlyList<string> lines)
    {
        var healthy = new HashSet<string>(StringComparer.Ordinal);
        foreach (var line in lines)
        {
            var message = Message(line, out var path);
            if (TellsReadiness(line))
                healthy.Clear();
            else if (path is null || !message.StartsWith("backend ", StringComparison.Ordinal))
                continue;
            else if (message.EndsWith(" is healthy", StringComparison.Ordinal))
                healthy.Add(System.IO.Path.GetFileName(path));
            else if (EndsHealth.Any(end => message.Contains(end, StringComparison.Ordinal)))
                healthy.Remove(System.IO.Path.GetFileName(path));
        }
        return healthy;
    }

    /// <summary>
    /// The message of a log record, and the path of the backend that it is about; nothing for a
    /// line that is none, as the last one may be while it is being written.
    /// </summary>
    private static string Message(string line, out string? path)
    {
        path = null;
        try
        {
            using var record = JsonDocument.Parse(line);
            if (record.RootElement.TryGetProperty("be_path", out var value))
                path = value.GetString();
            return record.RootElement.TryGetProperty("msg", out var message)
                ? message.GetString() ?? ""
                : "";
        }
        catch (JsonException)
        {
            return "";
        }
    }
}
