// RemoteTable against a dictionary, with blocks of addresses large enough that the index grows
// beyond its first size and splits buckets, one insertion at a time.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Xunit;

namespace Tests.Property.Core;

/// <summary>Adds or removes a block of addresses, those that are (not) there passed over.</summary>
public sealed record TableStep(bool Adds, uint First, uint Stride, int Count);

/// <summary>A table's capacity and hash key.</summary>
public sealed record TableSize(int Capacity, ulong Key);

public static class RemoteTableArbitraries
{
    public static Arbitrary<TableSize> Tables() => Arb.From(
        from capacity in Gen.Elements(1, 3, 100, 4095, 4096, 4097, 9000, 13_000)
        from key in Scripts.Words()
        select new TableSize(capacity, key * 0x9e3779b97f4a7c15),
        size => Scripts.Towards(1, size.Capacity).Select(n => size with { Capacity = n }));

    public static Arbitrary<Script<TableStep>> Steps() => Scripts.Of(
        from adds in Gen.Frequency((2, Gen.Constant(true)), (1, Gen.Constant(false)))
        from first in Gen.Elements<uint>(0, 1, 1000, 3000, 0x0a000000, uint.MaxValue - 50)
        from stride in Gen.Elements<uint>(1, 2, 256, 65_536)
        from count in Scripts.Sizes(4000, 1, 4096)
        select new TableStep(adds, first, stride, count),
        step => Scripts.Towards(0, step.Count).Select(n => step with { Count = n }),
        min: 0, max: 15);
}

public sealed class RemoteTableTests
{
    [Property(Arbitrary = [typeof(RemoteTableArbitraries)], MaxTest = 100)]
    public void AnyUse_IsThatOfADictionary(TableSize size, Script<TableStep> steps)
    {
        var table = new RemoteTable(
            size.Capacity, size.Key, static unused => unused.Clear());
        var model = new Dictionary<Ipv4, int>();
        var most = 0;
        foreach (var step in steps.Steps)
        {
            for (var i = 0; i < step.Count; i++)
            {
                var address = new Ipv4(unchecked(step.First + step.Stride * (uint)i));
                if (step.Adds)
                    Add(table, model, address, size.Capacity);
                else
                    Remove(table, model, address);
                most = Math.Max(most, model.Count);
            }
            AssertAlike(table, model, most);
        }
    }

    private static void Add(
        RemoteTable table, Dictionary<Ipv4, int> model, Ipv4 address, int capacity)
    {
        Assert.Equal(model.Count < capacity, table.TryReserve());
        if (model.Count == capacity || model.ContainsKey(address))
            return;
        var index = table.Add(address);
        ref var remote = ref table[index];
        Assert.Equal(default, remote.LastSeen);
        Assert.Equal(RemoteFlags.InUse, remote.Flags);
        // What its owner keeps in an entry stays there; it tells entries apart.
        remote.LastSeen = new Instant(address.Value);
        model.Add(address, index);
    }

    private static void Remove(RemoteTable table, Dictionary<Ipv4, int> model, Ipv4 address)
    {
        if (!model.Remove(address, out var index))
            return;
        table.Remove(index);
        Assert.Equal(-1, table.Find(address));
    }

    private static void AssertAlike(RemoteTable table, Dictionary<Ipv4, int> model, int most)
    {
        Assert.Equal(model.Count, table.Count);
        // The chunk that was reserved last may be a higher one than those that were let go.
        Assert.InRange(table.HighWater, model.Count, most + 4096);
        Assert.Equal(model.Count, model.Values.Distinct().Count());
        foreach (var (address, index) in model)
        {
            Assert.Equal(index, table.Find(address));
            Assert.Equal(new Instant(address.Value), table[index].LastSeen);
        }
        var used = 0;
        for (var i = 0; i < table.HighWater; i++)
            used += table.IsInUse(i) ? 1 : 0;
        Assert.Equal(model.Count, used);
    }
}
