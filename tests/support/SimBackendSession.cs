// Owns one session between the balancer and a scripted backend: its bytes, cut into frames by
// fake-binder's codec, which shares nothing with the core's. What the first frame is decides what
// the session is: CLIENT_HELLO makes a control session, INBOUND_TCP one that carries a TCP
// connection, whose later bytes are the client's.
//
// What always holds: in a steady state, with records off and no delays, receiving and answering
// allocate nothing.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Balancer.Core;
using FakeBinder;
using Simulation.Kernel;

namespace Tests.Support;

/// <summary>One session as a scripted backend sees it.</summary>
public sealed class SimBackendSession
{
    private readonly SimBackend _backend;
    private readonly List<byte> _tcpBytes = [];
    private byte[] _buffer = new byte[4096];
    private byte[] _frame = new byte[2048];
    private int _filled;
    private bool _wasOpened;

    internal SimBackendSession(SimBackend backend, SimStream stream)
    {
        _backend = backend;
        Stream = stream;
        stream.OnReadable = _ => OnReadable();
    }

    public SimStream Stream { get; }

    /// <summary>Its first frame was CLIENT_HELLO.</summary>
    public bool IsControl { get; private set; }

    /// <summary>Its first frame was INBOUND_TCP; Source is the client.</summary>
    public bool IsTcp { get; private set; }

    /// <summary>The TCP client, as INBOUND_TCP told it.</summary>
    public Endpoint Source { get; private set; }

    /// <summary>Closed here, or found ended or failed by a read.</summary>
    public bool IsOver => Stream.IsClosed || HasEnded && !IsTcp || HasFailed;

    /// <summary>The balancer's direction ended, all of it read.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>A read told an error.</summary>
    public bool HasFailed { get; private set; }

    public int Hellos { get; private set; }

    public int Heartbeats { get; private set; }

    /// <summary>When each heartbeat came, while the backend keeps records.</summary>
    public List<Instant> HeartbeatTimes { get; } = [];

    /// <summary>Bytes of the TCP client that came, while the backend keeps records.</summary>
    public IReadOnlyList<byte> TcpBytes => _tcpBytes;

    /// <summary>What the balancer sent that it may not; null as it should be.</summary>
    public string? Violation { get; private set; }

    /// <summary>Sends bytes, whatever they are.</summary>
    public void Send(ReadOnlySpan<byte> bytes) => Stream.Send(bytes);

    public void SendHello() => SendType((uint)WireType.ServerHello);

    public void SendHeartbeat() => SendType((uint)WireType.ServerHeartbeat);

    public void SendTcpOk() => SendType((uint)WireType.InboundTcpOk);

    /// <summary>Sends four bytes: a frame that is only its type, or the start of one.</summary>
    public void SendType(uint type)
    {
        Span<byte> frame = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, type);
        Stream.Send(frame);
    }

    /// <summary>Sends an OUTBOUND_UDP with its payload.</summary>
    public void Reply(Endpoint to, ReadOnlySpan<byte> payload) =>
        SendOutbound(to.Address.Value, to.Port, (uint)payload.Length, payload);

    /// <summary>Sends an OUTBOUND_UDP whose fields may be anything, true or not.</summary>
    public void SendOutbound(uint address, uint port, uint length, ReadOnlySpan<byte> payload)
    {
        var bytes = WireCodec.UdpHeaderBytes + payload.Length;
        if (_frame.Length < bytes)
            _frame = new byte[bytes];
        WireCodec.WriteOutboundUdpHeader(_frame, address, port, length);
        payload.CopyTo(_frame.AsSpan(WireCodec.UdpHeaderBytes));
        Stream.Send(_frame.AsSpan(0, bytes));
    }

    public void HalfClose() => Stream.HalfClose();

    public void Close()
    {
        if (!Stream.IsClosed)
            Stream.Close();
    }

    public void Reset()
    {
        if (!Stream.IsClosed)
            Stream.Reset();
    }

    internal void OnReadable()
    {
        while (_backend.Reads && (_backend.ReadsTcp || !IsTcp)
            && !Stream.IsClosed && !HasEnded && !HasFailed)
        {
            if (_filled == _buffer.Length)
                Array.Resize(ref _buffer, _buffer.Length * 2);
            var result = Stream.Read(_buffer.AsSpan(_filled));
            if (result.Status == IoStatus.WouldBlock)
                return;
            HasEnded |= result.Status == IoStatus.EndOfStream;
            HasFailed |= !result.IsOk && !HasEnded;
            _filled += result.Count;
            var used = Consume(_buffer.AsSpan(0, _filled));
            _filled -= used;
            _buffer.AsSpan(used, _filled).CopyTo(_buffer);
        }
        if (HasFailed || HasEnded && !IsTcp)
            Close();
        else if (HasEnded && _backend.EchoesTcp && !Stream.IsClosed)
            Stream.HalfClose();
    }

    private int Consume(ReadOnlySpan<byte> bytes)
    {
        var used = 0;
        while (used < bytes.Length && Violation == null && !Stream.IsClosed)
        {
            var length = IsTcp ? TakeTcpBytes(bytes[used..]) : TakeFrame(bytes[used..]);
            if (length == 0)
                return used;
            used += length;
        }
        return used;
    }

    /// <summary>Takes one whole frame and returns its length; 0 when it is not whole yet.</summary>
    private int TakeFrame(ReadOnlySpan<byte> bytes)
    {
        var status = WireCodec.Read(bytes, out var frame, out var wrong);
        if (status == WireStatus.Partial)
            return 0;
        var isExpected = frame.Type is WireType.InboundTcp ? !IsControl
            : IsControl || frame.Type is WireType.ClientHello;
        if (status == WireStatus.Wrong || !isExpected)
        {
            Violation = wrong ?? $"{frame.Type} where none of its kind may come";
            return 0;
        }
        switch (frame.Type)
        {
            case WireType.ClientHello:
                OnHello();
                break;
            case WireType.ClientHeartbeat:
                OnHeartbeat();
                break;
            case WireType.InboundUdp:
                _backend.OnQuery(this, SourceOf(frame), frame.Packet);
                break;
            case WireType.InboundTcp:
                OnTcp(SourceOf(frame));
                break;
        }
        return frame.Size;
    }

    private void OnHello()
    {
        Hellos++;
        if (IsControl)
            Violation = "a second CLIENT_HELLO";
        IsControl = true;
        if (_backend.AnswersHello)
            Answer(WireType.ServerHello, _backend.HelloDelay);
    }

    private void OnHeartbeat()
    {
        Heartbeats++;
        if (_backend.Records)
            HeartbeatTimes.Add(_backend.Kernel.Now);
        if (_backend.AnswersHeartbeats)
            Answer(WireType.ServerHeartbeat, _backend.HeartbeatDelay);
    }

    private void OnTcp(Endpoint source)
    {
        Source = source;
        IsTcp = true;
        if (_backend.AnswersTcp)
            Answer(WireType.InboundTcpOk, _backend.TcpDelay);
    }

    private int TakeTcpBytes(ReadOnlySpan<byte> bytes)
    {
        var opening = Opening.Bytes;
        if (!_wasOpened && !HasEnded && bytes.Length < opening.Length && opening.StartsWith(bytes))
            return 0;
        var isOpening = !_wasOpened && bytes.StartsWith(opening);
        _wasOpened = true;
        if (isOpening)
        {
            if (Stream.CanSend)
                Stream.Send(opening);
            return opening.Length;
        }
        if (_backend.Records)
            _tcpBytes.AddRange(bytes);
        if (_backend.EchoesTcp)
            Stream.Send(bytes);
        return bytes.Length;
    }

    private static Endpoint SourceOf(in BalancerFrame frame) =>
        new(new Ipv4(frame.Address), frame.Port);

    private void Answer(WireType type, Duration delay)
    {
        if (delay == Duration.Zero)
        {
            SendType((uint)type);
            return;
        }
        _backend.Kernel.After(delay, () =>
        {
            if (!Stream.IsClosed)
                SendType((uint)type);
        });
    }
}
