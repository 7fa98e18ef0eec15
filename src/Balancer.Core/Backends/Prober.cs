// Owns the question whether a backend answers as it should: it is asked for a name that the
// operator chose, through its own session, and its answers are counted.
//
//   hello ──→ asked at once, then every 100 ms until the first good answer, for 10 s at most
//         ──→ every second
//
// A probe is a query like any client's, but for its source, an address that no client has: the one
// that RFC 7600 sets aside as a dummy. So a backend needs to know nothing of it. Queries that claim
// to come from there are dropped while there are probes, and none is ever in flight for it; so what
// a backend sends there is the answer to the probe that is out, or answers nothing, and neither way
// does it reach the network.
//
// A probe fails when its answer is SERVFAIL or REFUSED, or when none comes within a second. As with
// heartbeats, a wait that ends late or while something lies unread begins again, and none ends in
// the time that is given after a standstill. A backend that is stuck is not asked, and one that
// became stuck meanwhile has not failed.
//
// What always holds: one probe is out at most, each with the next id; the timer is armed exactly
// between a hello and the end of the session, if there are probes at all; each BackendUpByProbe
// ends one BackendDownByProbe.

using System;
using System.Buffers.Binary;

namespace Balancer.Core;

/// <summary>Why the last of several probes failed.</summary>
public enum ProbeFailure
{
    /// <summary>No answer within a second.</summary>
    NoAnswer,

    /// <summary>SERVFAIL.</summary>
    ServerFailure,

    /// <summary>REFUSED.</summary>
    Refused,
}

/// <summary>What a backend does when it is asked.</summary>
internal interface IProbed
{
    /// <summary>Something that came on its session lies unread.</summary>
    bool HasUnread { get; }

    /// <summary>The kernel has no memory to read it.</summary>
    bool CannotBeRead { get; }

    /// <summary>It takes no queries for now.</summary>
    bool IsStuck { get; }

    /// <summary>Puts a probe into its queue; false if that has no room.</summary>
    bool TrySendProbe(Instant now, ushort id, ReadOnlySpan<byte> packet);

    /// <summary>So many probes failed in a row, and the last like this.</summary>
    void OnProbeDown(ProbeFailure why, int failures);

    /// <summary>Its answers are good again, after so long.</summary>
    void OnProbeUp(Duration lasted);
}

/// <summary>Asks one backend for the operator's name.</summary>
internal sealed class Prober
{
    /// <summary>Where probes come from, as backends see it.</summary>
    public static readonly Endpoint Source = new(Ipv4.From(192, 0, 0, 8), 53);

    private readonly Timers _timers;
    private readonly Standstill _standstill;
    private readonly Counters _counters;
    private readonly BalancerOptions _options;
    private readonly IProbed _backend;
    private readonly Timer _timer;
    private readonly byte[] _packet;
    private ushort _id;
    private bool _isOut;

    /// <summary>The one that is out was put off for what lies unread.</summary>
    private bool _hasPutOff;

    private Instant _helloAt;
    private Instant _sentAt;
    private Instant _downSince;
    private int _failures;
    private int _successes;

    public Prober(Services services, IProbed backend)
    {
        _timers = services.Timers;
        _standstill = services.Standstill;
        _counters = services.Counters;
        _options = services.Options;
        _backend = backend;
        _timer = new Timer(OnDue);
        var name = _options.Probe.AsSpan();
        // RD as a client has it, one question: the name, type A, class IN.
        _packet =
            [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, .. name, 0, 1, 0, 1];
    }

    /// <summary>There are probes.</summary>
    public bool IsOn => !_options.Probe.IsEmpty;

    /// <summary>It has given a good answer since its hello.</summary>
    public bool HasAnswered { get; private set; }

    /// <summary>Too many probes failed in a row, and not enough were good since.</summary>
    public bool IsDown { get; private set; }

    /// <summary>It said hello.</summary>
    public void OnHello(Instant now)
    {
        if (!IsOn)
            return;
        _helloAt = now;
        Send(now);
    }

    /// <summary>The session ended or was replaced: the next one starts from nothing.</summary>
    public void OnSessionEnded()
    {
        _timers.Disarm(_timer);
        _isOut = false;
        _failures = 0;
        _successes = 0;
        HasAnswered = false;
        IsDown = false;
    }

    /// <summary>Takes a reply that answers the probe that is out; false for any other.</summary>
    public bool TryTake(Instant now, in Frame reply)
    {
        if (!_isOut || reply.Address != Source.Address || reply.Port != Source.Port
            || !IsAnswer(reply.Payload))
        {
            return false;
        }
        _isOut = false;
        if (DnsQuestion.IsFailure(reply.Payload))
            OnFailure(now, (reply.Payload[3] & 0xf) == (int)ResponseCode.Refused
                ? ProbeFailure.Refused : ProbeFailure.ServerFailure);
        else
            OnSuccess(now);
        var isFast = !HasAnswered && now - _helloAt < Limits.FastProbing;
        _timers.Arm(_timer, Instant.Max(now,
            _sentAt + (isFast ? Limits.FastProbeInterval : Limits.ProbeInterval)));
        return true;
    }

    private bool IsAnswer(ReadOnlySpan<byte> payload) => DnsQuestion.HasHeader(payload)
        && (payload[2] & 0x80) != 0 && DnsQuestion.IdOf(payload) == _id
        && DnsQuestion.LengthOf(payload) > 0 && DnsQuestion.MayBeSame(_packet, payload);

    private void OnDue(Instant now)
    {
        // The answer may lie unread; one that floods must not put this off for ever.
        var isLate = now - _timer.Deadline > Limits.LatenessAllowed;
        var waits = _backend.HasUnread && (!_hasPutOff || _backend.CannotBeRead);
        if (_isOut && (isLate || waits))
        {
            _hasPutOff |= !isLate;
            _timers.Arm(_timer, now + Limits.SilenceTime);
            return;
        }
        if (_isOut && _standstill.ExtendShort(now) > now)
        {
            _timers.Arm(_timer, _standstill.ExtendShort(now));
            return;
        }
        if (_isOut && !_backend.IsStuck)
            OnFailure(now, ProbeFailure.NoAnswer);
        _isOut = false;
        Send(now);
    }

    private void Send(Instant now)
    {
        Verify.That(!_isOut, "one probe is out at most");
        BinaryPrimitives.WriteUInt16BigEndian(_packet, ++_id);
        _isOut = !_backend.IsStuck && _backend.TrySendProbe(now, _id, _packet);
        _sentAt = now;
        _hasPutOff = false;
        if (_isOut)
            _counters.Add(Counter.ProbesSent);
        _timers.Arm(_timer, now + (_isOut ? Limits.ProbeTimeout : Limits.ProbeInterval));
    }

    private void OnFailure(Instant now, ProbeFailure why)
    {
        _counters.Add(Counter.ProbesFailed);
        _successes = 0;
        _failures++;
        if (IsDown || _failures < _options.ProbeFall)
            return;
        IsDown = true;
        _downSince = now;
        _counters.Add(Counter.BackendsDownByProbe);
        _backend.OnProbeDown(why, _failures);
    }

    private void OnSuccess(Instant now)
    {
        _counters.Add(Counter.ProbesAnswered);
        HasAnswered = true;
        _failures = 0;
        _successes++;
        if (!IsDown || _successes < _options.ProbeRise)
            return;
        IsDown = false;
        _counters.Add(Counter.BackendsUpByProbe);
        _backend.OnProbeUp(now - _downSince);
    }
}
