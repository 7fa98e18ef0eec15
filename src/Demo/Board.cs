// Owns what the demo knows and shows: what each client host asked and who answered, which
// backends run, and what happened, in words. Clients write it, the view reads it.
//
// What always holds: everything is read and written under one lock; there is little of it.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;

namespace Demo;

/// <summary>One client host; "" where nobody has answered yet.</summary>
internal sealed class Host(string address)
{
    public string Address { get; } = address;
    public string Home { get; set; } = "";
    public string UdpServer { get; set; } = "";
    public string TcpServer { get; set; } = "";
    public long Queries { get; set; }
    public long Answered { get; set; }
    public TimeSpan LastRoundTrip { get; set; }
}

internal sealed class Board(IEnumerable<string> backends, IEnumerable<string> hosts)
{
    /// <summary>Happenings that are kept; the view shows as many as fit.</summary>
    private const int KeptEvents = 8;

    private readonly List<string> _events = [];
    private readonly HashSet<string> _killed = [];

    public Lock Gate { get; } = new();

    public IReadOnlyList<string> Backends { get; } = [.. backends];

    public IReadOnlyList<Host> Hosts { get; } = [.. hosts.Select(address => new Host(address))];

    /// <summary>The last few; EventCount says how many there ever were.</summary>
    public IReadOnlyList<string> Events => _events;

    public long EventCount { get; private set; }

    public long Queries => Hosts.Sum(host => host.Queries);

    public long Answered => Hosts.Sum(host => host.Answered);

    public bool IsRunning(string backend) => !_killed.Contains(backend);

    public int ClientsOf(string backend) => Hosts.Count(host => host.UdpServer == backend);

    public void Killed(string backend)
    {
        lock (Gate)
        {
            _killed.Add(backend);
            Say($"killed backend {backend}");
        }
    }

    public void Restarted(string backend)
    {
        lock (Gate)
        {
            _killed.Remove(backend);
            Say($"started backend {backend} again");
        }
    }

    public void Asked(Host host)
    {
        lock (Gate)
            host.Queries++;
    }

    public void AnsweredBy(Host host, TimeSpan roundTrip)
    {
        lock (Gate)
        {
            host.Answered++;
            host.LastRoundTrip = roundTrip;
        }
    }

    public void ServedOverTcp(Host host, string server)
    {
        lock (Gate)
            host.TcpServer = server;
    }

    public void ServedOverUdp(Host host, string server)
    {
        lock (Gate)
        {
            if (server == host.UdpServer)
                return;
            if (host.UdpServer.Length == 0)
                host.Home = server;
            else if (server == host.Home)
                Say($"{host.Address} came back to {server}");
            else
                Say($"{host.Address} moved {host.UdpServer} → {server}");
            // Moved while its backend runs: the balancer has evened things out, for good.
            if (IsRunning(host.Home))
                host.Home = server;
            host.UdpServer = server;
        }
    }

    private void Say(string what)
    {
        _events.Add(string.Create(
            CultureInfo.InvariantCulture, $"{DateTime.Now:HH:mm:ss}  {what}"));
        if (_events.Count > KeptEvents)
            _events.RemoveAt(0);
        EventCount++;
    }
}
