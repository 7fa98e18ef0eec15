// Owns the shapes of the kernel's structures, the same on x64 and arm64; the one that differs,
// epoll_event, is in Epoll.cs. Sizes and offsets are checked at start against numbers taken from
// a C compiler, so that a slip here ends the program with its name and not with odd traffic.
//
// What always holds: every type is blittable; ports and addresses are in network order.

using System.Runtime.InteropServices;
using Balancer.Core;

namespace Balancer.Linux.Interop;

/// <summary>sockaddr_in.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SocketAddressIn
{
    internal ushort Family;
    internal ushort NetworkPort;
    internal uint NetworkAddress;
    internal ulong Zero;
}

/// <summary>sockaddr_un: a path that ends with a zero.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 2)]
internal unsafe struct SocketAddressUn
{
    internal const int PathOffset = 2;

    internal ushort Family;
    internal fixed byte Path[108];
}

/// <summary>iovec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVector
{
    internal void* Base;
    internal nuint Length;
}

/// <summary>msghdr, as the kernel has it on 64 bits.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MessageHeader
{
    internal void* Name;
    internal uint NameLength;
    internal IoVector* Vectors;
    internal nuint VectorCount;
    internal void* Control;
    internal nuint ControlLength;
    internal int Flags;
}

/// <summary>mmsghdr.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MultiMessageHeader
{
    internal MessageHeader Header;
    internal uint Length;
}

/// <summary>cmsghdr.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ControlHeader
{
    internal nuint Length;
    internal int Level;
    internal int Type;
}

/// <summary>in_pktinfo.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PacketInfo
{
    internal int Interface;
    internal uint NetworkSpecificDestination;
    internal uint NetworkHeaderDestination;
}

/// <summary>A control message that is one in_pktinfo, padded as CMSG_SPACE pads it.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal struct PacketInfoControl
{
    /// <summary>CMSG_LEN of it: the padding at the end is not counted.</summary>
    internal const int ControlLength = 28;

    internal ControlHeader Header;
    internal PacketInfo Info;
}

/// <summary>timespec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TimeSpec
{
    internal long Seconds;
    internal long Nanoseconds;
}

/// <summary>timeval.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TimeValue
{
    internal long Seconds;
    internal long Microseconds;
}

/// <summary>linger.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Linger
{
    internal int On;
    internal int Seconds;
}

/// <summary>rlimit.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ResourceLimit
{
    internal ulong Soft;
    internal ulong Hard;
}

/// <summary>statx's answer, with the fields that are looked at.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct FileStatus
{
    [FieldOffset(0)] internal uint Mask;
    [FieldOffset(16)] internal uint Links;
    [FieldOffset(20)] internal uint User;
    [FieldOffset(24)] internal uint Group;
    [FieldOffset(28)] internal ushort Mode;
    [FieldOffset(32)] internal ulong Inode;
    [FieldOffset(80)] internal long BirthSeconds;
    [FieldOffset(88)] internal uint BirthNanoseconds;
    [FieldOffset(112)] internal long ModifiedSeconds;
    [FieldOffset(120)] internal uint ModifiedNanoseconds;

    /// <summary>Major number and minor number in one; for stat its own form of them.</summary>
    [FieldOffset(136)] internal ulong Device;
}

/// <summary>stat's answer, with the fields that are looked at; x64 and arm64 differ.</summary>
[StructLayout(LayoutKind.Explicit, Size = 144)]
internal struct OldFileStatus
{
    [FieldOffset(0)] internal ulong Device;
    [FieldOffset(8)] internal ulong Inode;
    [FieldOffset(16)] private readonly uint _at16;
    [FieldOffset(20)] private readonly uint _at20;
    [FieldOffset(24)] private readonly uint _at24;
    [FieldOffset(28)] private readonly uint _at28;
    [FieldOffset(32)] private readonly uint _at32;
    [FieldOffset(88)] internal long ModifiedSeconds;
    [FieldOffset(96)] internal long ModifiedNanoseconds;

    /// <summary>st_mode, whose upper half is empty.</summary>
    internal readonly ushort Mode => (ushort)(IsArm ? _at16 : _at24);

    internal readonly uint User => IsArm ? _at24 : _at28;

    internal readonly uint Group => IsArm ? _at28 : _at32;

    /// <summary>st_nlink, the lower half of it on x64.</summary>
    internal readonly uint Links => IsArm ? _at20 : _at16;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
}

/// <summary>ucred.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PeerCredentials
{
    internal int Process;
    internal uint User;
    internal uint Group;
}

/// <summary>open_how, the argument of openat2.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct OpenHow
{
    internal ulong Flags;
    internal ulong Mode;
    internal ulong Resolve;
}

/// <summary>sigset_t as the C library has it, of which the kernel reads the first word.</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal struct SignalSet
{
    /// <summary>Signal n is bit n - 1.</summary>
    internal ulong Signals;
}

/// <summary>sigaction as the C library has it; nothing but the handler is ever set.</summary>
[StructLayout(LayoutKind.Sequential, Size = 152)]
internal struct SignalAction
{
    internal nint Handler;
}

/// <summary>
/// sigaction as the kernel has it, on x64 and arm64 alike; nothing but the handler is ever set.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal struct KernelSignalAction
{
    internal nint Handler;
}

/// <summary>signalfd_siginfo, with the field that is looked at.</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal struct SignalInfo
{
    internal uint Signal;
}

/// <summary>pollfd.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollEntry
{
    internal int Descriptor;
    internal short Asked;
    internal short Came;
}

/// <summary>inotify_event, without the name behind it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct InotifyEvent
{
    internal int Watch;
    internal uint Mask;
    internal uint Cookie;
    internal uint NameBytes;
}

/// <summary>linux_dirent64, by offsets, since its records are of any length.</summary>
internal static class DirectoryRecord
{
    internal const int LengthOffset = 16;
    internal const int TypeOffset = 18;
    internal const int NameOffset = 19;
}

/// <summary>The numbers that a C compiler gives for the structures above.</summary>
internal static unsafe class Layouts
{
    internal static void VerifySizes()
    {
        Verify.That(sizeof(SocketAddressIn) == 16, "sockaddr_in is 16 bytes");
        Verify.That(sizeof(SocketAddressUn) == 110, "sockaddr_un is 110 bytes");
        Verify.That(sizeof(IoVector) == 16, "iovec is 16 bytes");
        Verify.That(sizeof(MessageHeader) == 56, "msghdr is 56 bytes");
        Verify.That(sizeof(MultiMessageHeader) == 64, "mmsghdr is 64 bytes");
        Verify.That(sizeof(ControlHeader) == 16, "cmsghdr is 16 bytes");
        Verify.That(sizeof(PacketInfo) == 12, "in_pktinfo is 12 bytes");
        Verify.That(sizeof(PacketInfoControl) == 32, "in_pktinfo as control is 32 bytes");
        Verify.That(sizeof(TimeSpec) == 16, "timespec is 16 bytes");
        Verify.That(sizeof(TimeValue) == 16, "timeval is 16 bytes");
        Verify.That(sizeof(Linger) == 8, "linger is 8 bytes");
        Verify.That(sizeof(ResourceLimit) == 16, "rlimit is 16 bytes");
        Verify.That(sizeof(FileStatus) == 256, "statx is 256 bytes");
        Verify.That(sizeof(OldFileStatus) == 144, "stat is 144 bytes, or 128 on arm64");
        Verify.That(sizeof(OpenHow) == 24, "open_how is 24 bytes");
        Verify.That(sizeof(InotifyEvent) == 16, "inotify_event is 16 bytes");
        Verify.That(sizeof(SignalSet) == 128, "sigset_t is 128 bytes");
        Verify.That(sizeof(SignalAction) == 152, "sigaction is 152 bytes");
        Verify.That(sizeof(SignalInfo) == 128, "signalfd_siginfo is 128 bytes");
        Verify.That(sizeof(PollEntry) == 8, "pollfd is 8 bytes");
    }

    internal static void VerifyOffsets()
    {
        MultiMessageHeader message;
        var start = (byte*)&message;
        Verify.That((byte*)&message.Header.Vectors - start == 16, "msg_iov is at 16");
        Verify.That((byte*)&message.Header.VectorCount - start == 24, "msg_iovlen is at 24");
        Verify.That((byte*)&message.Header.Control - start == 32, "msg_control is at 32");
        Verify.That((byte*)&message.Header.ControlLength - start == 40, "msg_controllen at 40");
        Verify.That((byte*)&message.Header.Flags - start == 48, "msg_flags is at 48");
        Verify.That((byte*)&message.Length - start == 56, "msg_len is at 56");

        SocketAddressUn address;
        Verify.That(address.Path - (byte*)&address == SocketAddressUn.PathOffset,
            "sun_path is at 2");

        PacketInfoControl control;
        Verify.That((byte*)&control.Info - (byte*)&control == 16, "control data is at 16");
    }
}
