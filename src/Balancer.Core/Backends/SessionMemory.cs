// Owns how much memory sessions to backends may take for what they have in flight and in their
// queues, all together. Clients fill it, and backends that do not answer leave it full; without a
// bound below what the process may have, there would be none for a record, a scan or a connection.
//
// What a session has from its start is not counted. It takes more as long as all that it has then
// is no more than what is left for others. So one that hangs has half of all that there is, two
// have a third each, and for one that answers there is always some.
//
// What always holds: what was taken is given back when the session ends and nothing of it is in
// flight any more; it never exceeds the bound.

using System;

namespace Balancer.Core;

/// <summary>The memory of all sessions.</summary>
/// <param name="bound">Bytes that may be taken.</param>
internal sealed class SessionMemory(long bound)
{
    /// <summary>Bytes that are taken.</summary>
    public long Taken { get; private set; }

    /// <summary>Takes bytes for somebody who has some; false if there are not enough.</summary>
    public bool TryTake(long has, long more)
    {
        if (has + more > bound - Taken - more)
            return false;
        Taken += more;
        return true;
    }

    public void GiveBack(long bytes)
    {
        Taken -= bytes;
        Verify.That(Taken >= 0, "what a session gives back it took");
    }
}

/// <summary>What one session has taken for one thing.</summary>
internal sealed class MemoryShare(SessionMemory memory)
{
    private long _bytes;

    public bool IsEmpty => _bytes == 0;

    public bool TryTake(long bytes)
    {
        if (!memory.TryTake(_bytes, bytes))
            return false;
        _bytes += bytes;
        return true;
    }

    public void GiveBack(long bytes)
    {
        Verify.That(bytes <= _bytes, "no more is given back than was taken");
        _bytes -= bytes;
        memory.GiveBack(bytes);
    }

    public void GiveAllBack() => GiveBack(_bytes);
}
