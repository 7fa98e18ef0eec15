// Owns the journal of a process: every byte of every session, both ways, with the time, so that
// whoever started the process can judge the balancer by what really passed between the two.
//
// A journal is a row of records, all integers little-endian: the kind (one byte), the time
// (8 bytes: nanoseconds of the monotonic clock, which is the same for all processes of a host),
// the number of the session (4), the length of what follows (4), and that.
//
// What always holds: a record is in the file before what it is about can have reached a peer, so
// a process that is killed has recorded all that it did; the file holds whole records but for, at
// most, the last. After a write that failed nothing more is written, so no record is missing
// between two that are there; the process goes on.

using System;
using System.Buffers.Binary;
using System.IO;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace FakeBinder;

/// <summary>What a record of a journal is about.</summary>
public enum JournalKind : byte
{
    /// <summary>The process listens; no session.</summary>
    Listening = 1,

    /// <summary>A session was accepted.</summary>
    Accepted = 2,

    /// <summary>The bytes were read.</summary>
    Read = 3,

    /// <summary>The bytes are about to be written.</summary>
    Written = 4,

    /// <summary>The peer's end of the stream was read.</summary>
    PeerEnded = 5,

    /// <summary>Our direction was ended after all bytes written.</summary>
    HalfClosed = 6,

    /// <summary>The session is over; why, as text.</summary>
    Over = 7,
}

/// <summary>How the end of a session is told; who reads a journal knows it by these.</summary>
public static class SessionEnd
{
    /// <summary>
    /// The backend came to it by itself, all its bytes written; the reason follows.
    /// </summary>
    public const string Closed = "closed: ";

    /// <summary>A script had it reset.</summary>
    public const string Reset = "reset";

    /// <summary>A reason: a script had it closed in place of INBOUND_TCP_OK.</summary>
    public const string TcpRefused = "TCP refused";
}

/// <summary>Writes a journal.</summary>
internal sealed class Journal(string path) : IDisposable
{
    /// <summary>Bytes before what a record holds.</summary>
    public const int HeaderBytes = 17;

    private readonly SafeFileHandle _file = File.OpenHandle(
        path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite);

    private byte[] _record = new byte[4096];
    private long _at;

    /// <summary>Why a write failed; null while none has.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Called once, by the first write that fails.</summary>
    public Action? OnFailure { get; set; }

    public void Add(JournalKind kind, long nowNs, long session, ReadOnlySpan<byte> bytes)
    {
        if (Failure is not null)
            return;
        var length = HeaderBytes + bytes.Length;
        if (_record.Length < length)
            _record = new byte[length * 2];
        _record[0] = (byte)kind;
        BinaryPrimitives.WriteInt64LittleEndian(_record.AsSpan(1), nowNs);
        BinaryPrimitives.WriteInt32LittleEndian(_record.AsSpan(9), (int)session);
        BinaryPrimitives.WriteInt32LittleEndian(_record.AsSpan(13), bytes.Length);
        bytes.CopyTo(_record.AsSpan(HeaderBytes));
        try
        {
            RandomAccess.Write(_file, _record.AsSpan(0, length), _at);
            _at += length;
        }
        catch (IOException wrong)
        {
            Failure = wrong;
            OnFailure?.Invoke();
        }
    }

    public void Add(JournalKind kind, long nowNs, long session, string text) =>
        Add(kind, nowNs, session, Encoding.UTF8.GetBytes(text));

    public void Dispose() => _file.Dispose();
}
