// Owns what is logged while the kernel does not watch a socket that it was asked to watch (epoll
// has no memory, or no watches left, or a sandbox forbids the call): nothing of that socket is
// reported until it does, though it is asked again and again. It may be the listener or the UDP
// socket, and then the balancer serves nobody.
//
// What always holds: it is compared once a turn, so what is over within a wait is not logged.

namespace Balancer.Core;

/// <summary>Whether all sockets are watched.</summary>
internal sealed class WatchReport(Services services)
{
    private readonly TroubleReport<LogEvent.SocketsNotWatched, LogEvent.SocketsWatched>
        _report = new(services);

    private IoResult _last = IoResult.Ok();
    private Instant _since;

    /// <summary>A turn begins.</summary>
    public void OnTurn(Instant now)
    {
        var why = services.Network.Unwatched;
        if (why == _last)
            return;
        if (_last.IsOk)
            _since = now;
        _last = why;
        if (why.IsOk)
            _report.OnOver(now, new LogEvent.SocketsWatched(now - _since, 0));
        else
            _report.OnBegun(now, new LogEvent.SocketsNotWatched(why, 0));
    }
}
