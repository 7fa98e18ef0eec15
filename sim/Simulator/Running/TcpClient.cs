// Owns the clients that come over TCP: each one connection, what it sends and in which pieces, and
// how it ends it.
//
// What always holds: a client tells its end once; it acts only when bytes come or its time has
// come.

using System;
using Balancer.Core;
using FakeBinder;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>One TCP client of a run.</summary>
internal sealed class TcpClient
{
    private static readonly Duration BetweenPieces = Duration.FromMilliseconds(1);

    private readonly SimKernel _kernel;
    private readonly RunObserver _observer;
    private readonly TcpClientPlan _plan;
    private readonly byte[] _buffer;
    private readonly Action _sendPiece;
    private readonly Action _trickle;
    private readonly AnswerCount _answers;
    private byte[] _toSend = [];
    private int _sent;
    private SimStream? _stream;
    private bool _isOver;

    /// <summary>A client that will connect at its time; the buffer is shared by all.</summary>
    public TcpClient(SimKernel kernel, RunObserver observer, TcpClientPlan plan, byte[] buffer)
    {
        _kernel = kernel;
        _observer = observer;
        _plan = plan;
        _buffer = buffer;
        _answers = new AnswerCount(plan);
        _sendPiece = SendPiece;
        _trickle = Trickle;
        kernel.At(plan.At, Connect);
    }

    private bool HasSentAll => _sent == _toSend.Length;

    private void Connect()
    {
        _stream = _kernel.TryConnectClient(new Endpoint(_plan.Address, _plan.Port));
        _observer.OnTcpClientConnected(_kernel.Now, _plan.Id, _stream != null);
        if (_stream == null)
        {
            End("refused");
            return;
        }
        _stream.OnReadable = OnReadable;
        if (_plan.Manner is TcpManner.Resets or TcpManner.Leaves
            || (_plan.Queries == 0 && _plan.Manner != TcpManner.Trickles))
            _kernel.After(_plan.After, ActByManner);
        _toSend = MakeQuestions();
        SendPiece();
    }

    private byte[] MakeQuestions()
    {
        var bytes = new byte[DnsQuestions.MostBytes(_plan, _plan.Queries)];
        var at = 0;
        for (var query = 0; query < _plan.Queries; query++)
        {
            at += DnsQuestions.EmptyBytes(_plan, query);
            var message = bytes.AsSpan(at + DnsFraming.LengthBytes);
            var length = DnsQuestions.Write(message, _plan, query);
            DnsFraming.WriteLength(bytes.AsSpan(at), length);
            at += DnsFraming.LengthBytes + length;
        }
        return bytes[..at];
    }

    private void SendPiece()
    {
        if (_isOver || _stream is not { CanSend: true } stream)
            return;
        var piece = Math.Min(Math.Max(1, _plan.ChunkBytes), _toSend.Length - _sent);
        if (piece > 0)
        {
            var bytes = _toSend.AsSpan(_sent, piece);
            _sent += piece;
            stream.Send(bytes);
            _observer.OnTcpClientSent(_kernel.Now, _plan.Id, bytes);
        }
        if (!HasSentAll)
            _kernel.After(BetweenPieces, _sendPiece);
        else
            OnSentAll(stream);
    }

    private void OnSentAll(SimStream stream)
    {
        var halfCloses = _plan.Manner == TcpManner.HalfClosesEarly
            || (_plan.Manner == TcpManner.HalfClosesLate && _answers.Value > 0);
        if (halfCloses && stream.CanSend)
            stream.HalfClose();
        else if (_plan.Manner == TcpManner.Trickles)
            _kernel.After(_plan.After, _trickle);
    }

    /// <summary>A byte of a message of 65,535.</summary>
    private void Trickle()
    {
        if (_isOver || _stream is not { CanSend: true } stream)
            return;
        ReadOnlySpan<byte> bytes = [0xff];
        stream.Send(bytes);
        _observer.OnTcpClientSent(_kernel.Now, _plan.Id, bytes);
        _kernel.After(_plan.After, _trickle);
    }

    private void OnReadable(SimStream stream)
    {
        if (_plan.Manner == TcpManner.NeverReads)
        {
            if (stream.IsReset)
                End("reset");
            return;
        }
        while (!_isOver && !stream.IsClosed)
        {
            var result = stream.Read(_buffer);
            if (result.Status == IoStatus.WouldBlock)
                return;
            if (!result.IsOk)
            {
                OnEnd(stream, result);
                return;
            }
            var bytes = _buffer.AsSpan(0, result.Count);
            _observer.OnTcpClientReceived(_kernel.Now, _plan.Id, bytes);
            _answers.Take(bytes);
            OnAnswers(stream);
        }
    }

    private void OnEnd(SimStream stream, IoResult result)
    {
        End(result.Status == IoStatus.EndOfStream ? "eof" : "reset");
        if (_plan.Manner != TcpManner.StaysOpen)
            stream.Close();
    }

    private void OnAnswers(SimStream stream)
    {
        if (_plan.Manner == TcpManner.HalfClosesLate && HasSentAll)
            OnSentAll(stream);
        if (_plan.Manner != TcpManner.Proper || _plan.Queries == 0
            || _answers.Value < _plan.Queries)
        {
            return;
        }
        stream.Close();
        End("answered");
    }

    private void ActByManner()
    {
        if (_isOver || _stream is not { IsClosed: false } stream
            || _plan.Manner is TcpManner.StaysOpen or TcpManner.NeverReads)
            return;
        if (_plan.Manner == TcpManner.Resets)
            stream.Reset();
        else
            stream.Close();
        End(_plan.Manner == TcpManner.Resets ? "aborted" : "closed");
    }

    private void End(string how)
    {
        if (_isOver)
            return;
        _isOver = true;
        _observer.OnTcpClientEnded(_kernel.Now, _plan.Id, how);
    }
}
