// Owns what is told on stderr while trials go on: one line that is written over where somebody
// looks at a terminal, and else a line every ten seconds.

using System;
using System.Diagnostics;
using System.IO;
using System.Threading;

namespace Simulation.Planting;

/// <summary>Tells how far trials are; safe to call from several threads.</summary>
public sealed class PlantProgress(TextWriter error, bool isTerminal)
{
    private static readonly TimeSpan Often = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Seldom = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _toldAt;
    private bool _isLineOpen;

    public PlantProgress(TextWriter error)
        : this(error, !Console.IsErrorRedirected)
    {
    }

    public void Tell(string line)
    {
        lock (_lock)
        {
            if (_clock.Elapsed - _toldAt < (isTerminal ? Often : Seldom))
                return;
            _toldAt = _clock.Elapsed;
            if (isTerminal)
                error.Write($"\r\e[K{line}");
            else
                error.WriteLine(line);
            _isLineOpen = isTerminal;
        }
    }

    /// <summary>Takes the line away, so that output may follow.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            if (_isLineOpen)
                error.Write("\r\e[K");
            _isLineOpen = false;
        }
    }
}
