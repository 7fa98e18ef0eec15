// Owns what is shown while a command works: in a terminal one line that is written over four times
// a second and gone in the end, elsewhere a line every five seconds. It goes to standard error, so
// that what a command prints is the same with it and without.
//
// What always holds: a line is written whole, whichever thread shows it, and in a terminal never
// wraps.

using System;
using System.Diagnostics;
using System.IO;
using System.Threading;

namespace Simulation.Commands;

/// <summary>Shows lines of progress.</summary>
internal sealed class Progress(TextWriter error, bool isTerminal)
{
    private const int Columns = 79;
    private static readonly TimeSpan Often = TimeSpan.FromSeconds(0.25);
    private static readonly TimeSpan Seldom = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _shownAt;
    private bool _isShown;

    /// <summary>How often there is something new to see.</summary>
    public TimeSpan Every => isTerminal ? Often : Seldom;

    /// <summary>Shows a line, unless the one before is too young.</summary>
    public void Show(Func<string> line)
    {
        lock (_lock)
            ShowIfDue(line);
    }

    /// <summary>Leaves the terminal as it was; more may be shown later.</summary>
    public void End()
    {
        lock (_lock)
        {
            if (isTerminal && _isShown)
                error.Write("\r\e[K");
            error.Flush();
            _isShown = false;
        }
    }

    private void ShowIfDue(Func<string> line)
    {
        var now = _clock.Elapsed;
        // A timer that fires a little early must not cost a whole line.
        if (now - _shownAt < Every * 0.9)
            return;
        _shownAt = now;
        var text = line();
        if (isTerminal)
            error.Write("\r" + (text.Length > Columns ? text[..Columns] : text) + "\e[K");
        else
            error.WriteLine(text);
        error.Flush();
        _isShown = true;
    }
}
