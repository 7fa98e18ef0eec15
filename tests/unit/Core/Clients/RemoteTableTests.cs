// RemoteTable: what it finds, what it costs, and that it never pauses to grow.

using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class RemoteTableTests
{
    private long _discarded;

    [Fact]
    public void Remote_FitsIts56Bytes() => Assert.Equal(56, Unsafe.SizeOf<Remote>());

    [Fact]
    public void AMillionEntries_TakeAtMost64BytesEach()
    {
        const int Entries = Limits.MaxRemotes;
        var before = GC.GetAllocatedBytesForCurrentThread();
        var table = new RemoteTable(Entries, hashKey: 1, Discard);
        for (var i = 0; i < Entries; i++)
            Add(table, (uint)i * 2654435761);
        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(Entries, table.Count);
        Assert.False(table.TryReserve());
        Assert.InRange(bytes / (double)Entries, 56, Limits.MaxBytesPerRemote);
        for (var i = 0; i < Entries; i++)
            Assert.True(table.Find(new Ipv4((uint)i * 2654435761)) >= 0);
    }

    [Fact]
    public void OneInsertion_NeverAllocatesMoreThanOneChunkOfEntriesAndOneOfBuckets()
    {
        var table = new RemoteTable(300_000, hashKey: 1, Discard);
        long most = 0;
        for (var i = 0; i < 300_000; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            Add(table, (uint)i);
            most = Math.Max(most, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Assert.InRange(most, 1, Limits.MemoryForOthers + 4096 * 56 + 4096 * 4 + 100);
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(0x9e3779b97f4a7c15ul)]
    public void AddedFoundAndRemoved_AgreesWithADictionary(ulong key)
    {
        var table = new RemoteTable(50_000, key, Discard);
        var model = new Dictionary<uint, int>();
        ulong state = 12345;
        for (var step = 0; step < 300_000; step++)
        {
            state = state * 6364136223846793005 + 1442695040888963407;
            var address = (uint)(state >> 40) % 60_000;
            if (model.TryGetValue(address, out var index))
            {
                Assert.Equal(index, table.Find(new Ipv4(address)));
                if (step % 3 != 0)
                    continue;
                table.Remove(index);
                model.Remove(address);
            }
            else
            {
                Assert.Equal(-1, table.Find(new Ipv4(address)));
                if (table.TryReserve())
                    model[address] = table.Add(new Ipv4(address));
            }
        }
        Assert.Equal(model.Count, table.Count);
    }

    [Fact]
    public void RemovedEntry_IsUsedAgainBeforeTheTableGrows()
    {
        var table = new RemoteTable(10, 0, Discard);
        for (var i = 0u; i < 10; i++)
            Add(table, i);
        table.Remove(table.Find(new Ipv4(4)));

        Assert.True(table.TryReserve());
        Assert.True(table.Add(new Ipv4(99)) < 10);
        Assert.Equal(10, table.HighWater);
    }

    [Fact]
    public void AddingToAFullTable_IsABug()
    {
        var table = new RemoteTable(1, 0, Discard);
        Add(table, 1);

        Assert.False(table.TryReserve());
        Assert.Throws<VerificationException>(() => table.Add(new Ipv4(2)));
    }

    [Fact]
    public void ChunksWithoutAnEntry_AreLetGoButForOne()
    {
        var table = new RemoteTable(1_000_000, hashKey: 1, Discard);
        for (var i = 0u; i < 500_000; i++)
            Add(table, i);
        for (var i = 100u; i < 500_000; i++)
            table.Remove(table.Find(new Ipv4(i)));

        // Of 123 chunks one has entries and one is kept.
        Assert.Equal(121 * 4096 * 56, _discarded);
        Assert.Equal(100, table.Count);
        Assert.InRange(table.HighWater, 100, 4096);
        for (var i = 0u; i < 20_000; i++)
            Assert.Equal(i < 100, table.Find(new Ipv4(i)) >= 0);
        for (var i = 100u; i < 20_000; i++)
            Add(table, i);
        for (var i = 0u; i < 20_000; i++)
            Assert.True(table.Find(new Ipv4(i)) >= 0);
    }

    [Fact]
    public void EntryThatComesAndGoes_CostsNoChunkEachTime()
    {
        var table = new RemoteTable(100_000, hashKey: 1, Discard);
        for (var i = 0u; i < 4096; i++)
            Add(table, i);
        Add(table, 5000);
        table.Remove(table.Find(new Ipv4(5000)));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var n = 0; n < 1000; n++)
        {
            Add(table, 5000);
            table.Remove(table.Find(new Ipv4(5000)));
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000);
    }

    private static void Add(RemoteTable table, uint address)
    {
        Assert.True(table.TryReserve());
        table.Add(new Ipv4(address));
    }

    /// <summary>What is discarded may be anything by then, but for what is in use.</summary>
    private void Discard(Span<byte> unused)
    {
        _discarded += unused.Length;
        unused[(unused.Length / 2)..].Clear();
    }
}
