// Owns the following of links, on a thread of its own: a link may lead to a file system whose
// server hangs, and the thread that reads the directory would wait there, and find nothing any
// more. So it asks here and waits a moment, and what a link leads to is unknown until there is an
// answer.
//
// What the kernel has in its cache is looked up at once, without the thread: so links that were
// followed before are followed still while the thread hangs in another. It hangs in one at a time,
// and the others that are not in the cache are unknown as well.
//
// An answer that comes late is kept for the scan that is asked for then, since a server that is
// slow would be late for that one again. If the scan does not ask for it, another may be followed.
//
// What always holds: nobody waits here for longer than Limits.LinkPatience; a directory that the
// thread still needs is closed by the thread, as is an answer that nobody took by the end, and
// nothing waits for its end.

using System;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class LinkFollower
{
    private const int NoDescriptor = -1;

    /// <summary>A name's bytes, and the zero behind them.</summary>
    private const int NameBytes = 256;

    private static readonly TimeSpan Patience =
        TimeSpan.FromMilliseconds(Limits.LinkPatience.Nanoseconds / 1_000_000);

    private readonly object _gate = new();
    private readonly LinuxNetwork _network;
    private readonly KnownCalls _calls;
    private readonly byte* _name;
    private State _state;
    private int _directory;
    private bool _closesDirectory;
    private EntryIdentity _link;
    private int _errno;
    private int _found;
    private FileStatus _status;
    private bool _isLate;
    private int _scans;
    private bool _isOver;

    /// <summary>Throws NetworkSetupException if the thread cannot be made.</summary>
    internal LinkFollower(LinuxNetwork network)
    {
        _network = network;
        _calls = network.Calls;
        _name = (byte*)NativeMemory.AllocZeroed(NameBytes);
        BackgroundThread.Start("links", Run);
    }

    private enum State
    {
        Idle,

        /// <summary>The thread is to follow a link, or does.</summary>
        Asked,

        /// <summary>There is an answer that nobody took yet.</summary>
        Answered,
    }

    /// <summary>A scan begins; an answer that the last one did not ask for is given up.</summary>
    internal void BeginScan()
    {
        lock (_gate)
        {
            if (_state == State.Answered && _scans++ > 0)
                GiveUp();
        }
    }

    /// <summary>
    /// Opens what a link leads to, as O_PATH does: 0, or an errno, EAGAIN if there is no answer
    /// yet; Wait reports DirectoryChanged when there is.
    /// </summary>
    /// <param name="directory">To be closed with Close.</param>
    /// <param name="name">Of an entry of it, with a zero at its end.</param>
    /// <param name="link">Which link that is.</param>
    /// <param name="status">What it leads to.</param>
    /// <param name="found">To be closed by the caller; -1 if the result is not 0.</param>
    internal int Follow(
        int directory, byte* name, EntryIdentity link, FileStatus* status, out int found)
    {
        var errno = FollowCached(directory, name, status, out found);
        if (errno != Errno.EAGAIN)
            return errno;
        var text = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name);
        lock (_gate)
        {
            if (_state == State.Answered && IsOf(text))
            {
                if (link == _link)
                    return Take(status, out found);
                GiveUp();
            }
            if (_state != State.Idle || text.Length >= NameBytes)
                return Errno.EAGAIN;
            var own = new Span<byte>(_name, NameBytes);
            own.Clear();
            text.CopyTo(own);
            (_directory, _link) = (directory, link);
            (_isLate, _closesDirectory, _scans) = (false, false, 0);
            _state = State.Asked;
            Monitor.PulseAll(_gate);
            var asked = Stopwatch.GetTimestamp();
            var left = Patience;
            while (_state == State.Asked && left > TimeSpan.Zero)
            {
                // A wait may end before its time.
                Monitor.Wait(_gate, left);
                left = Patience - Stopwatch.GetElapsedTime(asked);
            }
            _isLate = _state == State.Asked;
            return _isLate ? Errno.EAGAIN : Take(status, out found);
        }
    }

    /// <summary>Closes a directory, or has the thread do it when it is done with it.</summary>
    internal void Close(int directory)
    {
        lock (_gate)
        {
            if (_state == State.Asked && _directory == directory)
            {
                _closesDirectory = true;
                return;
            }
        }
        _ = LibC.Close(directory);
    }

    /// <summary>Has the thread end when it can.</summary>
    internal void End()
    {
        lock (_gate)
        {
            _isOver = true;
            Monitor.PulseAll(_gate);
        }
    }

    private bool IsOf(ReadOnlySpan<byte> name) =>
        name.SequenceEqual(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(_name));

    private void GiveUp()
    {
        _state = State.Idle;
        if (_found != NoDescriptor)
            _ = LibC.Close(_found);
    }

    private int Take(FileStatus* status, out int found)
    {
        _state = State.Idle;
        *status = _status;
        found = _found;
        return _errno;
    }

    /// <summary>
    /// The same with what the kernel has in its cache; EAGAIN if it must be waited for.
    /// </summary>
    private int FollowCached(int directory, byte* name, FileStatus* status, out int found)
    {
        found = NoDescriptor;
        // Without statx a look asks the file's server.
        if (!_calls.WalksCached || !_calls.TellsBirths)
            return Errno.EAGAIN;
        var how = new OpenHow { Flags = C.O_PATH | C.O_CLOEXEC, Resolve = C.RESOLVE_CACHED };
        found = LibC.OpenAt2(directory, name, &how);
        if (found < 0)
        {
            found = NoDescriptor;
            return LibC.Errno;
        }
        var errno = Look(ref found, C.AT_STATX_DONT_SYNC, status);
        return errno == 0 ? 0 : Errno.EAGAIN;
    }

    /// <summary>Looks at what was opened, and closes it if that fails.</summary>
    private int Look(ref int found, int flags, FileStatus* status)
    {
        byte nothing = 0;
        int errno;
        do
        {
            errno = _calls.Look(found, &nothing, C.AT_EMPTY_PATH | flags,
                DirectoryReader.IdentityMask, status);
        }
        while (errno == Errno.EINTR);
        if (errno == 0)
            return 0;
        _ = LibC.Close(found);
        found = NoDescriptor;
        return errno;
    }

    // ---- On the thread ----

    private void Run()
    {
        while (IsAsked())
        {
            _network.Paths.IsFollowerAtWork = true;
            FileStatus status = default;
            int found;
            do
            {
                found = LibC.OpenAt(_directory, _name, C.O_PATH | C.O_CLOEXEC);
            }
            while (found < 0 && LibC.Errno == Errno.EINTR);
            var errno = found < 0 ? LibC.Errno : Look(ref found, 0, &status);
            _network.Paths.IsFollowerAtWork = false;
            Answer(errno, found < 0 ? NoDescriptor : found, in status);
        }
        // Nobody asks any more.
        lock (_gate)
        {
            if (_state == State.Answered)
                GiveUp();
        }
        NativeMemory.Free(_name);
    }

    /// <summary>Waits for a link to follow; false at the end.</summary>
    private bool IsAsked()
    {
        lock (_gate)
        {
            while (_state != State.Asked && !_isOver)
                Monitor.Wait(_gate);
            return !_isOver;
        }
    }

    private void Answer(int errno, int found, in FileStatus status)
    {
        int toClose;
        lock (_gate)
        {
            (_errno, _found, _status) = (errno, found, status);
            _state = State.Answered;
            toClose = _closesDirectory ? _directory : NoDescriptor;
            Monitor.PulseAll(_gate);
            if (_isLate)
                _network.Post(NetworkEventKind.DirectoryChanged);
        }
        if (toClose != NoDescriptor)
            _ = LibC.Close(toClose);
    }
}
