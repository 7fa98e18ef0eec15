// Owns the question that a test's TCP client begins with, so that a backend is looked for, when the
// test is about what comes after that: a scripted backend answers it and keeps no record of it, and
// the client takes the answer, so that neither has it before it.
//
// What always holds: nothing but this question is taken for it.

using System;
using Simulation.Kernel;

namespace Tests.Support;

/// <summary>A question that counts for nothing in a test.</summary>
public static class Opening
{
    /// <summary>The message behind its length; a response would be the same.</summary>
    internal static ReadOnlySpan<byte> Bytes => [0, 12, 0xa7, 0x5e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// <summary>Asks it, and takes its answer when that comes.</summary>
    public static void Ask(SimStream client)
    {
        var left = Bytes.Length;
        client.OnReadable = stream =>
        {
            Span<byte> taken = stackalloc byte[left];
            var result = stream.Read(taken);
            left -= result.Count;
            if (left == 0 || !(result.IsOk || result.Status == Balancer.Core.IoStatus.WouldBlock))
                stream.OnReadable = null;
        };
        client.Send(Bytes);
    }
}
