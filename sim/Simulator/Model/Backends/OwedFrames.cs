// Owns the comparison of what is written to a session with the bytes that it is owed, which are
// only taken apart where they differ, to say which frame is wrong, and how.
//
// What always holds: a session is advanced by whole frames up to the first that differs, which is
// reported once.

using System;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Compares frames.</summary>
internal sealed class OwedFrames(ReferenceModel model)
{
    /// <summary>
    /// Takes what was written out of what is owed. If that is another thing, says what, and does
    /// not know from then on what is owed.
    /// </summary>
    public void Take(ExpectedSession session, ReadOnlySpan<byte> bytes)
    {
        var owed = session.Owed;
        if (bytes.Length <= owed.Count && owed.Bytes[..bytes.Length].SequenceEqual(bytes))
        {
            Advance(session, bytes.Length);
            model.ReachedIf(session.RestOfFrame > 0, Situation.FrameWrittenInParts);
            return;
        }
        var same = bytes.CommonPrefixLength(owed.Bytes);
        var whole = WholeFrames(session, same);
        Advance(session, whole);
        bytes = bytes[whole..];
        Explain(session, bytes);
        session.IsLost = true;
        session.HeartbeatEnd = 0;
        session.StalledSince = Instant.Never;
        owed.Clear();
    }

    /// <summary>How many of so many bytes are frames to their end.</summary>
    private static int WholeFrames(ExpectedSession session, int bytes)
    {
        var owed = session.Owed.Bytes;
        var whole = 0;
        var next = session.RestOfFrame > 0 ? session.RestOfFrame
            : owed.Length > 0 ? SeenFrame.SizeOf(owed) : int.MaxValue;
        while (next <= bytes - whole)
        {
            whole += next;
            next = whole < owed.Length ? SeenFrame.SizeOf(owed[whole..]) : int.MaxValue;
        }
        return whole;
    }

    private static void Advance(ExpectedSession session, int bytes)
    {
        for (var left = bytes; left > 0;)
        {
            if (session.RestOfFrame == 0)
                session.RestOfFrame = SeenFrame.SizeOf(session.Owed.Bytes);
            var step = Math.Min(left, session.RestOfFrame);
            session.RestOfFrame -= step;
            session.Owed.Skip(step);
            session.Written += step;
            left -= step;
        }
    }

    /// <summary>Says what the bytes are that were written in the place of what is owed.</summary>
    private void Explain(ExpectedSession session, ReadOnlySpan<byte> bytes)
    {
        var backend = session.Backend;
        var type = SeenFrame.TypeOf(bytes);
        var owed = Describe(session.Owed.Bytes);
        var seen = Describe(bytes);
        var evidence = $"{backend} generation {session.Generation}: wrote {seen}; owed {owed}";
        var isFirst = session.Owed.Bytes.StartsWith(SessionModel.Hello);
        if (isFirst || session.RestOfFrame > 0 || type == SeenFrame.ClientHello)
            model.Report(ViolationKind.OtherGeneration, evidence, backend);
        else if (type == SeenFrame.ClientHeartbeat || owed == "CLIENT_HEARTBEAT")
            model.Report(ViolationKind.Heartbeat, evidence, backend);
        else if (type == SeenFrame.InboundUdp && seen == owed)
            model.Report(ViolationKind.QueryAltered, evidence, backend);
        else
            model.Report(ViolationKind.Misrouted, evidence, backend);
    }

    private static string Describe(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < 4)
            return frame.IsEmpty ? "nothing" : $"{frame.Length} bytes";
        var type = SeenFrame.TypeOf(frame);
        if (SeenFrame.IsQuery(frame))
        {
            var (address, port) = SeenFrame.ClientOf(frame);
            return $"a query of {new Ipv4(address)}:{port}";
        }
        return type switch
        {
            SeenFrame.ClientHello => "CLIENT_HELLO",
            SeenFrame.ClientHeartbeat => "CLIENT_HEARTBEAT",
            SeenFrame.InboundTcp => "INBOUND_TCP",
            _ => $"type {type}",
        };
    }
}
