// Owns how both images are run: with no right that they do not need, which is none, and with a
// network that leaves the clients' addresses as they are.
//
// Which user they run as depends on who shares the folder. The image's own user is `nobody`, and a
// socket of `nobody` accepts connects only from `nobody` and root. So where the caller is not
// root, containers that share a folder with it are the caller's own, and a balancer that the
// caller runs outside a container can reach them as well.

using System;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Docker.DotNet.Models;
using DotNet.Testcontainers.Configurations;
using DotNet.Testcontainers.Images;

namespace Balancer.Testing;

internal static class Sandbox
{
    /// <summary>Where the sockets are inside a container.</summary>
    public const string Sockets = "/sockets";

    // Below the range that the kernel gives to clients, so that no client's socket takes one.
    private const int FirstPort = 20_000;
    private const int PortCount = 12_000;

    public static void Harden(CreateContainerParameters container)
    {
        container.HostConfig ??= new HostConfig();
        container.HostConfig.ReadonlyRootfs = true;
        container.HostConfig.CapDrop = ["ALL"];
        container.HostConfig.SecurityOpt = ["no-new-privileges"];
    }

    public static Action<CreateContainerParameters> Network(string mode) => container =>
    {
        container.HostConfig ??= new HostConfig();
        container.HostConfig.NetworkMode = mode;
    };

    /// <summary>
    /// Stands for the policy of whichever image is named in the end; UsualPullPolicyOf has it.
    /// </summary>
    public static readonly Func<ImageInspectResponse, bool> UsualPullPolicy = _ => false;

    /// <summary>
    /// Whether an image may be fetched: not if its name has no slash, because then the engine
    /// would ask a public registry for one that only `make image` makes.
    /// </summary>
    public static Func<ImageInspectResponse, bool> UsualPullPolicyOf(string image) =>
        image.Contains('/', StringComparison.Ordinal) ? PullPolicy.Missing : PullPolicy.Never;

    /// <summary>
    /// Refuses what a container's network would be for, because it would be without effect, or
    /// with a wrong one.
    /// </summary>
    public static void RefuseNetworks(IContainerConfiguration configuration, string why)
    {
        if (configuration.PortBindings?.Any() == true)
            throw new ArgumentException("WithPortBinding: " + why);
        if (configuration.Networks?.Any() == true || configuration.NetworkAliases?.Any() == true)
            throw new ArgumentException("WithNetwork: " + why);
    }

    public static void RunAsCaller(CreateContainerParameters container)
    {
        if (!OperatingSystem.IsWindows() && EffectiveUser() is > 0 and var user)
            container.User = string.Create(CultureInfo.InvariantCulture,
                $"{user}:{EffectiveGroup()}");
    }

    /// <summary>A port that is free at this moment for UDP and TCP.</summary>
    /// <exception cref="ArgumentException">The address is not of this machine.</exception>
    public static int FreePort(string address)
    {
        while (true)
        {
            var port = FirstPort + Random.Shared.Next(PortCount);
            if (IsFree(new IPEndPoint(IPAddress.Parse(address), port)))
                return port;
        }
    }

    private static bool IsFree(IPEndPoint endpoint)
    {
        using var udp = new Socket(SocketType.Dgram, ProtocolType.Udp);
        using var tcp = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            udp.Bind(endpoint);
            tcp.Bind(endpoint);
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return false;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressNotAvailable)
        {
            throw new ArgumentException($"{endpoint.Address} is not an address of this machine", e);
        }
    }

    [DllImport("libc", EntryPoint = "geteuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint EffectiveUser();

    [DllImport("libc", EntryPoint = "getegid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint EffectiveGroup();
}
