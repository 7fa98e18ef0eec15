// Owns the process's IO: one thread, one epoll, any number of listening sockets and of sessions
// on them. It carries bytes and time to BinderSessions and their actions to the sockets, and
// decides nothing else. No query costs a task or a wake-up of its own.
//
// With --listen it serves plain DNS beside the sockets. With --journal every byte and end is
// written to a file, with --commands lines on standard input have the process misbehave otherwise
// or end its sessions; SIGHUP has it read its script again.
//
// What always holds: a write goes out at once if the socket takes it, else it waits behind what
// waits already, and while more than MaxPending bytes wait the session is not read. A process
// that hangs or never accepts does nothing more, but its signals still end it.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using CommandLines;

namespace FakeBinder;

/// <summary>Runs sessions on sockets until a signal or a crash ends the process.</summary>
internal sealed class BinderServer
{
    private const int ReadBytes = 65_536;
    private const int MaxPending = 1_048_576;
    private const int EventsPerWait = 256;
    private const int AcceptsPerEvent = 64;
    private const long NsPerMs = 1_000_000;
    private const int AcceptPauseMs = 100;
    private const int StandardInput = 0;
    private const long CommandsKey = 0;
    private const long WakerKey = -1;
    private const long DatagramsKey = -2;
    private const int DatagramsPerEvent = 64;
    private const int LongestLine = 65_536;

    private readonly BinderShared _shared;
    private readonly Journal? _journal;
    private readonly int _epoll = LibC.EpollCreate();
    private readonly byte[] _events = LibC.EpollBuffer(EventsPerWait);
    private readonly byte[] _read = new byte[ReadBytes];
    private readonly Dictionary<long, Listener> _listeners = [];
    private readonly Dictionary<long, Connection> _connections = [];
    private readonly PriorityQueue<Connection, long> _deadlines = new();
    private readonly List<byte> _line = [];
    private readonly int _waker = LibC.CreateWaker();
    private readonly Func<Misbehaviour>? _readScriptAgain;
    private PlainDns? _plain;
    private int _datagrams;
    private Misbehaviour _misbehaviour;
    private bool _accepts;
    private long _lastKey;

    private sealed record Listener(int Descriptor, string Id, bool IsPlain);

    public BinderServer(Settings settings, Action<string>? trace, Journal? journal = null)
    {
        _misbehaviour = settings.Misbehaviour;
        _accepts = settings.Accepts;
        _readScriptAgain = settings.ReadScriptAgain;
        _journal = journal;
        _shared = new BinderShared(NowNs()) { Trace = trace };
        _ = LibC.EpollControl(_epoll, LibC.EpollAdd, _waker, LibC.EpollIn, WakerKey);
    }

    /// <summary>
    /// Has the script read again, in the place of that which there is; from any thread.
    /// </summary>
    public void ReadScriptAgain() => LibC.Wake(_waker);

    /// <summary>Serves datagrams and a listening socket of TCP's without any frame.</summary>
    public void AddPlain(int datagrams, int listener, string id)
    {
        _datagrams = datagrams;
        _plain = new PlainDns(id, _misbehaviour, _shared, (address, port, answer) =>
            LibC.SendTo(_datagrams, address, port, answer));
        _ = LibC.EpollControl(_epoll, LibC.EpollAdd, datagrams, LibC.EpollIn, DatagramsKey);
        Add(listener, id, isPlain: true);
    }

    /// <summary>Serves one listening socket under the id.</summary>
    public void Add(int descriptor, string id, bool isPlain = false)
    {
        _listeners.Add(++_lastKey, new Listener(descriptor, id, isPlain));
        _journal?.Add(JournalKind.Listening, NowNs(), 0, id);
        if (_accepts)
            _ = LibC.EpollControl(_epoll, LibC.EpollAdd, descriptor, LibC.EpollIn, _lastKey);
    }

    /// <summary>Takes commands on standard input; a file there, or its end, is none.</summary>
    public void TakeCommands() => _ = LibC.EpollControl(
        _epoll, LibC.EpollAdd, StandardInput, LibC.EpollIn, CommandsKey);

    /// <summary>Runs for ever.</summary>
    public void Run()
    {
        while (true)
        {
            if (_shared.Hung)
                Thread.Sleep(Timeout.Infinite);
            var count = LibC.EpollWait(_epoll, _events, WaitMs());
            for (var i = 0; i < count && !_shared.Hung; i++)
            {
                var (events, key) = LibC.EpollEvent(_events, i);
                if (key == CommandsKey)
                    ReadCommands();
                else if (key == WakerKey)
                    ReadScript();
                else if (key == DatagramsKey)
                    ReadDatagrams(_plain!);
                else if (_listeners.TryGetValue(key, out var listener))
                    Accept(listener);
                else if (_connections.TryGetValue(key, out var connection))
                    OnReady(connection, events);
            }
            RunDeadlines();
        }
    }

    private static long NowNs() =>
        (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));

    private int WaitMs()
    {
        var plain = _plain?.NextDeadlineNs;
        if (!_deadlines.TryPeek(out _, out var due))
            due = plain ?? long.MaxValue;
        due = Math.Min(due, plain ?? long.MaxValue);
        if (due == long.MaxValue)
            return -1;
        var left = due - NowNs();
        return left <= 0 ? 0 : (int)Math.Min((left + NsPerMs - 1) / NsPerMs, 60_000);
    }

    private void Accept(Listener listener)
    {
        for (var i = 0; i < AcceptsPerEvent; i++)
        {
            var descriptor = LibC.Accept(listener.Descriptor);
            if (descriptor < 0)
            {
                // Out of descriptors, most likely: the listener stays ready, so rest a little.
                if (Marshal.GetLastPInvokeError()
                    is not (LibC.WouldBlock or LibC.Interrupted))
                    Thread.Sleep(AcceptPauseMs);
                return;
            }
            var session = new BinderSession(
                listener.Id, _misbehaviour, _shared, listener.IsPlain);
            var connection = new Connection(++_lastKey, descriptor, session);
            _connections.Add(connection.Key, connection);
            _ = LibC.EpollControl(
                _epoll, LibC.EpollAdd, descriptor, LibC.EpollIn, connection.Key);
            connection.Watched = LibC.EpollIn;
            _shared.Trace?.Invoke($"{listener.Id}: connection {connection.Key}");
            _journal?.Add(JournalKind.Accepted, NowNs(), connection.Key, []);
            session.OnConnected(NowNs());
            Follow(connection);
        }
    }

    private void OnReady(Connection connection, uint events)
    {
        if ((events & LibC.EpollOut) != 0)
            Flush(connection);
        if (connection.IsClosed)
            return;
        if ((events & ~LibC.EpollOut) != 0)
        {
            if ((connection.Watched & LibC.EpollIn) != 0)
                Read(connection);
            else
                Unwatch(connection);
        }
        Follow(connection);
    }

    private void Read(Connection connection)
    {
        // A reset is an error for the peer only if it leaves something unread, so in that
        // misbehaviour bytes are looked at first and taken afterwards.
        var flags = _misbehaviour.TcpReset ? LibC.Peek : 0;
        var count = (int)LibC.Receive(connection.Descriptor, _read, flags);
        if (count > 0)
        {
            _journal?.Add(
                JournalKind.Read, NowNs(), connection.Key, _read.AsSpan(0, count));
            connection.Session.OnBytes(NowNs(), _read.AsSpan(0, count));
            if (flags != 0 && !connection.Session.IsOver)
                _ = LibC.Receive(connection.Descriptor, _read.AsSpan(0, count), 0);
        }
        else if (count == 0)
        {
            _journal?.Add(JournalKind.PeerEnded, NowNs(), connection.Key, []);
            connection.Session.OnEndOfStream(NowNs());
        }
        else if (Marshal.GetLastPInvokeError()
            is not (LibC.WouldBlock or LibC.Interrupted))
        {
            Drop(connection, "read failed: " + LibC.LastErrorText());
        }
    }

    private void ReadDatagrams(PlainDns plain)
    {
        for (var i = 0; i < DatagramsPerEvent && !_shared.Hung; i++)
        {
            var count = LibC.ReceiveFrom(_datagrams, _read, out var address, out var port);
            if (count < 0)
                return;
            plain.OnDatagram(NowNs(), address, port, _read.AsSpan(0, count));
            DoToProcess(plain.Outbox);
        }
    }

    // ---- Commands ----

    private void ReadScript()
    {
        _ = LibC.Read(_waker, _read.AsSpan(0, 8));
        try
        {
            Misbehave(_readScriptAgain!());
            Say("did read the script again");
        }
        catch (Exception wrong) when (wrong is ScriptFormatException or IOException
            or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(
                $"fake-binder: --script: {ScriptFile.Reason(wrong)}; it misbehaves as before");
        }
    }

    /// <summary>Tells whoever gave a command that it is done, if anybody reads it.</summary>
    private static void Say(string line) => _ = StandardOptions.TryPrint(line + "\n");

    private void Misbehave(Misbehaviour misbehaviour)
    {
        _misbehaviour = misbehaviour;
        if (_plain is not null)
            _plain.Misbehaviour = misbehaviour;
        foreach (var connection in _connections.Values)
            connection.Session.Misbehaviour = misbehaviour;
    }

    private void ReadCommands()
    {
        var count = (int)LibC.Read(StandardInput, _read);
        if (count <= 0)
        {
            _ = LibC.EpollControl(_epoll, LibC.EpollDelete, StandardInput, 0, 0);
            return;
        }
        foreach (var octet in _read.AsSpan(0, count).ToArray())
        {
            if (octet != '\n' && _line.Count < LongestLine)
            {
                _line.Add(octet);
                continue;
            }
            var line = Encoding.UTF8.GetString([.. _line]);
            _line.Clear();
            if (Command.Read(line) is { } command)
            {
                Do(command);
                Say("did " + line);
            }
            else
            {
                Console.Error.WriteLine($"fake-binder: no command: {line}");
            }
        }
    }

    private void Do(Command command)
    {
        switch (command.Kind)
        {
            case CommandKind.Script:
                Misbehave(command.Script!);
                break;
            case CommandKind.Reset:
                foreach (var connection in All())
                    Reset(connection);
                break;
            case CommandKind.End:
                foreach (var connection in All())
                    End(connection, command.Number);
                break;
            case CommandKind.Accept:
                SetAccepting(true, SocketPaths.Backlog);
                break;
            case CommandKind.AcceptNot:
                SetAccepting(false, command.Number);
                break;
        }
    }

    private List<Connection> All() => [.. _connections.Values];

    /// <summary>
    /// A peer is told of a reset only if something that it sent is left unread; a session on which
    /// nothing waits just ends.
    /// </summary>
    private void Reset(Connection connection) => Drop(connection, "reset as asked");

    private void End(Connection connection, int bytes)
    {
        Span<byte> header = stackalloc byte[WireCodec.UdpHeaderBytes];
        WireCodec.WriteOutboundUdpHeader(header, 0x7F000001, 53, 64);
        if (bytes > 0)
            Write(connection, header[..bytes]);
        Drop(connection, "ended as asked");
    }

    private void SetAccepting(bool accepts, int backlog)
    {
        foreach (var (key, listener) in _listeners)
        {
            LibC.SetBacklog(listener.Descriptor, backlog);
            if (accepts != _accepts)
            {
                _ = LibC.EpollControl(_epoll, accepts ? LibC.EpollAdd : LibC.EpollDelete,
                    listener.Descriptor, LibC.EpollIn, key);
            }
        }
        _accepts = accepts;
    }

    private void RunDeadlines()
    {
        var now = NowNs();
        if (_plain is { } plain)
        {
            plain.OnDeadline(now);
            DoToProcess(plain.Outbox);
        }
        while (!_shared.Hung && _deadlines.TryPeek(out var connection, out var due)
            && due <= now)
        {
            _deadlines.Dequeue();
            if (connection.IsClosed || connection.ScheduledNs != due)
                continue;
            connection.ScheduledNs = null;
            connection.Session.OnDeadline(now);
            Follow(connection);
        }
    }

    /// <summary>Does what the session wants, then waits for what it waits for.</summary>
    private void Follow(Connection connection)
    {
        while (!connection.IsClosed && connection.Session.Outbox.TryTake(out var action))
            Do(connection, action);
        if (connection.IsClosed)
            return;
        if (connection.Session.NextDeadlineNs is { } next && next != connection.ScheduledNs)
        {
            connection.ScheduledNs = next;
            _deadlines.Enqueue(connection, next);
        }
        Watch(connection);
    }

    private void Do(Connection connection, SessionAction action)
    {
        switch (action.Kind)
        {
            case SessionActionKind.Write:
                Write(connection, action.Bytes.Span);
                break;
            case SessionActionKind.HalfClose:
            case SessionActionKind.Close:
                connection.EndAfterFlush = action.Kind;
                EndIfFlushed(connection);
                break;
            case SessionActionKind.Reset:
                Drop(connection, SessionEnd.Reset);
                break;
            default:
                DoToProcess(action);
                break;
        }
    }

    private void DoToProcess(SessionOutbox outbox)
    {
        while (outbox.TryTake(out var action))
            DoToProcess(action);
    }

    private void DoToProcess(SessionAction action)
    {
        if (action.Kind == SessionActionKind.CrashProcess)
            LibC.ExitNow(1);
        if (action.Kind != SessionActionKind.PauseProcess)
            return;
        _shared.Trace?.Invoke($"pause of {action.DurationNs / NsPerMs} ms");
        Thread.Sleep(TimeSpan.FromMilliseconds(action.DurationNs / NsPerMs));
    }

    private void Write(Connection connection, ReadOnlySpan<byte> bytes)
    {
        _journal?.Add(JournalKind.Written, NowNs(), connection.Key, bytes);
        if (connection.Pending.Count == 0)
        {
            var sent = Send(connection, bytes);
            if (sent < 0)
                return;
            bytes = bytes[sent..];
        }
        if (!bytes.IsEmpty)
            connection.Pending.Add(bytes);
    }

    private void Flush(Connection connection)
    {
        var sent = Send(connection, connection.Pending.Bytes);
        if (sent < 0)
            return;
        connection.Pending.Remove(sent);
        EndIfFlushed(connection);
    }

    /// <summary>How many bytes the socket took; -1 if the connection is gone.</summary>
    private int Send(Connection connection, ReadOnlySpan<byte> bytes)
    {
        var taken = 0;
        while (taken < bytes.Length)
        {
            var sent = (int)LibC.Send(connection.Descriptor, bytes[taken..]);
            if (sent >= 0)
            {
                taken += sent;
                continue;
            }
            var error = Marshal.GetLastPInvokeError();
            if (error == LibC.WouldBlock)
                break;
            if (error == LibC.Interrupted)
                continue;
            Drop(connection, "write failed: " + LibC.LastErrorText());
            return -1;
        }
        return taken;
    }

    private void EndIfFlushed(Connection connection)
    {
        if (connection.Pending.Count > 0 || connection.EndAfterFlush is not { } end)
            return;
        connection.EndAfterFlush = null;
        if (end != SessionActionKind.HalfClose)
        {
            Drop(connection, SessionEnd.Closed + (connection.Session.EndReason ?? "as asked"));
            return;
        }
        _journal?.Add(JournalKind.HalfClosed, NowNs(), connection.Key, []);
        LibC.Shutdown(connection.Descriptor);
    }

    private void Watch(Connection connection)
    {
        var wanted = connection.Pending.Count > 0 ? LibC.EpollOut : 0;
        if (connection.Session.Reads && connection.Pending.Count < MaxPending)
            wanted |= LibC.EpollIn;
        if (wanted == connection.Watched)
            return;
        var operation = connection.IsWatched ? LibC.EpollModify : LibC.EpollAdd;
        // With nothing to wait for the kernel would still tell of the peer's end, each time.
        if (wanted == 0)
            Unwatch(connection);
        else
            _ = LibC.EpollControl(
                _epoll, operation, connection.Descriptor, wanted, connection.Key);
        connection.Watched = wanted;
    }

    private void Unwatch(Connection connection)
    {
        if (connection.IsWatched)
            _ = LibC.EpollControl(_epoll, LibC.EpollDelete, connection.Descriptor, 0, 0);
        connection.Watched = 0;
    }

    private void Drop(Connection connection, string why)
    {
        if (connection.IsClosed)
            return;
        connection.IsClosed = true;
        _connections.Remove(connection.Key);
        _journal?.Add(JournalKind.Over, NowNs(), connection.Key, why);
        LibC.Close(connection.Descriptor);
        _shared.Trace?.Invoke($"connection {connection.Key}: {why}");
    }

    private sealed class Connection(long key, int descriptor, BinderSession session)
    {
        public long Key { get; } = key;

        public int Descriptor { get; } = descriptor;

        public BinderSession Session { get; } = session;

        public PendingBytes Pending { get; } = new();

        /// <summary>HalfClose or Close, once Pending is empty.</summary>
        public SessionActionKind? EndAfterFlush { get; set; }

        /// <summary>The deadline that the queue holds for it; others there are stale.</summary>
        public long? ScheduledNs { get; set; }

        public uint Watched { get; set; }

        public bool IsWatched => Watched != 0;

        public bool IsClosed { get; set; }
    }
}
