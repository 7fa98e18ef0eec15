// Owns one session of a fake backend process: the stream that the process accepted, and the
// BinderSession that decides what is said on it. It carries bytes, deadlines and actions between
// the two and decides nothing.
//
// What always holds: a process that is paused, hung or dead moves nothing; bytes that the session
// does not read stay in the stream; the end is reported once.

using System;
using Balancer.Core;
using FakeBinder;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>One session of a fake backend in virtual time.</summary>
internal sealed class BinderLink
{
    /// <summary>Bytes that may wait to be written before the session is read no more.</summary>
    private const int MaxUnsent = 1_048_576;

    /// <summary>A frame of a type that there is not.</summary>
    private static ReadOnlySpan<byte> Nonsense => [0xde, 0xad, 0xbe, 0xef];

    private readonly BinderProcess _process;
    private readonly SimStream _stream;
    private readonly BinderSession _session;
    private readonly SocketHandle _name;
    private readonly Action _onDeadline;
    private long? _scheduledNs;
    private bool _hung;

    public BinderLink(BinderProcess process, SimStream stream, BinderSession session)
    {
        _process = process;
        _stream = stream;
        _session = session;
        _name = stream.LastBalancerHandle;
        _onDeadline = OnDeadline;
        stream.OnReadable = _ => OnReadable();
        process.Observer.OnBackendAccepted(process.Now, process.Backend, _name);
        session.OnConnected(process.Now.Nanoseconds);
    }

    public bool IsOver { get; private set; }

    public Misbehaviour Misbehaviour
    {
        set => _session.Misbehaviour = value;
    }

    /// <summary>Goes on with all that there is to do, after a pause too.</summary>
    public void GoOn()
    {
        if (_hung && _process.IsActive)
            End(reset: true);
        Follow();
        if (!IsOver && _process.IsActive)
            OnDeadline();
        OnReadable();
    }

    /// <summary>The stream is closed or reset by the process or its end.</summary>
    public void End(bool reset)
    {
        if (IsOver)
            return;
        if (!_stream.IsClosed)
        {
            if (reset)
                _stream.Reset();
            else
                _stream.Close();
        }
        Over(reset ? "reset" : "close");
    }

    /// <summary>Writes bytes that the session knows nothing of.</summary>
    public void Inject(ReadOnlySpan<byte> bytes)
    {
        if (!IsOver)
            Write(bytes);
    }

    private void OnReadable()
    {
        while (CanRead())
        {
            var result = _stream.Read(_process.Buffer);
            if (result.Status == IoStatus.WouldBlock)
                return;
            if (result.Status == IoStatus.EndOfStream)
            {
                _session.OnEndOfStream(_process.Now.Nanoseconds);
                Follow();
                return;
            }
            if (!result.IsOk)
            {
                _stream.Close();
                Over("reset");
                return;
            }
            var bytes = _process.Buffer.AsSpan(0, result.Count);
            _process.Observer.OnBackendRead(_process.Now, _process.Backend, _name, bytes);
            var killer = DnsQuestions.FindKiller(bytes);
            _session.OnBytes(_process.Now.Nanoseconds, killer < 0 ? bytes : bytes[..killer]);
            Follow();
            if (killer < 0 || IsOver)
                continue;
            if (DnsQuestions.IsHanger(bytes[killer..]))
                Hang();
            else
                Crash(bytes[killer..]);
        }
    }

    /// <summary>The process ends of a question, and may have lost its wits before.</summary>
    private void Crash(ReadOnlySpan<byte> question)
    {
        if (SeenFrame.IsQuery(question) && DnsQuestions.IsForNonsense(question))
            Write(Nonsense);
        _process.CrashByScript();
    }

    /// <summary>
    /// The process does nothing until long after its sessions must have been ended. What was read
    /// behind the question is lost, so this one goes no further.
    /// </summary>
    private void Hang()
    {
        _hung = true;
        _process.PauseUntil(_process.Now + DnsQuestions.HangTime);
    }

    private bool CanRead() => !IsOver && _process.IsActive && _session.Reads
        && !_stream.IsClosed && _stream.Unsent < MaxUnsent;

    private void OnDeadline()
    {
        if (IsOver || !_process.IsActive)
            return;
        var now = _process.Now.Nanoseconds;
        if (_scheduledNs <= now)
            _scheduledNs = null;
        if (_session.NextDeadlineNs <= now)
            _session.OnDeadline(now);
        Follow();
    }

    private void Follow()
    {
        while (!IsOver && _process.IsActive && _session.Outbox.TryTake(out var action))
            Do(action);
        if (IsOver || _session.NextDeadlineNs is not { } next || next >= _scheduledNs)
            return;
        _scheduledNs = next;
        _process.Kernel.At(new Instant(next), _onDeadline);
    }

    private void Do(in SessionAction action)
    {
        switch (action.Kind)
        {
            case SessionActionKind.Write:
                Write(action.Bytes.Span);
                break;
            case SessionActionKind.HalfClose:
                if (_stream.CanSend)
                    _stream.HalfClose();
                _process.Observer.OnBackendEnded(
                    _process.Now, _process.Backend, _name, "eof");
                break;
            case SessionActionKind.Close:
                if (!_stream.IsClosed)
                    _stream.CloseWhenSent();
                Over("close");
                break;
            case SessionActionKind.Reset:
                End(reset: true);
                break;
            case SessionActionKind.CrashProcess:
                _process.CrashByScript();
                break;
            case SessionActionKind.PauseProcess:
                _process.PauseUntil(_process.Now + new Duration(action.DurationNs));
                break;
        }
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        if (!_stream.CanSend)
            return;
        _process.Observer.OnBackendWrote(_process.Now, _process.Backend, _name, bytes);
        _stream.Send(bytes);
    }

    private void Over(string how)
    {
        IsOver = true;
        _process.Observer.OnBackendEnded(_process.Now, _process.Backend, _name, how);
        _process.Forget(this);
    }
}
