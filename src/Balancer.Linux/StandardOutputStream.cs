// Owns stdout as a stream that says how much of a write was done when the rest failed. A full disk
// takes the beginning of a line and refuses the rest; whoever writes lines must know, or the next
// line goes on where the torn one ends.
//
// What always holds: a write is whole, or throws with how many of its bytes went out. A pipe that
// was given to us non-blocking is waited for, as a blocking one is, and so is whatever takes
// nothing and names no error.

using System;
using System.IO;
using System.Threading;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

/// <summary>A write that failed, with how many of its bytes were written before.</summary>
public sealed class PartialWriteException(int written, int errno)
    : IOException($"write: errno {errno}")
{
    /// <summary>Bytes of the write that went out, 0 and up.</summary>
    public int Written { get; } = written;
}

/// <summary>Descriptor 1, unbuffered; for one thread at a time.</summary>
public sealed unsafe class StandardOutputStream : Stream
{
    private const int Descriptor = 1;

    /// <summary>Between two tries to write into a non-blocking pipe that is full.</summary>
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(20);

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(byte[] buffer, int offset, int count) =>
        Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        var written = 0;
        fixed (byte* from = buffer)
        {
            while (written < buffer.Length)
            {
                var count = LibC.Write(
                    Descriptor, from + written, (nuint)(buffer.Length - written));
                if (count > 0)
                    written += (int)count;
                else
                    GoOnAfter(count == 0 ? Errno.EAGAIN : LibC.Errno, written);
            }
        }
    }

    public override void Flush() { }

    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private static void GoOnAfter(int errno, int written)
    {
        if (errno == Errno.EAGAIN)
            Thread.Sleep(RetryInterval);
        else if (errno != Errno.EINTR)
            throw new PartialWriteException(written, errno);
    }
}
