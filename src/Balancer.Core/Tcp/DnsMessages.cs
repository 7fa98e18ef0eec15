// Owns how many DNS messages one side of a TCP connection has sent: each is preceded by its length
// in two bytes (RFC 1035, 4.2.2). Nothing is looked at but the lengths and the response code, and
// nothing depends on them but how a connection whose backend ends is ended, what counts as
// answered, and as activity.
//
// What always holds: a byte is counted once, whatever pieces the stream comes in.

using System;

namespace Balancer.Core;

/// <summary>The messages of one direction of a connection.</summary>
internal struct DnsMessages
{
    private const int LengthBytes = 2;

    private int _lengthBytes;
    private int _left;

    /// <summary>What the length said, when it is whole.</summary>
    private int _length;

    /// <summary>Bytes of the message that came, until its response code did.</summary>
    private int _seen;

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

    public void Take(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
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
            (_lengthBytes, _seen, _isFailure, _code) = (0, 0, false, null);
        }
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
