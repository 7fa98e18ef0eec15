// Owns the making of scenarios from seeds, swarm style: for each seed each kind of fault is off
// about half the time, else it comes at a rate whose logarithm is drawn evenly, so that some seeds
// have one fault a minute and some ten a second, and combinations that nobody thinks of.
//
// What always holds: the same seed, profile and options give the same scenario, byte for byte, on
// every machine; integers alone; every entity draws from a stream of its own, so that a filter or a
// number more of one kind leaves all others as they were. What is made here keeps chaos away from
// the end: the last third, 100 s or more where there is time, belongs to liveness; but for one in
// five, which are stopped amid chaos. No fault is one that can do nothing.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Makes scenarios.</summary>
public static class Generator
{
    private const int TopologyPurpose = 1;
    private const int KernelPurpose = 2;
    private const int ProbePurpose = 3;
    private const int NoBackendPurpose = 4;
    private const int TurnPurpose = 5;

    private static readonly Duration DefaultLength = Duration.FromSeconds(300);

    /// <summary>A stop has ended by then.</summary>
    private static readonly Duration AfterTheStop = Duration.FromSeconds(10);

    /// <summary>The scenario of a seed.</summary>
    public static Scenario FromSeed(
        ulong seed, Profile profile, GeneratorOptions? options = null)
    {
        options ??= new GeneratorOptions();
        var random = new SimRandom(
            SimRandom.Derive(seed, Streams.Kernel, (int)profile, TopologyPurpose));
        var length = DrawLength(random, options);
        // Some are stopped amid chaos, and owe no liveness.
        var neverHeals = random.Chance(1, 5) && profile != Profile.Calm;
        var heal = neverHeals ? Instant.Zero + length + AfterTheStop : HealAt(length);
        var world = new GeneratedWorld(seed, profile, options, heal, Instant.Zero + length);
        var backends = GeneratedBackends.Make(world, random.Next(1, 8));
        var kernel = MakeKernel(world, backends.Length);
        kernel = WithTurn(world, WithProbe(world, kernel)) with
        {
            AnswersWithoutBackend =
                world.Stream(Streams.Kernel, 0, NoBackendPurpose).Chance(1, 3),
        };
        var udp = GeneratedClients.MakeUdp(world, UdpCount(random, profile));
        var tcp = GeneratedClients.MakeTcp(
            world, TcpCount(random, profile), udp.Length, kernel);
        return FaultCheck.WithoutVain(GeneratedEpisodes.AddTo(world, new Scenario
        {
            Seed = seed,
            Profile = profile.ToString().ToLowerInvariant(),
            HealAt = heal,
            End = Instant.Zero + length,
            StopAgain = profile != Profile.Calm && random.Chance(1, 8)
                ? Duration.FromMilliseconds(random.Next(1, 4000)) : Duration.Zero,
            Kernel = kernel,
            Backends = backends,
            UdpClients = udp,
            TcpClients = tcp,
            Faults = GeneratedFaults.Make(world, backends),
        }));
    }

    private static Duration DrawLength(SimRandom random, GeneratorOptions options)
    {
        // Remotes expire, and the expiry is due, only in the longer half of what is drawn.
        var isDefault = random.Chance(1, 4);
        var drawn = Duration.FromSeconds((long)random.Next(60, 720));
        return options.Length ?? (isDefault ? DefaultLength : drawn);
    }

    private static Instant HealAt(Duration length)
    {
        var third = length.Nanoseconds / 3;
        var liveness = Math.Max(third, Math.Min(
            Duration.FromSeconds(100L).Nanoseconds, length.Nanoseconds / 2));
        return new Instant(length.Nanoseconds - liveness);
    }

    private static int UdpCount(SimRandom random, Profile profile)
    {
        var count = random.LogUniform(1, 40);
        return profile == Profile.Tcp ? Math.Min(3, count) : count;
    }

    private static int TcpCount(SimRandom random, Profile profile)
    {
        var crowd = random.Chance(1, 60);
        var none = random.Chance(1, 8);
        var count = crowd ? random.Next(200, 1000) : none ? 0 : random.LogUniform(2, 60);
        return profile switch
        {
            Profile.Udp => 0,
            Profile.Tcp => 5 + count,
            Profile.Calm => Math.Min(20, count),
            _ => count,
        };
    }

    private static KernelPlan WithProbe(GeneratedWorld world, KernelPlan kernel)
    {
        var random = world.Stream(Streams.Kernel, 0, ProbePurpose);
        return kernel with
        {
            Probe = random.Chance(1, 3),
            ProbeRise = random.Chance(1, 2) ? kernel.ProbeRise : random.LogUniform(1, 8),
            ProbeFall = random.Chance(1, 2) ? kernel.ProbeFall : random.LogUniform(1, 8),
        };
    }

    /// <summary>Slices of work that end sooner than a daemon's, in a third of the seeds.</summary>
    private static KernelPlan WithTurn(GeneratedWorld world, KernelPlan kernel)
    {
        var random = world.Stream(Streams.Kernel, 0, TurnPurpose);
        return random.Chance(1, 3) ? kernel with { Turn = TurnBounds.Draw(random) } : kernel;
    }

    private static KernelPlan MakeKernel(GeneratedWorld world, int backends)
    {
        var random = world.Stream(Streams.Kernel, 0, KernelPurpose);
        var plain = new KernelPlan();
        if (world.Profile is Profile.Calm or Profile.Restart)
            return plain;
        var connections = random.Chance(1, 6) ? random.LogUniform(2, 200) : plain.TcpConnections;
        return plain with
        {
            Listen = random.Chance(1, 4) ? Ipv4.Any : plain.Listen,
            UnixBufferBytes = random.Chance(1, 3)
                ? random.LogUniform(4_096, 212_992) : plain.UnixBufferBytes,
            TcpBufferBytes = random.Chance(3, 4)
                ? random.LogUniform(1_024, 16_384) : plain.TcpBufferBytes,
            DatagramQueue = random.Chance(1, 3)
                ? random.LogUniform(16, 1024) : plain.DatagramQueue,
            ClockStep = random.Chance(1, 4)
                ? new Duration(random.LogUniform(1_000, 1_000_000_000)) : Duration.Zero,
            MaxReadBytes = random.Chance(1, 3) ? random.LogUniform(16, 256) : int.MaxValue,
            MaxWriteBytes = random.Chance(1, 4) ? random.LogUniform(32, 4096) : int.MaxValue,
            TellsChanges = !random.Chance(1, 5),
            WarmUp = random.Chance(1, 4)
                ? Duration.FromMilliseconds(random.Next(0, 3000)) : plain.WarmUp,
            TcpConnections = connections,
            TcpIdle = random.Chance(1, 8)
                ? Duration.FromSeconds((long)random.Next(1, 60)) : plain.TcpIdle,
            TcpLifetime = random.Chance(1, 8)
                ? Duration.FromSeconds((long)random.LogUniform(1, 120)) : plain.TcpLifetime,
            TcpConnectionsPerClient = random.Chance(1, 6)
                ? random.LogUniform(1, 16) : plain.TcpConnectionsPerClient,
            // Room for both ends of every connection, for each backend twice, and for a scan.
            DescriptorLimit = random.Chance(1, 3) && connections < 1000
                ? connections * 2 + backends * 2 + 8 : plain.TcpConnections * 2 + 1000,
            MaxRemotes = random.Chance(1, 6) ? random.LogUniform(64, 4096) : plain.MaxRemotes,
            TcpMessage = random.Chance(1, 4)
                ? Duration.FromSeconds((long)random.Next(1, 40)) : plain.TcpMessage,
            TcpNotReading = random.Chance(1, 4) ? random.Next(1, 4) : plain.TcpNotReading,
        };
    }
}

/// <summary>What all parts of one scenario's making share.</summary>
internal sealed record GeneratedWorld(
    ulong Seed, Profile Profile, GeneratorOptions Options, Instant HealAt, Instant End)
{
    /// <summary>The stream of one entity for one purpose.</summary>
    public SimRandom Stream(int kind, int id, int purpose) =>
        new(SimRandom.Derive(Seed, kind, id, purpose));

    /// <summary>A client's stream says whether it goes on until the stop and beyond.</summary>
    public bool GoesOn(SimRandom random) => random.Chance(1, 4) && Profile != Profile.Calm;

    /// <summary>When clients that go on cease to.</summary>
    public Instant LastMoment => End + Duration.FromSeconds(4L);

    public bool Allows(FaultKind kind) => Options.Allows(kind) && Profile switch
    {
        Profile.Calm => false,
        Profile.Restart => kind is FaultKind.BackendCrash or FaultKind.BackendStop
            or FaultKind.BackendUnlink or FaultKind.BackendRebind
            or FaultKind.BackendListenLate or FaultKind.BackendMove,
        Profile.Udp => kind != FaultKind.KernelAccept,
        _ => true,
    };

    public bool AllowsScripts => Options.AllowsScripts()
        && Profile is Profile.Swarm or Profile.Udp or Profile.Tcp;
}

/// <summary>Draws that the generator needs besides the plain ones.</summary>
internal static class GeneratorDraws
{
    /// <summary>
    /// A number from low, 1 or more, to high, small ones as likely as large ones: each doubling of
    /// the range is as likely as every other.
    /// </summary>
    public static int LogUniform(this SimRandom random, int low, int high)
    {
        var doublings = 1;
        while ((long)low << doublings <= high)
            doublings++;
        var from = (long)low << random.Next(doublings);
        return random.Next((int)from, (int)Math.Min(high, from * 2 - 1));
    }

    /// <summary>An instant from low on and before high.</summary>
    public static Instant Moment(this SimRandom random, Instant low, Instant high) =>
        low + random.NextDuration(Duration.Zero, high - low - new Duration(1));

    public static T Pick<T>(this SimRandom random, ReadOnlySpan<T> of) =>
        of[random.Next(of.Length)];
}
