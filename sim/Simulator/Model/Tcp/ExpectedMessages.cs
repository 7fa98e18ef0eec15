// Owns how many DNS messages were seen in one direction of a TCP connection, each behind its length
// in two bytes, and how many of them are no error of a server that could not answer.
//
// What always holds: it depends on the bytes alone, and not on the pieces that they came in.

using System;

namespace Simulation.Model;

/// <summary>The messages of one direction.</summary>
internal sealed class ExpectedMessages
{
    private int? _firstByte;
    private int _missing;
    private int _length;
    private bool _isError;
    private int? _code;

    /// <summary>Messages that were seen whole.</summary>
    public long Whole { get; private set; }

    /// <summary>Those that are neither SERVFAIL nor REFUSED.</summary>
    public long Good { get; private set; }

    /// <summary>Those that are long enough to have a header.</summary>
    public long WithHeader { get; private set; }

    /// <summary>The code of the last one that was whole; null without a header.</summary>
    public int? LastCode { get; private set; }

    /// <summary>The last one is not whole.</summary>
    public bool IsInside => _firstByte != null || _missing > 0;

    public void Append(ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
        {
            if (_missing > 0)
            {
                if (_length - _missing == 3 && _length >= 12)
                {
                    _code = value & 15;
                    _isError = _code is 2 or 5;
                }
                if (--_missing == 0)
                    OnWhole();
            }
            else if (_firstByte is { } first)
            {
                _length = _missing = 256 * first + value;
                _firstByte = null;
                if (_missing == 0)
                    OnWhole();
            }
            else
            {
                _firstByte = value;
            }
        }
    }

    private void OnWhole()
    {
        Whole++;
        WithHeader += _length >= 12 ? 1 : 0;
        Good += _isError ? 0 : 1;
        _isError = false;
        LastCode = _code;
        _code = null;
    }
}
