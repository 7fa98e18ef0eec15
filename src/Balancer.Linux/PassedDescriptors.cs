// Owns what becomes of descriptors that a backend passes over a session (SCM_RIGHTS). Nobody wants
// them, but the kernel closes those that are not taken on the thread that reads what they came
// with, or that closes the session unread, and a close may wait: a TCP socket with SO_LINGER for as
// long as its owner set, a file of a mount that hangs for ever. So one backend could stop the loop.
//
// Since Linux 6.16 a socket may refuse them (SO_PASSRIGHTS): then they stay with the backend, whose
// sendmsg fails. Where there is no such option they are looked for before each read, with MSG_PEEK,
// and no more is read than was looked at. A session over which any came is never read further: the
// backend is faulted, and a thread that is made at start closes the session with them. That thread
// closes nothing else, so what hangs in it holds up no other session and no connection. Each
// session that it has costs one descriptor, however many were passed; while it has a few, backends
// that passed any are not connected to.
//
// Why it is so (measured on 6.18, a socket with a linger of 3 s): recv and read take 3 s, recvmsg
// with room for the descriptor no time, and so does MSG_PEEK, but then the close takes 3 s. To take
// them would cost a descriptor each, and at the limit the kernel closes the rest in the loop. A
// look has no room for any: the kernel says that there were some and makes none here, whose close
// may wait although the session has it still, since a file's server hears of each. A look takes
// some 1 µs.
//
// A byte that is sent out of band (MSG_OOB) is not looked at by MSG_PEEK, nor is what was passed
// with it, and what is ready stays so. So such a session has it in line, where it is one byte more:
// in a frame, which is then a wrong one.
//
// What always holds: nothing here waits but the thread; a session that the loop closes has nothing
// unread.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class PassedDescriptors : IDisposable
{
    /// <summary>Of what a stream has unread at its end, more than the kernel buffers.</summary>
    private const int MostUnread = 64 * Limits.ReadBytes;

    /// <summary>Of sessions, for which there is memory from the start.</summary>
    private const int Places = Limits.MaxBackends + Limits.UnclosedSessions;

    private readonly object _gate = new();
    private readonly Queue<(int Descriptor, ulong Peer)> _toClose = new(Places);
    private readonly Dictionary<ulong, int> _unclosed = new(Places);
    private readonly byte* _unread;
    private int _unclosedSessions;
    private bool _isOver;

    /// <summary>Throws NetworkSetupException if a thread is needed and cannot be made.</summary>
    /// <param name="forceFallbacks">As where a socket cannot refuse them.</param>
    internal PassedDescriptors(bool forceFallbacks)
    {
        AreRefused = !forceFallbacks && CanRefuse();
        if (AreRefused)
            return;
        _unread = (byte*)NativeMemory.Alloc(Limits.ReadBytes);
        BackgroundThread.Start("closer", CloseForEver);
    }

    /// <summary>The kernel refuses passed descriptors; no special close is needed.</summary>
    internal bool AreRefused { get; }

    /// <summary>
    /// Has a socket refuse them, where that can be, or show what it cannot refuse; before it is
    /// connected.
    /// </summary>
    internal void Refuse(int fd)
    {
        var (option, value) = AreRefused ? (C.SO_PASSRIGHTS, 0) : (C.SO_OOBINLINE, 1);
        _ = LibC.SetSockOpt(fd, C.SOL_SOCKET, option, &value, sizeof(int));
    }

    /// <summary>Whether a peer, by a number of its own, may be connected to.</summary>
    internal bool MayConnect(ulong peer)
    {
        if (AreRefused)
            return true;
        lock (_gate)
        {
            return _unclosedSessions < Limits.UnclosedSessions || !_unclosed.ContainsKey(peer);
        }
    }

    /// <summary>
    /// Reads a session that does not refuse them, as recv does; if any came, nothing is read and
    /// hasPassed says so.
    /// </summary>
    internal static nint Receive(int fd, byte* into, nuint length, out bool hasPassed)
    {
        var count = Peek(fd, into, length, out hasPassed);
        // Behind what was looked at some may have come by now.
        return count <= 0 || hasPassed ? count
            : LibC.Recv(fd, into, (nuint)count, C.MSG_DONTWAIT);
    }

    /// <summary>
    /// Closes a session that does not refuse them; its peer sees the end at once.
    /// </summary>
    internal void CloseSession(int fd, ulong peer)
    {
        // From here on nothing more comes.
        _ = LibC.Shutdown(fd, C.SHUT_RDWR);
        var unread = 0L;
        while (unread < MostUnread)
        {
            var count = Receive(fd, _unread, Limits.ReadBytes, out var hasPassed);
            if (hasPassed)
                break;
            if (count > 0)
            {
                unread += count;
            }
            else if (count == 0 || LibC.Errno != Errno.EINTR)
            {
                _ = LibC.Close(fd);
                return;
            }
        }
        Close(fd, peer);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isOver = true;
            Monitor.Pulse(_gate);
        }
    }

    private static bool CanRefuse()
    {
        var fd = LibC.Socket(C.AF_UNIX, C.SOCK_STREAM | C.SOCK_CLOEXEC, 0);
        if (fd < 0)
            throw NetworkSetupException.For("cannot make a socket", LibC.Errno);
        var none = 0;
        var can = LibC.SetSockOpt(fd, C.SOL_SOCKET, C.SO_PASSRIGHTS, &none, sizeof(int)) == 0;
        _ = LibC.Close(fd);
        return can;
    }

    /// <summary>What recv would read, with a note of descriptors; all stays where it is.</summary>
    private static nint Peek(int fd, byte* into, nuint length, out bool hasPassed)
    {
        var vector = new IoVector { Base = into, Length = length };
        // There is no room for a descriptor: the kernel says that some were cut off, and makes
        // none here, which would have to be closed, and that may wait for a file's server.
        var message = new MessageHeader { Vectors = &vector, VectorCount = 1 };
        var count = LibC.RecvMsg(fd, &message, C.MSG_PEEK | C.MSG_DONTWAIT);
        hasPassed = count >= 0 && (message.Flags & C.MSG_CTRUNC) != 0;
        return count;
    }

    private void Close(int fd, ulong peer)
    {
        lock (_gate)
        {
            _toClose.Enqueue((fd, peer));
            _unclosedSessions++;
            _unclosed[peer] = _unclosed.GetValueOrDefault(peer) + 1;
            Monitor.Pulse(_gate);
        }
    }

    private void CloseForEver()
    {
        while (true)
        {
            (int Descriptor, ulong Peer) next;
            lock (_gate)
            {
                while (_toClose.Count == 0 && !_isOver)
                    Monitor.Wait(_gate);
                if (_toClose.Count == 0)
                    break;
                next = _toClose.Dequeue();
            }
            _ = LibC.Close(next.Descriptor);
            lock (_gate)
            {
                _unclosedSessions--;
                if (--_unclosed[next.Peer] == 0)
                    _unclosed.Remove(next.Peer);
            }
        }
        NativeMemory.Free(_unread);
    }
}
