// Owns the way from an event to stdout. The event loop puts events into a bounded queue and goes
// on; a thread of its own takes them out, formats them and writes them. So a reader of our log
// that stalls stalls that thread alone: when the queue is full, events are dropped and counted,
// and once the reader drains again one record says how many lines it missed.
//
// What always holds: no call here blocks the loop. Close gives what is queued a time limit, since
// the thread may be inside a write that never ends; the process then ends without it. A write
// that fails (the reader is gone, the disk is full) costs its line and nothing else: what went out
// of it is ended before the next line begins.

using System;
using System.IO;
using System.Text;
using System.Threading;
using Balancer.Linux;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Sinks.Async;

namespace Balancer;

/// <summary>A logger whose lines a thread of its own writes to a stream.</summary>
public sealed class LogOutput
{
    /// <summary>
    /// Events that wait at most; some 5 MB of them, and a minute of a busy debug log.
    /// </summary>
    public const int QueueLength = 10_000;

    private readonly Logger _logger;

    /// <param name="output">Where lines go; written by one thread only.</param>
    /// <param name="formatter">Turns an event into a line with its end.</param>
    /// <param name="least">The least level that is logged.</param>
    /// <param name="queueLength">Events that wait at most, 1 or more.</param>
    public LogOutput(Stream output, ITextFormatter formatter, LogEventLevel least,
        int queueLength = QueueLength)
    {
        // Ownership of the sink goes to the logger, which disposes it with the queue.
        var sink = new LineSink(output, formatter);
        _logger = new LoggerConfiguration()
            .MinimumLevel.Is(least)
            .WriteTo.Async(to => to.Sink(sink), monitor: sink, bufferSize: queueLength,
                blockWhenFull: false)
            .CreateLogger();
    }

    public ILogger Logger => _logger;

    /// <summary>
    /// Takes no more events and writes those that wait; false when that took longer than the
    /// limit, in which case a background thread is still at it.
    /// </summary>
    public bool Close(TimeSpan limit)
    {
        var closing = new Thread(_logger.Dispose) { IsBackground = true, Name = "log close" };
        closing.Start();
        return closing.Join(limit);
    }
}

/// <summary>Writes lines, and says how many were lost as soon as it can.</summary>
internal sealed class LineSink(Stream output, ITextFormatter formatter)
    : ILogEventSink, IAsyncLogEventSinkMonitor, IDisposable
{
    /// <summary>Between two records of loss while the queue never empties.</summary>
    private static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(5);

    private readonly StringWriter _line = new();
    private byte[] _bytes = new byte[1024];
    private IAsyncLogEventSinkInspector? _queue;
    private long _failedWrites;
    private long _reported;
    private long _reportedAt;
    private bool _disposed;

    /// <summary>The last line that went out has no end.</summary>
    private bool _isTorn;

    public void StartMonitoring(IAsyncLogEventSinkInspector inspector) => _queue = inspector;

    public void StopMonitoring(IAsyncLogEventSinkInspector inspector)
    {
        // The count of what was dropped stays readable, and Dispose still wants it.
    }

    public void Emit(LogEvent logEvent)
    {
        if (!TryWrite(logEvent))
            _failedWrites++;
        else if (Lost > _reported && IsTimeToReport())
            ReportLoss();
    }

    /// <summary>
    /// The queue is closed and empty: the last chance to say what is missing. Serilog calls this
    /// for the queue and once more for the logger.
    /// </summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        if (Lost > _reported)
            ReportLoss();
        _line.Dispose();
    }

    private long Lost => _failedWrites + (_queue?.DroppedMessagesCount ?? 0);

    private bool IsTimeToReport() => _queue is not { Count: > 0 } || _reported == 0
        || TimeSpan.FromMilliseconds(Environment.TickCount64 - _reportedAt) >= ReportInterval;

    private void ReportLoss()
    {
        var lost = Lost;
        var report = new DaemonEvent.LogLinesLost(lost - _reported);
        if (!TryWrite(BalancerLog.Record(in report, DateTimeOffset.UtcNow)))
            return;
        _reported = lost;
        _reportedAt = Environment.TickCount64;
    }

    private bool TryWrite(LogEvent logEvent)
    {
        var start = _isTorn ? 1 : 0;
        if (_isTorn)
            _line.Write('\n');
        formatter.Format(logEvent, _line);
        var text = _line.GetStringBuilder();
        var most = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (_bytes.Length < most)
            _bytes = new byte[most];
        var length = Encoding.UTF8.GetBytes(text.ToString(), _bytes);
        text.Clear();
        try
        {
            output.Write(_bytes, 0, length);
            output.Flush();
            _isTorn = false;
            return true;
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            // The end of the line before may have gone out alone.
            if (failed is PartialWriteException { Written: > 0 and var written })
                _isTorn = written > start;
            return false;
        }
    }
}
