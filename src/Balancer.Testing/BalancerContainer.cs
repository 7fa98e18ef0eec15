// Owns the balancer in a container. It has the host's network and is bound to 127.0.0.1, because
// it tells clients apart by their address: behind a published port all of them would be one host.
// Tests are then many clients by binding to 127.0.0.2, 127.0.0.3, … themselves.
//
// Which backends it takes for healthy is read off its log: the last of the records that say so. So
// is that it listens, and a log level that hides these records is refused.
//
// What always holds: it runs on a port that was free when it was built, unless one is given; what
// a method of its builder sets, no option may set otherwise; one that has ended
// takes no backend for healthy.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Docker.DotNet.Models;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Configurations;

namespace Balancer.Testing;

/// <summary>The settings of a <see cref="BalancerBuilder" />.</summary>
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

    private const string LogLevel = "LOG_LEVEL";

    private const string NoNetwork = "the balancer has the host's network, because behind a "
        + "published port or in a network of its own all clients have one address; ask it at "
        + "Endpoint, and give it another port with WithPort";

    // Options that a method sets, so that the builder knows their values.
    private static readonly (string Short, string Long, string Method)[] Methods =
    [
        ("-s", "--backend-path", nameof(WithSocketFolder)),
        ("-b", "--address", nameof(WithAddress)),
        ("-p", "--port", nameof(WithPort)),
    ];

    // At info, a backend that is restarted often is soon logged no more: the records of one entry
    // are limited, and those beyond are at debug.
    private static readonly string[] LevelsThatHide =
        ["info", "warn", "error", "fatal", "30", "40", "50", "60"];

    /// <summary>A balancer on a free port of 127.0.0.1.</summary>
    /// <param name="image">
    /// The image, e.g. one in a registry of your own; without a slash in its name it is one that
    /// is here, and is never fetched.
    /// </param>
    public BalancerBuilder(string image = DefaultImage)
        : this(new BalancerConfiguration(address: "127.0.0.1")) =>
        DockerResourceConfiguration = Init().WithImage(image).WithEnvironment(LogLevel, "debug")
            .WithImagePullPolicy(Sandbox.UsualPullPolicy).DockerResourceConfiguration;

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

    /// <summary>
    /// The IPv4 address to listen on; 127.0.0.1 by default, 0.0.0.0 for all of the host's.
    /// </summary>
    public BalancerBuilder WithAddress(string address) =>
        Merge(DockerResourceConfiguration, new BalancerConfiguration(address: address));

    /// <summary>The port to listen on, 1024 or more; a free one by default.</summary>
    public BalancerBuilder WithPort(int port) =>
        Merge(DockerResourceConfiguration, new BalancerConfiguration(port: port));

    /// <summary>
    /// Further options of bbal, e.g. ("--warm-up", "0"). Those that a method of this builder gives
    /// are refused, and so is a log level above debug, which is the default here.
    /// </summary>
    public BalancerBuilder WithOptions(params string[] options) => WithCommand(options);

    /// <inheritdoc />
    public override BalancerContainer Build()
    {
        Validate();
        var address = DockerResourceConfiguration.Address!;
        var port = DockerResourceConfiguration.Port ?? Sandbox.FreePort(address);
        var usual = DockerResourceConfiguration.ImagePullPolicy == Sandbox.UsualPullPolicy
            ? WithImagePullPolicy(
                Sandbox.UsualPullPolicyOf(DockerResourceConfiguration.Image.FullName))
            : this;
        var complete = usual.WithPort(port).WithCommand("-s", Sandbox.Sockets, "-b", address,
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
        // As bbal reads it: four numbers, not the other forms that the parser takes.
        var address = DockerResourceConfiguration.Address;
        if (!IPAddress.TryParse(address, out var parsed)
            || parsed.AddressFamily != AddressFamily.InterNetwork || parsed.ToString() != address)
            throw new ArgumentException($"\"{address}\" is not an IPv4 address (a.b.c.d)");
        if (DockerResourceConfiguration.Port is < 1 or > IPEndPoint.MaxPort)
        {
            throw new ArgumentException(
                $"{DockerResourceConfiguration.Port} is not a port (1 to {IPEndPoint.MaxPort})");
        }
        if (!DockerResourceConfiguration.Mounts.Any(mount => mount.Target == Sandbox.Sockets))
            throw new ArgumentException("WithSocketFolder says where the sockets are");
        ValidateOptions([.. DockerResourceConfiguration.Command]);
        if (DockerResourceConfiguration.Environments?.GetValueOrDefault(LogLevel) is { } level)
            ValidateLevel($"{LogLevel}={level}", level);
    }

    /// <inheritdoc />
    protected override BalancerBuilder Clone(
        IResourceConfiguration<CreateContainerParameters> resourceConfiguration) =>
        Merge(DockerResourceConfiguration, new BalancerConfiguration(resourceConfiguration));

    /// <inheritdoc />
    protected override BalancerBuilder Clone(IContainerConfiguration resourceConfiguration)
    {
        Sandbox.RefuseNetworks(resourceConfiguration, NoNetwork);
        return Merge(DockerResourceConfiguration, new BalancerConfiguration(resourceConfiguration));
    }

    /// <inheritdoc />
    protected override BalancerBuilder Merge(
        BalancerConfiguration oldValue, BalancerConfiguration newValue) =>
        new(new BalancerConfiguration(oldValue, newValue));

    private static void ValidateOptions(string[] words)
    {
        for (var i = 0; i < words.Length; i++)
        {
            var word = words[i];
            foreach (var (shortForm, longForm, method) in Methods)
            {
                if (Is(word, shortForm, longForm, out _))
                    throw new ArgumentException($"{word}: {method} says this");
            }
            if (Is(word, "-l", "--log-level", out var level))
                ValidateLevel(word, level ?? words.ElementAtOrDefault(i + 1));
        }
    }

    /// <summary>
    /// Whether a word is an option, and its value where that is in the same word, as bbal reads it:
    /// -lwarn, -l=warn, -l:warn, --log-level=warn, --log-level:warn.
    /// </summary>
    private static bool Is(string word, string shortForm, string longForm, out string? value)
    {
        value = null;
        var isLong = word.StartsWith("--", StringComparison.Ordinal);
        var form = isLong ? longForm : shortForm;
        if (!word.StartsWith(form, StringComparison.Ordinal))
            return false;
        var rest = word[form.Length..];
        if (rest.Length == 0)
            return true;
        value = rest.TrimStart('=', ':');
        return !isLong || rest[0] is '=' or ':';
    }

    private static void ValidateLevel(string said, string? level)
    {
        if (LevelsThatHide.Contains(level, StringComparer.OrdinalIgnoreCase))
        {
            throw new ArgumentException($"{said}: the container is watched by its log, which "
                + "takes a log level of debug or trace");
        }
    }
}

/// <summary>A balancer; started, it listens for clients.</summary>
public sealed class BalancerContainer : WatchedContainer
{
    private static readonly string[] BeginsHealth = ["backend_healthy", "backend_resumed"];

    private static readonly string[] EndsHealth =
    [
        "backend_faulted", "backend_stopped", "backend_removed", "backend_draining",
        "backend_restarted",
    ];

    internal BalancerContainer(BalancerConfiguration configuration)
        : base(configuration)
    {
        var address = IPAddress.Parse(configuration.Address!);
        Endpoint = new IPEndPoint(
            address.Equals(IPAddress.Any) ? IPAddress.Loopback : address,
            configuration.Port!.Value);
    }

    /// <summary>Where clients ask, over UDP and TCP; on all addresses, the loopback one.</summary>
    public IPEndPoint Endpoint { get; }

    /// <summary>Waits until these backends, named by their sockets, are healthy.</summary>
    /// <exception cref="TimeoutException">
    /// They were not all healthy within <see cref="WatchedContainer.WaitLimit" />.
    /// </exception>
    /// <exception cref="InvalidOperationException">The balancer does not run.</exception>
    public Task WaitUntilHealthyAsync(params string[] binderIds) =>
        WaitUntilHealthyAsync(binderIds, CancellationToken.None);

    /// <inheritdoc cref="WaitUntilHealthyAsync(string[])" />
    public Task WaitUntilHealthyAsync(
        IReadOnlyCollection<string> binderIds, CancellationToken ct) =>
        WaitAsync((lines, runs) => runs && Healthy(lines).IsSupersetOf(binderIds),
            "healthy: " + string.Join(", ", binderIds), ct);

    /// <summary>
    /// Waits until none of these backends is healthy. A crash or an orderly end is noticed at once.
    /// One that hangs is healthy until a heartbeat is unanswered for 15 s; that is sent 100 ms
    /// after a query that it does not answer, and 5 s after the last one at the latest. Its clients
    /// go to others long before, 200 ms after such a query.
    /// </summary>
    /// <exception cref="TimeoutException">
    /// One still was healthy after <see cref="WatchedContainer.WaitLimit" />.
    /// </exception>
    /// <exception cref="InvalidOperationException">The balancer does not run.</exception>
    public Task WaitUntilUnhealthyAsync(params string[] binderIds) =>
        WaitUntilUnhealthyAsync(binderIds, CancellationToken.None);

    /// <inheritdoc cref="WaitUntilUnhealthyAsync(string[])" />
    public Task WaitUntilUnhealthyAsync(
        IReadOnlyCollection<string> binderIds, CancellationToken ct) =>
        WaitAsync((lines, runs) => runs && !Healthy(lines).Overlaps(binderIds),
            "not healthy: " + string.Join(", ", binderIds), ct);

    /// <summary>
    /// The backends that it takes for healthy, named by their sockets; none if it does not run.
    /// </summary>
    public async Task<IReadOnlySet<string>> HealthyAsync(CancellationToken ct = default) =>
        await IsRunningAsync(ct).ConfigureAwait(false)
            ? Healthy(await LinesAsync(ct).ConfigureAwait(false))
            : new HashSet<string>();

    /// <inheritdoc />
    protected override bool TellsReadiness(string line) =>
        EventOf(line, out _) == "started";

    private HashSet<string> Healthy(IReadOnlyList<string> lines)
    {
        var healthy = new HashSet<string>(StringComparer.Ordinal);
        foreach (var line in lines)
        {
            var happened = EventOf(line, out var path);
            if (TellsReadiness(line))
                healthy.Clear();
            else if (path is null)
                continue;
            else if (BeginsHealth.Contains(happened))
                healthy.Add(System.IO.Path.GetFileName(path));
            else if (EndsHealth.Contains(happened))
                healthy.Remove(System.IO.Path.GetFileName(path));
        }
        return healthy;
    }

    /// <summary>
    /// The event of a log record, and the path of the backend that it is about; nothing for a
    /// line that is not one, as the last may be while it is being written.
    /// </summary>
    private static string EventOf(string line, out string? path)
    {
        path = null;
        try
        {
            using var record = JsonDocument.Parse(line);
            if (record.RootElement.TryGetProperty("be_path", out var value))
                path = value.GetString();
            return record.RootElement.TryGetProperty("event", out var happened)
                ? happened.GetString() ?? ""
                : "";
        }
        catch (JsonException)
        {
            return "";
        }
    }
}
