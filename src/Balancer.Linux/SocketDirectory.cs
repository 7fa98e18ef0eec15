// Owns the directory in which backends make their sockets, as the loop sees it: a cursor over what
// the reader's thread hands over, and the looks that wait for nothing (SocketPaths).
//
// Why it is so: which socket an entry is shows by its inode and its time of birth. The inode
// alone will not do: on ext4, and on overlayfs above it, a socket that is unlinked and bound again
// gets the very same inode number (measured: ten times of ten), while tmpfs counts up. The time of
// change will not do either, since chmod and link change it, and Binder's start may well chmod its
// socket. The time of birth is untouched by chmod, connect, rename and link, and differs after
// unlink and bind, on ext4, tmpfs, overlayfs on ext4 and overlayfs on tmpfs (measured on 6.18).
// Kernels before 6.13 stamp files at the grain of the timer, up to 10 ms: a socket replaced
// within that time on ext4 looks like the old one, and only the session's end shows it. Where a
// file system has no time of birth, the time of modification takes its place, which for a socket
// only touch(1) changes after its birth. A socket that is held keeps its inode number from being
// used again.
//
// What always holds: nothing waits for the directory, the end included; but a look may where there
// is no openat2 (SocketPaths).

using System;
using System.Collections.Generic;
using Balancer.Core;

namespace Balancer.Linux;

/// <summary>The directory in production. The network's Wait reports its changes.</summary>
public sealed class SocketDirectory : IBackendDirectory, IDisposable
{
    /// <summary>
    /// For how long a start waits for the directory, only to say at once what its watch lacks.
    /// </summary>
    private static readonly TimeSpan WatchPatience = TimeSpan.FromMilliseconds(100);

    private readonly byte[] _path;
    private readonly LinuxNetwork _network;
    private readonly DirectoryReader _reader;
    private readonly DirectoryWatch? _watch;
    private readonly List<string> _warnings = [];
    private State _state;
    private bool _isAsked;
    private int _next;

    /// <summary>
    /// Throws NetworkSetupException if its thread cannot be made.
    /// </summary>
    /// <param name="path">1 byte or more, none of them zero; slashes at its end go.</param>
    /// <param name="network">Its Wait reports changes; must outlive the directory.</param>
    /// <param name="forceFallbacks">No inotify, as where the kernel has none.</param>
    public SocketDirectory(ReadOnlySpan<byte> path, LinuxNetwork network, bool forceFallbacks)
    {
        Verify.That(path.Length > 0 && !path.Contains((byte)0), "a path is a C string");
        _network = network;
        _path = path.TrimEnd((byte)'/').ToArray();
        if (!forceFallbacks)
            _watch = StartWatch();
        _reader = new DirectoryReader(_path, network, _watch);
        var errno = _reader.AwaitWatch(WatchPatience);
        if (errno != 0)
            Warn(errno);
    }

    private enum State
    {
        Closed,

        /// <summary>The reader was asked to open a scan.</summary>
        Opening,

        /// <summary>A scan is open.</summary>
        Open,
    }

    public ReadOnlySpan<byte> Path => _path;

    /// <summary>Why changes are not noticed at once.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    public IoResult OpenScan()
    {
        Verify.That(_state != State.Open, "one scan is open at a time");
        if (_state == State.Closed)
        {
            _reader.Ask(DirectoryReader.Request.Open);
            _state = State.Opening;
            return IoResult.Failed(IoStatus.WouldBlock);
        }
        if (_reader.IsBusy)
            return IoResult.Failed(IoStatus.WouldBlock);
        _state = _reader.Opened.IsOk ? State.Open : State.Closed;
        _isAsked = false;
        _next = 0;
        return _reader.Opened;
    }

    public IoResult NextEntry(out DirectoryEntry entry)
    {
        Verify.That(_state == State.Open, "a scan is open");
        entry = default;
        if (_isAsked)
        {
            if (_reader.IsBusy)
                return IoResult.Failed(IoStatus.WouldBlock);
            _isAsked = false;
            _next = 0;
        }
        if (_next < _reader.Count)
        {
            entry = _reader.Entry(_next++);
            return IoResult.Ok();
        }
        if (!_reader.Rest.IsOk)
            return _reader.Rest;
        _reader.Ask(DirectoryReader.Request.More);
        _isAsked = true;
        return IoResult.Failed(IoStatus.WouldBlock);
    }

    public void CloseScan()
    {
        var isOver = _state == State.Open && !_reader.IsBusy && !_reader.Rest.IsOk;
        if (_state != State.Closed && !isOver)
            _reader.Ask(DirectoryReader.Request.Close);
        _state = State.Closed;
    }

    public IoResult Look(ReadOnlySpan<byte> name)
    {
        Span<byte> path = stackalloc byte[_path.Length + 1 + name.Length];
        _path.CopyTo(path);
        path[_path.Length] = (byte)'/';
        name.CopyTo(path[(_path.Length + 1)..]);
        return _network.Paths.Look(path);
    }

    public void Dispose()
    {
        if (_watch is not null)
            _network.Detach(_watch);
        _reader.Ask(DirectoryReader.Request.End);
    }

    /// <summary>An instance that watches nothing yet; the reader has it follow the path.</summary>
    private DirectoryWatch? StartWatch()
    {
        var watch = DirectoryWatch.TryCreate(out var errno);
        if (watch is not null)
            errno = _network.Attach(watch);
        if (errno == 0)
            return watch;
        Warn(errno);
        watch?.Dispose();
        return null;
    }

    private void Warn(int errno) => _warnings.Add(NetworkSetupException.Explain(
        "changes in the socket directory are noticed only by the periodic scan", errno));
}
