// Owns fake Binders in containers and in front of them the balancer, once in a container and once
// as a process of this machine: the same tests hold for both. Clients are this machine's, bound
// to addresses in 127.0.0.0/8.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Text.Json;
using System.Threading.Tasks;
using Balancer.Testing;
using Tests.Integration.Harness;

namespace Tests.Integration.Containers;

/// <summary>As what the balancer runs.</summary>
public enum BalancerAs
{
    Container,
    Process,
}

/// <summary>A balancer and the fake Binders behind it.</summary>
internal sealed class BinderCluster : IAsyncDisposable
{
    private readonly Dictionary<int, FakeBinderContainer> _binders = [];
    private readonly SocketFolder _folder = new();
    private BalancerContainer? _container;
    private BalancerProcess? _process;

    private BinderCluster()
    {
    }

    public IPEndPoint Endpoint => _container?.Endpoint ?? _process!.Endpoint;

    public IReadOnlyList<string> Sockets => _folder.Names;

    public FakeBinderContainer this[int id] => _binders[id];

    /// <summary>
    /// Starts a balancer, then Binders 5301, 5302, …, and waits until it takes them for healthy.
    /// </summary>
    public static async Task<BinderCluster> StartAsync(
        BalancerAs balancer, int binders, params string[] options)
    {
        var cluster = new BinderCluster();
        try
        {
            await cluster.StartBalancerAsync(balancer, options);
            await cluster.StartBindersAsync([.. Enumerable.Range(5301, binders)]);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts Binders that are not there yet, and waits until they are healthy.</summary>
    public async Task StartBindersAsync(params int[] ids)
    {
        foreach (var id in ids)
        {
            _binders.Add(id, new FakeBinderBuilder().WithSocketFolder(_folder)
                .WithId(id.ToString(CultureInfo.InvariantCulture)).Build());
        }
        await Task.WhenAll(ids.Select(id => _binders[id].StartAsync()));
        foreach (var id in ids)
            await WaitForAsync(Log.Healthy, id);
    }

    /// <summary>
    /// How far the log is, so that what comes can be told from what was: a Binder whose socket is
    /// there a moment before it listens has a fault in the log from its very start.
    /// </summary>
    public async Task<int> MarkAsync() => (await RecordsAsync()).Count;

    /// <summary>Waits for the first record of a kind about a Binder after a mark.</summary>
    public async Task<LogRecord> WaitForAsync(LogKind kind, int id, int after = 0)
    {
        IReadOnlyList<LogRecord> found = [];
        await Patience.UntilAsync(
            async () => (found = await AllAsync(kind, id, after)).Count > 0,
            $"\"{kind}\" of {id}");
        return found[0];
    }

    /// <summary>The records of a kind about a Binder that came after a mark.</summary>
    public async Task<IReadOnlyList<LogRecord>> AllAsync(LogKind kind, int id, int after = 0) =>
        [.. (await RecordsAsync()).Skip(after)
            .Where(record => record.BackendId == id && kind.Is(record))];

    /// <summary>The Binder that each host, 127.0.0.first to 127.0.0.last, meets over UDP.</summary>
    public Dictionary<string, string> WhoMeetsWhom(int first, int last) =>
        Hosts(first, last).ToDictionary(address => address, address =>
        {
            using var host = new UdpHost(address);
            return host.Who(Endpoint);
        });

    /// <summary>The Binder that each host meets over TCP.</summary>
    public Dictionary<string, string> WhoMeetsWhomOverTcp(int first, int last) =>
        Hosts(first, last).ToDictionary(address => address, address =>
        {
            using var host = new TcpHost(Endpoint, address);
            return host.Who();
        });

    public async ValueTask DisposeAsync()
    {
        _process?.Dispose();
        if (_container is not null)
            await _container.DisposeAsync();
        await Task.WhenAll(_binders.Values.Select(binder => binder.DisposeAsync().AsTask()));
        _folder.Dispose();
    }

    private async Task<IReadOnlyList<LogRecord>> RecordsAsync() =>
        _process is { } process
            ? process.Records
            : [.. (await _container!.LinesAsync()).Select(
                line => new LogRecord(line, JsonDocument.Parse(line).RootElement))];

    private static IEnumerable<string> Hosts(int first, int last) =>
        Enumerable.Range(first, last - first + 1).Select(i => $"127.0.0.{i}");

    private async Task StartBalancerAsync(BalancerAs balancer, string[] options)
    {
        if (balancer == BalancerAs.Process)
        {
            _process = BalancerProcess.Start(_folder.FullName, options);
            return;
        }
        if (!options.Contains("--warm-up"))
            options = [.. options, "--warm-up", "0"];
        _container = new BalancerBuilder().WithSocketFolder(_folder).WithOptions(options).Build();
        await _container.StartAsync();
    }
}

/// <summary>Waiting for what has to be asked for.</summary>
internal static class Patience
{
    /// <summary>Waits until the condition holds, with the limit of all waits.</summary>
    public static async Task UntilAsync(Func<Task<bool>> holds, string what)
    {
        var until = DateTime.UtcNow.AddSeconds(Eventually.Seconds);
        while (!await holds())
        {
            if (DateTime.UtcNow > until)
                throw new Xunit.Sdk.XunitException($"not within {Eventually.Seconds} s: {what}");
            await Task.Delay(50);
        }
    }
}
