// How many records entries of the directory may have: no stray one takes those of a backend.

using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class EntryRecordsTests
{

    private readonly SimLog _log;
    private readonly EntryRecords _records;

    public EntryRecordsTests()
    {
        _log = new SimLog(new SimKernel().Clock);
        _records = new EntryRecords(new LogGates(new Timers(), _log), _log);
    }

    /// <summary>Two names that share a hash are as one name here.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NameOfOneKindThatFlaps_LeavesTheOtherKindItsRecords(bool isBackend)
    {
        for (var times = 0; times < 3 * Limits.RecordsOfEntry; times++)
            Write(isBackend);
        Assert.Equal(Limits.RecordsOfEntry, Loud());
        for (var times = 0; times < 3 * Limits.RecordsOfEntry; times++)
            Write(!isBackend);
        Assert.Equal(2 * Limits.RecordsOfEntry, Loud());
    }

    private void Write(bool isBackend) => _records.Write(
        Instant.Zero, "5301"u8, isBackend, new LogEvent.EntryNotASocket("5301"));

    private int Loud()
    {
        var loud = 0;
        foreach (var logged in _log.Events)
        {
            if (logged is { Event: LogEvent.EntryNotASocket, Level: > LogLevel.Debug })
                loud++;
        }
        return loud;
    }
}
