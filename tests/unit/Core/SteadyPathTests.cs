// The path of a query and of its reply, once everything has its working size: no allocation, and
// a constant number of system calls per batch.

using System;
using System.Linq;
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

        // What the runtime allocates once, as it compiles methods again, is not the path's, which
        // does in each round or in none.
        var rounds = Enumerable.Range(0, 3).Select(_ => BytesFor(100_000)).ToList();

        Assert.Contains(0L, rounds);
        AssertCountersAddUp();
    }

    private long BytesFor(int queries)
    {
        var sentBefore = Kernel.Datagrams.SentCount;
        var before = GC.GetAllocatedBytesForCurrentThread();
        Forward(queries);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(queries, Kernel.Datagrams.SentCount - sentBefore);
        return allocated;
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
