// Owns everything around the balancer in one run: the host as the plan has it, backends, clients
// and faults, and the moment at which chaos ends.
//
// What always holds: what is planned is scheduled here, once, in the scenario's order; the world
// acts only while the balancer waits, but for replies, which reach clients as they are sent.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>The world of one run.</summary>
internal sealed class World
{
    /// <summary>What a write costs in an AF_UNIX buffer besides its bytes.</summary>
    private const int PerUnixWrite = 767;

    /// <summary>
    /// Calls of a run that are cut short at most. A turn for each few bytes of a flood of large
    /// replies would take minutes, and show nothing that the first seconds do not.
    /// </summary>
    private const int ShortCalls = 100_000;

    private readonly SimKernel _kernel;
    private readonly RunObserver _observer;
    private readonly List<BinderHost> _backends = [];

    public World(SimKernel kernel, RunObserver observer, Scenario scenario)
    {
        _kernel = kernel;
        _observer = observer;
        var buffer = new byte[65_536];
        SetUp(kernel, scenario);
        var byId = new Dictionary<int, BinderHost>();
        foreach (var plan in scenario.Backends)
        {
            var host = new BinderHost(kernel, observer, plan, buffer);
            _backends.Add(host);
            byId.Add(plan.Id, host);
            // Backends that are there from the start are there before the first scan.
            if (plan.StartAt <= Instant.Zero)
                host.StartAsPlanned();
            else
                kernel.At(plan.StartAt, host.StartAsPlanned);
        }
        UdpClients = new UdpClients(kernel, observer, scenario);
        foreach (var plan in scenario.TcpClients)
            _ = new TcpClient(kernel, observer, plan, buffer);
        Faults = new FaultInjector(kernel, observer, scenario, UdpClients.Transit, byId);
        kernel.At(scenario.HealAt, Heal);
    }

    public UdpClients UdpClients { get; }

    public FaultInjector Faults { get; }

    private static void SetUp(SimKernel kernel, Scenario scenario)
    {
        var plan = scenario.Kernel;
        kernel.RecordDatagrams = false;
        kernel.BalancerToBackend = new PipeSize(plan.UnixBufferBytes, PerUnixWrite);
        kernel.BackendToBalancer = new PipeSize(plan.UnixBufferBytes, PerUnixWrite);
        kernel.BalancerToClient = new PipeSize(plan.TcpBufferBytes);
        kernel.ClientToBalancer = new PipeSize(plan.TcpBufferBytes);
        kernel.DescriptorLimit = plan.DescriptorLimit;
        kernel.Datagrams.QueueLimit = plan.DatagramQueue;
        kernel.Clock.Granularity = new Duration(Math.Max(1, plan.ClockStep.Nanoseconds));
        kernel.Faults.MaxReadBytes = plan.MaxReadBytes;
        kernel.Faults.MaxWriteBytes = plan.MaxWriteBytes;
        kernel.Faults.ShortCallsLeft = ShortCalls;
        kernel.Faults.SparesClients = true;
        kernel.Directory.TellsChanges = plan.TellsChanges;
        kernel.Directory.Order = SimScanOrder.Shuffled;
        kernel.Directory.Draw = new SimRandom(
            SimRandom.Derive(scenario.Seed, Streams.Kernel, 0, Streams.ScanOrder)).Next;
        kernel.DrawEventOrder = new SimRandom(
            SimRandom.Derive(scenario.Seed, Streams.Kernel, 0, Streams.EventOrder)).Next;
    }

    private void Heal()
    {
        Faults.EndAll();
        foreach (var backend in _backends)
            backend.Heal();
        _observer.OnHealed(_kernel.Now);
    }
}
