// Owns the names of the directory's entries that do not become backends, and why they do not, so
// that each is logged once while it stays.
//
// What always holds: as many names as the bound says are remembered at most; what a complete scan
// did not see is forgotten, and logged again when it comes back.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>Why an entry of the directory does not become a backend.</summary>
public enum EntryRefusal
{
    /// <summary>Its path is longer than 107 bytes.</summary>
    PathTooLong,

    /// <summary>As many backends as may be are known.</summary>
    TooManyBackends,

    /// <summary>What it is cannot be found out.</summary>
    Unknown,

    /// <summary>A connect found it to be a socket of datagrams or of packets.</summary>
    NotAStream,

    /// <summary>It belongs to another user than may be, or such a one listens on it.</summary>
    WrongUser,
}

/// <summary>
/// Remembers the names of entries that were refused, so that each is logged once while it stays;
/// bounded, and those beyond the bound are not logged at all.
/// </summary>
internal sealed class RefusedEntries(int bound)
{
    private readonly List<(byte[] Name, long Scan)> _entries = [];

    /// <summary>Notes that a scan saw a name; whether it is new and there is room for it.</summary>
    public bool TryNote(ReadOnlySpan<byte> name, long scan)
    {
        for (var i = 0; i < _entries.Count; i++)
        {
            if (!name.SequenceEqual(_entries[i].Name))
                continue;
            _entries[i] = (_entries[i].Name, scan);
            return false;
        }
        Verify.That(_entries.Count <= bound, "no more names are remembered than may be");
        if (_entries.Count == bound)
            return false;
        _entries.Add((name.ToArray(), scan));
        return true;
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
}
