// Owns each remote's primary and backup, and how many of both each backend has. An
// established remote is in its primary's list; newcomers are only counted, apart, so that a flood
// of forged addresses neither changes what the backends' numbers of remotes are compared by, nor
// is among those that a rebalance moves.
//
// What always holds: each backend's number of remotes is the number of established entries whose
// primary it is, and those entries are linked in its list, newest binding first; its number of
// newcomers is that of the others whose primary it is, its number of backups that of all entries
// whose backup it is.

namespace Balancer.Core;

/// <summary>Binds the remotes of a table to backends.</summary>
internal sealed class Bindings(RemoteTable table, Backends backends, IBalancerLog log)
{
    /// <summary>
    /// Where a walk along a backend's list, newest first, is, as index + 1; 0 at its end. It goes
    /// on behind one that leaves the list.
    /// </summary>
    public int WalkAt { get; set; }

    /// <summary>
    /// Makes a backend the primary of a remote that has none; newest in its list.
    /// </summary>
    public void Bind(int index, Backend backend)
    {
        ref var remote = ref table[index];
        Verify.That(remote.Primary == 0, "a remote is in one backend's list at most");
        remote.Primary = (ushort)backend.Slot;
        if (remote.IsEstablished)
            Link(ref remote, index, backend);
        else
            backend.NewcomerCount++;
        log.Write(new LogEvent.RemoteAssigned(remote.Address, backend.Id, IsBackup: false));
    }

    /// <summary>Takes primary and backup away.</summary>
    public void Unbind(int index)
    {
        ref var remote = ref table[index];
        SetBackup(ref remote, null);
        var primary = backends.AtSlot(remote.Primary);
        if (primary is null)
            return;
        if (remote.IsEstablished)
            Unlink(ref remote, index, primary);
        else
            LoseNewcomer(primary);
        remote.Primary = 0;
    }

    /// <summary>One that is a newcomer no longer counts for its backend.</summary>
    public void Establish(int index)
    {
        ref var remote = ref table[index];
        remote.Flags |= RemoteFlags.Established;
        if (backends.AtSlot(remote.Primary) is not { } primary)
            return;
        LoseNewcomer(primary);
        Link(ref remote, index, primary);
    }

    public void SetBackup(ref Remote remote, Backend? backup)
    {
        if (backends.AtSlot(remote.Backup) is { } before)
        {
            Verify.That(before.BackupCount > 0, "a backend counts the remotes it is backup of");
            before.BackupCount--;
        }
        remote.Backup = (ushort)(backup?.Slot ?? 0);
        if (backup is not null)
            backup.BackupCount++;
    }

    private static void LoseNewcomer(Backend primary)
    {
        Verify.That(primary.NewcomerCount > 0, "a backend counts its newcomers");
        primary.NewcomerCount--;
    }

    private void Link(ref Remote remote, int index, Backend primary)
    {
        remote.Older = primary.NewestRemote;
        remote.Newer = 0;
        if (primary.NewestRemote != 0)
            table[primary.NewestRemote - 1].Newer = index + 1;
        primary.NewestRemote = index + 1;
        primary.RemoteCount++;
    }

    private void Unlink(ref Remote remote, int index, Backend primary)
    {
        Verify.That(primary.RemoteCount > 0, "a backend counts every remote that is bound to it");
        if (WalkAt == index + 1)
            WalkAt = remote.Older;
        if (remote.Older != 0)
            table[remote.Older - 1].Newer = remote.Newer;
        if (remote.Newer != 0)
            table[remote.Newer - 1].Older = remote.Older;
        else
            primary.NewestRemote = remote.Older;
        Verify.That(remote.Older != 0 || remote.Newer != 0 || primary.RemoteCount == 1,
            "the list of a backend's remotes is whole");
        primary.RemoteCount--;
        remote.Older = 0;
        remote.Newer = 0;
    }
}
