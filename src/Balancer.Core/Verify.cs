// Owns the one way in which the core says "this is a bug". The checks are always on: a balancer
// that goes on with a broken invariant answers wrongly, one that ends is restarted by its
// supervisor within a second.
//
// What always holds: nothing that a client, a backend or the kernel does reaches a Verify.

using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Balancer.Core;

/// <summary>An invariant of the core does not hold: a bug, never a peer's doing.</summary>
public sealed class VerificationException(string message) : Exception(message);

/// <summary>Checks of invariants, in every build.</summary>
public static class Verify
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void That([DoesNotReturnIf(false)] bool holds, string invariant)
    {
        if (!holds)
            Fail(invariant);
    }

    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Fail(string invariant) =>
        throw new VerificationException("invariant broken: " + invariant);
}
