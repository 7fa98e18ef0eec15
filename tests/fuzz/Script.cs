// Owns how bytes become what a peer does: each step takes its operands from the front, and what is
// missing at the end counts as nothing, so that every input is a script.
//
// What always holds: a script ends with its bytes; nothing is read twice.

using System;
using Balancer.Core;

namespace Tests.Fuzz;

/// <summary>The rest of an input, read as steps.</summary>
internal ref struct Script(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool IsOver => _rest.IsEmpty;

    /// <summary>The next byte; 0 at the end.</summary>
    public byte Byte()
    {
        if (_rest.IsEmpty)
            return 0;
        var value = _rest[0];
        _rest = _rest[1..];
        return value;
    }

    /// <summary>A length byte and so many bytes, or as many as are left.</summary>
    public ReadOnlySpan<byte> Bytes()
    {
        var length = Math.Min(Byte(), _rest.Length);
        var taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }

    /// <summary>The same, repeated 1 to 256 times: up to 65,280 bytes.</summary>
    public ReadOnlySpan<byte> Stretch()
    {
        var times = Byte() + 1;
        var pattern = Bytes();
        var stretch = new byte[pattern.Length * times];
        for (var at = 0; at < stretch.Length; at += pattern.Length)
            pattern.CopyTo(stretch.AsSpan(at));
        return stretch;
    }

    /// <summary>1 ms to 65 s, in steps of about a tenth.</summary>
    public Duration Time()
    {
        var value = Byte();
        return Duration.FromMilliseconds((16 + value % 16) * (1L << value / 16) / 16);
    }
}
