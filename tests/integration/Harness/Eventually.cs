// Owns how tests wait: for a condition, with a limit that a slow and busy machine keeps, and
// never for a time, unless it is for silence. What took longer than its limit fails with what was
// waited for and what was seen instead.

using System;
using System.Diagnostics;
using System.Net.Sockets;
using System.Threading;
using Xunit.Sdk;

namespace Tests.Integration.Harness;

/// <summary>Waiting for conditions.</summary>
public static class Eventually
{
    /// <summary>The limit of a wait that has no other: more than a loaded machine needs.</summary>
    public const int Seconds = 60;

    /// <summary>Waits until the condition holds; fails after the limit, in seconds.</summary>
    public static void That(
        Func<bool> holds, string what, int seconds = Seconds, Func<string>? instead = null)
    {
        var waited = Stopwatch.StartNew();
        while (!holds())
        {
            if (waited.Elapsed.TotalSeconds > seconds)
                throw new XunitException($"not within {seconds} s: {what}\n{instead?.Invoke()}");
            Thread.Sleep(20);
        }
    }

    /// <summary>Waits until the question has an answer and returns it.</summary>
    public static T Gives<T>(
        Func<T?> ask, string what, int seconds = Seconds, Func<string>? instead = null)
        where T : class
    {
        T? answer = null;
        That(() => (answer = ask()) != null, what, seconds, instead);
        return answer!;
    }

    /// <summary>
    /// Whether a socket has anything to read, a connection, data or an end, within the
    /// milliseconds.
    /// </summary>
    public static bool IsReadable(Socket socket, int milliseconds) =>
        IsReady(socket, SelectMode.SelectRead, milliseconds);

    /// <summary>Whether a socket can be read, or written, within the milliseconds.</summary>
    /// <remarks>
    /// In short waits and by a clock of its own: the wait of the runtime begins again when a stop
    /// and a continuation interrupt it, so on a machine that stands still now and then it may
    /// last any multiple of what was asked for.
    /// </remarks>
    public static bool IsReady(Socket socket, SelectMode mode, int milliseconds)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            var left = milliseconds - waited.Elapsed.TotalMilliseconds;
            var wait = TimeSpan.FromMilliseconds(Math.Clamp(left, 0, 50));
            if (socket.Poll(wait, mode))
                return true;
            if (left <= 0)
                return false;
        }
    }
}
