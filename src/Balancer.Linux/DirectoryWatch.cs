// Owns the inotify instance that says when the directory of backends changed. It says no more
// than that: a scan finds out what, and finds it out every few seconds in any case, so a watch
// that cannot be had costs seconds and nothing else.
//
// Why it is so: inotify_add_watch answers with the number it already has for a directory that is
// watched, and with a new one for another directory. So adding the watch again before each scan
// follows a directory that was deleted, moved away or replaced, with no look at inodes. And it
// must be before: what changes after the scan has passed is then reported. That another directory
// is at the path is for the reader's thread to see (DirectoryReader).
//
// The path is followed on the reader's thread, since it may have to be waited for, and what came is
// taken by the loop. A number that the loop does not know yet is that of a watch which is followed
// by a scan in any case.
//
// What always holds: at most one watch is in the instance, but for the moment in which it changes.

using System;
using System.Runtime.InteropServices;
using System.Threading;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class DirectoryWatch : IDisposable
{
    private const int NoWatch = -1;

    /// <summary>Some hundred events.</summary>
    private const int BufferBytes = 16 * 1024;

    /// <summary>Reads of one drain; the rest is still there for the next.</summary>
    private const int ReadsPerDrain = 16;

    private const uint Mask = C.IN_CREATE | C.IN_DELETE | C.IN_MOVED_FROM | C.IN_MOVED_TO
        | C.IN_DELETE_SELF | C.IN_MOVE_SELF | C.IN_ONLYDIR;

    private readonly byte* _buffer;
    private int _watch = NoWatch;

    private DirectoryWatch(int descriptor)
    {
        Descriptor = descriptor;
        _buffer = (byte*)NativeMemory.Alloc(BufferBytes);
    }

    internal int Descriptor { get; }

    /// <summary>A watch of nothing yet, or null and the errno.</summary>
    internal static DirectoryWatch? TryCreate(out int errno)
    {
        var descriptor = LibC.InotifyInit1(C.IN_NONBLOCK | C.IN_CLOEXEC);
        errno = descriptor < 0 ? LibC.Errno : 0;
        return descriptor < 0 ? null : new DirectoryWatch(descriptor);
    }

    /// <summary>
    /// Watches the directory that is at the path now, and no other; 0 or the errno, when none is
    /// watched.
    /// </summary>
    internal int Follow(byte* path)
    {
        var watch = LibC.InotifyAddWatch(Descriptor, path, Mask);
        var errno = watch < 0 ? LibC.Errno : 0;
        if (_watch != NoWatch && _watch != watch)
            _ = LibC.InotifyRmWatch(Descriptor, _watch);
        Volatile.Write(ref _watch, watch < 0 ? NoWatch : watch);
        return errno;
    }

    /// <summary>Takes what waits, up to a bound; whether the directory watched changed.</summary>
    internal bool Drain()
    {
        var changed = false;
        for (var reads = 0; reads < ReadsPerDrain; reads++)
        {
            var bytes = LibC.Read(Descriptor, _buffer, BufferBytes);
            if (bytes <= 0)
                break;
            changed |= Look((int)bytes);
        }
        return changed;
    }

    public void Dispose()
    {
        _ = LibC.Close(Descriptor);
        NativeMemory.Free(_buffer);
    }

    private bool Look(int bytes)
    {
        var changed = false;
        for (var at = 0; at < bytes;)
        {
            var inotifyEvent = (InotifyEvent*)(_buffer + at);
            at += sizeof(InotifyEvent) + (int)inotifyEvent->NameBytes;
            // -1 tells that events were lost; those of a watch that was let go are old news.
            var watch = Volatile.Read(ref _watch);
            if (inotifyEvent->Watch != watch && inotifyEvent->Watch != -1)
                continue;
            changed = true;
            if ((inotifyEvent->Mask & C.IN_IGNORED) != 0)
                _ = Interlocked.CompareExchange(ref _watch, NoWatch, watch);
        }
        return changed;
    }
}
