// Owns the making of a scenario's backends: how many, what their sockets are called, which of them
// heal, and what each does wrong by script.
//
// What always holds: names are unique and at least one backend is core; a core backend's path is
// one that the balancer takes.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using Balancer.Core;
using FakeBinder;

namespace Simulation.Scenarios;

/// <summary>Makes backends and their scripts.</summary>
internal static class GeneratedBackends
{
    private const int PlanPurpose = 1;
    private const int ScriptPurpose = 2;
    private const int LiarPurpose = 3;
    private const int SlowPurpose = 4;

    /// <summary>Bytes of the directory's path with its slash: /run/bbal/.</summary>
    private const int DirectoryBytes = 10;

    private const long Ms = 1_000_000;

    private delegate Misbehaviour Misdeed(Misbehaviour before, SimRandom random);

    private static readonly ImmutableArray<Misdeed> Misdeeds =
    [
        (m, r) => m with { DelayNs = r.LogUniform(1, 30_000) * Ms },
        (m, r) => m with { DropEvery = r.LogUniform(1, 100) },
        (m, r) => m with { HangAfter = r.LogUniform(1, 200) - 1 },
        (m, r) => m with
        {
            PauseAfter = r.LogUniform(1, 100) - 1, PauseNs = r.LogUniform(100, 60_000) * Ms,
        },
        (m, r) => m with { CrashAfter = r.LogUniform(1, 200) },
        (m, r) => m with { CrashMidFrameAfter = r.LogUniform(1, 100) - 1 },
        (m, r) => m with { ServfailForNs = r.LogUniform(10, 5_000) * Ms },
        (m, r) => m with { LoadForNs = r.LogUniform(10, 5_000) * Ms },
        (m, _) => m with { NoHello = true },
        (m, r) => m with { HelloDelayNs = r.LogUniform(10, 40_000) * Ms },
        (m, r) => m with { HelloDelayNs = r.Pick<long>([29_900 * Ms, 30_100 * Ms]) },
        (m, _) => m with { HelloTwice = true },
        (m, r) => m with { CloseAfterHelloNs = (r.LogUniform(1, 20_000) - 1) * Ms },
        (m, _) => m with { ReplyBeforeHello = true },
        (m, _) => m with { NoHeartbeat = true },
        (m, r) => m with { HeartbeatDelayNs = r.Pick<long>([14_900 * Ms, 15_100 * Ms]) },
        (m, r) => m with { HeartbeatDelayNs = r.LogUniform(1, 20_000) * Ms },
        (m, _) => m with { HeartbeatTwice = true },
        (m, r) => m with { HeartbeatUnaskedNs = r.LogUniform(1, 30_000) * Ms },
        (m, r) => m with { UnknownFrameAfter = r.LogUniform(1, 100) - 1 },
        (m, r) => m with { TcpFrameOnControlAfter = r.LogUniform(1, 100) - 1 },
        (m, r) => m with { GarbageAfter = r.LogUniform(1, 100) - 1 },
        (m, r) => m with { HelloAgainAfter = r.LogUniform(1, 100) },
        (m, r) => m with { HalfCloseAfter = r.LogUniform(1, 100) - 1 },
        (m, r) => m with { EndMidFrameAfter = r.LogUniform(1, 100) - 1 },
        (m, r) => m with { FrameSplit = r.LogUniform(1, 64) },
        (m, r) => m with { ReplyLength = r.Pick<int>([0, 1, 1500, 1501, 2048, 65_507, 65_535]) },
        (m, r) => m with { ReplyLengthClaim = r.Pick<uint>([65_536, 1u << 31, uint.MaxValue]) },
        (m, r) => m with { ReplyPort = r.Pick<uint>([0, 53, 65_536, 65_536 + 53, uint.MaxValue]) },
        (m, r) => m with { ReplyAddress = r.Pick<uint>([0, 0xffffffff, 0x7f000001, 0x08080808]) },
        (m, r) => m with { DuplicateReplies = r.LogUniform(1, 10) },
        (m, r) => m with { OtherQuestionEvery = r.LogUniform(1, 10) },
        (m, _) => m with { CrashBeforeTcpOk = true },
        (m, _) => m with { TcpRefuse = true },
        (m, _) => m with { TcpReset = true },
        (m, _) => m with { TcpNoOk = true },
        (m, _) => m with { TcpWrongFrame = true },
        (m, r) => m with { TcpOkDelayNs = r.LogUniform(1, 12_000) * Ms },
        (m, _) => m with { TcpOkSplit = true },
        (m, _) => m with { TcpOkWithData = true },
        (m, _) => m with { TcpHalfCloseFirst = true },
        (m, _) => m with { TcpNeverRead = true },
        (m, r) => m with { TcpChunk = r.LogUniform(1, 64) },
        (m, r) => m with
        {
            DeafAfter = r.LogUniform(1, 100) - 1, HeartbeatDelayNs = r.Next(0, 14_000) * Ms,
        },
    ];

    public static ImmutableArray<BackendPlan> Make(GeneratedWorld world, int count)
    {
        var scriptsOn = world.AllowsScripts
            && world.Stream(Streams.Backend, 0, ScriptPurpose).Chance(1, 2);
        var liar = DrawLiar(world, count, out var lie);
        var slow = DrawSlow(world, count, out var slowDown);
        var names = new HashSet<string>();
        var plans = ImmutableArray.CreateBuilder<BackendPlan>(count);
        for (var id = 0; id < count; id++)
        {
            var random = world.Stream(Streams.Backend, id + 1, PlanPurpose);
            var isCore = random.Chance(1, 2) | id == 0;
            var name = DrawName(random, id, isCore, world.Profile);
            var late = random.Chance(1, 4);
            var start = random.Moment(Instant.Zero, world.HealAt);
            if (!names.Add(name))
                names.Add(name = PlainName(id));
            var script = scriptsOn ? DrawScript(world, id) : Misbehaviour.None;
            if (id == liar)
                script = lie(script);
            if (id == slow)
                script = slowDown(script);
            plans.Add(new BackendPlan(
                id, name, late && world.Profile != Profile.Calm ? start : Instant.Zero,
                isCore, script));
        }
        return plans.MoveToImmutable();
    }

    private static string PlainName(int id) =>
        (Limits.FirstNamedId + 1 + id).ToString(CultureInfo.InvariantCulture);

    /// <summary>Mostly plain; else one that fights for an id, is long, or is not ASCII.</summary>
    private static string DrawName(SimRandom random, int id, bool isCore, Profile profile)
    {
        var plain = PlainName(id);
        var isOdd = random.Chance(1, 4);
        var which = random.Next(8);
        if (!isOdd || profile == Profile.Calm)
            return plain;
        var longest = Limits.MaxPathBytes - DirectoryBytes;
        return which switch
        {
            0 => "foo",
            1 => "0" + PlainName(random.Next(8)),
            2 => "53000",
            3 => "binder-ü-" + plain,
            // 2 to the 32nd more than a port.
            6 => "4294972597",
            4 => plain.PadRight(longest, 'x'),
            5 => plain.PadRight(isCore ? longest : longest + 1, 'y'),
            _ => "5399",
        };
    }

    /// <summary>
    /// In most seeds one backend lies about where its replies go or how long they are, because what
    /// is wrong in a frame that is well-formed must be met often. -1 for none.
    /// </summary>
    private static int DrawLiar(
        GeneratedWorld world, int count, out Func<Misbehaviour, Misbehaviour> lie)
    {
        var random = world.Stream(Streams.Backend, 0, LiarPurpose);
        var isThere = random.Chance(3, 4) && world.AllowsScripts;
        var who = random.Next(count);
        // 20,000 is the port of the first client if it has only one: that port must not be
        // answered because the upper bits of a larger one are cut off.
        var port = random.Pick<uint>(
            [0, 53, 20_000, 65_536, 131_072 + 20_000, 131_072 + 20_000, uint.MaxValue]);
        var length = random.Pick<int>([0, 1500, 1501, 1501, 1501, 2048]);
        var address = random.Pick<uint>([0, 0xffffffff, 0x7f000001, 0x08080808]);
        var which = random.Next(5);
        var every = random.LogUniform(1, 10);
        lie = script => which switch
        {
            0 => script with { ReplyLength = length },
            1 => script with { ReplyAddress = address },
            2 => script with { OtherQuestionEvery = every },
            _ => script with { ReplyPort = port },
        };
        return isThere ? who : -1;
    }

    /// <summary>
    /// In some seeds one backend takes long to take a TCP connection, and perhaps to answer: much
    /// can happen while somebody waits for it. -1 for none.
    /// </summary>
    private static int DrawSlow(
        GeneratedWorld world, int count, out Func<Misbehaviour, Misbehaviour> slowDown)
    {
        var random = world.Stream(Streams.Backend, 0, SlowPurpose);
        var isThere = random.Chance(1, 3) && world.AllowsScripts;
        var okDelayNs = random.LogUniform(2_000, 12_000) * Ms;
        var delayNs = random.Chance(1, 2) ? random.LogUniform(500, 8_000) * Ms : 0;
        slowDown = script => script with { TcpOkDelayNs = okDelayNs, DelayNs = delayNs };
        return isThere ? random.Next(count) : -1;
    }

    private static Misbehaviour DrawScript(GeneratedWorld world, int id)
    {
        var random = world.Stream(Streams.Backend, id + 1, ScriptPurpose);
        var script = Misbehaviour.None;
        if (random.Chance(1, 2))
            return script;
        for (var left = random.LogUniform(1, 3); left > 0; left--)
            script = Misdeeds[random.Next(Misdeeds.Length)](script, random);
        // Large replies in small pieces would be millions of events, and nothing else.
        return script is { ReplyLength: > 4096, FrameSplit: < 64 }
            ? script with { FrameSplit = 512 } : script;
    }
}
