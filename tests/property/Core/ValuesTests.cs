// The core's small values against plain arithmetic: addresses as four octets and as text, results
// of system calls, instants and durations as numbers of nanoseconds, and a batch of datagrams
// against a list.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Net;
using Balancer.Core;
using FsCheck;
using FsCheck.Xunit;
using Xunit;

namespace Tests.Property.Core;

public sealed class ValuesTests
{
    private static readonly DatagramBatch Batch = new();

    [Property(MaxTest = 300)]
    public void AnyOctets_AreAnAddressAndItsText(byte a, byte b, byte c, byte d)
    {
        var address = Ipv4.From(a, b, c, d);
        Assert.Equal(((a * 256L + b) * 256 + c) * 256 + d, address.Value);
        Assert.Equal(a == 127, address.IsLoopback);
        Assert.Equal($"{a}.{b}.{c}.{d}", address.ToString());
        Assert.True(Ipv4.TryParse($"{a}.{b}.{c}.{d}", out var read));
        Assert.Equal(address, read);
        Assert.Equal($"{a}.{b}.{c}.{d}:{b * 256 + c}",
            new Endpoint(address, (ushort)(b * 256 + c)).ToString());
        Assert.True(Ipv4.From(127, b, c, d).IsLoopback);
    }

    /// <summary>
    /// Digits and dots in any order: an address if .NET reads its four parts as bytes.
    /// </summary>
    [Property(MaxTest = 3000)]
    public void AnyText_IsAnAddressIfItIsFourOctets(byte[] draws)
    {
        ArgumentNullException.ThrowIfNull(draws);
        var text = string.Concat(draws.Select(draw => "0123456789..2.1. -x"[draw % 19]));
        var parts = text.Split('.');
        var isAddress = parts.Length == 4 && parts.All(part => part.Length <= 3
            && byte.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out _));
        Assert.Equal(isAddress, Ipv4.TryParse(text, out _));
    }

    [Property(MaxTest = 300)]
    public void AnyPartsAroundTheirLimits_AreReadAsFourOctets(ushort[] draws)
    {
        ArgumentNullException.ThrowIfNull(draws);
        var numbers = draws.Take(5).Select(draw => draw % 300).ToArray();
        var text = string.Join('.', numbers);
        var isAddress = numbers.Length == 4 && numbers.All(number => number <= 255);
        Assert.Equal(isAddress, Ipv4.TryParse(text, out var read));
        Assert.Equal(isAddress ? text : "0.0.0.0", read.ToString());
        if (isAddress)
            Assert.Equal(IPAddress.Parse(text).ToString(), read.ToString());
        Assert.False(Ipv4.TryParse(text + ".", out _));
        Assert.False(Ipv4.TryParse("." + text, out _));
    }

    [Property]
    public void AnyResult_HasACountOrAnErrno(IoStatus status, NonNegativeInt number)
    {
        ArgumentNullException.ThrowIfNull(number);
        var ok = IoResult.Ok(number.Get);
        Assert.True(ok.IsOk);
        Assert.Equal((number.Get, 0), (ok.Count, ok.Errno));
        Assert.Equal($"Ok({number.Get})", ok.ToString());
        if (status == IoStatus.Ok)
            return;
        var failed = IoResult.Failed(status, number.Get);
        Assert.False(failed.IsOk);
        Assert.Equal((0, number.Get), (failed.Count, failed.Errno));
        Assert.Equal($"{status}" + (number.Get == 0 ? "" : $" (errno {number.Get})"),
            failed.ToString());
        Assert.Equal($"{status}", IoResult.Failed(status).ToString());
    }

    [Property(MaxTest = 500)]
    public void AnyTimes_AreReckonedAsNanoseconds(int a, int b)
    {
        var (at, then) = (new Instant(a), new Instant(b));
        var (time, span) = (new Duration(a), new Duration(b));
        Assert.Equal((long)a + b, (at + span).Nanoseconds);
        Assert.Equal((long)a - b, (at - span).Nanoseconds);
        Assert.Equal((long)a - b, (at - then).Nanoseconds);
        Assert.Equal((long)a + b, (time + span).Nanoseconds);
        Assert.Equal((long)a - b, (time - span).Nanoseconds);
        bool[] ordered = [a < b, a > b, a <= b, a >= b];
        bool[] instants = [at < then, at > then, at <= then, at >= then];
        bool[] durations = [time < span, time > span, time <= span, time >= span];
        Assert.Equal(ordered, instants);
        Assert.Equal(ordered, durations);
        Assert.Equal((Math.Min(a, b), Math.Max(a, b)),
            (Instant.Min(at, then).Nanoseconds, Instant.Max(at, then).Nanoseconds));
        Assert.Equal(Math.Min(a, b), Duration.Min(time, span).Nanoseconds);
        Assert.Equal(a.CompareTo(b), at.CompareTo(then));
        Assert.Equal(a.CompareTo(b), time.CompareTo(span));
        Assert.True(at <= new Instant(a) && at >= new Instant(a) && time <= new Duration(a)
            && time >= new Duration(a) && !(at < new Instant(a)) && !(time > new Duration(a)));
    }

    [Property(MaxTest = 300)]
    public void AnyLength_IsSecondsAndMilliseconds(int number)
    {
        Assert.Equal(number * 1_000_000_000L, Duration.FromSeconds((long)number).Nanoseconds);
        Assert.Equal(number * 1_000_000_000L, Duration.FromSeconds((double)number).Nanoseconds);
        Assert.Equal(number * 1_000_000L, Duration.FromMilliseconds(number).Nanoseconds);
        Assert.Equal(number, Duration.FromMilliseconds(number).WholeMilliseconds);
        Assert.Equal(number, Duration.FromSeconds((long)number).TotalSeconds);
        var thousandths = new Duration(number * 1_000_000L);
        Assert.Equal((number / 1000m).ToString("0.###", CultureInfo.InvariantCulture) + " s",
            thousandths.ToString());
        Assert.Equal((number / 1_000_000_000m).ToString("0.000000000", CultureInfo.InvariantCulture)
            + " s", new Instant(number).ToString());
    }

    [Fact]
    public void TimesThatDoNotFit_AreRefusedAndNeverStaysNever()
    {
        var last = new Instant(long.MaxValue - 1);
        var longest = new Duration(long.MaxValue);
        var shortest = new Duration(long.MinValue);
        var one = new Duration(1);
        Assert.Equal(Instant.Never, Instant.Never + one);
        Assert.Equal("never", Instant.Never.ToString());
        Assert.Throws<OverflowException>(() => last + new Duration(2));
        Assert.Throws<OverflowException>(() => new Instant(long.MinValue) - one);
        Assert.Throws<OverflowException>(() => last - new Instant(-2));
        Assert.Throws<OverflowException>(() => longest + one);
        Assert.Throws<OverflowException>(() => shortest - one);
        Assert.Throws<OverflowException>(() => Duration.FromSeconds(long.MaxValue));
        Assert.Throws<OverflowException>(() => Duration.FromSeconds(1e19));
        Assert.Throws<OverflowException>(() => Duration.FromMilliseconds(long.MaxValue));
    }

    /// <summary>Adds until it is full and beyond, then begins anew with what is left.</summary>
    [Property(MaxTest = 50)]
    public void AnyDatagrams_AreKeptInABatchUntilItIsFull(ushort[] sizes)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        Batch.Clear();
        var kept = new List<(Endpoint Peer, byte[] Payload)>();
        for (var i = 0; i < 2 * sizes.Length + 50; i++)
        {
            var size = i < sizes.Length ? sizes[i] % 1601 : i;
            var peer = new Endpoint(new Ipv4((uint)i), (ushort)size);
            var payload = Scripts.Bytes(i, size);
            var hasRoom = kept.Count < 64;
            // What a slot held before, such as that its datagram was cut, is forgotten.
            if (hasRoom)
                Batch.Headers[kept.Count].Truncated = true;
            Assert.Equal(!hasRoom, Batch.IsFull);
            Assert.Equal(hasRoom, Batch.TryAdd(peer, new Ipv4((uint)size), payload));
            if (hasRoom)
                kept.Add((peer, payload));
            Assert.Equal(kept.Count, Batch.Count);
        }
        for (var i = 0; i < kept.Count; i++)
        {
            Assert.Equal(kept[i].Payload, Batch.Payload(i).ToArray());
            Assert.Equal(kept[i].Peer, Batch.Headers[i].Peer);
            Assert.Equal(kept[i].Payload.Length, Batch.Headers[i].Length);
            Assert.Equal(new Ipv4((uint)kept[i].Payload.Length), Batch.Headers[i].Local);
            Assert.False(Batch.Headers[i].Truncated);
        }
    }
}
