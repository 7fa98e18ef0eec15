// The path of a query and of its reply, once everything has its working size: no allocation, and
// a constant number of system calls per batch.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class SteadyPathTests : CoreTest
{
    private const int Clients = 200;

    private readonly SimBackend[] _backends;

    public SteadyPathTests()
    {
        _backends = HealthyBackends("5301", "5302", "5303");
        foreach (var backend in _backends)
            backend.Records = false;
        Log.Records = false;
        Kernel.RecordDatagrams = false;
    }

    [Fact]
    public void AHundredThousandQueriesAndReplies_AllocateNothing()
    {
        Forward(20_000);
        var sentBefore = Kernel.Datagrams.SentCount;
        var before = GC.GetAllocatedBytesForCurrentThread();

        Forward(100_000);

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(100_000, Kernel.Datagrams.SentCount - sentBefore);
        Assert.Equal(0, allocated);
        AssertCountersAddUp();
    }

    [Fact]
    public void ABatch_CostsOneReceiveOneWriteABackendAndOneSend()
    {
        Forward(6400);
        var receives = Kernel.Calls[SimCall.ReceiveDatagrams];
        var writes = Kernel.Calls[SimCall.Write];
        var reads = Kernel.Calls[SimCall.Read];
        var sends = Kernel.Calls[SimCall.SendDatagrams];

        Forward(6400);

        // 100 batches of 64; a full batch asks once more, and may find the next one there.
        Assert.InRange(Kernel.Calls[SimCall.ReceiveDatagrams] - receives, 100, 201);
        Assert.InRange(Kernel.Calls[SimCall.Write] - writes, 3, 300);
        Assert.InRange(Kernel.Calls[SimCall.Read] - reads, 3, 300);
        Assert.InRange(Kernel.Calls[SimCall.SendDatagrams] - sends, 100, 300);
    }

    private void Forward(int queries)
    {
        Span<byte> query = stackalloc byte[40];
        query.Clear();
        var end = Count(Counter.QueriesReceived) + queries;
        for (var sent = 0; sent < queries;)
        {
            for (var n = 0; n < 64 && sent < queries; n++, sent++)
                Kernel.InjectDatagram(Client(sent % Clients), query);
            Balancer.Turn();
        }
        while (Count(Counter.QueriesReceived) < end
            || Count(Counter.RepliesReceived) < Count(Counter.QueriesForwarded))
        {
            Balancer.Turn();
        }
    }
}
