// Owns three node-mname processes and a balancer in front of them, all healthy at the start.

using System;
using System.Collections.Generic;
using Tests.Integration.Harness;

namespace Tests.Integration.NodeMname;

/// <summary>Backends 5301 to 5303, which are real.</summary>
public sealed class Nodes : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly Dictionary<int, NodeBackend> _backends = [];

    public Nodes(params string[] balancer)
    {
        try
        {
            for (var id = 5301; id <= 5303; id++)
                Start(id);
            Balancer = BalancerProcess.Start(_folder.FullName, balancer);
            Balancer.WaitHealthy(5301, 5302, 5303);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public BalancerProcess Balancer { get; } = null!;

    public NodeBackend this[int id] => _backends[id];

    public void Start(int id)
    {
        if (_backends.TryGetValue(id, out var before))
            before.Dispose();
        _backends[id] = new NodeBackend(_folder[$"{id}"]);
    }

    /// <summary>The backend that each host, 127.0.0.first to 127.0.0.last, meets.</summary>
    public Dictionary<string, string> WhoMeetsWhom(int first, int last) =>
        Cluster.WhoMeetsWhom(Balancer, first, last);

    public void Dispose()
    {
        Balancer?.Dispose();
        foreach (var backend in _backends.Values)
            backend.Dispose();
        _folder.Dispose();
    }
}
