namespace Balancer.Core;

public sealed class EventLoop(IClock clock, INetwork network, LoadBalancer balancer)
{
    /// <summary>Runs one turn; false when the balancer has stopped and no turn may follow.</summary>
    public bool RunTurn()
    {
        _ = clock;
        _ = network;
        _ = balancer;
        return false;
    }
}
