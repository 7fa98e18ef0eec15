// Owns a mount whose server does not answer: a FUSE file system of which only the first request,
// INIT, is answered. Whoever opens, lists or looks at anything in it waits, until the server's end
// is closed, and then all of that fails; or until the server finds what is looked for after all.

using System;
using System.Buffers.Binary;
using System.ComponentModel;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using Xunit;

namespace Tests.Integration.Harness;

/// <summary>A mounted file system that hangs.</summary>
public sealed class HungMount : IDisposable
{
    private const int Detach = 2;
    private const int InitReplyBytes = 80;
    private const int EntryReplyBytes = 144;

    /// <summary>The kernel hands out none to whoever has no room for the largest.</summary>
    private const int RequestBytes = 131_072;

    private const int Lookup = 1;
    private const int Statx = 52;
    private const int HeaderBytes = 16;
    private const int CallNotKnown = 38;
    private const int Hour = 3600;
    private const int SocketMode = 0xc1ff;
    private readonly FileStream _server;
    private readonly string _folder;

    /// <param name="folder">Where it is mounted; must exist.</param>
    public HungMount(string folder)
        : this(folder, "rootmode=40000,user_id=0,group_id=0")
    {
    }

    private HungMount(string folder, string mode)
    {
        _folder = folder;
        _server = new FileStream(
            "/dev/fuse", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        var fd = _server.SafeFileHandle.DangerousGetHandle();
        var options = $"fd={fd},{mode}";
        if (Mount(Text("bbal-test"), Text(folder), Text("fuse"), 0, Text(options)) != 0)
            throw new Win32Exception();
        var request = new byte[RequestBytes];
        _ = _server.Read(request);
        _server.Write(ReplyTo(request));
    }

    /// <summary>
    /// A socket in the place of another, that is somebody else's to look at: all others are denied
    /// that, root included.
    /// </summary>
    public static HungMount OfAnother(string socket) =>
        new(socket, "rootmode=140000,user_id=65534,group_id=65534");

    /// <summary>Whether this system and user have such mounts.</summary>
    public static bool CanMount { get; } =
        File.Exists("/dev/fuse") && Environment.IsPrivilegedProcess;

    /// <summary>
    /// The server answers the lookup that waits: a socket is there, of which all is known for an
    /// hour. A kernel that asks for its birth besides hears that this call is not known.
    /// </summary>
    public void FindSocket()
    {
        var request = new byte[RequestBytes];
        var fd = (int)_server.SafeFileHandle.DangerousGetHandle();
        while (Poll([fd, 1], 1, milliseconds: 500) > 0)
        {
            _ = _server.Read(request);
            var asked = BinaryPrimitives.ReadInt32LittleEndian(request.AsSpan(4));
            if (asked == Lookup)
                _server.Write(FoundBy(request));
            else if (asked == Statx)
                _server.Write(NotKnown(request));
        }
    }

    /// <summary>The server goes away: what waits fails.</summary>
    public void Fail() => _server.Dispose();

    public void Dispose()
    {
        Fail();
        _ = Unmount(Text(_folder), Detach);
    }

    /// <summary>struct fuse_out_header and fuse_init_out, version 7.31.</summary>
    private static byte[] ReplyTo(ReadOnlySpan<byte> request)
    {
        var reply = new byte[InitReplyBytes];
        BinaryPrimitives.WriteInt32LittleEndian(reply, reply.Length);
        request.Slice(8, 8).CopyTo(reply.AsSpan(8));
        BinaryPrimitives.WriteInt32LittleEndian(reply.AsSpan(16), 7);
        BinaryPrimitives.WriteInt32LittleEndian(reply.AsSpan(20), 31);
        BinaryPrimitives.WriteInt32LittleEndian(reply.AsSpan(24), 65_536);
        BinaryPrimitives.WriteInt16LittleEndian(reply.AsSpan(32), 12);
        BinaryPrimitives.WriteInt16LittleEndian(reply.AsSpan(34), 9);
        BinaryPrimitives.WriteInt32LittleEndian(reply.AsSpan(36), 65_536);
        BinaryPrimitives.WriteInt32LittleEndian(reply.AsSpan(40), 1);
        return reply;
    }

    /// <summary>struct fuse_out_header and fuse_entry_out.</summary>
    private static byte[] FoundBy(ReadOnlySpan<byte> request)
    {
        var reply = new byte[EntryReplyBytes];
        BinaryPrimitives.WriteInt32LittleEndian(reply, reply.Length);
        request.Slice(8, 8).CopyTo(reply.AsSpan(8));
        BinaryPrimitives.WriteInt64LittleEndian(reply.AsSpan(16), 2);
        BinaryPrimitives.WriteInt64LittleEndian(reply.AsSpan(32), Hour);
        BinaryPrimitives.WriteInt64LittleEndian(reply.AsSpan(40), Hour);
        BinaryPrimitives.WriteInt64LittleEndian(reply.AsSpan(56), 2);
        BinaryPrimitives.WriteInt32LittleEndian(reply.AsSpan(116), SocketMode);
        BinaryPrimitives.WriteInt32LittleEndian(reply.AsSpan(120), 1);
        return reply;
    }

    private static byte[] NotKnown(ReadOnlySpan<byte> request)
    {
        var reply = new byte[HeaderBytes];
        BinaryPrimitives.WriteInt32LittleEndian(reply, reply.Length);
        BinaryPrimitives.WriteInt32LittleEndian(reply.AsSpan(4), -CallNotKnown);
        request.Slice(8, 8).CopyTo(reply.AsSpan(8));
        return reply;
    }

    private static byte[] Text(string text) => [.. Encoding.UTF8.GetBytes(text), 0];

    [DllImport("libc", EntryPoint = "mount", SetLastError = true)]
    private static extern int Mount(
        byte[] source, byte[] target, byte[] type, nuint flags, byte[] data);

    [DllImport("libc", EntryPoint = "poll")]
    private static extern int Poll(int[] entries, nuint count, int milliseconds);

    [DllImport("libc", EntryPoint = "umount2")]
    private static extern int Unmount(byte[] target, int flags);
}

/// <summary>A theory that needs a mount that hangs; skipped where there can be none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TheoryNeedingHungMountAttribute : TheoryAttribute
{
    public TheoryNeedingHungMountAttribute()
    {
        if (!HungMount.CanMount)
            Skip = "needs /dev/fuse and the right to mount";
    }
}

/// <summary>A fact that needs a mount that hangs; skipped where there can be none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactNeedingHungMountAttribute : FactAttribute
{
    public FactNeedingHungMountAttribute()
    {
        if (!HungMount.CanMount)
            Skip = "needs /dev/fuse and the right to mount";
    }
}
