// Owns the reading of a backend's journal: records become sessions, and the bytes of sessions
// frames. What the balancer wrote is decoded by fake-binder's codec, what the backend wrote by the
// reference model's.
//
// What always holds: a journal may be read while it is written, again and again; what is cut off
// at its end is read when it is whole; bytes after what no peer may write are not guessed at.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Balancer.Core;
using FakeBinder;
using Simulation.Scenarios;

namespace Simulation.Real;

/// <summary>Reads one journal.</summary>
internal sealed class JournalReader(ObservedProcess process)
{
    private const int HeaderBytes = 17;

    private readonly Dictionary<int, Line> _lines = [];
    private long _at;

    /// <summary>The process listens.</summary>
    public bool IsListening { get; private set; }

    /// <summary>What one session's bytes are gathered in.</summary>
    private sealed class Line(ObservedSession session)
    {
        public ObservedSession Session => session;

        public List<byte> Read { get; } = [];

        public int Taken { get; set; }

        public FrameDecoder Written { get; } = new();

        public List<byte> Ok { get; } = [];
    }

    /// <summary>Takes what has been written since the last time.</summary>
    public void Read(string path)
    {
        try
        {
            using var file = new FileStream(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            var bytes = new byte[Math.Max(0, file.Length - _at)];
            file.Position = _at;
            _at += Take(bytes.AsSpan(0, file.ReadAtLeast(bytes, bytes.Length, false)));
        }
        catch (FileNotFoundException)
        {
            // The process has not come so far.
        }
    }

    /// <summary>Takes whole records off the front; the bytes that these are.</summary>
    public int Take(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        while (bytes.Length - at >= HeaderBytes)
        {
            var header = bytes[at..];
            var length = BinaryPrimitives.ReadInt32LittleEndian(header[13..]);
            if (bytes.Length - at - HeaderBytes < length)
                break;
            OnRecord((JournalKind)header[0], BinaryPrimitives.ReadInt64LittleEndian(header[1..]),
                BinaryPrimitives.ReadInt32LittleEndian(header[9..]),
                header.Slice(HeaderBytes, length));
            at += HeaderBytes + length;
        }
        return at;
    }

    private void OnRecord(JournalKind kind, long at, int number, ReadOnlySpan<byte> bytes)
    {
        IsListening |= kind == JournalKind.Listening;
        if (kind == JournalKind.Accepted)
        {
            var session = new ObservedSession(process.Backend, at);
            process.Sessions.Add(session);
            _lines[number] = new Line(session);
        }
        if (!_lines.TryGetValue(number, out var line))
            return;
        switch (kind)
        {
            case JournalKind.Read:
                OnRead(line, at, bytes);
                break;
            case JournalKind.Written:
                OnWritten(line, at, bytes);
                break;
            case JournalKind.PeerEnded:
                line.Session.PeerEndedAt ??= at;
                break;
            case JournalKind.HalfClosed:
                line.Session.HalfClosedAt = at;
                break;
            case JournalKind.Over:
                line.Session.Over = Encoding.UTF8.GetString(bytes);
                line.Session.OverAt = at;
                break;
        }
    }

    // ---- What the balancer wrote ----

    private static void OnRead(Line line, long at, ReadOnlySpan<byte> bytes)
    {
        if (line.Session.Client != null)
        {
            OnClientBytes(line.Session, bytes);
            return;
        }
        line.Read.AddRange(bytes);
        while (TryTakeFrame(line, at))
        {
        }
    }

    private static void OnClientBytes(ObservedSession session, ReadOnlySpan<byte> bytes)
    {
        session.FromClient.AddRange(bytes);
        if (session.OkAt == null)
            session.EarlyBytes += bytes.Length;
    }

    private static bool TryTakeFrame(Line line, long at)
    {
        var bytes = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(line.Read);
        ReadOnlySpan<byte> left = bytes[line.Taken..];
        if (WireCodec.Read(left, out var frame, out _) != WireStatus.Whole)
            return false;
        switch (frame.Type)
        {
            case WireType.ClientHello:
                line.Session.IsControl = true;
                break;
            case WireType.ClientHeartbeat:
                line.Session.Heartbeats.Add(at);
                break;
            case WireType.InboundUdp:
                var queries = IsOfProbes(frame.Address, frame.Port)
                    ? line.Session.Probes
                    : line.Session.Queries;
                queries.Add(new ObservedFrame(at, new Ipv4(frame.Address),
                    frame.Port, (uint)frame.Packet.Length, frame.Packet.ToArray()));
                break;
            case WireType.InboundTcp:
                line.Session.Client = new Endpoint(new Ipv4(frame.Address), frame.Port);
                OnClientBytes(line.Session, left[frame.Size..]);
                line.Taken = bytes.Length;
                return false;
        }
        line.Taken += frame.Size;
        if (line.Taken > 65_536)
        {
            line.Read.RemoveRange(0, line.Taken);
            line.Taken = 0;
        }
        return true;
    }

    // ---- What the backend wrote ----

    private static void OnWritten(Line line, long at, ReadOnlySpan<byte> bytes)
    {
        if (line.Session.Client == null)
        {
            while (line.Written.TryNext(ref bytes, out var frame))
                OnFrame(line.Session, at, frame);
            return;
        }
        while (line.Session.OkAt == null && !bytes.IsEmpty && !line.Session.IsUnruly)
        {
            line.Ok.Add(bytes[0]);
            bytes = bytes[1..];
            if (line.Ok.Count < WireCodec.TypeBytes)
                continue;
            if (SeenFrame.TypeOf([.. line.Ok]) == SeenFrame.InboundTcpOk)
                line.Session.OkAt = at;
            else
                line.Session.IsUnruly = true;
        }
        if (!line.Session.IsUnruly)
            line.Session.ToClient.AddRange(bytes);
    }

    private static void OnFrame(ObservedSession session, long at, in SeenFrame frame)
    {
        if (frame.Type == SeenFrame.ServerHello)
            session.HelloAt ??= at;
        else if (frame.Type == SeenFrame.OutboundUdp)
        {
            var reply = new ObservedFrame(at, new Ipv4(frame.Address), frame.Port,
                frame.Length, frame.Payload.ToArray());
            if (!IsOfProbes(frame.Address, frame.Port))
            {
                session.Replies.Add(reply);
                return;
            }
            session.ProbeAnswers.Add(reply);
            if (IsGood(reply.Payload))
                session.ReadyAt ??= at;
        }
    }

    /// <summary>No client has that address here, so it is the balancer that asks.</summary>
    private static bool IsOfProbes(uint address, uint port) =>
        address == SpecifiedLimits.ProbeSource.Address.Value
        && port == SpecifiedLimits.ProbeSource.Port;

    /// <summary>Neither SERVFAIL nor REFUSED.</summary>
    private static bool IsGood(byte[] reply) =>
        reply.Length > 3 && (reply[3] & 0x0F) is not (2 or 5);
}
