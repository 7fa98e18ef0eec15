// Owns what happens and when: calm, a backend is killed, its clients move, it is started again,
// they come back, calm, the next backend.

using System;
using System.Diagnostics;
using System.Threading;

namespace Demo;

internal sealed class Script(Stage stage, Board board, TimeSpan? length)
{
    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Outage = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(200);

    /// <summary>Plays until it is stopped or the time is over; refresh shows the board.</summary>
    public void Play(Action refresh, ManualResetEventSlim stop)
    {
        var clock = Stopwatch.StartNew();
        var next = Calm;
        var turn = 0;
        var isDown = false;
        while (length is not { } whole || clock.Elapsed < whole)
        {
            refresh();
            if (stop.Wait(Tick))
                return;
            stage.CheckBalancer(stop);
            if (clock.Elapsed < next || stop.IsSet)
                continue;
            var backend = board.Backends[turn % board.Backends.Count];
            if (isDown)
            {
                stage.StartBackend(backend);
                board.Restarted(backend);
                turn++;
            }
            else
            {
                // Said first: its clients may have moved before the call is back.
                board.Killed(backend);
                stage.KillBackend(backend);
            }
            isDown = !isDown;
            next = clock.Elapsed + (isDown ? Outage : Calm);
        }
        refresh();
    }
}
