// What begins small and grows with its use: more timers than the heap begins with, against their
// deadlines in order, and more streams than the table of owners begins with, against a dictionary.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using FsCheck.Xunit;
using Xunit;

namespace Tests.Property.Core;

public sealed class GrowthTests
{
    [Property(MaxTest = 60)]
    public void ManyTimers_RunInTheOrderOfTheirDeadlines(byte[] deadlines, byte odd)
    {
        ArgumentNullException.ThrowIfNull(deadlines);
        var timers = new Timers();
        var ran = new List<int>();
        var due = Enumerable.Range(0, 64 + deadlines.Length)
            .Select(i => deadlines.Length == 0 ? i % 7 : deadlines[i % deadlines.Length] + i % 5)
            .ToArray();
        var all = due.Select((_, i) => new Timer(_ => ran.Add(i))).ToArray();
        for (var i = 0; i < all.Length; i++)
            timers.Arm(all[i], new Instant(due[i]));
        // Some are taken out again, from the middle of a heap that has grown.
        var step = 2 + odd % 9;
        for (var i = 0; i < all.Length; i += step)
            timers.Disarm(all[i]);

        var left = Enumerable.Range(0, all.Length).Where(i => i % step != 0).ToList();
        Assert.Equal(left.Count, timers.Count);
        Assert.Equal(left.Count, timers.RunDue(new Instant(1000), int.MaxValue));
        Assert.Equal(left.OrderBy(i => due[i]), ran);
        Assert.Equal((0, Instant.Never), (timers.Count, timers.NextDeadline));
    }

    [Property(MaxTest = 100)]
    public void AnyStreams_AreFoundByTheirHandlesAlone(ushort[] slots)
    {
        ArgumentNullException.ThrowIfNull(slots);
        var owners = new StreamOwners();
        var model = new Dictionary<int, (SocketHandle Stream, IStreamOwner Owner)>();
        uint generation = 0;
        foreach (var slot in slots.Select(slot => slot % 300).Concat([64, 63, 128, 65, 64]))
        {
            if (model.Remove(slot, out var before))
            {
                owners.Remove(before.Stream);
                Assert.Null(owners.Find(before.Stream));
            }
            else
            {
                var stream = new SocketHandle(slot, ++generation);
                model[slot] = (stream, new Owner());
                Assert.Null(owners.Find(stream));
                owners.Add(stream, model[slot].Owner);
            }
            Assert.Equal(model.Count, owners.Count);
            foreach (var (stream, owner) in model.Values)
            {
                Assert.Same(owner, owners.Find(stream));
                Assert.Null(owners.Find(stream with { Generation = stream.Generation + 1000 }));
            }
            Assert.Null(owners.Find(new SocketHandle(100_000, 1)));
        }
    }

    private sealed class Owner : IStreamOwner
    {
        public void OnReady(Instant now, SocketHandle stream, Readiness ready)
        {
        }
    }
}
