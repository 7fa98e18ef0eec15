// Owns the following of TCP connections through a run: the client's side by what the client does,
// the balancer's by its log, and the ends of the two directions by its half-closes.
//
// What always holds: a client of the scenario has one bar; bars are in the order of connecting.

using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;

namespace Simulation.Pictures;

internal sealed class ConnectionFollower(Story story, IReadOnlyDictionary<BackendId, int> lanes)
{
    private readonly Dictionary<int, ConnectionBar> _byClient = [];
    private readonly Dictionary<Endpoint, ConnectionBar> _byEndpoint = [];
    private readonly Dictionary<ConnectionId, ConnectionBar> _byId = [];
    private readonly Dictionary<SocketHandle, ConnectionBar> _towardsClient = [];
    private readonly Dictionary<SocketHandle, ConnectionBar> _towardsBackend = [];

    public void OnClientConnected(Instant now, int client, bool connected)
    {
        var bar = new ConnectionBar(now, client, connected);
        story.Connections.Add(bar);
        _byClient[client] = bar;
        foreach (var plan in story.Scenario.TcpClients)
        {
            if (plan.Id == client)
                _byEndpoint[new Endpoint(plan.Address, plan.Port)] = bar;
        }
    }

    public void OnClientSent(Instant now, int client, int bytes)
    {
        if (_byClient.TryGetValue(client, out var bar))
            bar.Up.Add(new Sample(now, bytes));
    }

    public void OnClientReceived(Instant now, int client, int bytes)
    {
        if (_byClient.TryGetValue(client, out var bar))
            bar.Down.Add(new Sample(now, bytes));
    }

    public void OnClientEnded(Instant now, int client, string how)
    {
        if (!_byClient.TryGetValue(client, out var bar))
            return;
        bar.ClientEnd = now;
        bar.How = how;
    }

    public void OnAccepted(SocketHandle stream, Endpoint client)
    {
        if (_byEndpoint.TryGetValue(client, out var bar))
            _towardsClient[stream] = bar;
    }

    /// <summary>A stream to a backend turned out to be this client's session.</summary>
    public void OnSession(SocketHandle stream, Endpoint client)
    {
        if (_byEndpoint.TryGetValue(client, out var bar))
            _towardsBackend[stream] = bar;
    }

    public void OnHalfClosed(Instant now, SocketHandle stream)
    {
        if (_towardsBackend.TryGetValue(stream, out var up))
            up.UpEnd = now;
        else if (_towardsClient.TryGetValue(stream, out var down))
            down.DownEnd = now;
    }

    public void OnClosed(SocketHandle stream)
    {
        _towardsBackend.Remove(stream);
        _towardsClient.Remove(stream);
    }

    public void OnLogged(Instant now, ILogEvent logged)
    {
        switch (logged)
        {
            case LogEvent.ConnectionOpened e when _byEndpoint.TryGetValue(e.Client, out var bar):
                _byId[e.Id] = bar;
                bar.Backend = lanes.GetValueOrDefault(e.Backend, -1);
                break;
            case LogEvent.ConnectionRelaying e when _byId.TryGetValue(e.Id, out var bar):
                bar.Relaying = now;
                bar.Backend = lanes.GetValueOrDefault(e.Backend, -1);
                break;
            case LogEvent.ConnectionClosed e when _byEndpoint.TryGetValue(e.Client, out var bar):
                bar.Closed = now;
                bar.Counter = e.How.ToString();
                break;
        }
    }
}
