// Owns every socket of the daemon and the one wait of its loop: INetwork on Linux system calls,
// one call a method. Nothing is decided here. It knows no DNS, no backend and no deadline; what
// it knows is errno, readiness, and which handle stands for which descriptor.
//
// Why it is so: errors are the core's business, and the core must meet them in the simulator as
// well, so they are handed up as values, every one of them. Exceptions are for start-up (Open).
//
// There are two sets of epoll, so that Wait can report first what is urgent: one that is waited on,
// and in it, as one descriptor more, another for all streams that are not. Only when that one has
// something ready is it asked, so urgent traffic alone costs one call a wait. Where a set cannot be
// in a set, there is one for all, and nothing goes first.
//
// What always holds: every descriptor is non-blocking and close-on-exec; a token of epoll is
// generation << 32 | slot, and generation 0 marks the adapter's own descriptors; a socket whose
// interest is None is not in epoll at all, since epoll reports a hang-up whether asked or not and
// a level-triggered hang-up that nobody handles is a spin.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

/// <summary>The network of production. One thread at a time, but for Post.</summary>
public sealed unsafe class LinuxNetwork : INetwork, IDisposable
{
    private const ulong PostedToken = 0;
    private const ulong WatchToken = 1;
    private const ulong BulkToken = 2;
    private const ulong SignalToken = 3;

    /// <summary>Between tries to tell epoll of a socket when it refused.</summary>
    private static readonly Duration RegistrationRetry = Duration.FromMilliseconds(10);

    private readonly SocketTable _sockets = new();
    private readonly Epoll _urgent;
    private readonly Epoll _bulk;
    private readonly PostedEvents _posted;
    private readonly DatagramCalls _datagrams;
    private readonly PassedDescriptors _passed;
    private readonly DropCount _datagramsDropped;
    private readonly DropCount _connectionsDropped;
    private DirectoryWatch? _watch;
    private SignalDescriptor? _signals;
    private bool _isListening = true;
    private int _unregistered;
    private Instant _retryAt;
    private bool _disposed;

    private LinuxNetwork(
        ListenSockets listening, Epoll urgent, Epoll bulk, PostedEvents posted,
        PassedDescriptors passed, KnownCalls calls)
    {
        Calls = calls;
        _urgent = urgent;
        _bulk = bulk;
        _posted = posted;
        _passed = passed;
        ListenEndpoint = listening.Endpoint;
        DatagramSocket = _sockets.Add(listening.Datagram);
        Listener = _sockets.Add(listening.Listener);
        _datagramsDropped = new DropCount(listening.Datagram);
        _connectionsDropped = new DropCount(listening.Listener);
        Paths = new SocketPaths(calls);
        MakeUrgent(DatagramSocket);
        MakeUrgent(Listener);
        _datagrams = new DatagramCalls(listening.Datagram, listening.Endpoint.Address,
            listening.HasPacketInfo, calls);
    }

    public Endpoint ListenEndpoint { get; }

    public SocketHandle DatagramSocket { get; }

    public SocketHandle Listener { get; }

    public long DatagramsDropped => _datagramsDropped.Read();

    public long ConnectionsDropped =>
        _isListening ? _connectionsDropped.Read() : _connectionsDropped.Last;

    /// <summary>What the system refused at start that the balancer can be without.</summary>
    public IReadOnlyList<string> Warnings { get; private init; } = [];

    /// <summary>
    /// Binds both sockets and raises the soft limit of descriptors to the hard one. Throws
    /// NetworkSetupException, whose message is one line for an operator.
    /// </summary>
    public static LinuxNetwork Open(LinuxNetworkOptions options)
    {
        LibC.VerifyLayout();
        var warnings = new List<string>();
        RaiseDescriptorLimit(warnings);
        var calls = KnownCalls.Probe(options.ForceFallbacks, warnings);
        Epoll? urgent = null;
        Epoll? bulk = null;
        PostedEvents? posted = null;
        ListenSockets? listening = null;
        PassedDescriptors? passed = null;
        try
        {
            urgent = new Epoll(calls.WaitsNanoseconds);
            bulk = new Epoll(calls.WaitsNanoseconds);
            posted = new PostedEvents();
            var errno = urgent.Add(posted.Descriptor, C.EPOLLIN, PostedToken);
            if (errno != 0)
                throw NetworkSetupException.For("cannot watch an event descriptor", errno);
            errno = urgent.Add(bulk.Descriptor, C.EPOLLIN, BulkToken);
            if (errno != 0)
            {
                warnings.Add(NetworkSetupException.Explain(
                    "UDP queries wait behind busy TCP connections", errno));
                bulk.Dispose();
                bulk = urgent;
            }
            listening = ListenSockets.Open(options, warnings);
            if (!options.ForceFallbacks && !DropCount.IsKnown(listening.Datagram))
            {
                warnings.Add(NetworkSetupException.Explain(
                    "what the kernel drops is not counted: no SO_MEMINFO", LibC.Errno));
            }
            passed = new PassedDescriptors(options.ForceFallbacks);
            return new LinuxNetwork(listening, urgent, bulk, posted, passed, calls)
            {
                Warnings = warnings,
                Users = new BackendUsers(options.BackendUsers),
            };
        }
        catch (NetworkSetupException)
        {
            passed?.Dispose();
            listening?.Close();
            posted?.Dispose();
            if (bulk != urgent)
                bulk?.Dispose();
            urgent?.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Throws NetworkSetupException unless so many descriptors more can be made: called when all is
    /// made that a start makes, so that a limit that is too low is said at once.
    /// </summary>
    public static void RequireDescriptors(int count)
    {
        Span<int> made = stackalloc int[count];
        var free = 0;
        var errno = 0;
        while (free < count && errno == 0)
        {
            made[free] = LibC.EventFd(0, C.EFD_CLOEXEC);
            errno = made[free] < 0 ? LibC.Errno : 0;
            free += errno == 0 ? 1 : 0;
        }
        foreach (var fd in made[..free])
            _ = LibC.Close(fd);
        if (errno == 0)
            return;
        throw NetworkSetupException.For(string.Create(CultureInfo.InvariantCulture,
            $"cannot serve with {free} open files more (ulimit -n), {count} are needed"), errno);
    }

    /// <summary>
    /// Has Wait report an event without a socket, once however often it is posted before. May be
    /// called from any thread, and after Dispose, when it does nothing.
    /// </summary>
    public void Post(NetworkEventKind kind)
    {
        Verify.That(kind != NetworkEventKind.Socket, "a posted event is not about a socket");
        _posted.Post(kind);
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _posted.Dispose();
        _sockets.ForEachDescriptor(fd => _ = LibC.Close(fd));
        if (_bulk != _urgent)
            _bulk.Dispose();
        _urgent.Dispose();
        _datagrams.Dispose();
        _passed.Dispose();
    }

    // ---- Waiting ----

    public int Wait(Instant until, Span<NetworkEvent> events)
    {
        Verify.That(events.Length > 0, "there is room for an event");
        if (_unregistered > 0)
            until = Instant.Min(until, RetryRegistrations());
        var count = _posted.Take(events);
        if (count == events.Length)
            return count;
        var timeout = count > 0 ? 0 : NanosecondsUntil(until);
        // One more than there is room for: the other set's own event takes none.
        var came = _urgent.Wait(events.Length - count + 1, timeout);
        var hasBulk = false;
        for (var i = 0; i < came; i++)
        {
            if (_urgent.Token(i) == BulkToken)
                hasBulk = true;
            else
                count += Translate(_urgent, i, events[count..]);
        }
        return hasBulk ? count + GatherBulk(events[count..]) : count;
    }

    public void MakeUrgent(SocketHandle stream)
    {
        ref var slot = ref _sockets[stream];
        Verify.That(slot.Interest == Readiness.None, "a stream is made urgent before it is used");
        slot.IsUrgent = true;
    }

    public void SetInterest(SocketHandle socket, Readiness interest)
    {
        ref var slot = ref _sockets[socket];
        if (slot.Interest == interest)
            return;
        slot.Interest = interest;
        Register(socket, ref slot);
    }

    /// <summary>Which of the newer system calls there are.</summary>
    internal KnownCalls Calls { get; }

    /// <summary>Whose sockets may be backends.</summary>
    internal BackendUsers Users { get; private init; } = new([]);

    /// <summary>How the sockets of backends are reached.</summary>
    internal SocketPaths Paths { get; }

    /// <summary>The descriptor behind a handle, for tests that look at its options.</summary>
    internal int DescriptorOf(SocketHandle socket) => _sockets[socket].Descriptor;

    /// <summary>Takes the events of a directory's watch into the wait; 0 or an errno.</summary>
    internal int Attach(DirectoryWatch watch)
    {
        Verify.That(_watch is null, "one directory is watched");
        var errno = _urgent.Add(watch.Descriptor, C.EPOLLIN, WatchToken);
        if (errno == 0)
            _watch = watch;
        return errno;
    }

    /// <summary>Takes signals into the wait; 0 or an errno.</summary>
    internal int Attach(SignalDescriptor signals)
    {
        Verify.That(_signals is null, "signals come from one descriptor");
        var errno = _urgent.Add(signals.Descriptor, C.EPOLLIN, SignalToken);
        if (errno == 0)
            _signals = signals;
        return errno;
    }

    internal void Detach(DirectoryWatch watch)
    {
        if (_watch != watch || _disposed)
            return;
        _ = _urgent.Remove(watch.Descriptor);
        _watch = null;
    }

    private static long NanosecondsUntil(Instant until)
    {
        if (until == Instant.Never)
            return Epoll.Forever;
        var now = MonotonicClock.Read();
        return until <= now ? 0 : (until - now).Nanoseconds;
    }

    /// <summary>What streams that are not urgent have, as far as there is room.</summary>
    private int GatherBulk(Span<NetworkEvent> events)
    {
        if (events.IsEmpty)
            return 0;
        var count = 0;
        var came = _bulk.Wait(events.Length, timeoutNanoseconds: 0);
        for (var i = 0; i < came; i++)
            count += Translate(_bulk, i, events[count..]);
        return count;
    }

    /// <summary>Writes what one event of epoll means; returns how many events.</summary>
    private int Translate(Epoll epoll, int index, Span<NetworkEvent> events)
    {
        var token = epoll.Token(index);
        if (token >> 32 == 0)
            return TranslateOwn(token, events);
        if (events.IsEmpty)
            return 0;
        var handle = new SocketHandle((int)(uint)token, (uint)(token >> 32));
        var slot = _sockets.IsLive(handle) ? _sockets.At(handle.Slot) : default;
        var ready = ReadyFor(epoll.Bits(index), slot.Interest);
        // What epoll could not be told of is not reported, though it goes on reporting it.
        if (slot.Registration == Registration.Stale)
            ready &= slot.Interest == Readiness.None ? 0 : slot.Interest | Readiness.HangUp;
        if (ready == Readiness.None && slot.Registration == Registration.Stale)
            return 0;
        events[0] = new NetworkEvent(NetworkEventKind.Socket, handle, ready);
        return 1;
    }

    /// <summary>What does not fit the span stays ready for the next wait.</summary>
    private int TranslateOwn(ulong token, Span<NetworkEvent> events)
    {
        if (events.IsEmpty)
            return 0;
        if (token == PostedToken)
        {
            _posted.Drain();
            return _posted.Take(events);
        }
        if (token == SignalToken)
        {
            _posted.Add(_signals!.Drain());
            return _posted.Take(events);
        }
        if (_watch is null || !_watch.Drain())
            return 0;
        events[0] = new NetworkEvent(
            NetworkEventKind.DirectoryChanged, SocketHandle.None, Readiness.None);
        return 1;
    }

    private static Readiness ReadyFor(uint bits, Readiness interest)
    {
        var ready = Readiness.None;
        if ((bits & C.EPOLLIN) != 0)
            ready |= Readiness.Read;
        if ((bits & C.EPOLLOUT) != 0)
            ready |= Readiness.Write;
        // A reader is to read, so that it meets the end or the error where it looks for them.
        if ((bits & (C.EPOLLERR | C.EPOLLHUP)) != 0)
            ready |= Readiness.HangUp | (interest & Readiness.Read);
        return ready;
    }

    // ---- Registration ----

    /// <summary>Brings epoll in line with a slot's interest.</summary>
    private void Register(SocketHandle socket, ref SocketSlot slot)
    {
        var epoll = slot.IsUrgent ? _urgent : _bulk;
        var isIn = slot.Registration is Registration.In or Registration.Stale;
        if (slot.Interest == Readiness.None)
        {
            var refusal = isIn ? epoll.Remove(slot.Descriptor) : 0;
            VerifyCall(refusal);
            SetRegistration(ref slot, refusal == 0 ? Registration.Out : Registration.Stale);
            return;
        }
        var bits = ((slot.Interest & Readiness.Read) != 0 ? C.EPOLLIN : 0)
            | ((slot.Interest & Readiness.Write) != 0 ? C.EPOLLOUT : 0);
        var token = (ulong)socket.Generation << 32 | (uint)socket.Slot;
        var errno = isIn
            ? epoll.Modify(slot.Descriptor, bits, token)
            : epoll.Add(slot.Descriptor, bits, token);
        VerifyCall(errno);
        // Memory or watches may be there in a moment, and so may what a sandbox forbids.
        SetRegistration(ref slot, errno == 0 ? Registration.In
            : isIn ? Registration.Stale : Registration.Wanted);
    }

    /// <summary>Anything else may be the kernel's or a sandbox's answer.</summary>
    private static void VerifyCall(int errno) => Verify.That(
        errno is not Errno.EBADF and not Errno.EINVAL and not Errno.ENOENT and not Errno.EEXIST,
        "epoll and the slots agree on what is in it");

    private void SetRegistration(ref SocketSlot slot, Registration registration)
    {
        if (slot.Registration is Registration.Wanted or Registration.Stale)
            _unregistered--;
        if (registration is Registration.Wanted or Registration.Stale)
            _unregistered++;
        slot.Registration = registration;
    }

    /// <summary>
    /// Tries the sockets again that epoll refused, if it is time; when to try next.
    /// </summary>
    private Instant RetryRegistrations()
    {
        var now = MonotonicClock.Read();
        // The clock may have gone back.
        if (now < _retryAt && _retryAt <= now + RegistrationRetry)
            return _retryAt;
        _retryAt = now + RegistrationRetry;
        var hasRoom = true;
        for (var index = 0; index < _sockets.Extent && _unregistered > 0 && hasRoom; index++)
        {
            ref var slot = ref _sockets.At(index);
            if (slot.Registration is not (Registration.Wanted or Registration.Stale))
                continue;
            Register(new SocketHandle(index, slot.Generation), ref slot);
            hasRoom = slot.Registration is Registration.In or Registration.Out;
        }
        return _unregistered > 0 ? _retryAt : Instant.Never;
    }

    // ---- Datagrams ----

    public IoResult ReceiveDatagrams(DatagramBatch batch) => _datagrams.Receive(batch);

    public IoResult SendDatagrams(DatagramBatch batch, int first) =>
        _datagrams.Send(batch, first);

    // ---- Streams ----

    public IoResult Accept(out SocketHandle stream, out Endpoint client)
    {
        stream = SocketHandle.None;
        client = default;
        if (!_sockets.TryReserve())
            return Errno.AcceptResult(Errno.ENOMEM);
        var listener = _sockets[Listener].Descriptor;
        SocketAddressIn address = default;
        int fd;
        while (true)
        {
            var length = (uint)sizeof(SocketAddressIn);
            fd = Calls.Accept(listener, &address, &length);
            if (fd >= 0)
                break;
            var errno = LibC.Errno;
            if (errno != Errno.EINTR)
                return Errno.AcceptResult(errno);
        }
        if (!TryAdd(fd, out stream))
            return Errno.Result(Errno.ENOMEM);
        client = new Endpoint(
            new Ipv4(BinaryPrimitives.ReverseEndianness(address.NetworkAddress)),
            BinaryPrimitives.ReverseEndianness(address.NetworkPort));
        return IoResult.Ok();
    }

    public IoResult ConnectBackend(ReadOnlySpan<byte> path, out SocketHandle stream)
    {
        Verify.That(path.Length is >= 1 and <= Limits.MaxPathBytes, "a path fits a socket's name");
        stream = SocketHandle.None;
        var peer = _passed.AreRefused ? 0 : NumberOf(path);
        if (!_passed.MayConnect(peer))
            return Errno.Result(Errno.EPROTO);
        if (!_sockets.TryReserve())
            return Errno.Result(Errno.ENOMEM);
        var fd = LibC.Socket(C.AF_UNIX, C.SOCK_STREAM | C.SOCK_NONBLOCK | C.SOCK_CLOEXEC, 0);
        if (fd < 0)
            return Errno.Result(LibC.Errno);
        _passed.Refuse(fd);
        var (errno, wantsScan) = (Errno.ENOMEM, false);
        try
        {
            errno = Paths.Connect(fd, path, out wantsScan);
        }
        catch (OutOfMemoryException)
        {
            // What it would take note of is some hundred bytes; the connect is tried again.
        }
        if (wantsScan)
            _posted.Post(NetworkEventKind.DirectoryChanged);
        if (errno != 0)
        {
            _ = LibC.Close(fd);
            return Errno.Result(errno);
        }
        if (!Users.MayListen(fd))
        {
            _ = LibC.Close(fd);
            return IoResult.Failed(IoStatus.WrongUser);
        }
        if (!TryAdd(fd, out stream))
            return Errno.Result(Errno.ENOMEM);
        ref var slot = ref _sockets[stream];
        (slot.MayBePassed, slot.Peer) = (!_passed.AreRefused, peer);
        return IoResult.Ok();
    }

    /// <summary>A path's, which few others have.</summary>
    private static ulong NumberOf(ReadOnlySpan<byte> path)
    {
        var number = 14_695_981_039_346_656_037;
        foreach (var octet in path)
            number = unchecked((number ^ octet) * 1_099_511_628_211);
        return number;
    }

    /// <summary>Takes a descriptor over; without memory for that it is closed.</summary>
    private bool TryAdd(int fd, out SocketHandle stream)
    {
        stream = SocketHandle.None;
        try
        {
            stream = _sockets.Add(fd);
            return true;
        }
        catch (OutOfMemoryException)
        {
            _ = LibC.Close(fd);
            return false;
        }
    }

    public IoResult Read(SocketHandle stream, Span<byte> into)
    {
        Verify.That(into.Length > 0, "there is room to read into");
        ref var slot = ref _sockets[stream];
        var fd = slot.Descriptor;
        var hasPassed = false;
        fixed (byte* start = into)
        {
            while (true)
            {
                var count = slot.MayBePassed
                    ? PassedDescriptors.Receive(fd, start, (nuint)into.Length, out hasPassed)
                    : LibC.Recv(fd, start, (nuint)into.Length, C.MSG_DONTWAIT);
                if (hasPassed)
                    return Errno.Result(Errno.EPROTO);
                if (count > 0)
                    return IoResult.Ok((int)count);
                if (count == 0)
                    return IoResult.Failed(IoStatus.EndOfStream);
                var errno = LibC.Errno;
                if (errno != Errno.EINTR)
                    return Errno.Result(errno);
            }
        }
    }

    public IoResult Write(SocketHandle stream, ReadOnlySpan<byte> from)
    {
        Verify.That(from.Length > 0, "there is something to write");
        var fd = _sockets[stream].Descriptor;
        fixed (byte* start = from)
        {
            while (true)
            {
                var count = LibC.Send(
                    fd, start, (nuint)from.Length, C.MSG_DONTWAIT | C.MSG_NOSIGNAL);
                if (count >= 0)
                    return IoResult.Ok((int)count);
                var errno = LibC.Errno;
                if (errno != Errno.EINTR)
                    return Errno.Result(errno);
            }
        }
    }

    /// <summary>Errors mean that the peer is gone, which the next read reports.</summary>
    public void HalfClose(SocketHandle stream) =>
        _ = LibC.Shutdown(_sockets[stream].Descriptor, C.SHUT_WR);

    public void Discard(Span<byte> unused)
    {
        var page = (nuint)Environment.SystemPageSize;
        fixed (byte* first = unused)
        {
            var begin = ((nuint)first + page - 1) / page * page;
            var end = ((nuint)first + (nuint)unused.Length) / page * page;
            // If the kernel does not want it, as when all memory is locked, it stays.
            if (end > begin)
                _ = LibC.MAdvise((void*)begin, end - begin, C.MADV_DONTNEED);
        }
    }

    public void Close(SocketHandle socket)
    {
        Verify.That(socket != DatagramSocket, "the UDP socket lives as long as the network");
        if (socket == Listener)
        {
            _ = _connectionsDropped.Read();
            _isListening = false;
        }
        ref var slot = ref _sockets[socket];
        var isClosedLater = slot.MayBePassed;
        // If that is refused it is reported until it is closed, and nobody is its reader.
        if (isClosedLater && slot.Registration is Registration.In or Registration.Stale)
            _ = (slot.IsUrgent ? _urgent : _bulk).Remove(slot.Descriptor);
        SetRegistration(ref slot, Registration.Out);
        var peer = slot.Peer;
        var fd = _sockets.Remove(socket);
        // The kernel takes a closed descriptor out of epoll: nothing here is ever duplicated.
        if (isClosedLater)
            _passed.CloseSession(fd, peer);
        else
            _ = LibC.Close(fd);
    }

    public void Abort(SocketHandle stream)
    {
        // TCP then sends a reset; AF_UNIX has none and takes no notice.
        var linger = new Linger { On = 1, Seconds = 0 };
        _ = LibC.SetSockOpt(_sockets[stream].Descriptor, C.SOL_SOCKET, C.SO_LINGER, &linger,
            (uint)sizeof(Linger));
        Close(stream);
    }

    private static void RaiseDescriptorLimit(List<string> warnings)
    {
        ResourceLimit limit;
        if (LibC.GetRLimit(C.RLIMIT_NOFILE, &limit) < 0)
        {
            var errno = LibC.Errno;
            var assumed = DescriptorRoom.Assumed.ToString(CultureInfo.InvariantCulture);
            warnings.Add(NetworkSetupException.Explain(
                $"the limit of open files cannot be read, and is taken for {assumed}", errno));
            return;
        }
        if (limit.Soft == limit.Hard)
            return;
        limit.Soft = limit.Hard;
        if (LibC.SetRLimit(C.RLIMIT_NOFILE, &limit) < 0)
        {
            warnings.Add(NetworkSetupException.Explain(
                "cannot raise the limit of open files", LibC.Errno));
        }
    }
}
