// Owns the balancer's side of the kernel: INetwork's calls, counted, each answered by the part of
// the kernel that it concerns, and Wait, in which virtual time passes.
//
// Wait returns as epoll_wait does: with what is ready now; else after the first scheduled action
// that makes something ready; else when its time has come, or when it is interrupted. With
// Instant.Never and nothing scheduled it would block for ever, so it returns 0 with the time
// unchanged and says IsIdle.
//
// What always holds: what an operator asks for, the directory and urgent sockets come before all
// other streams, and sockets of either kind in the order in which things happened to them; a handle
// that is not open is the caller's bug (Verify).

using System;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>The simulated kernel's system calls.</summary>
public sealed class SimNetwork : INetwork
{
    private readonly SimKernel _kernel;
    private bool _stop;
    private bool _rescan;
    private bool _status;
    private bool _directoryChanged;
    private bool _directoryAnswered;

    internal SimNetwork(SimKernel kernel, Endpoint listen)
    {
        _kernel = kernel;
        ListenEndpoint = listen;
        Listener = kernel.Listener.Socket.Handle;
    }

    public Endpoint ListenEndpoint { get; }

    public SocketHandle DatagramSocket => _kernel.Datagrams.Socket.Handle;

    public SocketHandle Listener { get; }

    public long DatagramsDropped => _kernel.Datagrams.Lost;

    public long ConnectionsDropped => _kernel.Listener.Dropped;

    public IoResult Unwatched => _kernel.Faults.Unwatched;

    /// <summary>
    /// How long the process stood still at the start of the last Wait; zero as a rule.
    /// </summary>
    public Duration Stalled { get; private set; }

    /// <summary>
    /// A fault made the last Wait return at once and report nothing of what is ready.
    /// </summary>
    public bool WokeEarly { get; private set; }

    public int Wait(Instant until, Span<NetworkEvent> events)
    {
        Verify.That(events.Length > 0, "a wait has room for an event");
        _kernel.Calls.Add(SimCall.Wait);
        var count = WaitUncounted(until, events);
        foreach (var happened in events[..count])
        {
            _kernel.Calls.Note(SimCall.Wait, happened.Handle.Slot,
                (int)happened.Kind << 8 | (int)happened.Ready, _kernel.Now);
        }
        return count;
    }

    public void MakeUrgent(SocketHandle stream)
    {
        Count(SimCall.MakeUrgent, stream, 0);
        _kernel.Sockets.Find(stream).MakeUrgent();
    }

    public void SetInterest(SocketHandle socket, Readiness interest)
    {
        Count(SimCall.SetInterest, socket, (int)interest);
        _kernel.Sockets.Find(socket).SetInterest(interest);
    }

    public IoResult ReceiveDatagrams(DatagramBatch batch) =>
        Count(SimCall.ReceiveDatagrams, DatagramSocket, _kernel.Datagrams.Receive(batch));

    public IoResult SendDatagrams(DatagramBatch batch, int first) =>
        Count(SimCall.SendDatagrams, DatagramSocket, _kernel.Datagrams.Send(batch, first));

    public IoResult Accept(out SocketHandle stream, out Endpoint client)
    {
        Verify.That(!_kernel.Listener.IsClosed, "a closed listener accepts nobody");
        var result = _kernel.Listener.Accept(out stream, out client);
        return Count(SimCall.Accept, stream, result);
    }

    public IoResult ConnectBackend(ReadOnlySpan<byte> path, out SocketHandle stream)
    {
        Verify.That(path.Length is >= 1 and <= Limits.MaxPathBytes, "a path has 1 to 107 bytes");
        stream = SocketHandle.None;
        var result = Connect(path, ref stream);
        return Count(SimCall.Connect, stream, result);
    }

    public IoResult Read(SocketHandle stream, Span<byte> into)
    {
        var end = _kernel.Sockets.FindStream(stream);
        var cap = _kernel.Faults.Cut(into.Length, _kernel.Faults.MaxReadBytes);
        if (!TryFault(SimCall.Read, end, cap, out var most, out var result))
            result = end.Read(into[..most]);
        return Count(SimCall.Read, stream, result);
    }

    public IoResult Write(SocketHandle stream, ReadOnlySpan<byte> from)
    {
        var end = _kernel.Sockets.FindStream(stream);
        var cap = _kernel.Faults.Cut(from.Length, _kernel.Faults.MaxWriteBytes);
        if (!TryFault(SimCall.Write, end, cap, out var most, out var result))
            result = end.Write(from[..most]);
        return Count(SimCall.Write, stream, result);
    }

    public void HalfClose(SocketHandle stream)
    {
        Count(SimCall.HalfClose, stream, 0);
        _kernel.Sockets.FindStream(stream).HalfClose();
    }

    public void Discard(Span<byte> unused) => unused.Clear();

    public void Close(SocketHandle socket)
    {
        Count(SimCall.Close, socket, 0);
        var open = _kernel.Sockets.Find(socket);
        Verify.That(socket != DatagramSocket, "the UDP socket stays open");
        if (open.End is { } end)
            end.Close();
        else
            _kernel.Listener.Close();
        _kernel.Sockets.Close(open);
    }

    public void Abort(SocketHandle stream)
    {
        Count(SimCall.Abort, stream, 0);
        var end = _kernel.Sockets.FindStream(stream);
        if (end.IsTcp)
            end.Reset();
        else
            end.Close();
        _kernel.Sockets.Close(_kernel.Sockets.Find(stream));
    }

    internal void RaiseStop() => _stop = true;

    internal void RaiseRescan() => _rescan = true;

    internal void RaiseStatus() => _status = true;

    internal void RaiseDirectoryChanged() => _directoryChanged = true;

    internal void RaiseDirectoryAnswered() => _directoryAnswered = true;

    private int WaitUncounted(Instant until, Span<NetworkEvent> events)
    {
        _kernel.IsIdle = false;
        Stalled = Duration.Zero;
        WokeEarly = _kernel.Faults.EarlyWakeUps > 0;
        if (WokeEarly)
        {
            _kernel.Faults.EarlyWakeUps--;
            return 0;
        }
        Stalled = TakeStall(_kernel.Faults);
        _kernel.PassUntil(_kernel.Now + Stalled);
        if (Stalled > Duration.Zero && _kernel.Faults.StallInterrupts)
        {
            _kernel.Faults.StallInterrupts = false;
            WokeEarly = true;
            return 0;
        }

        var end = Instant.Min(_kernel.Clock.WhenShown(until), _kernel.WaitLimit);
        var count = Gather(events);
        while (count == 0 && _kernel.Now < end)
        {
            var next = Instant.Min(_kernel.NextActionAt, end);
            if (next == Instant.Never)
            {
                _kernel.IsIdle = true;
                return 0;
            }
            _kernel.Advance(next);
            _kernel.RunDue();
            count = Gather(events);
            if (_kernel.WakesOnActions || _kernel.WakeWhen?.Invoke() == true)
                break;
        }
        return count;
    }

    private Duration TakeStall(SimFaults faults)
    {
        var stall = faults.Stall;
        faults.Stall = Duration.Zero;
        if (!_kernel.Directory.IsScanning)
            return stall;
        stall += faults.StallInScan;
        faults.StallInScan = Duration.Zero;
        return stall;
    }

    private int Gather(Span<NetworkEvent> events)
    {
        var count = 0;
        TellWhatIsAsked(events, ref count);
        Tell(ref _directoryChanged, NetworkEventKind.DirectoryChanged, events, ref count);
        Tell(ref _directoryAnswered, NetworkEventKind.DirectoryAnswered, events, ref count);
        while (count < events.Length && _kernel.Faults.TryTakeSpurious(out var spurious))
            AddSpurious(spurious, events, ref count);
        count += _kernel.Sockets.GatherUrgent(events[count..]);
        var bulk = _kernel.Sockets.GatherBulk(events[count..]);
        Shuffle(events[..count]);
        Shuffle(events.Slice(count, bulk));
        return count + bulk;
    }

    /// <summary>
    /// In which order Linux reports what is ready at once is nobody's promise, and neither is where
    /// among what is urgent comes what an operator asks for.
    /// </summary>
    private void Shuffle(Span<NetworkEvent> events)
    {
        if (_kernel.DrawEventOrder is not { } draw)
            return;
        for (var left = events.Length; left > 1; left--)
        {
            var other = draw(left);
            (events[left - 1], events[other]) = (events[other], events[left - 1]);
        }
    }

    private void TellWhatIsAsked(Span<NetworkEvent> events, ref int count)
    {
        Tell(ref _stop, NetworkEventKind.StopRequested, events, ref count);
        Tell(ref _rescan, NetworkEventKind.RescanRequested, events, ref count);
        Tell(ref _status, NetworkEventKind.StatusRequested, events, ref count);
    }

    private void AddSpurious(NetworkEvent spurious, Span<NetworkEvent> events, ref int count)
    {
        if (!_kernel.Sockets.IsOpen(spurious.Handle))
            return;
        var interest = _kernel.Sockets.Find(spurious.Handle).Interest;
        var told = spurious.Ready & interest;
        if (told != Readiness.None)
            events[count++] = spurious with { Ready = told };
    }

    private static void Tell(
        ref bool raised, NetworkEventKind kind, Span<NetworkEvent> events, ref int count)
    {
        if (!raised || count == events.Length)
            return;
        raised = false;
        events[count++] = new NetworkEvent(kind, SocketHandle.None, Readiness.None);
    }

    private IoResult Connect(ReadOnlySpan<byte> path, ref SocketHandle stream)
    {
        if (_kernel.Faults.TryTake(SimCall.Connect, out var fault) && !fault.IsOk)
            return fault;
        if (_kernel.IsOutOfDescriptors)
            return IoResult.Failed(IoStatus.TooManyFiles, Errnos.Emfile);
        var result = _kernel.Directory.Connect(path, out var end);
        if (end != null)
            stream = _kernel.Sockets.OpenStream(end).Handle;
        return result;
    }

    /// <summary>Whether a script answers the call; if not, how many bytes it may move.</summary>
    private bool TryFault(
        SimCall call, SimEnd end, int cap, out int most, out IoResult result)
    {
        Verify.That(cap > 0, "a read or write is of a byte at least");
        most = cap;
        result = default;
        if (end.IsTcp && _kernel.Faults.SparesClients)
            return false;
        if (!_kernel.Faults.TryTake(call, out result))
            return false;
        if (!result.IsOk)
            return true;
        if (result.Count > 0)
            most = Math.Min(most, result.Count);
        return false;
    }

    private void Count(SimCall call, SocketHandle socket, long answer)
    {
        _kernel.Calls.Add(call);
        _kernel.Calls.Note(call, socket.Slot, answer, _kernel.Now);
    }

    private IoResult Count(SimCall call, SocketHandle socket, IoResult result)
    {
        _kernel.Calls.Add(call);
        return _kernel.Calls.Note(call, socket.Slot, result, _kernel.Now);
    }
}
