// The journal: what is in the file, and what becomes of it when the disk is full.

using System;
using System.IO;
using FakeBinder;
using Xunit;

namespace Tests.Unit.FakeBinder;

public sealed class JournalTests
{
    [Fact]
    public void Records_FollowOneAnother()
    {
        var file = Path.GetTempFileName();
        using (var journal = new Journal(file))
        {
            journal.Add(JournalKind.Accepted, 7, 3, []);
            journal.Add(JournalKind.Over, 8, 3, "reset");
            Assert.Null(journal.Failure);
        }

        var bytes = File.ReadAllBytes(file);

        Assert.Equal(2 * Journal.HeaderBytes + 5, bytes.Length);
        Assert.Equal((byte)JournalKind.Accepted, bytes[0]);
        Assert.Equal((byte)JournalKind.Over, bytes[Journal.HeaderBytes]);
        File.Delete(file);
    }

    [Fact]
    public void FullDisk_IsReportedOnceAndThrowsNothing()
    {
        var reports = 0;
        using var journal = new Journal("/dev/full") { OnFailure = () => reports++ };

        journal.Add(JournalKind.Listening, 1, 0, "5301");
        journal.Add(JournalKind.Accepted, 2, 1, []);

        Assert.Equal(1, reports);
        Assert.IsType<IOException>(journal.Failure);
    }
}
