// Claims that a query which ended or hung two backends meets no third: from the end of the turn in
// which the second of them is known, at most a minute after the first, no such query that comes
// later is passed on for a minute; two minutes the next time, and so on up to an hour. And that in
// that minute none that came before is put into a backend's queue and ends or hangs that one too.
//
// It knows what ends or hangs a backend from the backend itself: a process that reads a killer (a
// death when the end that it was read from and the session's close then), whether it sends nonsense
// first or not. That it has ended is known when the core logs the fault, and that one hangs 150 ms
// after it was logged as suspect.
// Two killers are the same by DnsQuestions.KillerOf, whatever their cookies or the bytes behind
// them; what is answered counts from the beginning, and then takes a third victim, or a fourth if
// it was asked in more than 16 forms.
//
// These are all the excuses, for which a victim does not count; each is counted:
//  - Unknown: the core logged no fault, as when the path was gone (a stop), or the session was over
//    or had retired, or a connection was older than the session;
//  - Gone: the query was not whole in the backend's stream, or is in flight there no more;
//  - Nameless: over TCP, it was passed on behind something unanswered, or such a thing behind it;
//  - Guess: since the first victim another was refused, perhaps in its place: one victim more;
//  - LetGo: since it is refused another was, too, and may have let it go;
//  - Hidden: a query that is refused by now was there as well, and this one was sent before that
//    was refused or sent;
//  - Together: a hang of the same backend, or by what was sent before the other was suspect; or
//    one of several deaths at once of what is answered, be it in other case;
//  - Behind: a hang by what was sent behind 16 others that nobody answered;
//  - Crowd: 4,096 queries were in flight at the deaths of the last minute, or 1,024 TCP messages;
//  - Judged: what hung this session had been looked for before.
// Hangs are known later after a standstill, and while waits end late. When the clock is wrong, or
// was a second ago, everything is forgotten but who was answered; and when the balancer stops. A
// term is over three steps of the clock earlier than it should be.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed partial class S19OneCulprit() : Check("S19")
{
    private const int HeaderBytes = 12;
    private const int TcpFrameBytes = 12;
    private const int Needed = 2;

    private static readonly Duration AfterClockFault = Duration.FromSeconds(1L);
    private static readonly Duration Together = Duration.FromMilliseconds(20L);

    private readonly Dictionary<KillerName, Culprit> _culprits = [];
    private readonly Dictionary<KillerName, HashSet<ulong>> _forms = [];
    private readonly Dictionary<KillerName, HashSet<ulong>> _questions = [];
    private readonly Dictionary<SocketHandle, List<byte>> _frames = [];
    private readonly Dictionary<(Endpoint From, ulong Payload), long> _received = [];
    private readonly Dictionary<(Endpoint From, int Id), Asked> _asked = [];
    private readonly Dictionary<(ExpectedSession At, ulong Key), Times> _sent = [];
    private readonly Dictionary<ulong, Instant> _answered = [];
    private readonly Dictionary<SocketHandle, List<Written>> _written = [];
    private readonly Dictionary<Endpoint, Asker> _askers = [];
    private readonly Dictionary<ExpectedConnection, Relayed> _relayed = [];
    private readonly List<(int Backend, SocketHandle Stream, Victim Victim)> _reading = [];
    private readonly List<Victim> _unknown = [];
    private readonly List<Refusal> _refusals = [];
    private readonly Queue<(Instant At, int InFlight)> _deaths = new();
    private bool? _isOn;
    private int _clockFaults;
    private Instant _clockIsRightFrom;

    /// <summary>Times that a killer had to be refused from then on.</summary>
    public int Convicted { get; private set; }

    /// <summary>Victims that counted.</summary>
    public int Victims { get; private set; }

    /// <summary>Victims that did not, by excuse.</summary>
    public SortedDictionary<string, int> Excused { get; } = new(StringComparer.Ordinal);

    private Duration Steps
    {
        get
        {
            var step = Model.Scenario.Kernel.ClockStep;
            return step + step + step;
        }
    }

    /// <summary>There are killers, and nothing is known that makes times worthless.</summary>
    private bool IsOn
    {
        get
        {
            _isOn ??= Prepare();
            return _isOn.Value && _clockFaults == 0 && Model.Now >= _clockIsRightFrom
                && !Model.Life.IsStopping;
        }
    }

    private bool Prepare()
    {
        foreach (var plan in Model.Scenario.TcpClients.Where(plan => plan is
        { Killer: > 0, Queries: > 0 }))
        {
            var at = 0;
            var message = new byte[DnsQuestions.MostBytes(plan, 1)];
            for (var query = 0; query < plan.Queries - 1; query++)
                at += 2 + DnsQuestions.Write(message, plan, query);
            var length = DnsQuestions.Write(message, plan, plan.Queries - 1);
            at += DnsQuestions.EmptyBytes(plan, plan.Queries - 1) + 2;
            if (DnsQuestions.KillerOf(message.AsSpan(0, length)) is { } killer)
                _askers[new Endpoint(plan.Address, plan.Port)] = new Asker(plan, killer, at);
        }
        return _askers.Count > 0 || Model.Scenario.UdpClients.Any(
            client => client.Queries.Any(query => query.Kind == QueryKind.Killer));
    }

    // ---- What is asked and passed on ----

    public override void OnReceived(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        _isOn ??= Prepare();
        if (_isOn != true)
            return;
        var killer = DnsQuestions.KillerOf(payload);
        if (killer is { } name)
        {
            _received.TryAdd((header.Peer, HashOf(payload)), Model.Turn);
            if (!_forms.TryGetValue(name, out var forms))
                _forms.Add(name, forms = []);
            forms.Add(HashOf(payload[2..]));
            if (!_questions.TryGetValue(name, out var questions))
                _questions.Add(name, questions = []);
            questions.Add(KeyOf(payload, null));
        }
        _asked[(header.Peer, ExpectedQuery.IdOf(payload))] =
            new Asked(KeyOf(payload, killer), killer);
    }

    public override void OnWritten(SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        if (_isOn != true)
            return;
        if (!_frames.TryGetValue(stream, out var frames))
            _frames.Add(stream, frames = []);
        frames.AddRange(bytes);
        var all = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(frames);
        var taken = 0;
        while (IsWhole(all[taken..]))
        {
            var size = SeenFrame.SizeOf(all[taken..]);
            if (SeenFrame.IsQuery(all[taken..])
                && Model.Sockets.OwnerOf(stream) is ExpectedSession session)
            {
                OnQueryWritten(session, all.Slice(taken, size));
            }
            taken += size;
        }
        frames.RemoveRange(0, taken);
    }

    private void OnQueryWritten(ExpectedSession session, ReadOnlySpan<byte> frame)
    {
        var (address, port) = SeenFrame.ClientOf(frame);
        var from = new Endpoint(new Ipv4(address), (ushort)port);
        var payload = frame[SeenFrame.QueryHeaderBytes..];
        var killer = DnsQuestions.KillerOf(payload);
        NoteSent(session, KeyOf(payload, killer));
        if (killer is not { } name)
            return;
        var id = ExpectedQuery.IdOf(payload);
        var queued = session.InFlight.OldestFirst.LastOrDefault(query => query.Client == from
            && ExpectedQuery.IdOf(query.Packet) == id);
        if (!_written.TryGetValue(session.Stream, out var written))
            _written.Add(session.Stream, written = []);
        written.Add(new Written
        {
            Killer = name,
            From = from,
            Id = id,
            Session = session,
            QueuedAt = queued?.SentAt ?? Model.Now,
            At = Model.Now,
            Turn = Model.Turn,
        });
        var isLater = _received.TryGetValue((from, HashOf(payload)), out var receivedIn)
            && _culprits.TryGetValue(name, out var culprit) && receivedIn > culprit.RefusedIn;
        if (isLater)
            CheckRefused(name, $"the killer {name} of {from}", session.Backend);
    }

    public override void OnRelayed(
        ExpectedConnection connection, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        if (_isOn != true || !_askers.TryGetValue(connection.From, out var asker))
            return;
        if (!_relayed.TryGetValue(connection, out var relayed))
            _relayed.Add(connection, relayed = new Relayed());
        if (relayed.Stream != stream)
            (relayed.Stream, relayed.Bytes) = (stream, 0);
        relayed.Bytes += bytes.Length;
        if (relayed.Written != null || relayed.Bytes <= TcpFrameBytes + asker.KillerAt)
            return;
        relayed.Written = new Written
        {
            Killer = asker.Killer,
            From = connection.From,
            Id = 0,
            Session = connection.Session,
            QueuedAt = connection.Asks is [.., var ask] ? ask.SentAt : Model.Now,
            At = Model.Now,
            Turn = Model.Turn,
            IsTcp = true,
        };
        if (connection.Session is { } session)
            NoteSent(session, KeyOf([], asker.Killer));
        if (_culprits.TryGetValue(asker.Killer, out var culprit)
            && connection.AcceptedAt > culprit.RefusedAt)
        {
            CheckRefused(asker.Killer, $"the killer {asker.Killer} of {connection.From}, over TCP,",
                connection.Backend!);
        }
    }

    private void NoteSent(ExpectedSession session, ulong key) =>
        _sent[(session, key)] = _sent.TryGetValue((session, key), out var times)
            ? times with { Last = Model.Now } : new Times(Model.Now, Model.Now);

    private void CheckRefused(KillerName name, string what, ExpectedBackend backend)
    {
        if (!IsOn || !_culprits.TryGetValue(name, out var culprit)
            || Model.Now >= culprit.RefusedUntil - Steps)
        {
            return;
        }
        Fail($"{what} was sent to {backend} at {Model.Now}; it must be refused from"
            + $" {culprit.RefusedAt} to {culprit.RefusedUntil}, as {culprit.Story}",
            backend.PlanId);
    }

    public override void OnSent(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        // An error may be the balancer's own, or of a backend that has no data.
        if (_isOn != true || payload.Length < HeaderBytes || (payload[3] & 0xf) is 2 or 5)
            return;
        if (!_asked.TryGetValue((header.Peer, ExpectedQuery.IdOf(payload)), out var asked))
            return;
        if (asked.Key != NoQuestion)
            _answered[asked.Key] = Model.Now;
        if (asked.Killer is { } killer)
            Acquit(killer);
    }

    private void Acquit(KillerName killer)
    {
        if (!_culprits.TryGetValue(killer, out var culprit))
            _culprits.Add(killer, culprit = new Culprit());
        culprit.WasAnswered = true;
        culprit.Forget();
    }

    // ---- What becomes of backends ----

    public override void OnBackendRead(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        if (!IsOn || DnsQuestions.FindKiller(bytes) is not (>= 0 and var at))
            return;
        var owner = Model.Sockets.OwnerOf(stream);
        var written = owner switch
        {
            ExpectedSession => WrittenAs(stream, bytes[at..]),
            ExpectedConnection connection => _relayed.GetValueOrDefault(connection)?.Written,
            _ => null,
        };
        if (NameOf(written, bytes[at..]) is not { } name)
            return;
        var victim = new Victim
        {
            Backend = backend,
            Killer = name,
            Written = written,
            ReadAt = now,
            IsHang = DnsQuestions.IsHanger(bytes[at..]),
        };
        victim.Excuse = ExcuseOf(victim);
        if (victim.IsHang)
            Note(victim);
        else
            _reading.Add((backend, stream, victim));
    }

    public override void OnBackendEnded(
        Instant now, int backend, SocketHandle stream, string how)
    {
        if (_isOn != true)
            return;
        var session = Model.Sockets.OwnerOf(stream) as ExpectedSession;
        if (session != null)
        {
            _deaths.Enqueue((Model.Now,
                session.InFlight.Count + Model.Asked.InFlightOn(session).Count));
        }
        _reading.RemoveAll(one => one.Victim.ReadAt < now);
        if (how != "close")
            return;
        for (var n = _reading.Count - 1; n >= 0; n--)
        {
            var (who, read, victim) = _reading[n];
            if (who != backend)
                continue;
            victim.HasStreamEnded |= read == stream;
            victim.HasSessionEnded |= session != null;
            if (!victim.HasStreamEnded || !victim.HasSessionEnded)
                continue;
            _reading.RemoveAt(n);
            Note(victim);
        }
    }

    private Written? WrittenAs(SocketHandle stream, ReadOnlySpan<byte> frame)
    {
        if (frame.Length < SeenFrame.QueryHeaderBytes + 2
            || !_written.TryGetValue(stream, out var written))
        {
            return null;
        }
        var (address, port) = SeenFrame.ClientOf(frame);
        var from = new Endpoint(new Ipv4(address), (ushort)port);
        var id = ExpectedQuery.IdOf(frame[SeenFrame.QueryHeaderBytes..]);
        return written.FindLast(one => one.From == from && one.Id == id);
    }

    /// <summary>Null if what the backend read is too little to tell.</summary>
    private static KillerName? NameOf(Written? written, ReadOnlySpan<byte> read) =>
        written?.Killer ?? (read.Length > SeenFrame.QueryHeaderBytes
            ? DnsQuestions.KillerOf(read[SeenFrame.QueryHeaderBytes..]) : null);

    private string? ExcuseOf(Victim victim)
    {
        if (victim.Written is not { } written)
            return "Gone";
        if (written.Session is not { } session || session.IsRetired || session.IsClosed
            || session.Backend.Session != session)
        {
            return "Unknown";
        }
        var asks = Model.Asked.InFlightOn(session);
        if (written.IsTcp
            ? !asks.Exists(ask => ask.Client == written.From)
            : !session.InFlight.OldestFirst.Any(query => query.Client == written.From
                && ExpectedQuery.IdOf(query.Packet) == written.Id))
        {
            return "Gone";
        }
        if (asks.Exists(ask => ask.Message == null
            && (victim.IsHang || ask.SentAt >= written.QueuedAt)))
        {
            return "Nameless";
        }
        while (_deaths.TryPeek(out var oldest)
            && Model.Now - oldest.At > SpecifiedLimits.DeathsCountTogether)
        {
            _deaths.Dequeue();
        }
        var others = session.InFlight.Count + asks.Count + _deaths.Sum(death => death.InFlight);
        if (others >= SpecifiedLimits.RefusalCases || asks.Count >= SpecifiedLimits.FirstMessages)
            return "Crowd";
        if (victim.IsHang && (session.InFlight.WasJudged || session.Silence.WasHung))
            return "Judged";
        if (victim.IsHang && IsBehind(written, session, asks))
            return "Behind";
        return IsHidden(written, session) ? "Hidden" : null;
    }

    private static bool IsBehind(
        Written written, ExpectedSession session, List<ExpectedAsk> asks)
    {
        var ahead = session.InFlight.Unanswered(session.Written).Count(query =>
            query.Pair is not { IsAnswered: true } && query.SentAt <= written.QueuedAt);
        return ahead + asks.Count(ask => ask.SentAt <= written.QueuedAt)
            > SpecifiedLimits.FirstOfAHang;
    }

    /// <summary>Another that is refused by now was there, and may have done it.</summary>
    private bool IsHidden(Written written, ExpectedSession session)
    {
        var own = KeyOf([], written.Killer);
        return _refusals.Exists(refusal => refusal.Key != own
            && _sent.TryGetValue((session, refusal.Key), out var times)
            && _answered.GetValueOrDefault(refusal.Key) < times.Last
            && written.QueuedAt <= Instant.Max(refusal.At, times.Last));
    }

    private void Note(Victim victim)
    {
        if (victim.Written is { } written && _culprits.TryGetValue(victim.Killer, out var culprit)
            && written.Turn > culprit.RefusedIn && written.QueuedAt > culprit.RefusedAt
            && Model.Now < culprit.RefusedUntil - Steps)
        {
            Fail($"backend {victim.Backend} {(victim.IsHang ? "hangs" : "ended")} of the killer"
                + $" {victim.Killer} of {written.From}, queued at {written.QueuedAt}; it must be"
                + $" refused from {culprit.RefusedAt} to {culprit.RefusedUntil}, as"
                + $" {culprit.Story}", victim.Backend);
        }
        _unknown.Add(victim);
    }

    // ---- What the balancer knows ----

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        if (_isOn != true)
            return;
        switch (logged)
        {
            case LogEvent.BackendFaulted faulted when LoggedEvents.IsDeath(faulted.Fault.Cause):
                foreach (var victim in VictimsAt(faulted.Id, isHang: false))
                    victim.IsKnown = true;
                break;
            case LogEvent.BackendSuspected suspected:
                foreach (var victim in VictimsAt(suspected.Id, isHang: true))
                {
                    if (victim.SuspectedAt != Instant.Never)
                        continue;
                    victim.SuspectedAt = now;
                    victim.DueAt = now + SpecifiedLimits.HangTime + Steps;
                }
                break;
            case LogEvent.QueryQuarantined refused:
                var key = KeyOf(refused.Query, DnsQuestions.KillerOf(refused.Query));
                _refusals.Add(new Refusal(refused.Id, now, key));
                LetGo(now, key);
                break;
        }
    }

    /// <summary>
    /// Another is refused: that may be a wrong guess, or let go whom it explains.
    /// </summary>
    private void LetGo(Instant now, ulong key)
    {
        foreach (var (name, culprit) in _culprits)
        {
            if (KeyOf([], name) == key)
                continue;
            if (now < culprit.RefusedUntil)
            {
                culprit.RefusedUntil = now;
                Excuse("LetGo");
            }
            else if (culprit.Victims.Count > 0)
            {
                culprit.Guesses++;
                Excuse("Guess");
            }
        }
    }

    private IEnumerable<Victim> VictimsAt(BackendId id, bool isHang) => _unknown.Where(
        victim => victim.IsHang == isHang && victim.Written?.Session is { } session
            && session.Backend.Id == id.Value
            && (session == session.Backend.Session || session == session.Backend.LastSession));

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (!IsOn)
        {
            if (_isOn == true)
                ForgetAll();
            return;
        }
        foreach (var (connection, relayed) in _relayed)
        {
            if (relayed.Written != null && connection.Answers.Good > 0
                && connection.Answers.Whole >= _askers[connection.From].Plan.Queries)
            {
                Acquit(relayed.Written.Killer);
                _relayed.Remove(connection);
            }
            else if (connection.IsClosed)
            {
                _relayed.Remove(connection);
            }
        }
        PutOff(now);
        foreach (var victim in _unknown.ToArray())
        {
            var isOver = now - victim.ReadAt > SpecifiedLimits.DeathsCountTogether
                || victim.Written?.Session is not { } session
                || (victim.IsHang && session.IsClosed);
            if (victim.IsKnown || now >= victim.DueAt)
                Count(victim);
            else if (isOver)
                Excuse(victim.Excuse ?? "Unknown");
            else
                continue;
            _unknown.Remove(victim);
        }
    }

    /// <summary>While waits end late, or nobody is blamed, nobody is found to hang.</summary>
    private void PutOff(Instant now)
    {
        var isLate = Model.Lateness > Model.Scenario.Kernel.ClockStep;
        var spared = Model.Standstill.SilentUntil;
        foreach (var victim in _unknown)
        {
            if (victim.DueAt == Instant.Never)
                continue;
            if (isLate || victim.Written!.Session!.HasUnread)
                victim.DueAt = now + SpecifiedLimits.HangTime + Steps;
            if (spared > now)
                victim.DueAt = Instant.Max(victim.DueAt, spared + SpecifiedLimits.HangTime + Steps);
        }
    }

    /// <summary>Times are worth nothing, but whether a killer was answered is no time.</summary>
    private void ForgetAll()
    {
        foreach (var culprit in _culprits.Values)
            culprit.Forget();
        _unknown.Clear();
        _reading.Clear();
    }

    public override void OnFault(Instant now, FaultPlan fault, bool began)
    {
        if (fault.Kind is not (FaultKind.ClockBack or FaultKind.ClockStill))
            return;
        _clockFaults += began ? 1 : -1;
        _clockIsRightFrom = now + AfterClockFault;
    }

    private void Excuse(string why) =>
        Excused[why] = Excused.GetValueOrDefault(why) + 1;

    private static bool IsWhole(ReadOnlySpan<byte> bytes) => bytes.Length >= 4
        && (SeenFrame.TypeOf(bytes) != SeenFrame.InboundUdp || SeenFrame.IsQuery(bytes))
        && bytes.Length >= SeenFrame.SizeOf(bytes);
}
