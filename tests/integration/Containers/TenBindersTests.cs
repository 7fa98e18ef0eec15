// Ten Binders in containers that come and go while twenty hosts ask without a pause. What is
// judged is what the hosts see: how long each waited for the answer to one question, asked again
// as a client does until it is answered.
//
// What is allowed: a Binder that ends, in whatever way, costs the query that it had taken, so that
// the host's next try is answered; one that hangs is found by its heartbeat, at most 20 s later.
// Both limits have a slack for a slow and busy machine.

using System;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Linq;
using System.Net;
using System.Threading;
using System.Threading.Tasks;
using Tests.Integration.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Tests.Integration.Containers;

public sealed class TenBindersTests(ITestOutputHelper output)
{
    private const int HostCount = 20;
    private const int TryMs = 250;
    private const double SlackSeconds = 5;
    private const double HangSeconds = 5 + 15;

    [TheoryNeedingDocker]
    [InlineData(BalancerAs.Container)]
    [InlineData(BalancerAs.Process)]
    public async Task BindersThatComeAndGo_LeaveNobodyUnansweredForLongerThanTheyMay(
        BalancerAs balancer)
    {
        await using var cluster = await BinderCluster.StartAsync(
            balancer, 3, "--warm-up", "1");
        using var crowd = new Crowd(cluster.Endpoint);

        await cluster.StartBindersAsync(5304, 5305, 5306, 5307);
        await cluster[5301].KillAsync();
        await cluster[5302].StopAsync();
        await cluster.StartBindersAsync(5308, 5309, 5310);
        await cluster[5303].KillAsync();
        await cluster[5302].StartAsync();
        await Task.WhenAll(cluster[5304].StopAsync(), cluster[5305].KillAsync());
        await Task.WhenAll(cluster[5301].StartAsync(), cluster[5303].StartAsync());
        await Task.WhenAll(cluster[5304].StartAsync(), cluster[5305].StartAsync());
        var ends = crowd.LongestWait();

        output.WriteLine($"with crashes and orderly ends nobody waited for more than {ends}");
        Assert.InRange(ends.TotalSeconds, 0, SlackSeconds);

        var mark = await cluster.MarkAsync();
        await cluster[5306].PauseAsync();
        await cluster[5307].KillAsync();
        await cluster.WaitForAsync(Log.Faulted, 5306, mark);
        await cluster[5306].UnpauseAsync();
        await cluster[5307].StartAsync();
        await cluster.WaitForAsync(Log.Healthy, 5306, mark);
        await cluster.WaitForAsync(Log.Healthy, 5307, mark);
        var hang = crowd.LongestWait();

        output.WriteLine($"with a hang nobody waited for more than {hang}");
        Assert.InRange(hang.TotalSeconds, 0, HangSeconds + SlackSeconds);
        Assert.Equal(
            Enumerable.Range(5301, 10).Select(id => $"{id}"), cluster.Sockets);
        Assert.Equal(HostCount, cluster.WhoMeetsWhom(2, 1 + HostCount).Count);
    }

    /// <summary>Hosts that ask and ask.</summary>
    private sealed class Crowd : IDisposable
    {
        private readonly ConcurrentDictionary<string, Stopwatch> _waiting = new();
        private readonly Thread[] _threads;
        private long _longestTicks;
        private volatile bool _ended;

        public Crowd(IPEndPoint server)
        {
            _threads = [.. Enumerable.Range(2, HostCount).Select(i => new Thread(
                () => Ask($"127.0.0.{i}", server)) { IsBackground = true, Name = $"host {i}" })];
            foreach (var thread in _threads)
                thread.Start();
        }

        /// <summary>
        /// The longest that anybody waited for an answer since the last call, those counted in
        /// who still wait.
        /// </summary>
        public TimeSpan LongestWait()
        {
            var longest = Interlocked.Exchange(ref _longestTicks, 0);
            foreach (var waiting in _waiting.Values)
                longest = Math.Max(longest, waiting.Elapsed.Ticks);
            return new TimeSpan(longest);
        }

        public void Dispose()
        {
            _ended = true;
            foreach (var thread in _threads)
                thread.Join();
        }

        private void Ask(string address, IPEndPoint server)
        {
            using var host = new UdpHost(address);
            while (!_ended)
            {
                var query = DnsWire.WhoAreYou(UdpHost.NextId());
                var waited = _waiting[address] = Stopwatch.StartNew();
                while (host.AskOnce(server, query, TryMs) is null && !_ended)
                {
                }
                _waiting.TryRemove(address, out _);
                Count(waited.Elapsed.Ticks);
                Thread.Sleep(10);
            }
        }

        private void Count(long ticks)
        {
            var before = Interlocked.Read(ref _longestTicks);
            while (ticks > before)
            {
                var seen = Interlocked.CompareExchange(ref _longestTicks, ticks, before);
                if (seen == before)
                    return;
                before = seen;
            }
        }
    }
}
