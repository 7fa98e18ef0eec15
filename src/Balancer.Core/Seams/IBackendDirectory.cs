// The seam to the directory of backend sockets. A scan is a cursor, not a list, so that the core
// decides how much of a large directory one turn of its loop reads.
//
// A directory may be on a file system that does not answer: one whose server is gone. So a call
// that would have to wait for it answers WouldBlock, INetwork.Wait reports when the directory has
// answered, and the call is made again then. That may never be.
//
// What always holds: no call waits, but a Look where the kernel cannot tell whether it would have
// to (docs/behaviour.md, section 3, says where); at most one scan is open at a time; an entry is
// reported as it was at some moment after the scan was first asked for; a scan that did not reach
// EndOfStream says nothing about what was not listed. Changes are reported by
// INetwork.Wait.

using System;

namespace Balancer.Core;

/// <summary>
/// Tells two sockets at the same path apart. Inode numbers alone are used again at once by some
/// file systems, so the adapter adds the time of birth where the file system has one.
/// </summary>
public readonly record struct EntryIdentity(ulong Inode, long BirthNanoseconds);

/// <summary>What an entry of a directory is.</summary>
public enum EntryKind
{
    /// <summary>A socket, or a symbolic link that leads to one.</summary>
    Socket,

    /// <summary>Anything else, a symbolic link that leads nowhere included.</summary>
    Other,

    /// <summary>A socket, or a link to one, of another user than may be.</summary>
    Foreign,

    /// <summary>
    /// Not known: the entry is there, but the file system that it is in, or that it leads to,
    /// does not say what it is.
    /// </summary>
    Unknown,
}

/// <summary>One entry of a directory; its name lives until the next call.</summary>
public readonly ref struct DirectoryEntry(
    ReadOnlySpan<byte> name, EntryKind kind, EntryIdentity identity)
{
    /// <summary>The name as the kernel gives it: any bytes but zero and slash.</summary>
    public ReadOnlySpan<byte> Name { get; } = name;

    public EntryKind Kind { get; } = kind;

    /// <summary>It is known to be a socket.</summary>
    public bool IsSocket => Kind == EntryKind.Socket;

    /// <summary>Which socket it is; means nothing for other entries.</summary>
    public EntryIdentity Identity { get; } = identity;
}

/// <summary>The directory that backends make their sockets in.</summary>
public interface IBackendDirectory
{
    /// <summary>The directory's path, as bytes, without a slash at its end.</summary>
    ReadOnlySpan<byte> Path { get; }

    /// <summary>
    /// Starts a scan: Ok, or why the directory cannot be read (NotFound, …); WouldBlock if it was
    /// asked and has not answered yet, and the call is to be made again when it has.
    /// </summary>
    IoResult OpenScan();

    /// <summary>
    /// Takes the next entry in whatever order the file system has: Ok, EndOfStream, or why the
    /// reading broke off; WouldBlock as for OpenScan. "." and ".." are not reported, nor is one
    /// that vanished since.
    /// </summary>
    IoResult NextEntry(out DirectoryEntry entry);

    /// <summary>Ends a scan, finished or not, opened or only asked for.</summary>
    void CloseScan();

    /// <summary>
    /// Looks whether a scan would find a socket of this name now: Ok, NotFound if not, or why
    /// that is not known: WouldBlock if the directory would have to be waited for.
    /// </summary>
    IoResult Look(ReadOnlySpan<byte> name);
}
