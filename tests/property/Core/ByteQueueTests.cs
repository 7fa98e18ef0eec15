// ByteQueue against a list of bytes.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Xunit;

namespace Tests.Property.Core;

public enum QueueVerb
{
    Append,
    Consume,
    Clear,
}

/// <summary>A step of a queue's life; more than fits or waits is cut to what does.</summary>
public sealed record QueueStep(QueueVerb Verb, int Bytes);

/// <summary>A queue's bound in bytes, 1 or more.</summary>
public sealed record QueueBound(int Bytes);

public static class ByteQueueArbitraries
{
    public static Arbitrary<QueueBound> Bounds() => Arb.From(
        Scripts.Sizes(20_000, 1, 4095, 4096, 4097, 8192).Select(n => new QueueBound(n + 1)),
        bound => Scripts.Towards(1, bound.Bytes).Select(n => new QueueBound(n)));

    public static Arbitrary<Script<QueueStep>> Steps() => Scripts.Of(
        from verb in Gen.Frequency(
            (10, Gen.Constant(QueueVerb.Append)),
            (9, Gen.Constant(QueueVerb.Consume)),
            (1, Gen.Constant(QueueVerb.Clear)))
        from bytes in Scripts.Sizes(6000, 0, 1, 4095, 4096, 4097)
        select new QueueStep(verb, bytes),
        step => Scripts.Towards(0, step.Bytes).Select(n => step with { Bytes = n }),
        min: 0, max: 60);
}

public sealed class ByteQueueTests
{
    [Property(Arbitrary = [typeof(ByteQueueArbitraries)], MaxTest = 300)]
    public void AnyUse_IsThatOfAList(QueueBound bound, Script<QueueStep> steps)
    {
        var queue = new ByteQueue(bound.Bytes);
        var model = new List<byte>();
        var seed = 0;
        foreach (var step in steps.Steps)
        {
            switch (step.Verb)
            {
                case QueueVerb.Append:
                    var free = bound.Bytes - model.Count;
                    var bytes = Scripts.Bytes(seed++, Math.Min(step.Bytes, free));
                    queue.Append(bytes);
                    model.AddRange(bytes);
                    break;
                case QueueVerb.Consume:
                    var count = Math.Min(step.Bytes, model.Count);
                    queue.Consume(count);
                    model.RemoveRange(0, count);
                    break;
                case QueueVerb.Clear:
                    queue.Clear();
                    model.Clear();
                    break;
            }
            AssertAlike(bound.Bytes, model, queue);
        }
        Assert.True(CollectionsMarshal.AsSpan(model).SequenceEqual(Drain(queue)));
    }

    private static void AssertAlike(int bound, List<byte> model, ByteQueue queue)
    {
        Assert.Equal(model.Count, queue.Count);
        Assert.Equal(bound - model.Count, queue.Free);
        Assert.Equal(model.Count == 0, queue.IsEmpty);
        Assert.Equal(model.Count == 0, queue.Front.IsEmpty);
        Assert.True(CollectionsMarshal.AsSpan(model).StartsWith(queue.Front));
    }

    private static byte[] Drain(ByteQueue queue)
    {
        var drained = new List<byte>();
        for (var pieces = 0; !queue.IsEmpty; pieces++)
        {
            Assert.True(pieces < 2, "what waits is two pieces at most");
            drained.AddRange(queue.Front);
            queue.Consume(queue.Front.Length);
        }
        return [.. drained];
    }
}
