// Owns the system calls that the process needs and .NET does not have or does not have so: a
// listener that leaves its path behind when its process dies, reading without taking, a file's
// inode, an exit that runs nothing. Each is the call itself, with -1 and errno as in C.
//
// What always holds: no call blocks but epoll_wait; no call raises SIGPIPE.

using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace FakeBinder;

/// <summary>Which file it is: its device and its number there.</summary>
internal readonly record struct FileIdentity(ulong Device, ulong Inode);

internal static partial class LibC
{
    public const int Interrupted = 4;
    public const int WouldBlock = 11;

    public const uint EpollIn = 1;
    public const uint EpollOut = 4;
    public const int EpollAdd = 1;
    public const int EpollDelete = 2;
    public const int EpollModify = 3;

    public const int Peek = 2;
    public const int ShutWrite = 1;

    /// <summary>
    /// Bytes of a path that a socket's address holds, without the zero at its end.
    /// </summary>
    public const int MaxPath = 107;

    private const int Unix = 1;
    private const int Internet = 2;
    private const int InternetAddressBytes = 16;
    private const uint Loopback = 0x7F000001;
    private const int StreamCloseOnExec = 1 | 0x80000;
    private const int StreamNonBlockingCloseOnExec = 1 | 0x800 | 0x80000;
    private const int DatagramNonBlockingCloseOnExec = 2 | 0x800 | 0x80000;
    private const int NonBlockingCloseOnExec = 0x800 | 0x80000;
    private const int NoSignal = 0x4000;
    private const int CurrentDirectory = -100;
    private const int NoFollow = 0x100;
    private const uint BasicStats = 0x7FF;
    private const int TypeMask = 0xF000;
    private const int SocketType = 0xC000;

    // The kernel packs struct epoll_event on x64 and on nothing else.
    private static readonly bool Packed =
        RuntimeInformation.ProcessArchitecture == Architecture.X64;

    private static int EventBytes => Packed ? 12 : 16;

    private static int EventDataAt => Packed ? 4 : 8;

    /// <summary>A listening socket at the path; -1 and errno if it cannot be.</summary>
    public static int Listen(string path, int backlog)
    {
        var descriptor = socket(Unix, StreamNonBlockingCloseOnExec, 0);
        if (descriptor < 0)
            return -1;
        Span<byte> address = stackalloc byte[2 + MaxPath + 1];
        WriteAddress(address, path);
        return bind(descriptor, address, address.Length) == 0 && listen(descriptor, backlog) == 0
            ? descriptor
            : Failed(descriptor);
    }

    /// <summary>
    /// A socket bound to an IPv4 address, listening if it is one of TCP; -1 and errno if it
    /// cannot be.
    /// </summary>
    public static int Bind(DnsAddress at, bool isTcp, int backlog)
    {
        var kind = isTcp ? StreamNonBlockingCloseOnExec : DatagramNonBlockingCloseOnExec;
        var descriptor = socket(Internet, kind, 0);
        if (descriptor < 0)
            return -1;
        // For TCP alone: the connections of a process before do not hold the port.
        if (isTcp)
            _ = setsockopt(descriptor, 1, 2, [1, 0, 0, 0], 4);
        Span<byte> address = stackalloc byte[InternetAddressBytes];
        WriteAddress(address, at.Address, at.Port);
        if (bind(descriptor, address, address.Length) == 0
            && (!isTcp || listen(descriptor, backlog) == 0))
            return descriptor;
        return Failed(descriptor);
    }

    /// <summary>Whether somebody listens at the path; errno if nobody does.</summary>
    public static bool CanConnect(string path)
    {
        Span<byte> address = stackalloc byte[2 + MaxPath + 1];
        WriteAddress(address, path);
        return CanConnect(Unix, address);
    }

    /// <summary>Whether somebody listens there over TCP; errno if nobody does.</summary>
    public static bool CanConnect(DnsAddress at)
    {
        Span<byte> address = stackalloc byte[InternetAddressBytes];
        WriteAddress(address, at.Address == 0 ? Loopback : at.Address, at.Port);
        return CanConnect(Internet, address);
    }

    /// <summary>Takes a datagram; its length, or -1 and errno.</summary>
    public static int ReceiveFrom(
        int descriptor, Span<byte> into, out uint address, out ushort port)
    {
        Span<byte> from = stackalloc byte[InternetAddressBytes];
        var length = from.Length;
        var count = (int)recvfrom(descriptor, into, into.Length, 0, from, ref length);
        address = BinaryPrimitives.ReadUInt32BigEndian(from[4..]);
        port = BinaryPrimitives.ReadUInt16BigEndian(from[2..]);
        return count;
    }

    /// <summary>Sends a datagram; one that cannot be sent is lost.</summary>
    public static void SendTo(
        int descriptor, uint address, ushort port, ReadOnlySpan<byte> bytes)
    {
        Span<byte> to = stackalloc byte[InternetAddressBytes];
        WriteAddress(to, address, port);
        _ = sendto(descriptor, bytes, bytes.Length, NoSignal, to, to.Length);
    }

    private static bool CanConnect(int family, ReadOnlySpan<byte> address)
    {
        // It waits for a TCP handshake, which a kernel does by itself.
        var descriptor = socket(family, StreamCloseOnExec, 0);
        if (descriptor < 0 || connect(descriptor, address, address.Length) != 0)
        {
            _ = Failed(descriptor);
            return false;
        }
        _ = close(descriptor);
        return true;
    }

    private static int Failed(int descriptor)
    {
        var error = Marshal.GetLastPInvokeError();
        if (descriptor >= 0)
            _ = close(descriptor);
        Marshal.SetLastPInvokeError(error);
        return -1;
    }

    private static void WriteAddress(Span<byte> into, string path)
    {
        into.Clear();
        MemoryMarshal.Write(into, (ushort)Unix);
        Encoding.UTF8.GetBytes(path, into[2..^1]);
    }

    private static void WriteAddress(Span<byte> into, uint address, ushort port)
    {
        into.Clear();
        MemoryMarshal.Write(into, (ushort)Internet);
        BinaryPrimitives.WriteUInt16BigEndian(into[2..], port);
        BinaryPrimitives.WriteUInt32BigEndian(into[4..], address);
    }

    /// <summary>A descriptor that can be waited for, and Wake'd from any thread.</summary>
    public static int CreateWaker() => eventfd(0, NonBlockingCloseOnExec);

    public static void Wake(int waker) => _ = write(waker, [1, 0, 0, 0, 0, 0, 0, 0], 8);

    public static int Accept(int listener) => accept4(listener, 0, 0, NonBlockingCloseOnExec);

    public static nint Receive(int descriptor, Span<byte> into, int flags) =>
        recv(descriptor, into, into.Length, flags);

    public static nint Send(int descriptor, ReadOnlySpan<byte> bytes) =>
        send(descriptor, bytes, bytes.Length, NoSignal);

    public static nint Read(int descriptor, Span<byte> into) =>
        read(descriptor, into, into.Length);

    /// <summary>Gives a listening socket another backlog.</summary>
    public static void SetBacklog(int listener, int backlog) => _ = listen(listener, backlog);

    public static void Shutdown(int descriptor) => _ = shutdown(descriptor, ShutWrite);

    public static void Close(int descriptor) => _ = close(descriptor);

    public static void Unlink(string path) => _ = unlink(path);

    /// <summary>Which file is at the path, links not followed; -1 and errno if none is.</summary>
    public static int Stat(string path, out FileIdentity identity, out bool isSocket)
    {
        Span<byte> stat = stackalloc byte[256];
        var result = statx(CurrentDirectory, path, NoFollow, BasicStats, stat);
        identity = new FileIdentity(
            MemoryMarshal.Read<ulong>(stat[136..]), MemoryMarshal.Read<ulong>(stat[32..]));
        isSocket = (MemoryMarshal.Read<ushort>(stat[28..]) & TypeMask) == SocketType;
        return result;
    }

    public static int EpollCreate() => epoll_create1(0x80000);

    public static int EpollControl(
        int epoll, int operation, int descriptor, uint events, long data)
    {
        Span<byte> entry = stackalloc byte[16];
        MemoryMarshal.Write(entry, events);
        MemoryMarshal.Write(entry[EventDataAt..], data);
        return epoll_ctl(epoll, operation, descriptor, entry);
    }

    /// <summary>Room for that many events.</summary>
    public static byte[] EpollBuffer(int events) => new byte[events * EventBytes];

    /// <summary>
    /// Waits at most that many milliseconds, -1 for ever; how many events there are.
    /// </summary>
    public static int EpollWait(int epoll, byte[] buffer, int milliseconds) =>
        epoll_wait(epoll, buffer, buffer.Length / EventBytes, milliseconds);

    public static (uint Events, long Data) EpollEvent(ReadOnlySpan<byte> buffer, int index)
    {
        var entry = buffer[(index * EventBytes)..];
        return (MemoryMarshal.Read<uint>(entry), MemoryMarshal.Read<long>(entry[EventDataAt..]));
    }

    /// <summary>Ends the process at once; nothing is flushed, disposed or unlinked.</summary>
    [LibraryImport("libc", EntryPoint = "_exit")]
    public static partial void ExitNow(int status);

    public static string LastErrorText() => Marshal.GetPInvokeErrorMessage(
        Marshal.GetLastPInvokeError());

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(int descriptor, ReadOnlySpan<byte> address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int listen(int descriptor, int backlog);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(
        int descriptor, int level, int option, ReadOnlySpan<byte> value, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int connect(int descriptor, ReadOnlySpan<byte> address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recvfrom(int descriptor, Span<byte> into, nint length, int flags,
        Span<byte> address, ref int addressLength);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint sendto(int descriptor, ReadOnlySpan<byte> bytes, nint length,
        int flags, ReadOnlySpan<byte> address, int addressLength);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, ReadOnlySpan<byte> bytes, nint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int accept4(int descriptor, nint address, nint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recv(int descriptor, Span<byte> into, nint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int descriptor, Span<byte> into, nint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint send(
        int descriptor, ReadOnlySpan<byte> bytes, nint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int shutdown(int descriptor, int how);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int descriptor);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int unlink(string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(
        int directory, string path, int flags, uint mask, Span<byte> stat);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(
        int epoll, int operation, int descriptor, Span<byte> entry);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_wait(
        int epoll, Span<byte> events, int maxEvents, int milliseconds);
}
