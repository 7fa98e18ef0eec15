// Owns the troubles that a test or a scenario scripts for the balancer's system calls: errors that
// the kernel's own state does not explain (ENFILE, ENOMEM, a firewall's EPERM), short reads and
// writes, and wake-ups that mean nothing. What peers do, they do themselves, through SimStream.
//
// What always holds: scripted results are taken in the order they were given, one a call (one a
// datagram for sends), before the kernel does anything of its own; a scripted Ok lets its call
// through, and for Read and Write caps its bytes if its count is not 0. When the script has run
// out, a standing fault answers; when there is none, the kernel.

using System;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>Scripted troubles of system calls; see the file's essay for their order.</summary>
public sealed class SimFaults
{
    private readonly SimRing<IoResult>[] _next;
    private readonly IoResult?[] _standing;
    private readonly SimRing<NetworkEvent> _spurious = new();
    private int _scanEntriesLeft = -1;
    private IoResult _scanError;

    internal SimFaults()
    {
        _next = new SimRing<IoResult>[Enum.GetValues<SimCall>().Length];
        for (var i = 0; i < _next.Length; i++)
            _next[i] = new SimRing<IoResult>(1);
        _standing = new IoResult?[_next.Length];
    }

    /// <summary>Bytes that one Read gives at most; 1 or more.</summary>
    public int MaxReadBytes { get; set; } = int.MaxValue;

    /// <summary>Bytes that one Write takes at most; 1 or more.</summary>
    public int MaxWriteBytes { get; set; } = int.MaxValue;

    /// <summary>
    /// Calls that the two above may still cut short; 0 or more. Each byte that is moved alone costs
    /// a turn, so a scenario that lets megabytes pass wants an end of it.
    /// </summary>
    public int ShortCallsLeft { get; set; } = int.MaxValue;

    /// <summary>
    /// Whether scripts and standing faults of Read and Write are for sessions to backends alone,
    /// and pass clients' connections by; false at first.
    /// </summary>
    public bool SparesClients { get; set; }

    /// <summary>
    /// What the network says of sockets that are not watched; Ok at first. They are, all the same.
    /// </summary>
    public IoResult Unwatched { get; set; } = IoResult.Ok();

    /// <summary>Datagrams that one receive gives at most; 1 or more.</summary>
    public int MaxDatagramsPerReceive { get; set; } = int.MaxValue;

    /// <summary>
    /// How many of the next Waits return at once, with no event and no time passed.
    /// </summary>
    public int EarlyWakeUps { get; set; }

    /// <summary>Time that passes at the start of the next Wait, as for a stopped process.</summary>
    public Duration Stall { get; set; }

    /// <summary>The same at the start of the next Wait during which a scan is open.</summary>
    public Duration StallInScan { get; set; }

    /// <summary>
    /// The next Wait that stands still is interrupted by that: it reports nothing of what is ready.
    /// </summary>
    public bool StallInterrupts { get; set; }

    /// <summary>The next `times` calls of this kind answer so.</summary>
    public void Next(SimCall call, IoResult result, int times = 1)
    {
        Verify.That(CanFail(call), "only a call with a result can be scripted");
        for (var i = 0; i < times; i++)
            _next[(int)call].Push(result);
    }

    /// <summary>The next `times` calls of this kind fail so, with Linux's usual errno.</summary>
    public void Next(SimCall call, IoStatus status, int times = 1) =>
        Next(call, Failure(status), times);

    /// <summary>The next scan fails with this status after it listed this many entries.</summary>
    public void FailScanAfter(int entries, IoStatus status)
    {
        _scanEntriesLeft = entries;
        _scanError = Failure(status);
    }

    /// <summary>Every call of this kind fails so until Heal.</summary>
    public void Standing(SimCall call, IoStatus status) => Standing(call, Failure(status));

    /// <summary>The same, with an errno of one's own choice.</summary>
    public void Standing(SimCall call, IoResult result)
    {
        Verify.That(CanFail(call), "only a call with a result can be scripted");
        _standing[(int)call] = result;
    }

    /// <summary>Ends a standing fault; what was scripted goes on.</summary>
    public void EndStanding(SimCall call) => _standing[(int)call] = null;

    /// <summary>Ends a standing fault and what was scripted for this kind of call.</summary>
    public void Heal(SimCall call)
    {
        _standing[(int)call] = null;
        _next[(int)call].Clear();
    }

    /// <summary>The next Wait reports this readiness too, true or not, if it is wanted.</summary>
    public void SpuriousReadiness(SocketHandle socket, Readiness ready) =>
        _spurious.Push(new NetworkEvent(NetworkEventKind.Socket, socket, ready));

    /// <summary>How many of so many bytes a call may move, if at most is the most.</summary>
    internal int Cut(int bytes, int most)
    {
        if (bytes <= most || ShortCallsLeft == 0)
            return bytes;
        ShortCallsLeft--;
        return most;
    }

    internal bool TryTake(SimCall call, out IoResult result)
    {
        if (!TryPeek(call, out result))
            return false;
        if (_next[(int)call].Count > 0)
            _next[(int)call].Pop();
        return true;
    }

    internal bool TryPeek(SimCall call, out IoResult result)
    {
        result = default;
        if (_next[(int)call].Count > 0)
        {
            result = _next[(int)call].First;
            return true;
        }
        if (_standing[(int)call] is not { } standing)
            return false;
        result = standing;
        return true;
    }

    internal bool TryTakeSpurious(out NetworkEvent spurious)
    {
        spurious = default;
        if (_spurious.Count == 0)
            return false;
        spurious = _spurious.Pop();
        return true;
    }

    internal bool TryTakeScanError(out IoResult result)
    {
        result = _scanError;
        if (_scanEntriesLeft < 0)
            return false;
        return --_scanEntriesLeft < 0;
    }

    private static IoResult Failure(IoStatus status) => status == IoStatus.Ok
        ? IoResult.Ok()
        : IoResult.Failed(status, Errnos.Of(status));

    private static bool CanFail(SimCall call) => call is SimCall.ReceiveDatagrams
        or SimCall.SendDatagrams or SimCall.Accept or SimCall.Connect or SimCall.Read
        or SimCall.Write or SimCall.OpenScan or SimCall.NextEntry;
}
