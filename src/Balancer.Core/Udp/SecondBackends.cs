// Owns where queries of one session went that are sent again: of those that count as one for the
// quarantine (Fingerprint), the first says where the others go. Several hosts may have asked what
// ended their backend or hung it; if each copy went where its own client goes, two more backends
// would be ended by one question before it is known that it ends any.
//
// What always holds: Limits.SecondBackends are remembered at most; the others, and all if there is
// no memory, go where their clients go.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>The second backends of one session's queries.</summary>
/// <param name="hashKey">See BalancerOptions.HashKey.</param>
internal sealed class SecondBackends(ulong hashKey)
{
    private readonly Dictionary<ulong, (Backend Backend, long Session)> _given = [];

    /// <summary>What counts as one has the same number.</summary>
    public ulong NumberOf(ReadOnlySpan<byte> query) => Fingerprint.Of(query, hashKey);

    /// <summary>Another session's queries are next.</summary>
    public void Clear() => _given.Clear();

    /// <summary>
    /// The backend that one like it was given to, if that can take it as well; or else this one.
    /// </summary>
    public Backend Find(Instant now, ulong number, Backend chosen) =>
        _given.TryGetValue(number, out var given) && given.Backend is var backend
            && backend.SessionNumber == given.Session && backend.State == BackendState.Healthy
            && backend.IsAtEase && !backend.IsDoubtful(now) ? backend : chosen;

    /// <summary>A query with this number was given to a backend.</summary>
    public void Add(ulong number, Backend backend)
    {
        if (_given.Count >= Limits.SecondBackends && !_given.ContainsKey(number))
            return;
        try
        {
            _given[number] = (backend, backend.SessionNumber);
        }
        catch (OutOfMemoryException)
        {
            // The next one like it goes where its client goes.
        }
    }
}
