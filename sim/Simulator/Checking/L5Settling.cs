// Claims that the loop settles: a turn that moves nothing is rare, whatever goes on. A vain turn is
// one in which no byte, datagram, connection or entry moved and no line was told; timers, a rest of
// sliced work and a failed accept make some, a spin makes thousands.
//
// It knows by the calls of each turn. At most 1,000 vain turns may be within one virtual second;
// and once chaos is over, nobody has asked anything for 10 s and nothing is left to be carried, at
// most 200 turns of any kind; as many times more as it takes turns to do what a daemon does in one,
// where the scenario's turns do less, of turns that leave such work. Not counted are turns that a
// fault makes: a wait that it ended for nothing, and, once for each write that it has answered so,
// one in which a write would block.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class L5Settling() : Check("L5")
{
    private const int VainTurnsOfASecond = 1000;
    private const int IdleTurnsOfASecond = 200;

    private static readonly Duration Second = Duration.FromSeconds(1);
    private static readonly Duration Quiet = Duration.FromSeconds(10);

    private Instant _since;
    private Instant _lastTraffic;
    private long _vain;

    /// <summary>Of both, turns that left a rest of sliced work for the next.</summary>
    private long _vainOfWork;
    private long _turnsOfWork;
    private long _turns;
    private long _allowance;
    private int _wrongClocks;
    private int _lines;

    public override void OnFault(Instant now, FaultPlan fault, bool began)
    {
        if (began && fault.Kind is FaultKind.StreamWouldBlock)
            _allowance += fault.Amount;
        // A second of such a clock may take a minute, and each wait for it a turn.
        if (fault.Kind is FaultKind.ClockBack or FaultKind.ClockStill)
            _wrongClocks += began ? 1 : -1;
    }

    public override void OnLogged(Instant now, ILogEvent logged) => _lines++;

    public override void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued) =>
        _lastTraffic = now;

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (now - _since >= Second)
        {
            _since = now;
            _vain = 0;
            _turns = 0;
            _vainOfWork = 0;
            _turnsOfWork = 0;
        }
        var isVain = Model.Deeds == 0 && _lines == 0;
        _lines = 0;
        if (!IsMadeByFault(isVain))
        {
            var isOfWork = core.NextWake == Instant.Zero;
            _turns++;
            _turnsOfWork += isOfWork ? 1 : 0;
            _vain += isVain ? 1 : 0;
            _vainOfWork += isVain && isOfWork ? 1 : 0;
        }
        if (Model.Connections.Open.Count > 0 || AnythingMoves())
            _lastTraffic = now;
        var times = TurnBounds.TurnsForOne(Model.Work);
        // A session's time-outs come each millisecond while a turn has no room for all of them.
        var timeOuts = Model.Work.ResendsPerTurn == TurnLimits.Standard.ResendsPerTurn
            ? 0 : VainTurnsOfASecond * Model.Policy.Backends.Count;
        if (_vain > VainTurnsOfASecond * times
            || _vain - _vainOfWork > VainTurnsOfASecond + timeOuts)
        {
            Fail($"{_vain} turns since {_since} moved nothing");
        }
        else if (Model.HasHealed && now - _lastTraffic > Quiet
            && (_turns > IdleTurnsOfASecond * times
                || _turns - _turnsOfWork > IdleTurnsOfASecond + timeOuts))
        {
            Fail($"{_turns} turns since {_since}, and nobody has asked since {_lastTraffic}");
        }
    }

    private bool IsMadeByFault(bool isVain)
    {
        if (Model.IsWokenEarly || (isVain && _wrongClocks > 0))
            return true;
        if (!isVain || !Model.HasBlocked || _allowance == 0)
            return false;
        _allowance--;
        return true;
    }

    /// <summary>A session carries what was asked earlier, perhaps a few bytes a turn.</summary>
    private bool AnythingMoves()
    {
        foreach (var backend in Model.Policy.Backends)
        {
            if (backend.Session is { } session
                && (session.Owed.Count > 0 || session.Decoder.IsMidFrame))
            {
                return true;
            }
        }
        return false;
    }
}
