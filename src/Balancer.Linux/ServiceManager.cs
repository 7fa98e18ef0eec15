// Owns what a service manager is told: READY=1 when the balancer listens and STOPPING=1 when its
// stop begins, each a datagram on the AF_UNIX socket whose name the manager gave in NOTIFY_SOCKET,
// a path or, after an @, an abstract name. That is systemd's protocol, and whoever supervises us
// in another way gives no name.
//
// Why it is so: a datagram needs no library, and a manager that cannot be told is its own worst
// loss, so whatever is wrong with the socket is a warning. At the start nothing is served yet, and
// READY=1 may wait a while for a manager that is busy, because without it the start would count as
// failed; at the stop queries are still in flight, and nothing waits.
//
// What always holds: nothing here throws; each of the two is said once at most, and so is what is
// wrong.

using System;
using System.Text;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

/// <summary>The manager that started us, if one did that wants to be told.</summary>
/// <param name="name">What NOTIFY_SOCKET holds; null or empty if nobody wants to be told.</param>
/// <param name="warn">Told in one line what went wrong.</param>
public sealed unsafe class ServiceManager(string? name, Action<string> warn)
{
    /// <summary>The environment variable that names the socket.</summary>
    public const string Variable = "NOTIFY_SOCKET";

    private const int PatienceSeconds = 2;

    private bool _readySaid;
    private bool _stoppingSaid;
    private bool _warned;

    /// <summary>Both sockets listen.</summary>
    public void SayReady()
    {
        if (!_readySaid)
            Say("READY=1"u8, PatienceSeconds);
        _readySaid = true;
    }

    /// <summary>The stop has begun. May be called every turn from then on.</summary>
    public void SayStopping()
    {
        if (!_stoppingSaid)
            Say("STOPPING=1"u8, 0);
        _stoppingSaid = true;
    }

    private void Say(ReadOnlySpan<byte> words, int seconds)
    {
        if (string.IsNullOrEmpty(name))
            return;
        var problem = Problem(out var address, out var length);
        if (problem is null && Send(words, address, length, seconds) is var errno and not 0)
            problem = NetworkSetupException.Explain($"cannot send to {name}", errno);
        if (problem is null || _warned)
            return;
        _warned = true;
        warn($"{Variable}: {problem}; {Encoding.ASCII.GetString(words)} was not sent");
    }

    /// <summary>The name as the kernel wants it, or what is wrong with it.</summary>
    private string? Problem(out SocketAddressUn address, out uint length)
    {
        address = default;
        length = 0;
        if (name!.Length < 2 || name[0] is not ('/' or '@'))
            return $"'{name}' is neither a path nor an abstract name";
        var bytes = Encoding.UTF8.GetBytes(name);
        if (bytes.Length > Limits.MaxPathBytes)
            return $"the name is {bytes.Length} bytes long, over {Limits.MaxPathBytes}";
        address.Family = C.AF_UNIX;
        fixed (byte* path = address.Path)
        {
            bytes.CopyTo(new Span<byte>(path, Limits.MaxPathBytes));
            // An abstract name begins with a zero and, unlike a path, ends with none.
            if (name[0] == '@')
                path[0] = 0;
        }
        length = (uint)(SocketAddressUn.PathOffset + bytes.Length + (name[0] == '/' ? 1 : 0));
        return null;
    }

    /// <summary>0 or the errno.</summary>
    private static int Send(
        ReadOnlySpan<byte> words, SocketAddressUn address, uint length, int seconds)
    {
        var fd = LibC.Socket(C.AF_UNIX, C.SOCK_DGRAM | C.SOCK_CLOEXEC, 0);
        if (fd < 0)
            return LibC.Errno;
        var patience = new TimeValue { Seconds = seconds };
        _ = LibC.SetSockOpt(
            fd, C.SOL_SOCKET, C.SO_SNDTIMEO, &patience, (uint)sizeof(TimeValue));
        var flags = C.MSG_NOSIGNAL | (seconds == 0 ? C.MSG_DONTWAIT : 0);
        int errno;
        fixed (byte* start = words)
        {
            do
            {
                errno = LibC.Connect(fd, &address, length) < 0
                    || LibC.Send(fd, start, (nuint)words.Length, flags) < 0 ? LibC.Errno : 0;
            }
            while (errno == Errno.EINTR);
        }
        _ = LibC.Close(fd);
        return errno;
    }
}
