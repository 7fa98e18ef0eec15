// Owns the queries of one session that are not answered: who asked what of which
// address, when, and the packet, so that a reply finds its query and a query can be sent again.
//
// An entry is found by client, port and id, in a hash table with chains. All entries are in one
// list besides, in the order in which they were sent, so the oldest goes first when there is no
// room, and when its time is up. Their packets are in a PacketStore.
//
// The tables start small and grow to their limits: a backend that answers at once needs a few
// entries, and one that hangs has thousands. Without memory for more, or where SessionMemory leaves
// none, they stay as large as they are, and the oldest query gives way. When the session has ended
// and nothing is in flight, they are small again.
//
// What always holds: an entry is in its chain and in the list, and its packet is its own; chains
// have the newest first; no more than Limits.InFlightAlike entries are alike; an entry
// leaves once, as answered or as one of the counters of the unanswered.

using System;
using System.Runtime.CompilerServices;

namespace Balancer.Core;

/// <summary>What a reply means for the queries in flight.</summary>
internal enum ReplyMatch
{
    /// <summary>It answers none of them.</summary>
    None,

    /// <summary>It answers one that is answered already, mostly by another backend.</summary>
    Duplicate,

    /// <summary>It answers one for the first time.</summary>
    Answers,
}

/// <summary>A query on its way to a backend.</summary>
/// <param name="Client">Who asks, and hears the reply.</param>
/// <param name="Local">The balancer's address that it asked; the reply leaves from there.</param>
/// <param name="ArrivedAt">When it came from the client.</param>
/// <param name="Pair">The pair that it is the second of, or 0; see QueryPairs.</param>
/// <param name="WasResent">It was sent to another backend before.</param>
/// <param name="IsNewcomers">Its client was not established when it came; see Newcomers.</param>
internal readonly record struct Query(Endpoint Client, Ipv4 Local, Instant ArrivedAt,
    int Pair = 0, bool WasResent = false, bool IsNewcomers = false);

/// <summary>The queries in flight on one session.</summary>
internal sealed class InFlight
{
    private const int FirstEntries = 64;
    private const int NobodyAwaits = -1;

    /// <summary>Of an entry and its bucket.</summary>
    private static readonly int BytesOfEntry = Unsafe.SizeOf<Entry>() + sizeof(int);

    private readonly Services _services;
    private readonly QueryPairs _pairs;
    private readonly Quarantine _quarantine;
    private readonly Timer _timeOut;
    private Entry[] _entries = new Entry[FirstEntries];
    private int[] _buckets = new int[FirstEntries];
    private readonly FairShares _shares;
    private readonly MemoryShare _memory;
    private readonly PacketStore _packets;
    private int _usedEntries;
    private int _freeEntries;
    private int _oldest;
    private int _newest;

    /// <summary>There was none for larger tables; until it is tried again.</summary>
    private bool _lacksMemory;

    /// <summary>Its session has ended, and its last query takes its memory along.</summary>
    private bool _isOver;

    /// <summary>
    /// Where the frame of the last query ends that was answered: of those, the one sent last.
    /// </summary>
    private long _answeredEnd;

    /// <summary>The first that was sent after that one.</summary>
    private int _firstBehind;

    /// <summary>Where it ended when the session was judged; -1 if it never was.</summary>
    private long _judgedEnd = -1;

    private Instant _judgedAt;

    /// <summary>Until then it has what came in a silence of its own to catch up with.</summary>
    private Instant _catchesUpUntil;

    private Unanswered _unanswered;

    /// <summary>Queries in flight of clients that were not established.</summary>
    private int _newcomers;

    /// <summary>
    /// None that is newer awaits a reply; 0 if that is not known, NobodyAwaits if none does at all.
    /// </summary>
    private int _awaited;

    public InFlight(Services services, QueryPairs pairs, Quarantine quarantine)
    {
        _quarantine = quarantine;
        _services = services;
        _pairs = pairs;
        _shares = new FairShares(services.Options.HashKey);
        _timeOut = new Timer(OnTimeOut);
        _memory = new MemoryShare(services.SessionMemory);
        _packets = new PacketStore(_memory);
        SentAgainTo = new SecondBackends(services);
    }

    /// <summary>Links are an index + 1, 0 for none, as everywhere in this file.</summary>
    private struct Entry
    {
        public Instant SentAt;
        public Instant ArrivedAt;
        public Ipv4 Client;
        public Ipv4 Local;
        public ushort Port;
        public ushort Id;
        public long FrameEnd;
        public int Pair;
        public int NextAlike;
        public int Older;
        public int Newer;
        public int FirstBlock;
        public ushort Length;
        public bool WasResent;
        public bool WasOverBudget;
        public bool IsNewcomers;
    }

    /// <summary>Queries in flight now, those included that another backend has answered.</summary>
    public int Count { get; private set; }

    /// <summary>
    /// When the newest of them was put into the session's queue; Never if there is none.
    /// </summary>
    public Instant NewestAt => _newest == 0 ? Instant.Never : _entries[_newest - 1].SentAt;

    /// <summary>
    /// The next entry that a walk from the newest to the oldest looks at, as a link.
    /// </summary>
    public int Cursor { get; private set; }

    /// <summary>Where those went that were sent again; kept by Resends.</summary>
    public SecondBackends SentAgainTo { get; }

    /// <summary>Bytes of the session that the kernel took; kept by ControlSession.</summary>
    public long BytesTaken { get; set; }

    /// <summary>When the last of the queries was sent that were answered.</summary>
    public Instant AnsweredAt { get; private set; }

    /// <summary>
    /// What it was sent was charged because it hung, and since then it answered nothing newer and
    /// was not trusted again.
    /// </summary>
    public bool WasJudged => _judgedEnd == _answeredEnd;

    /// <summary>
    /// If its backend dies now, what was sent by then has been charged; Zero for nothing.
    /// </summary>
    public Instant ChargedUntil => WasJudged ? _judgedAt : Instant.Zero;

    /// <summary>Another session begins; nothing is in flight.</summary>
    public void Begin()
    {
        Verify.That(Count == 0, "a session begins with nothing in flight");
        _unanswered = default;
        (BytesTaken, _answeredEnd, _judgedEnd) = (0, 0, -1);
        (AnsweredAt, _catchesUpUntil) = (Instant.Zero, Instant.Zero);
        SilentSince = Instant.Never;
        _shares.Begin();
        (_lacksMemory, _isOver) = (false, false);
        SentAgainTo.Clear();
    }

    /// <summary>
    /// Adds a query that was put into the session's queue. `frameEnd` is where its frame ends,
    /// counted in bytes from the session's first.
    /// </summary>
    public void Add(Instant now, in Query query, ReadOnlySpan<byte> packet, long frameEnd)
    {
        Verify.That(packet.Length <= Limits.MaxUdpPayload
            && (_newest == 0 || frameEnd > _entries[_newest - 1].FrameEnd),
            "a query is short enough, and queued behind all others");
        GrowIfFull();
        var id = DnsQuestion.IdOf(packet);
        ref var bucket = ref BucketOf(query.Client, id);
        KeepAlikeBounded(bucket, query.Client, id);
        var index = TakeEntry();
        while (!_packets.HasRoomFor(packet.Length))
            Evict(_oldest - 1);
        var firstBlock = _packets.Store(packet);
        // Field by field: a whole entry would be made on the stack and copied.
        ref var entry = ref _entries[index];
        entry.SentAt = now;
        entry.ArrivedAt = query.ArrivedAt;
        entry.FrameEnd = frameEnd;
        entry.Client = query.Client.Address;
        entry.Local = query.Local;
        entry.Port = query.Client.Port;
        entry.Id = id;
        entry.Pair = query.Pair;
        entry.NextAlike = bucket;
        entry.Older = _newest;
        entry.Newer = 0;
        entry.FirstBlock = firstBlock;
        entry.Length = (ushort)packet.Length;
        entry.WasResent = query.WasResent;
        entry.WasOverBudget = false;
        entry.IsNewcomers = query.IsNewcomers;
        _newcomers += query.IsNewcomers ? 1 : 0;
        bucket = index + 1;
        if (_newest != 0)
            _entries[_newest - 1].Newer = index + 1;
        else
            _oldest = index + 1;
        _newest = index + 1;
        if (_firstBehind == 0)
            _firstBehind = index + 1;
        _shares.Add(query.Client.Address);
        _awaited = 0;
        Count++;
        if (!_timeOut.IsArmed)
            _services.Timers.Arm(_timeOut, now + Limits.InFlightTime);
    }

    /// <summary>
    /// Takes out the query that a reply answers, and says which of the balancer's addresses the
    /// reply leaves from. `isAnswer` is false for an error of a backend that may lack its data.
    /// </summary>
    public ReplyMatch TryTake(Instant now, Endpoint client, ReadOnlySpan<byte> reply,
        bool isAnswer, out Ipv4 local)
    {
        local = Ipv4.Any;
        ref var bucket = ref BucketOf(client, DnsQuestion.IdOf(reply));
        var found = FindAnswered(now, bucket, client, reply);
        if (found == 0)
            return ReplyMatch.None;
        ref var entry = ref _entries[found - 1];
        local = entry.Local;
        // A cold backend answers SERVFAIL to what will end it as soon as it has its data.
        if (isAnswer && _quarantine.WantsAnswer())
            Clear(now, in entry, DnsQuestion.IsTruncated(reply));
        var (pair, wasResent) = (entry.Pair, entry.WasResent);
        NoteAnswered(now, in entry);
        Remove(found - 1, ref bucket);
        if (pair != 0 && !_pairs.TryAnswer(pair))
            return ReplyMatch.Duplicate;
        if (wasResent)
            _services.Counters.Add(Counter.ResendsAnswered);
        return ReplyMatch.Answers;
    }

    /// <summary>
    /// As TryTake, for an error that is not passed on: takes the query out with its packet, so
    /// that it can be asked again; it stays one of a pair. False, and nothing is changed, if there
    /// is none that may be: the other of its pair is answered, it is not a QUERY, or it came so
    /// long ago.
    /// </summary>
    public bool TryTakeBack(Instant now, Endpoint client, ReadOnlySpan<byte> reply,
        Duration tooOld, Span<byte> packet, out Query query, out int length)
    {
        query = default;
        length = 0;
        ref var bucket = ref BucketOf(client, DnsQuestion.IdOf(reply));
        var found = FindTakenBack(now, bucket, client, reply, tooOld, packet);
        if (found == 0)
            return false;
        ref var entry = ref _entries[found - 1];
        length = entry.Length;
        query = new Query(client, entry.Local, entry.ArrivedAt, entry.Pair, entry.WasResent,
            entry.IsNewcomers);
        NoteAnswered(now, in entry);
        Remove(found - 1, ref bucket);
        return true;
    }

    /// <summary>Whether TryTakeBack would take one; writes its packet, and changes nothing else.
    /// </summary>
    public bool MayTakeBack(Instant now, Endpoint client, ReadOnlySpan<byte> reply,
        Duration tooOld, Span<byte> packet)
    {
        ref var bucket = ref BucketOf(client, DnsQuestion.IdOf(reply));
        return FindTakenBack(now, bucket, client, reply, tooOld, packet) != 0;
    }

    /// <summary>As a link; 0 if there is none.</summary>
    private int FindTakenBack(Instant now, int bucket, Endpoint client, ReadOnlySpan<byte> reply,
        Duration tooOld, Span<byte> packet)
    {
        var found = FindAnswered(now, bucket, client, reply);
        if (found == 0)
            return 0;
        ref var entry = ref _entries[found - 1];
        _packets.Load(entry.FirstBlock, entry.Length, packet);
        return _pairs.IsAnswered(entry.Pair) || now - entry.ArrivedAt >= tooOld
            || !DnsQuestion.IsQuery(packet[..entry.Length]) ? 0 : found;
    }

    private void NoteAnswered(Instant now, in Entry entry)
    {
        if (entry.FrameEnd <= _answeredEnd)
            return;
        _shares.OnProgress(now, _answeredEnd);
        _answeredEnd = entry.FrameEnd;
        _firstBehind = entry.Newer;
        AnsweredAt = entry.SentAt;
    }

    /// <summary>What may have hung its backend is charged now.</summary>
    public void SetJudged(Instant now) => (_judgedEnd, _judgedAt) = (_answeredEnd, now);

    /// <summary>
    /// Its backend was taken to hang, and is trusted again: if it dies now, that is another matter.
    /// </summary>
    public void OnTrusted() => _judgedEnd = -1;

    /// <summary>Since when its backend is suspect and silent; Never if it is not.</summary>
    public Instant SilentSince { get; private set; } = Instant.Never;

    /// <summary>Its backend is suspect, and silent from now on.</summary>
    public void OnSilent(Instant now) => SilentSince = now;

    /// <summary>Its backend was silent, and says something, or is trusted again.</summary>
    public void OnSilenceOver(Instant now)
    {
        SilentSince = Instant.Never;
        _catchesUpUntil = now + Limits.FairTime;
    }

    /// <summary>
    /// From the oldest to the newest, as links: the next query, behind a link or from the start if
    /// that is 0, that the kernel took and that was sent after all that were answered here.
    /// </summary>
    public int NextBehindAnswers(int link)
    {
        link = link == 0 ? _oldest : _entries[link - 1].Newer;
        while (link != 0 && _entries[link - 1].FrameEnd <= _answeredEnd)
            link = _entries[link - 1].Newer;
        return link != 0 && _entries[link - 1].FrameEnd <= BytesTaken ? link : 0;
    }

    /// <summary>
    /// What was left unanswered since the last answer: what timed out, and of the oldest
    /// Limits.MuteLooks in flight those that were sent by then.
    /// </summary>
    public Unanswered LeftUnanswered(Instant sentBy)
    {
        var left = _unanswered;
        Span<byte> packet = stackalloc byte[Limits.MaxUdpPayload];
        var looks = Limits.MuteLooks;
        for (var link = _oldest; link != 0 && looks > 0; looks--)
        {
            ref var entry = ref _entries[link - 1];
            if (entry.SentAt > sentBy)
                break;
            left.Note(entry.SentAt, entry.Client, PacketOf(link - 1, packet));
            link = entry.Newer;
        }
        return left;
    }

    /// <summary>It answered a query, or is judged from now: forget what it left before.</summary>
    public void ForgetUnanswered(Instant now) => _unanswered.Forget(now);

    private void Clear(Instant now, in Entry entry, bool isTruncated)
    {
        if (PacketStore.IsInOneBlock(entry.Length))
        {
            _quarantine.OnAnswered(
                now, _packets.InOneBlock(entry.FirstBlock, entry.Length), isTruncated);
            return;
        }
        Span<byte> packet = stackalloc byte[Limits.MaxUdpPayload];
        _packets.Load(entry.FirstBlock, entry.Length, packet);
        _quarantine.OnAnswered(now, packet[..entry.Length], isTruncated);
    }

    /// <summary>
    /// Whether a query is in flight that came less than Limits.StopGrace ago and is unanswered. A
    /// stop asks every turn, so each call goes on where the last one ended.
    /// </summary>
    public bool AwaitsReply(Instant now)
    {
        // What was passed over is answered or too old, and stays so.
        if (_awaited == 0)
            _awaited = _newest;
        for (; _awaited > 0; _awaited = _entries[_awaited - 1].Older)
        {
            ref var entry = ref _entries[_awaited - 1];
            if (now - entry.SentAt >= Limits.StopGrace)
                return false;
            if (now - entry.ArrivedAt < Limits.StopGrace && !_pairs.IsAnswered(entry.Pair))
                return true;
        }
        _awaited = NobodyAwaits;
        return false;
    }

    // ---- Shares ----

    /// <summary>
    /// Whether the backend is behind with what it was sent up to `sentEnd`, of which so many bytes
    /// are queued, and this client has more than its share of what is in flight, or those have
    /// more than half of it that are one for the purpose: clients that are not established, beside
    /// some that are (`isCrowd`).
    /// </summary>
    public bool IsOverShare(
        Instant now, Ipv4 client, bool isCrowd, long sentEnd, int queued, bool mayHang) =>
        IsBehind(now, sentEnd, queued, mayHang)
        && (_shares.IsOver(client, Count) || (isCrowd && IsCrowdOverShare));

    private bool IsCrowdOverShare => _newcomers >= Limits.LeastShare && 2 * _newcomers > Count;

    private bool IsBehind(Instant now, long sentEnd, int queued, bool mayHang)
    {
        if (Count > Limits.InFlightQueries / 2 || _packets.IsHalfFull
            || queued > Limits.BackendQueueBytes / 2)
        {
            return true;
        }
        // One that hangs is not slow: what it has will soon be sent to others.
        if (mayHang)
            return false;
        // Nor is one that could do nothing a moment ago, since it or the balancer stood still.
        if (now < _catchesUpUntil || now - _services.Standstill.LongEndedAt < Limits.FairTime)
            return false;
        var behind = sentEnd - _answeredEnd;
        return behind > Limits.FairBytes
            && (behind > Limits.FairBurstBytes || HasWaited(now))
            && behind > _shares.Progress(now, _answeredEnd);
    }

    /// <summary>What it has not come to yet has waited so long that it is no burst.</summary>
    private bool HasWaited(Instant now) => _firstBehind != 0
        && now - _entries[_firstBehind - 1].SentAt >= Limits.FairWait;

    // ---- Sending again ----

    /// <summary>Starts a walk from the newest query to the oldest.</summary>
    public void BeginWalk()
    {
        Cursor = _newest;
        (IsCutShort, IsToBeWalkedAgain) = (false, false);
    }

    /// <summary>When the walk ends that is under way, another begins.</summary>
    public void WalkAgain() => IsToBeWalkedAgain = true;

    /// <summary>Ends a walk; nothing happens if there is none.</summary>
    public void EndWalk()
    {
        Cursor = 0;
        (IsCutShort, IsToBeWalkedAgain) = (false, false);
    }

    /// <summary>Nothing is sent to others any more: the session keeps what it has.</summary>
    public void EndWalks()
    {
        EndWalk();
        SentAgainTo.Clear();
    }

    /// <summary>Ends a walk that is to begin again after a pause.</summary>
    public void CutShort() => (Cursor, IsCutShort) = (0, true);

    /// <summary>Nobody is there yet for the query that the walk has just passed.</summary>
    public void NotePassed() => IsCutShort = true;

    /// <summary>
    /// The budget had no room for some of those that the last walk passed, or a backend that they
    /// would go to was in doubt.
    /// </summary>
    public bool IsCutShort { get; private set; }

    /// <summary>
    /// Somebody may take by now what the walk passed; an end of the walk ends that too.
    /// </summary>
    public bool IsToBeWalkedAgain { get; private set; }

    /// <summary>
    /// Copies the query at the cursor and moves on. `packet` has room for Limits.MaxUdpPayload
    /// bytes. The entry stays what it is, and `index` names it until the next call that changes
    /// the table.
    /// </summary>
    public Query Next(Span<byte> packet, out int index, out int length)
    {
        Verify.That(Cursor != 0, "a walk ends where the list does");
        index = Cursor - 1;
        ref var entry = ref _entries[index];
        Cursor = entry.Older;
        length = entry.Length;
        _packets.Load(entry.FirstBlock, entry.Length, packet);
        return new Query(new Endpoint(entry.Client, entry.Port), entry.Local, entry.ArrivedAt,
            entry.Pair, entry.WasResent, entry.IsNewcomers);
    }

    /// <summary>When the query at the index was put into the session's queue.</summary>
    public Instant SentAt(int index) => _entries[index].SentAt;

    /// <summary>Whether the kernel took the whole frame of the query at the index.</summary>
    public bool WasTaken(int index) => _entries[index].FrameEnd <= BytesTaken;

    /// <summary>Whether another, or the balancer, has answered the query at the index.</summary>
    public bool IsAnswered(int index) => _pairs.IsAnswered(_entries[index].Pair);

    public Endpoint ClientOf(int index) => new(_entries[index].Client, _entries[index].Port);

    /// <summary>The packet of the query at the index; `packet` has room for any.</summary>
    public ReadOnlySpan<byte> PacketOf(int index, Span<byte> packet)
    {
        ref var entry = ref _entries[index];
        _packets.Load(entry.FirstBlock, entry.Length, packet);
        return packet[..entry.Length];
    }

    /// <summary>The query at the index is the first of a pair now.</summary>
    public void SetPair(int index, int pair)
    {
        ref var entry = ref _entries[index];
        Verify.That(entry.Pair == 0 && !entry.WasResent, "a query is sent again once");
        entry.Pair = pair;
    }

    /// <summary>
    /// Notes that the budget has no room for the query at the index; false if that is known.
    /// </summary>
    public bool TryNoteOverBudget(int index)
    {
        var isNew = !_entries[index].WasOverBudget;
        _entries[index].WasOverBudget = true;
        IsCutShort |= isNew;
        return isNew;
    }

    /// <summary>
    /// The balancer itself answers the query at the index, and a reply to it is a duplicate; false
    /// if there is no memory for that.
    /// </summary>
    public bool TrySetAnswered(int index)
    {
        var pair = _pairs.Make();
        if (pair == 0)
            return false;
        _pairs.TryAnswer(pair);
        SetPair(index, pair);
        return true;
    }

    /// <summary>Removes the query at the index; what it became, somebody else counts.</summary>
    public void Drop(int index) => Remove(index);

    /// <summary>
    /// Its session has ended: nothing of it times out any more. What it holds is dropped one by
    /// one, or with DropAll.
    /// </summary>
    public void OnSessionEnded()
    {
        _services.Timers.Disarm(_timeOut);
        _unanswered = default;
        _isOver = true;
        if (Count == 0)
            FreeMemory();
    }

    /// <summary>The balancer stops: all that is in flight is lost.</summary>
    public void DropAll()
    {
        OnSessionEnded();
        while (_oldest != 0)
            Give(_oldest - 1, Counter.UnansweredLost);
        Verify.That(Count == 0, "what is in flight is in the list");
    }

    // ---- Leaving unanswered ----

    private void OnTimeOut(Instant now)
    {
        // Nothing reports that there is memory again, so it is tried.
        _lacksMemory = false;
        _packets.TryAgain();
        Span<byte> packet = stackalloc byte[Limits.MaxUdpPayload];
        for (var n = 0; _oldest != 0; n++)
        {
            var due = TimeIsUp(in _entries[_oldest - 1]);
            if (due > now || n == _services.Turn.ResendsPerTurn)
            {
                var next = now + (due > now ? Limits.TimeOutInterval : Limits.TimeOutPause);
                _services.Timers.Arm(_timeOut, Instant.Max(due, next));
                return;
            }
            ref var oldest = ref _entries[_oldest - 1];
            _unanswered.Note(oldest.SentAt, oldest.Client, PacketOf(_oldest - 1, packet));
            Give(_oldest - 1, Counter.UnansweredTimedOut);
        }
    }

    private void Evict(int index) => Give(index, Counter.UnansweredEvicted);

    /// <summary>Removes a query, and counts it if no backend is left to answer it.</summary>
    private void Give(int index, Counter why)
    {
        var pair = _entries[index].Pair;
        Remove(index);
        if (pair == 0 || _pairs.IsLostWithout(pair))
            _services.Counters.Add(why);
    }

    // ---- The table ----

    /// <summary>The oldest query in time that a reply answers, as a link; 0 if none.</summary>
    private int FindAnswered(
        Instant now, int bucket, Endpoint client, ReadOnlySpan<byte> reply)
    {
        var id = DnsQuestion.IdOf(reply);
        var found = 0;
        for (var link = bucket; link != 0;)
        {
            ref var entry = ref _entries[link - 1];
            if (IsAlike(in entry, client, id) && now < TimeIsUp(in entry)
                && IsAbout(in entry, reply))
            {
                found = link;
            }
            link = entry.NextAlike;
        }
        return found;
    }

    /// <summary>
    /// When it is forgotten; after a standstill later, and a moment later than its session ends if
    /// that is due, so that it is sent again or lost with that.
    /// </summary>
    private Instant TimeIsUp(in Entry entry)
    {
        var due = entry.SentAt + Limits.InFlightTime;
        var extended = _services.Standstill.Extend(due);
        return extended > due ? extended + Limits.TimeOutPause : due;
    }

    private bool IsAbout(in Entry entry, ReadOnlySpan<byte> reply)
    {
        if (PacketStore.IsInOneBlock(entry.Length))
        {
            return DnsQuestion.MayBeSame(
                _packets.InOneBlock(entry.FirstBlock, entry.Length), reply);
        }
        Span<byte> packet = stackalloc byte[Limits.MaxUdpPayload];
        _packets.Load(entry.FirstBlock, entry.Length, packet);
        return DnsQuestion.MayBeSame(packet[..entry.Length], reply);
    }

    /// <summary>Makes room for one more query like it.</summary>
    private void KeepAlikeBounded(int bucket, Endpoint client, ushort id)
    {
        var alike = 0;
        var oldest = 0;
        for (var link = bucket; link != 0; link = _entries[link - 1].NextAlike)
        {
            if (!IsAlike(in _entries[link - 1], client, id))
                continue;
            alike++;
            oldest = link;
        }
        if (alike >= Limits.InFlightAlike)
            Evict(oldest - 1);
    }

    private static bool IsAlike(in Entry entry, Endpoint client, ushort id) =>
        entry.Client == client.Address && entry.Port == client.Port && entry.Id == id;

    private int TakeEntry()
    {
        if (IsFull)
            Evict(_oldest - 1);
        if (_freeEntries == 0)
            return _usedEntries++;
        var index = _freeEntries - 1;
        _freeEntries = _entries[index].NextAlike;
        return index;
    }

    private bool IsFull => _freeEntries == 0 && _usedEntries == _entries.Length;

    /// <summary>Before a bucket is looked up, since it rebuilds all of them.</summary>
    private void GrowIfFull()
    {
        if (!IsFull || _lacksMemory || _entries.Length >= Limits.InFlightQueries)
            return;
        var more = (long)_entries.Length * BytesOfEntry;
        _lacksMemory = !_memory.TryTake(more);
        if (_lacksMemory)
            return;
        try
        {
            Grow();
        }
        catch (OutOfMemoryException)
        {
            _lacksMemory = true;
            _memory.GiveBack(more);
        }
    }

    /// <summary>Nothing is in flight, nor will be in this session.</summary>
    private void FreeMemory()
    {
        SentAgainTo.Clear();
        if (_memory.IsEmpty)
            return;
        try
        {
            var (entries, buckets) = (new Entry[FirstEntries], new int[FirstEntries]);
            if (!_packets.TryFreeMemory())
                return;
            (_entries, _buckets) = (entries, buckets);
        }
        catch (OutOfMemoryException)
        {
            // The next session has it from its start.
            return;
        }
        (_usedEntries, _freeEntries) = (0, 0);
        _memory.GiveAllBack();
    }

    /// <summary>Doubles entries and buckets; rebuilds the chains, newest first.</summary>
    private void Grow()
    {
        var buckets = new int[_entries.Length * 2];
        Array.Resize(ref _entries, _entries.Length * 2);
        _buckets = buckets;
        for (var link = _oldest; link != 0; link = _entries[link - 1].Newer)
        {
            ref var entry = ref _entries[link - 1];
            ref var bucket = ref BucketOf(new Endpoint(entry.Client, entry.Port), entry.Id);
            entry.NextAlike = bucket;
            bucket = link;
        }
    }

    private void Remove(int index)
    {
        ref var entry = ref _entries[index];
        Remove(index, ref BucketOf(new Endpoint(entry.Client, entry.Port), entry.Id));
    }

    /// <summary>Removes the query at the index, which is in the bucket's chain.</summary>
    private void Remove(int index, ref int bucket)
    {
        ref var entry = ref _entries[index];
        ref var link = ref bucket;
        while (link != index + 1)
        {
            Verify.That(link != 0, "every entry is in its chain");
            link = ref _entries[link - 1].NextAlike;
        }
        link = entry.NextAlike;
        if (entry.Older != 0)
            _entries[entry.Older - 1].Newer = entry.Newer;
        else
            _oldest = entry.Newer;
        if (entry.Newer != 0)
            _entries[entry.Newer - 1].Older = entry.Older;
        else
            _newest = entry.Older;
        if (Cursor == index + 1)
            Cursor = entry.Older;
        if (_awaited == index + 1)
            _awaited = entry.Older;
        if (_firstBehind == index + 1)
            _firstBehind = entry.Newer;
        _shares.Remove(entry.Client);
        _newcomers -= entry.IsNewcomers ? 1 : 0;
        _packets.Free(entry.FirstBlock);
        entry.NextAlike = _freeEntries;
        _freeEntries = index + 1;
        Count--;
        if (_isOver && Count == 0)
            FreeMemory();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref int BucketOf(Endpoint client, ushort id)
    {
        var key = ((ulong)client.Address.Value << 32) | ((ulong)client.Port << 16) | id;
        var hash = KeyedHash.Of(key, _services.Options.HashKey);
        return ref _buckets[hash & (_buckets.Length - 1)];
    }
}
