// Owns the count of system calls that the balancer made, by kind, so that a test can assert such
// things as "one write per backend and turn", and a fingerprint over all of them with their
// answers, so that two runs can be compared without keeping either.
//
// What always holds: every call through INetwork and IBackendDirectory is counted once, failed ones
// included; equal runs have equal fingerprints.

using System;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>The calls that the balancer makes of the kernel.</summary>
public enum SimCall
{
    Wait,
    MakeUrgent,
    SetInterest,
    ReceiveDatagrams,
    SendDatagrams,
    Accept,
    Connect,
    Read,
    Write,
    HalfClose,
    Close,
    Abort,
    OpenScan,
    NextEntry,
    CloseScan,
    Look,
}

/// <summary>Counts of calls since the kernel's start.</summary>
public sealed class SimCalls
{
    private readonly long[] _counts = new long[Enum.GetValues<SimCall>().Length];

    /// <summary>How often the balancer made this call.</summary>
    public long this[SimCall call] => _counts[(int)call];

    /// <summary>
    /// A hash over every call, its socket, its answer and its time, in their order.
    /// </summary>
    public ulong Fingerprint { get; private set; }

    /// <summary>All calls together.</summary>
    public long Total
    {
        get
        {
            long total = 0;
            foreach (var count in _counts)
                total += count;
            return total;
        }
    }

    internal void Add(SimCall call) => _counts[(int)call]++;

    internal IoResult Note(SimCall call, int slot, IoResult result, Instant now)
    {
        Note(call, slot, ((long)result.Status << 32) + result.Count, now);
        return result;
    }

    internal void Note(SimCall call, int slot, long answer, Instant now)
    {
        var mixed = Mix(Fingerprint ^ (ulong)((long)call << 56 ^ (long)slot << 40));
        Fingerprint = Mix(mixed ^ Mix((ulong)now.Nanoseconds) ^ (ulong)answer);
    }

    /// <summary>SplitMix64's mixer: each bit of the input moves half of the output's.</summary>
    private static ulong Mix(ulong value)
    {
        unchecked
        {
            value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
            value = (value ^ value >> 27) * 0x94d049bb133111eb;
            return value ^ value >> 31;
        }
    }
}
