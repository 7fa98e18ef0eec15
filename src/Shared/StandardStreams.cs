// Owns what must be right about descriptors 0, 1 and 2 whatever we were started with. A supervisor
// may start us with some of them closed; the kernel would then give their numbers to our sockets,
// and a log record would be a datagram. Each executable compiles this file, as it does
// StandardOptions.cs.
//
// What always holds: after Occupy no socket has one of the three numbers, and it is known whether
// standard output was closed: what was asked for is then not written.

using System;
using System.IO;
using Microsoft.Win32.SafeHandles;

namespace CommandLines;

internal static class StandardStreams
{
    private const int StandardOutput = 1;
    private const int StandardError = 2;

    /// <summary>Standard output was closed when Occupy was called.</summary>
    public static bool OutputWasClosed { get; private set; }

    /// <summary>
    /// Opens /dev/null in place of those that are closed. Call it before anything is opened.
    /// </summary>
    public static void Occupy()
    {
        try
        {
            // The kernel always gives the lowest number that is free.
            while (true)
            {
                var handle = OpenNull();
                var descriptor = handle.DangerousGetHandle();
                if (descriptor > StandardError)
                {
                    handle.Dispose();
                    return;
                }
                OutputWasClosed |= descriptor == StandardOutput;
                handle.SetHandleAsInvalid(); // It stays open when the handle is collected.
            }
        }
        catch (Exception none) when (none is IOException or UnauthorizedAccessException)
        {
            // A root directory without /dev: whoever made it kept the three open, or loses lines.
        }
    }

    private static SafeFileHandle OpenNull() => File.OpenHandle(
        "/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
}
