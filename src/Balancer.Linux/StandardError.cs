// Owns stderr as the last resort: a line for an operator, when there may be nothing else left, no
// thread and no log. So it is written by whoever has it, piece by piece, each only when the kernel
// says that there is room for it.
//
// What always holds: a reader that does not read costs the line, and no more time than told; errors
// cost the line alone.

using System;
using System.Text;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

/// <summary>Descriptor 2.</summary>
public static unsafe class StandardError
{
    private const int Descriptor = 2;

    /// <summary>PIPE_BUF: a pipe that is ready to be written to has room for as much.</summary>
    private const int MostAtOnce = 4096;

    /// <summary>Writes a line; gives up when the reader does not take it in time.</summary>
    public static void WriteLine(string line, TimeSpan patience)
    {
        var bytes = Encoding.UTF8.GetBytes(line + "\n");
        var until = MonotonicClock.Read()
            + Duration.FromMilliseconds((long)patience.TotalMilliseconds);
        fixed (byte* start = bytes)
        {
            for (var written = 0; written < bytes.Length && WaitForRoom(until);)
            {
                var most = Math.Min(bytes.Length - written, MostAtOnce);
                var count = LibC.Write(Descriptor, start + written, (nuint)most);
                if (count > 0)
                    written += (int)count;
                else if (count < 0 && LibC.Errno is not (Errno.EINTR or Errno.EAGAIN))
                    return;
            }
        }
    }

    private static bool WaitForRoom(Instant until)
    {
        while (true)
        {
            var left = (until - MonotonicClock.Read()).Nanoseconds;
            if (left <= 0)
                return false;
            var entry = new PollEntry { Descriptor = Descriptor, Asked = C.POLLOUT };
            var came = LibC.Poll(&entry, 1, Epoll.RoundUpToMilliseconds(left));
            // Whatever else it says than that there is room, the write will find out.
            if (came > 0)
                return true;
            if (came < 0 && LibC.Errno != Errno.EINTR)
                return false;
        }
    }
}
