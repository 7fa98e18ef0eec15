// Owns the paths that this process made: taken over from a dead process at start, unlinked at an
// orderly stop, left behind by a crash.
//
// What always holds: nothing but a socket is ever unlinked, and at the stop only the very file
// that this process made: who has put another in its place keeps it.

using System;
using System.Collections.Generic;

namespace FakeBinder;

/// <summary>The system does not let the process do what its command line says.</summary>
internal sealed class StartException(string message, int exitCode = 1) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}

internal sealed class SocketPaths
{
    public const int Backlog = 511; // as node has it

    private readonly object _lock = new();
    private readonly List<(string Path, FileIdentity Identity)> _made = [];

    /// <summary>Listens at the path and returns the descriptor, or throws StartException.</summary>
    public int Listen(string path)
    {
        lock (_lock)
        {
            RemoveStale(path);
            var listener = LibC.Listen(path, Backlog);
            if (listener < 0 || LibC.Stat(path, out var identity, out _) != 0)
                throw new StartException($"cannot listen on {path}: {LibC.LastErrorText()}");
            _made.Add((path, identity));
            return listener;
        }
    }

    /// <summary>Unlinks what is still ours; called from the thread of a signal.</summary>
    public void UnlinkOwn()
    {
        lock (_lock)
        {
            foreach (var (path, identity) in _made)
            {
                if (LibC.Stat(path, out var present, out _) == 0 && present == identity)
                    LibC.Unlink(path);
            }
        }
    }

    private static void RemoveStale(string path)
    {
        if (LibC.Stat(path, out _, out var isSocket) != 0)
            return;
        if (!isSocket)
            throw new StartException($"{path} exists and is not a socket; it was left as it is");
        LibC.Unlink(path);
    }
}
