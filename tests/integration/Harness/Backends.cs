// Owns the backends that are processes: the fake one, which misbehaves to order, and the real
// node-mname. Both are connectable when their constructor returns.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace Tests.Integration.Harness;

/// <summary>A fake-binder process on one socket.</summary>
public sealed class FakeBinderProcess : ManagedProcess
{
    public FakeBinderProcess(string path, params string[] options)
        : base(Places.FakeBinder, [.. options, path])
    {
        SocketPath = path;
        WaitForLine(line => line == "listening " + path, "fake-binder listens on " + path);
    }

    public string SocketPath { get; }
}

/// <summary>A Node process that runs node-mname's listenBalancer on one socket.</summary>
public sealed class NodeBackend : ManagedProcess
{
    public NodeBackend(string path)
        : base("node", ["--no-deprecation", Path.Combine(Places.Node, "server.js"), path])
    {
        WaitForLine(line => line == "listening " + path, "node-mname listens on " + path);
    }
}

/// <summary>
/// A balancer with fake backends 5301, 5302, …, all of them healthy when the constructor returns.
/// </summary>
public sealed class Cluster : IDisposable
{
    private readonly Dictionary<int, FakeBinderProcess> _backends = [];

    public Cluster(int backends, string[]? balancer = null, string[]? backend = null,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        try
        {
            for (var id = 5301; id <= 5300 + backends; id++)
                StartBackend(id, backend ?? []);
            Balancer = BalancerProcess.Start(Folder.FullName, balancer, environment);
            Balancer.WaitHealthy([.. _backends.Keys]);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public TestFolder Folder { get; } = new();

    public BalancerProcess Balancer { get; } = null!;

    public FakeBinderProcess this[int id] => _backends[id];

    /// <summary>Starts the backend of an id.</summary>
    public FakeBinderProcess StartBackend(int id, params string[] options) =>
        _backends[id] = new FakeBinderProcess(Folder[$"{id}"], options);

    /// <summary>Starts the backend of an id whose process is gone and left its path.</summary>
    public FakeBinderProcess StartBackendAnew(int id, params string[] options)
    {
        _backends[id].Dispose();
        return StartBackend(id, options);
    }

    /// <summary>As WhoMeetsWhom, until the balancer takes none of them for a newcomer.</summary>
    public Dictionary<string, string> Establish(int first, int last)
    {
        var met = WhoMeetsWhom(first, last);
        Eventually.That(
            () =>
            {
                WhoMeetsWhom(first, last);
                return Balancer.Status().Number("established") > last - first;
            },
            "hosts that asked again after an answer are established");
        return met;
    }

    /// <summary>The backend that each host, 127.0.0.first to 127.0.0.last, meets.</summary>
    public Dictionary<string, string> WhoMeetsWhom(int first, int last) =>
        WhoMeetsWhom(Balancer, first, last);

    public static Dictionary<string, string> WhoMeetsWhom(
        BalancerProcess balancer, int first, int last)
    {
        var met = new Dictionary<string, string>();
        for (var i = first; i <= last; i++)
        {
            using var host = new UdpHost($"127.0.0.{i}");
            met[$"127.0.0.{i}"] = host.Who(balancer.Endpoint);
        }
        return met;
    }

    /// <summary>How many hosts each backend has, in the order of the backends' ids.</summary>
    public static int[] Sizes(Dictionary<string, string> met) =>
        [.. met.Values.GroupBy(id => id).OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => group.Count())];

    public void Dispose()
    {
        Balancer?.Dispose();
        foreach (var backend in _backends.Values)
            backend.Dispose();
        Folder.Dispose();
    }
}
