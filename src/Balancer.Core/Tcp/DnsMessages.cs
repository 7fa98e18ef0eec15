// Owns how many DNS messages one side of a TCP connection has sent: each is preceded by its length
// in two bytes (RFC 1035, 4.2.2). Nothing is looked at but the lengths and the response code, and
// nothing depends on them but how a connection whose backend ends is ended, what counts as
// answered, and as activity, and how many empty messages are passed on at once.
//
// What always holds: a byte is counted once, whatever pieces the stream comes in.

using System;

namespace Balancer.Core;

/// <summary>The messages of one direction of a connection.</summary>
internal struct DnsMessages
{
    public const int LengthBytes = 2;

    private int _lengthBytes;
    private int _left;

    /// <summary>What the length said, when it is whole.</summary>
    private int _length;

    /// <summary>Bytes of the message that came, until its response code did.</summary>
    private int _seen;

    /// <summary>Empty messages since the last that was not.</summary>
    private long _emptyRun;

    private bool _isFailure;
    private ResponseCode? _code;

    /// <summary>Messages that came whole.</summary>
    public long Whole { get; private set; }

    /// <summary>
    /// Those of them that do not say that their server could not or would not answer.
    /// </summary>
    public long Good { get; private set; }

    /// <summary>
    /// Those that came whole and have a header: an empty one asks and answers nothing.
    /// </summary>
    public long WithHeader { get; private set; }

    /// <summary>What the last one that came whole says; null if it has no header.</summary>
    public ResponseCode? LastCode { get; private set; }

    /// <summary>A message, or its length, has come in part.</summary>
    public readonly bool IsInside => _lengthBytes > 0;

    /// <summary>
    /// So many of the last bytes are empty messages, and behind them perhaps half a length.
    /// </summary>
    public readonly long EmptyBytes =>
        _lengthBytes == LengthBytes ? 0 : LengthBytes * _emptyRun + _lengthBytes;

    public void Take(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var empty = _lengthBytes == 0 ? EmptyAtFront(bytes) : 0;
            if (empty > 0)
            {
                Whole += empty;
                Good += empty;
                LastCode = null;
                _emptyRun += empty;
                bytes = bytes[(LengthBytes * empty)..];
                continue;
            }
            if (_lengthBytes < LengthBytes)
            {
                _left = _left << 8 | bytes[0];
                _lengthBytes++;
                _length = _left;
                bytes = bytes[1..];
            }
            else
            {
                var taken = Math.Min(_left, bytes.Length);
                LookForCode(bytes[..taken]);
                _left -= taken;
                bytes = bytes[taken..];
            }
            if (_lengthBytes < LengthBytes || _left > 0)
                continue;
            Whole++;
            Good += _isFailure ? 0 : 1;
            WithHeader += _length >= DnsQuestion.HeaderBytes ? 1 : 0;
            LastCode = _code;
            _emptyRun = _length == 0 ? _emptyRun + 1 : 0;
            (_lengthBytes, _seen, _isFailure, _code) = (0, 0, false, null);
        }
    }

    /// <summary>
    /// Empty messages that bytes begin with, which are zeros: a run of them is counted at once.
    /// </summary>
    public static int EmptyAtFront(ReadOnlySpan<byte> bytes)
    {
        var zeros = bytes.IndexOfAnyExcept((byte)0);
        return (zeros < 0 ? bytes.Length : zeros) / LengthBytes;
    }

    private void LookForCode(ReadOnlySpan<byte> bytes)
    {
        var at = DnsQuestion.CodeAt - _seen;
        if (at < 0)
            return;
        if (at < bytes.Length && _left + _seen >= DnsQuestion.HeaderBytes)
        {
            _code = (ResponseCode)(bytes[at] & 0xf);
            _isFailure = DnsQuestion.IsFailure(bytes[at], length: _left + _seen);
        }
        _seen += Math.Min(bytes.Length, at + 1);
    }
}
