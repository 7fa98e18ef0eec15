// How many records entries of the directory may have: no stray one takes those of a backend.

using System.Text;
using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class EntryRecordsTests
{
    private SimLog _log = null!;
    private EntryRecords _records = null!;

    public EntryRecordsTests() => Begin();

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

    /// <summary>Of those that share no hash with a name that flaps, each has its record.</summary>
    [Fact]
    public void NamesAreToldApart_ByAsManyHashesAsTheLimitSays()
    {
        const int PerHash = 100;
        const int AtOnce = Limits.RecordsOfEntries - Limits.RecordsOfEntry;
        var suppressed = 0;
        var written = 0;
        while (written < PerHash * Limits.EntryNames)
        {
            Begin();
            for (var times = 0; times < Limits.RecordsOfEntry; times++)
                Write(isBackend: false);
            for (var n = 0; n < AtOnce; n++)
                Write(isBackend: false, $"{10_000 + written++}");
            suppressed += Limits.RecordsOfEntries - Loud();
        }

        Assert.InRange(suppressed, PerHash * 3 / 4, PerHash * 4 / 3);
    }

    private void Begin()
    {
        _log = new SimLog(new SimKernel().Clock);
        _records = new EntryRecords(new LogGates(new Timers(), _log), _log);
    }

    private void Write(bool isBackend, string name = "5301") => _records.Write(
        Instant.Zero, Encoding.ASCII.GetBytes(name), isBackend,
        new LogEvent.EntryNotASocket(name));

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
