// Owns where queries of one session went that were sent again: of those that count as one for the
// quarantine (Fingerprint), the first says where the others go. Several hosts may have asked what
// ended their backend or hung it; if each copy went where its own client goes, two more backends
// would be ended by one question before it is known that it ends any.
//
// Not all of them are sent again at once: some wait for the budget, or for a backend, and their
// session may end in that time. So this lasts as long as they do. While it is not known whether the
// backend that got the first one hangs, the next waits; when it is known, the quarantine has judged
// that, and the next is refused, or innocent.
//
// What always holds: Limits.SecondBackends are remembered at most, in memory that is counted as the
// session's; the others, and all if there is no memory, go where their clients go.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>The second backends of one session's queries.</summary>
internal sealed class SecondBackends(Services services)
{
    /// <summary>Of an entry and its bucket, about.</summary>
    private const int BytesOfEntry = 56;

    private const int FirstEntries = 16;

    private readonly MemoryShare _memory = new(services.SessionMemory);
    private Dictionary<ulong, Given>? _given;
    private int _room;

    private readonly record struct Given(Backend Backend, long Session);

    /// <summary>What counts as one has the same number.</summary>
    public ulong NumberOf(ReadOnlySpan<byte> query) =>
        Fingerprint.Of(query, services.Options.HashKey);

    /// <summary>Nothing of the session is sent again any more.</summary>
    public void Clear()
    {
        _given = null;
        _room = 0;
        _memory.GiveAllBack();
    }

    /// <summary>
    /// The backend that one like it was given to, if that can take it as well; null if it is not
    /// known yet whether that hangs; or else the backend that was chosen.
    /// </summary>
    public Backend? Find(ulong number, Backend chosen)
    {
        if (_given is null || !_given.TryGetValue(number, out var given))
            return chosen;
        var backend = given.Backend;
        if (backend.SessionNumber != given.Session || backend.State != BackendState.Healthy)
            return chosen;
        if (backend.IsSilent && !backend.IsHung)
            return null;
        return backend.IsAtEase ? backend : chosen;
    }

    /// <summary>A query with this number was given to a backend.</summary>
    public void Add(ulong number, Backend backend)
    {
        _given ??= [];
        if (!_given.ContainsKey(number) && !HasRoom())
            return;
        try
        {
            _given[number] = new Given(backend, backend.SessionNumber);
        }
        catch (OutOfMemoryException)
        {
            // The next one like it goes where its client goes.
        }
    }

    private bool HasRoom()
    {
        if (_given!.Count < _room)
            return true;
        var more = Math.Min(Math.Max(_room, FirstEntries), Limits.SecondBackends - _room);
        if (more == 0 || !_memory.TryTake(more * (long)BytesOfEntry))
            return false;
        _room += more;
        return true;
    }
}
