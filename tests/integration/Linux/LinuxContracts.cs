// Runs the contracts on real sockets, each twice: with the calls of a current kernel, and with
// those that are left where batches, inotify and epoll_pwait2 are missing.

using System.Runtime.Versioning;
using Balancer.Core;

namespace Tests.Integration.Linux;

[SupportedOSPlatform("linux")]
public sealed class LinuxNetworkContract()
    : NetworkContract(new LinuxWorld(Ipv4.Loopback, forceFallbacks: false));

[SupportedOSPlatform("linux")]
public sealed class LinuxFallbackNetworkContract()
    : NetworkContract(new LinuxWorld(Ipv4.Loopback, forceFallbacks: true));

[SupportedOSPlatform("linux")]
public sealed class LinuxDatagramContract()
    : DatagramContract(address => new LinuxWorld(address, forceFallbacks: false));

[SupportedOSPlatform("linux")]
public sealed class LinuxFallbackDatagramContract()
    : DatagramContract(address => new LinuxWorld(address, forceFallbacks: true));

[SupportedOSPlatform("linux")]
public sealed class LinuxDirectoryContract()
    : DirectoryContract(new LinuxWorld(Ipv4.Loopback, forceFallbacks: false));

[SupportedOSPlatform("linux")]
public sealed class LinuxFallbackDirectoryContract()
    : DirectoryContract(new LinuxWorld(Ipv4.Loopback, forceFallbacks: true));
