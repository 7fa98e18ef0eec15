// Runs the contracts on real sockets, each twice: with the calls of a current kernel, and with
// those that are left where batches, inotify and epoll_pwait2 are missing.
//
// The tests of this folder are the only ones here that start no executable. They are the adapter's
// own: they call LinuxNetwork, SocketDirectory and MonotonicClock in this process, on the real
// kernel, with nothing of the core in them but the types of the seam. So each call's translation
// is seen by itself, errors included that a running balancer meets once in a year, and the
// simulated kernel is held to the same contracts. What the balancer makes of it all is tested by
// every other folder, on the executable as it is shipped.

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
