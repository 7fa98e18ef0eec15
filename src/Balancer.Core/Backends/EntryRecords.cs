// Owns how much is logged of entries that come, go and change in the directory of sockets. Whoever
// may make entries there could fill a disk with them: one socket that flaps every 20 ms makes 35 KB
// a second, and fifty files that come and go 200. So each name may have some records, and one more
// every few seconds; and all names together may have as many as there are ports for names, and one
// more a second. Backends that have said hello have all of this a second time, so that no stray
// entry takes the records of those that serve clients. What is beyond is logged at debug, where the
// level is on, and counted: a record says how many were suppressed, as of any condition.
//
// Names are distinguished by a hash alone, so two names may share the limit of one.
//
// What always holds: each event is logged exactly once, be it at debug; a bounded number is above
// that in any time.

using System;

namespace Balancer.Core;

/// <summary>The records about entries of the directory; one for all backends.</summary>
internal sealed class EntryRecords
{
    private readonly IBalancerLog _log;
    private readonly LogGate<LogEvent.EntryRecordsSuppressed> _suppressed;
    private readonly Share[] _ofBackendNames = new Share[Limits.EntryNames];
    private readonly Share[] _ofStrangerNames = new Share[Limits.EntryNames];
    private Share _ofBackends;
    private Share _ofStrangers;

    public EntryRecords(LogGates gates, IBalancerLog log)
    {
        _log = log;
        _suppressed = gates.Make<LogEvent.EntryRecordsSuppressed>();
    }

    /// <summary>Logs an event about an entry, or suppresses it.</summary>
    /// <param name="name">The entry's name, or its path, always the same of the two.</param>
    /// <param name="isBackend">It has said hello.</param>
    public void Write<TEvent>(
        Instant now, ReadOnlySpan<byte> name, bool isBackend, in TEvent logged)
        where TEvent : struct, ILogEvent
    {
        ref var ofName = ref (isBackend ? _ofBackendNames : _ofStrangerNames)[Slot(name)];
        ref var ofAll = ref isBackend ? ref _ofBackends : ref _ofStrangers;
        if (ofName.Has(now, Limits.RecordsOfEntry, Limits.EntryRecordTime)
            && ofAll.Has(now, Limits.RecordsOfEntries, Limits.EntriesRecordTime))
        {
            ofName.Take(Limits.RecordsOfEntry);
            ofAll.Take(Limits.RecordsOfEntries);
            _log.Write(in logged);
            return;
        }
        _log.WriteQuietly(in logged);
        _suppressed.Write(now, new LogEvent.EntryRecordsSuppressed(0));
    }

    /// <summary>FNV-1a.</summary>
    private static int Slot(ReadOnlySpan<byte> name)
    {
        var hash = 2166136261u;
        foreach (var c in name)
            hash = unchecked((hash ^ c) * 16777619u);
        return (int)(hash % Limits.EntryNames);
    }

    /// <summary>A number of records, of which each that was used comes back after a time.</summary>
    private struct Share
    {
        private int _used;
        private Instant _since;

        /// <summary>Whether one more may be used now.</summary>
        public bool Has(Instant now, int most, Duration each)
        {
            if (_used == 0)
                _since = now;
            var back = (now - _since).Nanoseconds / each.Nanoseconds;
            _used = (int)Math.Max(0, _used - back);
            _since += new Duration(back * each.Nanoseconds);
            return _used < most;
        }

        public void Take(int most)
        {
            Verify.That(_used < most, "a record is taken where one is left");
            _used++;
        }
    }
}
