// The queries of the failover benchmark that end backends: what is in them, and that fake-binder
// ends at each.

using System;
using System.Collections.Generic;
using System.Linq;
using FakeBinder;
using Simulation.Real.Failover;
using Xunit;

namespace Tests.Unit.Sim.Real.Failover;

public sealed class FailoverKillerTests
{
    public static TheoryData<string> Names =>
        [.. FailoverScenario.All.Where(one => one.Killer is not null).Select(one => one.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Killer_EndsFakeBinder(string name)
    {
        var query = Killer(name).ToBytes(isForNode: false);

        var reply = DnsAnswers.Answer(
            query, Killer(name).OverTcp, "5301"u8, failing: false, new byte[DnsWriter.MaxMessage]);

        Assert.Equal(DnsFate.Deadly, reply.Fate);
    }

    [Fact]
    public void KillersOfNode_AreWhatItThrowsErrorsAbout()
    {
        Assert.Equal((1, "3www4test", 20), Read("killer-20"));
        Assert.Equal((1, "3www4test", 0), Read("killer-0"));
        Assert.Equal((12, "11constructor7in-addr4arpa", null), Read("killer-ptr"));
        Assert.Equal((12, "11constructor7in-addr4arpa", null), Read("killer-tcp"));
        Assert.Equal((16, "10size-660004test", null), Read("killer-big"));
        var (type, name, edns) = Read("killer-opt");
        Assert.Equal((16, 1400), (type, edns));
        Assert.StartsWith("8size-70063f", name);
        // Header, question and three strings, and the OPT record up to its length.
        var question = Killer("killer-opt").ToBytes(isForNode: true).Length - 11 - 12;
        Assert.Equal(1023, 12 + question + 3 * (12 + 1 + 255) + 9);
    }

    [Fact]
    public void KillerWithANumber_HasAnotherNameAndTheSameRecords()
    {
        Assert.True(Killer("killer-names").HasNumber);
        Assert.False(Killer("killer-20").HasNumber);
        var query = Killer("killer-names").ToBytes(isForNode: true);
        Assert.Equal(
            [0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 41, 0, 20, 0, 0, 0, 0, 0, 0], query[^22..]);
        Assert.Equal(2, query[11]);
        var other = query.ToArray();

        FailoverKiller.SetNumber(other, 1234);

        Assert.Equal("00000000"u8.ToArray(), query[17..25]);
        Assert.Equal("00001234"u8.ToArray(), other[17..25]);
        Assert.Equal([.. query[..17], .. query[25..]], [.. other[..17], .. other[25..]]);
    }

    private static FailoverKiller Killer(string name) =>
        FailoverScenario.All.First(scenario => scenario.Name == name).Killer!;

    private static (int Type, string Name, int? Edns) Read(string scenario)
    {
        var query = Killer(scenario).ToBytes(isForNode: true);
        Assert.True(DnsQuery.TryRead(query, out var read));
        var labels = new List<string>();
        for (var at = 0; read.Name[at] != 0; at += 1 + read.Name[at])
        {
            labels.Add($"{read.Name[at]}" + string.Concat(
                read.Name.Slice(at + 1, read.Name[at]).ToArray().Select(one => (char)one)));
        }
        return ((int)read.Type, string.Concat(labels),
            read.HasEdns ? read.EdnsPayload : null);
    }
}
