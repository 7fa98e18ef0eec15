// Owns what a session wants done: bytes to write and the ways to end, in order. The session has
// no IO, so whoever runs it (the process, the simulator, a test) takes the actions and does them.
//
// What always holds: actions are taken in the order in which they were put; the bytes of an
// action live until something is put after the outbox was empty. After HalfClose nothing is
// written; after Close, Reset or CrashProcess nothing is put at all. One Write is one write to
// the stream: what is written separately is so on purpose.

using System;
using System.Collections.Generic;

namespace FakeBinder;

/// <summary>What is to be done with the session's stream, or with the process.</summary>
public enum SessionActionKind
{
    /// <summary>Write the bytes, in a write of their own.</summary>
    Write,

    /// <summary>After all that was written: end this direction, go on reading.</summary>
    HalfClose,

    /// <summary>After all that was written: close.</summary>
    Close,

    /// <summary>Throw the connection away, so that the peer sees an error.</summary>
    Reset,

    /// <summary>The process exits 1 at once and leaves its paths behind.</summary>
    CrashProcess,

    /// <summary>The process does nothing for the duration, on any session.</summary>
    PauseProcess,
}

/// <summary>One thing to do.</summary>
/// <param name="Kind">What.</param>
/// <param name="Bytes">What to write, for Write.</param>
/// <param name="DurationNs">How long, in nanoseconds, for PauseProcess.</param>
public readonly record struct SessionAction(
    SessionActionKind Kind, ReadOnlyMemory<byte> Bytes = default, long DurationNs = 0);

/// <summary>A session's actions, in order.</summary>
public sealed class SessionOutbox
{
    private readonly record struct Entry(
        SessionActionKind Kind, int Offset, int Length, long DurationNs);

    private readonly List<Entry> _entries = [];
    private byte[] _bytes = new byte[1024];
    private int _used;
    private int _next;

    /// <summary>No more bytes can be written.</summary>
    public bool WritingEnded { get; private set; }

    /// <summary>The session is over.</summary>
    public bool Closed { get; private set; }

    /// <summary>Takes the next action; false when there is none.</summary>
    public bool TryTake(out SessionAction action)
    {
        if (_next == _entries.Count)
        {
            action = default;
            return false;
        }
        var entry = _entries[_next++];
        action = new SessionAction(
            entry.Kind, _bytes.AsMemory(entry.Offset, entry.Length), entry.DurationNs);
        return true;
    }

    /// <summary>Puts one write; nothing if the direction has ended or there are no bytes.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (WritingEnded || bytes.IsEmpty)
            return;
        Recycle();
        if (_bytes.Length - _used < bytes.Length)
            Array.Resize(ref _bytes, Math.Max(_used + bytes.Length, _bytes.Length * 2));
        bytes.CopyTo(_bytes.AsSpan(_used));
        _entries.Add(new Entry(SessionActionKind.Write, _used, bytes.Length, 0));
        _used += bytes.Length;
    }

    /// <summary>Puts writes of at most pieceBytes each; one write if that is null.</summary>
    public void WritePieces(ReadOnlySpan<byte> bytes, int? pieceBytes)
    {
        var piece = pieceBytes ?? bytes.Length;
        while (bytes.Length > piece)
        {
            Write(bytes[..piece]);
            bytes = bytes[piece..];
        }
        Write(bytes);
    }

    public void HalfClose()
    {
        if (!WritingEnded)
            Put(SessionActionKind.HalfClose);
        WritingEnded = true;
    }

    /// <summary>Puts Close, Reset or CrashProcess, the last action of the session.</summary>
    public void End(SessionActionKind kind)
    {
        if (!Closed)
            Put(kind);
        Closed = true;
        WritingEnded = true;
    }

    public void Pause(long durationNs)
    {
        if (!Closed)
            Put(SessionActionKind.PauseProcess, durationNs);
    }

    private void Put(SessionActionKind kind, long durationNs = 0)
    {
        Recycle();
        _entries.Add(new Entry(kind, 0, 0, durationNs));
    }

    private void Recycle()
    {
        if (_next < _entries.Count)
            return;
        _entries.Clear();
        _next = 0;
        _used = 0;
    }
}
