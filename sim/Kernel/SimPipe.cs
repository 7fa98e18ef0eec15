// Owns the bytes that are under way in one direction of a stream: what one end wrote and the other
// has not read. Linux charges the writer's buffer not only for bytes but for each write's
// bookkeeping too, which is why some three hundred one-byte writes fill a buffer of 208 KB; a
// PipeSize says how large the buffer is and what each write costs besides its bytes.
//
// What always holds: bytes are taken only while the charge is below the size, as Linux judges, so
// the last write's bookkeeping may pass it but the bytes never do; a partly read write gives its
// charge back when its last byte is read, as a kernel's buffer does; bytes leave in the order they
// came.

using System;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>The buffer of one direction of a stream.</summary>
/// <param name="Bytes">What it holds at most, 1 or more.</param>
/// <param name="PerWrite">What each write costs besides its bytes; 0 for a plain buffer.</param>
public readonly record struct PipeSize(int Bytes, int PerWrite = 0)
{
    /// <summary>AF_UNIX with Linux's default net.core.wmem_default.</summary>
    public static readonly PipeSize UnixDefault = new(212_992, 767);

    /// <summary>About what a TCP connection holds in both kernels before windows open.</summary>
    public static readonly PipeSize TcpDefault = new(131_072);
}

/// <summary>Bytes on their way from one end of a stream to the other.</summary>
internal sealed class SimPipe(PipeSize size)
{
    /// <summary>The kernel cuts longer writes into buffers of about this size, in bytes.</summary>
    private const int LargestSegment = 32 * 1024;

    private struct Segment
    {
        public int Left;
        public int Charge;
    }

    private readonly SimRing<Segment>? _segments =
        size.PerWrite > 0 ? new SimRing<Segment>() : null;

    private byte[] _bytes = [];
    private int _head;
    private int _charged;

    /// <summary>Bytes written and not read.</summary>
    public int Count { get; private set; }

    /// <summary>As AF_UNIX judges: three quarters of the buffer are free.</summary>
    public bool IsQuarterFullAtMost => (long)_charged * 4 <= size.Bytes;

    /// <summary>As TCP judges: a third of the buffer is free.</summary>
    public bool IsTwoThirdsFullAtMost => (long)_charged * 3 <= (long)size.Bytes * 2;

    /// <summary>Takes as many bytes as there is room for; 0 when there is none.</summary>
    public int Write(ReadOnlySpan<byte> from)
    {
        var taken = 0;
        while (taken < from.Length && _charged < size.Bytes)
        {
            var chunk = Math.Min(from.Length - taken, size.Bytes - _charged);
            if (_segments != null)
            {
                chunk = Math.Min(chunk, LargestSegment);
                ref var segment = ref _segments.Push();
                segment.Left = chunk;
                segment.Charge = chunk + size.PerWrite;
            }
            Append(from.Slice(taken, chunk));
            _charged += chunk + size.PerWrite;
            taken += chunk;
        }
        return taken;
    }

    /// <summary>Gives the oldest bytes, as many as wait and fit.</summary>
    public int Read(Span<byte> into)
    {
        var given = Math.Min(into.Length, Count);
        if (given == 0)
            return 0;
        var straight = Math.Min(given, _bytes.Length - _head);
        _bytes.AsSpan(_head, straight).CopyTo(into);
        _bytes.AsSpan(0, given - straight).CopyTo(into[straight..]);
        _head = (_head + given) % _bytes.Length;
        Count -= given;
        Discharge(given);
        return given;
    }

    /// <summary>Throws away what waits and gives the memory back.</summary>
    public void Clear()
    {
        _bytes = [];
        _head = 0;
        _charged = 0;
        Count = 0;
        _segments?.Clear();
    }

    private void Append(ReadOnlySpan<byte> chunk)
    {
        Reserve(Count + chunk.Length);
        var tail = (_head + Count) % _bytes.Length;
        var straight = Math.Min(chunk.Length, _bytes.Length - tail);
        chunk[..straight].CopyTo(_bytes.AsSpan(tail));
        chunk[straight..].CopyTo(_bytes);
        Count += chunk.Length;
    }

    private void Discharge(int given)
    {
        if (_segments == null)
        {
            _charged -= given;
            return;
        }
        while (given > 0)
        {
            ref var segment = ref _segments.First;
            var part = Math.Min(given, segment.Left);
            segment.Left -= part;
            given -= part;
            if (segment.Left > 0)
                continue;
            _charged -= segment.Charge;
            _segments.Pop();
        }
    }

    private void Reserve(int bytes)
    {
        if (bytes <= _bytes.Length)
            return;
        var wanted = Math.Max(256, Math.Max(bytes, _bytes.Length * 2));
        var grown = new byte[Math.Min(size.Bytes, wanted)];
        var straight = Math.Min(Count, _bytes.Length - _head);
        _bytes.AsSpan(_head, straight).CopyTo(grown);
        _bytes.AsSpan(0, Count - straight).CopyTo(grown.AsSpan(straight));
        _bytes = grown;
        _head = 0;
    }
}
