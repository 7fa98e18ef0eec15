// Owns the fuzzing of the frame reader: bytes of a backend, cut in any way.
//
// What always holds of it: how they are cut changes nothing of the frames that they are.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;

namespace Tests.Fuzz;

internal static class FramesTarget
{
    private readonly record struct Seen(
        FrameStatus Status, FrameType Type, uint Address, uint Port, uint Length, string Payload);

    /// <summary>The first byte says how long the pieces are; the others are the stream. It is also
    /// read in pieces of which each has another length.</summary>
    public static void Run(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return;
        var whole = Read(bytes[1..], int.MaxValue, 0);
        var cut = Read(bytes[1..], bytes[0] + 1, 0);
        var uneven = Read(bytes[1..], bytes[0] % 64 + 1, 37);
        FindingException.Unless(whole.SequenceEqual(cut) && whole.SequenceEqual(uneven),
            "pieces give other frames than the whole");
    }

    /// <summary>Each piece is so many bytes longer than the one before it, modulo 64.
    /// </summary>
    private static List<Seen> Read(ReadOnlySpan<byte> stream, int pieceBytes, int longer)
    {
        var reader = new FrameReader();
        var seen = new List<Seen>();
        while (!stream.IsEmpty)
        {
            var piece = stream[..Math.Min(pieceBytes, stream.Length)];
            stream = stream[piece.Length..];
            if (longer > 0)
                pieceBytes = (pieceBytes + longer) % 64 + 1;
            FrameStatus status;
            do
            {
                var before = piece.Length;
                status = reader.Next(ref piece, out var frame);
                FindingException.Unless(status == FrameStatus.Incomplete || piece.Length < before,
                    "a frame that takes no byte");
                FindingException.Unless(frame.Payload.Length <= Limits.MaxUdpPayload,
                    "a packet that no datagram can hold");
                if (status != FrameStatus.Incomplete)
                {
                    seen.Add(new Seen(status, frame.Type, frame.Address.Value, frame.Port,
                        frame.Length, Convert.ToHexString(frame.Payload)));
                }
            }
            while (status == FrameStatus.Frame);
            FindingException.Unless(status != FrameStatus.Incomplete || piece.IsEmpty,
                "bytes are left though the reader wants more");
            if (status != FrameStatus.Incomplete)
                break;
        }
        return seen;
    }
}
