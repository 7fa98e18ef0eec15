// Owns what is sent to a service manager: READY=1 when the balancer listens and STOPPING=1 when its
// stop begins, each a datagram on the AF_UNIX socket whose name the manager gave in NOTIFY_SOCKET,
// a path or, after an @, an abstract name. That is systemd's protocol, and whoever supervises us
// in another way gives no name.
//
// Why it is so: a datagram needs no library, and a manager that cannot be reached harms only
// loss, so whatever is wrong with the socket is a warning. It is connected at the start and kept,
// as at the stop there may be no descriptor left, and its path may lead to a mount that hangs. At
// the start nothing is served yet, and READY=1 may wait a while for a manager that is busy, because
// without it the start would count as failed; at the stop queries are still in flight, and nothing
// waits.
//
// What always holds: nothing here throws; each of the two is said once at most, and so is what is
// wrong.

using System;
using System.Text;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

/// <summary>The manager that started us, if it asked to be notified.</summary>
public sealed unsafe class ServiceManager : IDisposable
{
    /// <summary>The environment variable that names the socket.</summary>
    public const string Variable = "NOTIFY_SOCKET";

    private const int NoDescriptor = -1;

    private const int PatienceSeconds = 2;

    private readonly string? _name;
    private readonly Action<string> _warn;
    private int _fd = NoDescriptor;
    private bool _readySaid;
    private bool _stoppingSaid;
    private bool _warned;

    /// <summary>Connects to the manager, whose path may have to be waited for.</summary>
    /// <param name="name">What NOTIFY_SOCKET holds; null or empty if nobody wants that.</param>
    /// <param name="warn">Called with one line that says what went wrong.</param>
    public ServiceManager(string? name, Action<string> warn)
    {
        _name = name;
        _warn = warn;
        if (string.IsNullOrEmpty(name))
            return;
        var problem = Problem(name, out var address, out var length);
        if (problem is null && Connect(address, length) is var errno and not 0)
            problem = NetworkSetupException.Explain($"cannot connect to {name}", errno);
        if (problem is not null)
            Warn($"{problem}; nothing is sent");
    }

    /// <summary>Both sockets listen.</summary>
    public void SayReady()
    {
        if (!_readySaid)
            Say("READY=1"u8, C.MSG_NOSIGNAL);
        _readySaid = true;
    }

    /// <summary>The stop has begun. May be called every turn from then on.</summary>
    public void SayStopping()
    {
        if (!_stoppingSaid)
            Say("STOPPING=1"u8, C.MSG_NOSIGNAL | C.MSG_DONTWAIT);
        _stoppingSaid = true;
    }

    public void Dispose()
    {
        if (_fd != NoDescriptor)
            _ = LibC.Close(_fd);
        _fd = NoDescriptor;
    }

    private void Say(ReadOnlySpan<byte> words, int flags)
    {
        if (_fd == NoDescriptor)
            return;
        int errno;
        fixed (byte* start = words)
        {
            do
            {
                errno = LibC.Send(_fd, start, (nuint)words.Length, flags) < 0 ? LibC.Errno : 0;
            }
            while (errno == Errno.EINTR);
        }
        if (errno == 0)
            return;
        var problem = NetworkSetupException.Explain($"cannot send to {_name}", errno);
        Warn($"{problem}; {Encoding.ASCII.GetString(words)} was not sent");
    }

    private void Warn(string what)
    {
        if (!_warned)
            _warn($"{Variable}: {what}");
        _warned = true;
    }

    /// <summary>The name as the kernel wants it, or what is wrong with it.</summary>
    private static string? Problem(string name, out SocketAddressUn address, out uint length)
    {
        address = default;
        length = 0;
        if (name.Length < 2 || name[0] is not ('/' or '@'))
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
    private int Connect(SocketAddressUn address, uint length)
    {
        _fd = LibC.Socket(C.AF_UNIX, C.SOCK_DGRAM | C.SOCK_CLOEXEC, 0);
        if (_fd < 0)
            return LibC.Errno;
        var patience = new TimeValue { Seconds = PatienceSeconds };
        _ = LibC.SetSockOpt(
            _fd, C.SOL_SOCKET, C.SO_SNDTIMEO, &patience, (uint)sizeof(TimeValue));
        int errno;
        do
        {
            errno = LibC.Connect(_fd, &address, length) < 0 ? LibC.Errno : 0;
        }
        while (errno == Errno.EINTR);
        if (errno != 0)
            Dispose();
        return errno;
    }
}
