// Owns a TCP socket whose close takes seconds: it has sent more than its peer takes, and lingers
// for what is left. And the passing of it to another process.

using System;
using System.ComponentModel;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Tests.Integration.Harness;

/// <summary>A socket that lingers.</summary>
public sealed class LingeringSocket : IDisposable
{
    private const int NotPermitted = 1;

    private readonly Socket _listener =
        new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private readonly Socket _socket =
        new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private readonly Socket _peer;

    public LingeringSocket(int seconds)
    {
        _listener.ReceiveBufferSize = 2048;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        _socket.SendBufferSize = 1 << 20;
        _socket.Connect(_listener.LocalEndPoint!);
        _peer = _listener.Accept();
        _socket.Blocking = false;
        var bytes = new byte[65_536];
        SocketError error;
        do
        {
            _socket.Send(bytes, SocketFlags.None, out error);
        }
        while (error == SocketError.Success);
        _socket.LingerState = new LingerOption(true, seconds);
    }

    /// <summary>
    /// Passes it with some bytes over a stream of AF_UNIX; false if that is refused. It goes with
    /// the first, so to go with a byte out of band there must be only that.
    /// </summary>
    public bool Pass(Socket over, byte[] bytes, SocketFlags flags)
    {
        var start = GCHandle.Alloc(bytes, GCHandleType.Pinned);
        // A cmsghdr: 20 bytes long, of SOL_SOCKET and SCM_RIGHTS, and the descriptor.
        var control = GCHandle.Alloc(
            new[] { 20L, 1L | 1L << 32, (long)_socket.Handle }, GCHandleType.Pinned);
        var vector = GCHandle.Alloc(
            new[] { (long)start.AddrOfPinnedObject(), bytes.Length }, GCHandleType.Pinned);
        try
        {
            long[] message =
            [
                0, 0, vector.AddrOfPinnedObject(), 1, control.AddrOfPinnedObject(), 24, 0,
            ];
            var sent = SendMsg((int)over.Handle, message, (int)flags);
            var errno = Marshal.GetLastPInvokeError();
            if (sent < 0 && errno != NotPermitted)
                throw new Win32Exception(errno);
            return sent >= 0;
        }
        finally
        {
            vector.Free();
            control.Free();
            start.Free();
        }
    }

    /// <summary>Closes it here; if another process has it, it is that one's to close.</summary>
    public void LetGo() => _socket.Dispose();

    public void Dispose()
    {
        _socket.Dispose();
        _peer.Dispose();
        _listener.Dispose();
    }

    [DllImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static extern nint SendMsg(int fd, long[] message, int flags);
}
