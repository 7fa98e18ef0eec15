// Owns what becomes of descriptors that a backend passes over a session (SCM_RIGHTS). Nobody wants
// them, but the kernel closes those that are not taken on the thread that reads what they came
// with, or that closes the session unread, and a close may wait: a TCP socket with SO_LINGER for as
// long as its owner set, a file of a mount that hangs for ever. So one backend could stop the loop.
//
// Since Linux 6.16 a socket may refuse them (SO_PASSRIGHTS): then they stay with the backend, whose
// sendmsg fails. Where there is no such option they are taken, and closed by a thread that is made
// at start, and so is each session, for those that were not read. A backend that passes any ends
// its session by that.
//
// Why it is so (measured on 6.18, a socket with a linger of 3 s): recv and read take 3 s, recvmsg
// with room for the descriptor no time, and so does MSG_PEEK, but then the close takes 3 s.
//
// What always holds: nothing here waits but the thread.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class PassedDescriptors : IDisposable
{
    /// <summary>SCM_MAX_FD: what one message may carry.</summary>
    private const int MostPassed = 253;

    private readonly object _gate = new();
    private readonly List<int> _toClose = [];
    private readonly byte* _control;
    private readonly nuint _controlBytes =
        (nuint)(sizeof(ControlHeader) + sizeof(int) * (MostPassed + 1));

    private bool _isOver;

    /// <summary>Throws NetworkSetupException if a thread is needed and cannot be made.</summary>
    /// <param name="forceFallbacks">As where a socket cannot refuse them.</param>
    internal PassedDescriptors(bool forceFallbacks)
    {
        AreRefused = !forceFallbacks && CanRefuse();
        if (AreRefused)
            return;
        _control = (byte*)NativeMemory.AllocZeroed(_controlBytes);
        BackgroundThread.Start("closer", CloseForEver);
    }

    /// <summary>Sessions refuse descriptors, and need no care.</summary>
    internal bool AreRefused { get; }

    /// <summary>Has a socket refuse them, where that can be; before it is connected.</summary>
    internal void Refuse(int fd)
    {
        var none = 0;
        if (AreRefused)
            _ = LibC.SetSockOpt(fd, C.SOL_SOCKET, C.SO_PASSRIGHTS, &none, sizeof(int));
    }

    /// <summary>
    /// Reads a session that does not refuse them, as recv does; if any came, and are taken care of,
    /// hasPassed says so.
    /// </summary>
    internal nint Receive(int fd, byte* into, nuint length, out bool hasPassed)
    {
        hasPassed = false;
        var vector = new IoVector { Base = into, Length = length };
        var message = new MessageHeader
        {
            Vectors = &vector,
            VectorCount = 1,
            Control = _control,
            ControlLength = _controlBytes,
        };
        var count = LibC.RecvMsg(fd, &message, C.MSG_DONTWAIT | C.MSG_CMSG_CLOEXEC);
        if (count >= 0 && message.ControlLength >= (nuint)sizeof(ControlHeader))
            hasPassed = CloseAll(message.ControlLength);
        // Where there was no room for all of them, the kernel closed the rest.
        hasPassed |= count >= 0 && (message.Flags & C.MSG_CTRUNC) != 0;
        return count;
    }

    /// <summary>
    /// Closes a session that does not refuse them; its peer sees the end at once.
    /// </summary>
    internal void CloseSession(int fd)
    {
        _ = LibC.Shutdown(fd, C.SHUT_RDWR);
        Close(fd);
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

    private bool CloseAll(nuint controlBytes)
    {
        var header = (ControlHeader*)_control;
        if (header->Level != C.SOL_SOCKET || header->Type != C.SCM_RIGHTS)
            return false;
        var bytes = Math.Min(header->Length, controlBytes) - (nuint)sizeof(ControlHeader);
        var passed = (int*)(_control + sizeof(ControlHeader));
        for (nuint i = 0; i < bytes / sizeof(int); i++)
            Close(passed[i]);
        return true;
    }

    private void Close(int fd)
    {
        lock (_gate)
        {
            _toClose.Add(fd);
            Monitor.Pulse(_gate);
        }
    }

    private void CloseForEver()
    {
        while (true)
        {
            int fd;
            lock (_gate)
            {
                while (_toClose.Count == 0 && !_isOver)
                    Monitor.Wait(_gate);
                if (_toClose.Count == 0)
                    break;
                fd = _toClose[^1];
                _toClose.RemoveAt(_toClose.Count - 1);
            }
            _ = LibC.Close(fd);
        }
        NativeMemory.Free(_control);
    }
}
