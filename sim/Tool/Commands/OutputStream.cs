// Owns the simulator's standard output, so that output which cannot be written is neither wrong
// usage nor a failure of the run. The error is kept for the end and not thrown, because a trace is
// written from inside a run, where whatever is thrown counts as a crash of the core.
//
// What always holds: no write throws; after the first that failed the rest is dropped.

using System;
using System.IO;

namespace Simulation.Commands;

/// <summary>Writes to the stream.</summary>
/// <param name="stream">Where to.</param>
/// <param name="onFailure">Called once, by the first write that fails.</param>
public sealed class OutputStream(Stream stream, Action onFailure) : Stream
{
    /// <summary>Why a write failed; null while none has.</summary>
    public Exception? Failure { get; private set; }

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
        if (Failure is not null)
            return;
        try
        {
            stream.Write(buffer);
        }
        catch (Exception wrong) when (wrong is IOException or UnauthorizedAccessException)
        {
            Failure = wrong;
            onFailure();
        }
    }

    public override void Flush()
    {
        // Nothing is held back.
    }

    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
