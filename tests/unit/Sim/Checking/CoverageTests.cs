// The table of coverage: what counts as following a fault, adding up, and that what is owed names
// what there is.

using System.Globalization;
using System.Linq;
using System.Text;
using Balancer.Core;
using FakeBinder;
using Simulation.Checking;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Checking;

public sealed class CoverageTests
{
    private static readonly ILogEvent Healthy =
        new LogEvent.BackendHealthy(new BackendId(5301), "");

    [Fact]
    public void ReactionInTime_IsThePairs()
    {
        var coverage = new Coverage();
        coverage.OnFault(At(10), Crash(Duration.FromSeconds(5L)), began: true);
        coverage.OnLogged(At(85), Healthy);
        coverage.OnLogged(At(86), Healthy);

        Assert.Equal(1, coverage.Faults(Fault("BackendCrash")));
        Assert.Equal(2, coverage.Reaction(Reaction("BackendHealthy")));
        Assert.Equal(1, coverage.Pair(Fault("BackendCrash"), Reaction("BackendHealthy")));
        Assert.Equal(1, coverage.ReactionsAfter(Fault("BackendCrash")));
        Assert.Equal(0, coverage.ReactionsAfter(Fault("BackendStop")));
    }

    [Fact]
    public void FaultOfASession_IsAReactionByItsCause()
    {
        var coverage = new Coverage();
        coverage.OnLogged(At(1), new LogEvent.BackendFaulted(new BackendId(5301), "",
            new Fault(FaultCause.SecondHello), Duration.Zero));

        Assert.Equal(1, coverage.Reaction(Reaction("Fault:SecondHello")));
    }

    [Fact]
    public void Script_IsAFaultUntilItHeals()
    {
        var coverage = new Coverage(new Scenario
        {
            HealAt = At(30),
            Backends =
            [
                new BackendPlan(
                    0, "5301", Instant.Zero, true, new Misbehaviour { NoHello = true }),
                new BackendPlan(
                    1, "5302", Instant.Zero, false, new Misbehaviour { TcpReset = true }),
            ],
        });
        coverage.OnLogged(At(101), Healthy);

        Assert.Equal(1, coverage.Faults(Fault("script:NoHello")));
        Assert.Equal(0, coverage.ReactionsAfter(Fault("script:NoHello")));
        Assert.Equal(1, coverage.ReactionsAfter(Fault("script:TcpReset")));
    }

    [Fact]
    public void Added_IsTheSum()
    {
        var (total, one) = (new Coverage(), new Coverage());
        one.OnFault(At(1), Crash(Duration.Zero), began: true);
        one.OnLogged(At(2), Healthy);
        total.Add(one);
        total.Add(one);

        Assert.Equal(2, total.Faults(Fault("BackendCrash")));
        Assert.Equal(2, total.Reaction(Reaction("BackendHealthy")));
        Assert.Equal(2, total.Pair(Fault("BackendCrash"), Reaction("BackendHealthy")));
    }

    [Fact]
    public void Nothing_MissesAllThatIsOwed()
    {
        var missing = OwedCoverage.Missing(new Coverage(), 10_000);

        Assert.Equal(Coverage.FaultNames.Length + OwedCoverage.Pairs.Length
            + Coverage.ReactionNames.Count(name => OwedCoverage.Excuse(name) is null)
            + Enumerable.Range(0, Coverage.SituationNames.Length)
                .Count(situation => OwedCoverage.OwesSituation(situation, 10_000)),
            missing.Length);
    }

    [Fact]
    public void FewerSeeds_OweOnlySituationsThatComeOften()
    {
        var few = OwedCoverage.Missing(new Coverage(), 2_000);
        var many = OwedCoverage.Missing(new Coverage(), 10_000);

        Assert.True(few.Length < many.Length);
        Assert.Empty(few.Except(many));
        Assert.DoesNotContain(few.Concat(many), line => line.StartsWith(
            "the situation ", System.StringComparison.Ordinal) && !line.Contains(
            "the generator's rule: ", System.StringComparison.Ordinal));
    }

    [Fact]
    public void Situations_AreNamedInTheModelAndOnceInTheTable()
    {
        var model = string.Concat(System.IO.Directory.EnumerateFiles(
            System.IO.Path.Combine(Root(), "sim", "Simulator", "Model"), "*.cs",
            System.IO.SearchOption.AllDirectories).Select(System.IO.File.ReadAllText));

        Assert.All(Coverage.SituationNames, name =>
            Assert.Matches($@"Situation\.{name}\b", model));
        Assert.Equal(Coverage.SituationNames.Length, Coverage.SituationNames.Distinct().Count());
    }

    [Fact]
    public void RunOfASeed_MeetsSituations()
    {
        var coverage = new Coverage();
        var simulator = new Simulation.Commands.RealSimulator();
        simulator.Run(simulator.Generate(1, new Simulation.Commands.Choice()), [], coverage);

        Assert.True(coverage.Situations(Coverage.SituationNames.IndexOf("BackupIsBound")) > 0);
    }

    private static string Root()
    {
        var folder = System.AppContext.BaseDirectory;
        while (!System.IO.File.Exists(System.IO.Path.Combine(folder, "Balancer.sln")))
            folder = System.IO.Path.GetDirectoryName(folder.TrimEnd('/'))!;
        return folder;
    }

    [Fact]
    public void WhatIsOwedOrExcused_Exists()
    {
        Assert.All(OwedCoverage.Pairs, pair =>
        {
            Assert.Contains(pair.Fault, Coverage.FaultNames);
            Assert.Contains(pair.Reaction, Coverage.ReactionNames);
        });
        Assert.All(OwedCoverage.Excused, name => Assert.Contains(name, Coverage.ReactionNames));
    }

    [Fact]
    public void EveryLineOfTheLog_IsAReactionOrSaidByACounter()
    {
        // These a counter says as well, or they are nothing that the core does about a fault.
        string[] none = ["Started", "Stopping", "Stopped", "HeartbeatSent",
            "HeartbeatAnswered", "ProbeSent", "ClockWentBack",
            "RemoteAssigned", "RemoteExpired", "RemoteEvicted", "RemoteMoved",
            "RemotesExpired", "Query", "ReceiveFailed", "SendFailed",
            "ReplyUndeliverable", "AcceptFailed", "AcceptAborted", "ConnectionsOverLimit",
            "ClientOverLimit",
            "ConnectionWithoutResources", "ConnectWithoutResources",
            "ConnectionClosed", "BackendStatus", "RemoteStatus"];
        string[] byCause = ["BackendFaulted", "ConnectionRefusedByBackend", "EntryRefused"];

        var lines = typeof(LogEvent).GetNestedTypes().Select(type => type.Name);

        Assert.Empty(lines.Except(none).Except(byCause).Except(Coverage.ReactionNames));
    }

    [Fact]
    public void Misdeeds_AreThoseOfTheScript()
    {
        var properties = typeof(Misbehaviour).GetProperties()
            .Where(property => property.Name != "EqualityContract" && property.CanWrite)
            .Select(property => property.Name.EndsWith("Ns", System.StringComparison.Ordinal)
                ? property.Name[..^2] : property.Name);

        Assert.Equal(properties, Misdeeds.All.Select(misdeed => misdeed.Name));
        Assert.Empty(Misdeeds.Of(Misbehaviour.None));
        Assert.Equal(["PauseAfter 3", "Pause 2s", "NoHello", "ReplyAddress 1.2.3.4"],
            Misdeeds.Of(new Misbehaviour
            {
                PauseAfter = 3,
                PauseNs = 2_000_000_000,
                NoHello = true,
                ReplyAddress = 0x01020304,
            }));
    }

    /// <summary>
    /// The list of the simulator and that of fake-binder name the same misdeeds in the same order
    /// and take the same numbers, so that a scenario's script can be given to a process.
    /// </summary>
    [Fact]
    public void Misdeeds_AreThoseOfFakeBinder()
    {
        var table = MisbehaviourTable.All.ToDictionary(misdeed => misdeed.Key);
        Assert.Equal(table.Keys.Order(),
            Misdeeds.All.Select(misdeed => FileValues.Camel(misdeed.Name)).Order());
        foreach (var misdeed in Misdeeds.All)
        {
            var other = table[FileValues.Camel(misdeed.Name)];
            var sample = other.Form switch
            {
                ValueForm.Flag => "true",
                ValueForm.Number => "7",
                ValueForm.Time => "1500ms",
                _ => "192.0.2.1",
            };
            var script = other.Set(Misbehaviour.None, sample).Result;

            Assert.NotNull(misdeed.Value(script));
            Assert.Equal(Misbehaviour.None, misdeed.Without(script));
            if (other.Form == ValueForm.Number)
            {
                Assert.All(Edges, number => Assert.True(
                    IsTaken(other.Key, number) == (other.Set(Misbehaviour.None,
                        number.ToString(CultureInfo.InvariantCulture)).Wrong is null),
                    $"{other.Key}: {number}"));
            }
        }
    }

    private static long[] Edges =>
    [
        -1, 0, 1, 1000, 1001, 65_535, 65_536, 65_537, 65_538, int.MaxValue, 1L << 31,
        uint.MaxValue, 1L << 32,
    ];

    /// <summary>Whether a scenario's script takes the number.</summary>
    private static bool IsTaken(string key, long number)
    {
        try
        {
            ScenarioFile.Read(Encoding.UTF8.GetBytes(string.Create(
                CultureInfo.InvariantCulture,
                $$"""
                {
                  "healAt": "1s", "end": "2s",
                  "backends": [{ "script": { "{{key}}": {{number}} } }]
                }
                """)));
            return true;
        }
        catch (ScenarioFormatException)
        {
            return false;
        }
    }

    [Fact]
    public void MisdeedTakenAway_LeavesAllOthers()
    {
        var script = new Misbehaviour
        {
            DelayNs = 1,
            DropEvery = 2,
            HangAfter = 3,
            PauseAfter = 4,
            PauseNs = 5,
            CrashAfter = 6,
            CrashMidFrameAfter = 7,
            ServfailForNs = 8,
            LoadForNs = 28,
            NoHello = true,
            HelloDelayNs = 9,
            HelloTwice = true,
            CloseAfterHelloNs = 10,
            ReplyBeforeHello = true,
            NoHeartbeat = true,
            HeartbeatDelayNs = 11,
            HeartbeatTwice = true,
            HeartbeatUnaskedNs = 12,
            DeafAfter = 27,
            UnknownFrameAfter = 13,
            TcpFrameOnControlAfter = 14,
            GarbageAfter = 15,
            HelloAgainAfter = 16,
            HalfCloseAfter = 17,
            EndMidFrameAfter = 18,
            FrameSplit = 19,
            ReplyLength = 20,
            ReplyLengthClaim = 21,
            ReplyPort = 22,
            ReplyAddress = 23,
            DuplicateReplies = 24,
            OtherQuestionEvery = 28,
            CrashBeforeTcpOk = true,
            TcpRefuse = true,
            TcpReset = true,
            TcpNoOk = true,
            TcpWrongFrame = true,
            TcpOkDelayNs = 25,
            TcpOkSplit = true,
            TcpOkWithData = true,
            TcpHalfCloseFirst = true,
            TcpNeverRead = true,
            TcpChunk = 26,
        };
        var all = Misdeeds.All.Select(misdeed => misdeed.Name).ToArray();
        Assert.Equal(all, Names(script));
        Assert.All(Misdeeds.All, misdeed =>
            Assert.Equal(all.Where(name => name != misdeed.Name), Names(misdeed.Without(script))));

        static System.Collections.Generic.IEnumerable<string> Names(Misbehaviour script) =>
            Misdeeds.Of(script).Select(logged => logged.Split(' ')[0]);
    }

    private static Instant At(long seconds) => Instant.Zero + Duration.FromSeconds(seconds);

    private static FaultPlan Crash(Duration length) =>
        new(1, At(10), length, FaultKind.BackendCrash, 0);

    private static int Fault(string name) => Coverage.FaultNames.IndexOf(name);

    private static int Reaction(string name) => Coverage.ReactionNames.IndexOf(name);
}
