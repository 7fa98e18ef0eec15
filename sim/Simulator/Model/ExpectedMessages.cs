// Owns how many DNS messages were seen in one direction of a TCP connection, each behind its length
// in two bytes.
//
// What always holds: it depends on the bytes alone, and not on the pieces that they came in.

using System;

namespace Simulation.Model;

/// <summary>The messages of one direction.</summary>
internal sealed class ExpectedMessages
{
    private int? _firstByte;
    private int _missing;

    /// <summary>Messages that were seen whole.</summary>
    public long Whole { get; private set; }

    /// <summary>The last one is not whole.</summary>
    public bool IsInside => _firstByte != null || _missing > 0;

    public void Append(ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
        {
            if (_missing > 0)
            {
                Whole += --_missing == 0 ? 1 : 0;
            }
            else if (_firstByte is { } first)
            {
                _missing = 256 * first + value;
                _firstByte = null;
                Whole += _missing == 0 ? 1 : 0;
            }
            else
            {
                _firstByte = value;
            }
        }
    }
}
