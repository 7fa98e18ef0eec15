namespace Balancer.Core;

public sealed class LoadBalancer
{
    public LoadBalancer(INetwork network, IBackendDirectory directory, IBalancerLog log,
        BalancerOptions options)
    {
        _ = network;
        _ = directory;
        _ = log;
        _ = options;
    }

    public Counters Counters { get; } = new();
}
