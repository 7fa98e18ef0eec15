// Planted bugs are for the simulator's own proof; the core holds none.

using System;
using System.Linq;
using System.Reflection;
using Balancer.Core;
using Xunit;

namespace Tests.Unit;

public sealed class PlantTests
{
    private static readonly Assembly Core = typeof(LoadBalancer).Assembly;

    [Fact]
    public void OrdinaryCore_HasNoPlantedType() =>
        Assert.DoesNotContain(Core.GetTypes(),
            type => type.Name.Contains("Plant", StringComparison.OrdinalIgnoreCase));

    [Fact]
    public void OrdinaryCore_HasNoPlantedMember() =>
        Assert.DoesNotContain(Core.GetTypes().SelectMany(MembersOf),
            member => member.Name.Contains("Plant", StringComparison.OrdinalIgnoreCase));

    private static MemberInfo[] MembersOf(Type type) => type.GetMembers(BindingFlags.Public
        | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static
        | BindingFlags.DeclaredOnly);
}
