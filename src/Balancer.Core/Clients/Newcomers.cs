// Owns the newcomers: remotes that have not shown yet that they receive their answers.
// Anybody can send datagrams from forged addresses, and backends answer those too; so
// there are few newcomers at a time, whatever comes in, and it is always a newcomer that makes room
// for one.
//
// What always holds: they are linked in the order in which they were last heard from, so that the
// one that is silent for longest is found at once; the list has each newcomer once, and no other.

namespace Balancer.Core;

/// <summary>The newcomers among the remotes of a table.</summary>
internal sealed class Newcomers(RemoteTable table)
{
    private int _oldest;
    private int _newest;

    public int Count { get; private set; }

    /// <summary>The index of the one that is silent for longest; -1 if there is none.</summary>
    public int Oldest => _oldest - 1;

    /// <summary>Adds one that was just heard from.</summary>
    public void Add(int index)
    {
        ref var remote = ref table[index];
        remote.Older = _newest;
        remote.Newer = 0;
        if (_newest != 0)
            table[_newest - 1].Newer = index + 1;
        else
            _oldest = index + 1;
        _newest = index + 1;
        Count++;
    }

    public void Remove(int index)
    {
        Verify.That(Count > 0, "a newcomer that leaves was in the list");
        ref var remote = ref table[index];
        if (remote.Older != 0)
            table[remote.Older - 1].Newer = remote.Newer;
        else
            _oldest = remote.Newer;
        if (remote.Newer != 0)
            table[remote.Newer - 1].Older = remote.Older;
        else
            _newest = remote.Older;
        remote.Older = 0;
        remote.Newer = 0;
        Count--;
    }

    /// <summary>One was heard from again.</summary>
    public void OnHeard(int index)
    {
        if (_newest == index + 1)
            return;
        Remove(index);
        Add(index);
    }
}
