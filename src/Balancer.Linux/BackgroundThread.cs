// Owns how a thread is made: at start only, by name, and with one line for the operator where none
// may be made (pids.max, TasksMax, RLIMIT_NPROC). Once the balancer serves, nothing needs another.
//
// What always holds: such a thread never keeps the process from ending.

using System;
using System.Threading;

namespace Balancer.Linux;

/// <summary>Threads beside the loop.</summary>
public static class BackgroundThread
{
    /// <summary>Starts one; throws NetworkSetupException if there can be none.</summary>
    public static Thread Start(string name, ThreadStart body)
    {
        var thread = new Thread(body) { IsBackground = true, Name = name };
        try
        {
            thread.Start();
            return thread;
        }
        catch (Exception refused) when (refused is OutOfMemoryException or ThreadStartException)
        {
            // The runtime keeps the errno to itself; this is the one that pthread_create has.
            throw NetworkSetupException.For($"cannot make the thread '{name}'", Errno.EAGAIN);
        }
    }
}
