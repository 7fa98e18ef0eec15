// Which class runs which contract on which network:
//
//                       NetworkContract, StreamContract, DatagramContract, DirectoryContract
//   SimWorld            on the simulated kernel of sim/Kernel
//   LinuxWorld          on real sockets, with the calls of a current kernel
//   LinuxWorld          the same with those that are left where batches, inotify and epoll_pwait2
//                       are missing (forceFallbacks)
//
// A contract is written against the seams alone, INetwork and IBackendDirectory, and passes on all
// of them; that is what lets the simulator speak for production. Where the two kernels disagree,
// Linux is right. What the suites cannot list one by one, sequences of calls on both ends of a
// stream, KernelAgreementTests makes on both kernels side by side and compares. Tests of what only
// the real adapter has, or only the simulated kernel, are in Linux/ and in tests/unit/Sim.

using System.Runtime.Versioning;
using Balancer.Core;

namespace Tests.Integration.Contract;

public sealed class SimNetworkContract() : NetworkContract(new SimWorld(Ipv4.Loopback));

public sealed class SimStreamContract() : StreamContract(new SimWorld(Ipv4.Loopback));

public sealed class SimDatagramContract() : DatagramContract(address => new SimWorld(address));

public sealed class SimDirectoryContract() : DirectoryContract(new SimWorld(Ipv4.Loopback));

[SupportedOSPlatform("linux")]
public sealed class LinuxNetworkContract()
    : NetworkContract(new LinuxWorld(Ipv4.Loopback, forceFallbacks: false));

[SupportedOSPlatform("linux")]
public sealed class LinuxStreamContract()
    : StreamContract(new LinuxWorld(Ipv4.Loopback, forceFallbacks: false));

[SupportedOSPlatform("linux")]
public sealed class LinuxDatagramContract()
    : DatagramContract(address => new LinuxWorld(address, forceFallbacks: false));

[SupportedOSPlatform("linux")]
public sealed class LinuxDirectoryContract()
    : DirectoryContract(new LinuxWorld(Ipv4.Loopback, forceFallbacks: false));

[SupportedOSPlatform("linux")]
public sealed class LinuxFallbackNetworkContract()
    : NetworkContract(new LinuxWorld(Ipv4.Loopback, forceFallbacks: true));

[SupportedOSPlatform("linux")]
public sealed class LinuxFallbackStreamContract()
    : StreamContract(new LinuxWorld(Ipv4.Loopback, forceFallbacks: true));

[SupportedOSPlatform("linux")]
public sealed class LinuxFallbackDatagramContract()
    : DatagramContract(address => new LinuxWorld(address, forceFallbacks: true));

[SupportedOSPlatform("linux")]
public sealed class LinuxFallbackDirectoryContract()
    : DirectoryContract(new LinuxWorld(Ipv4.Loopback, forceFallbacks: true));
