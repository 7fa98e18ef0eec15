// Owns the names of the directory's entries that belong to a user who may have no backend, and
// since when each is there. A process that is started as root binds its socket first and gives it
// away then, so one that has just come is looked at a few more times before it is refused: as long
// as the quiet tries of a connect take, and at the same times.
//
// What always holds: as many names as the bound says are remembered at most, and those beyond it
// are refused at once; what a complete scan did not see is forgotten.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>Entries that are another user's, for now or for good.</summary>
internal sealed class ForeignEntries
{
    private readonly List<(byte[] Name, Instant Since, long Scan)> _entries = [];

    /// <summary>
    /// A scan saw a name; when to look again since it may be given away still, or Never: it is
    /// to be refused.
    /// </summary>
    public Instant Note(Instant now, ReadOnlySpan<byte> name, long scan)
    {
        for (var n = 0; n < _entries.Count; n++)
        {
            var (known, since, _) = _entries[n];
            if (!name.SequenceEqual(known))
                continue;
            _entries[n] = (known, since, scan);
            return NextLook(now, since);
        }
        if (_entries.Count == Limits.MaxBackends)
            return Instant.Never;
        _entries.Add((name.ToArray(), now, scan));
        Verify.That(_entries.Count <= Limits.MaxBackends, "names of other users have a bound");
        return NextLook(now, now);
    }

    /// <summary>Forgets the names that the given scan, now complete, did not see.</summary>
    public void ForgetAllBefore(long scan)
    {
        // A lambda that knows the scan would take memory.
        for (var n = _entries.Count - 1; n >= 0; n--)
        {
            if (_entries[n].Scan < scan)
                _entries.RemoveAt(n);
        }
    }

    private static Instant NextLook(Instant now, Instant since)
    {
        var look = since;
        for (var n = 0; n < Limits.QuietTries; n++)
        {
            look += new Duration(Limits.FirstQuietDelay.Nanoseconds << n);
            if (look > now)
                return look;
        }
        return Instant.Never;
    }
}
