// Owns the one kind of exception that the adapter throws on the system's account, at start-up
// only: what was tried, on what, and the kernel's reason, in one line for stderr.

using System;
using System.Runtime.InteropServices;

namespace Balancer.Linux;

/// <summary>The balancer cannot start, because the system does not give it what it needs.</summary>
public sealed class NetworkSetupException : Exception
{
    private NetworkSetupException(string message, int errno)
        : base(message) => Errno = errno;

    /// <summary>The kernel's reason.</summary>
    public int Errno { get; }

    internal static NetworkSetupException For(string what, int errno) =>
        new(Explain(what, errno), errno);

    /// <summary>"what: Permission denied (EACCES)".</summary>
    internal static string Explain(string what, int errno) =>
        $"{what}: {Marshal.GetPInvokeErrorMessage(errno)} ({Linux.Errno.NameOf(errno)})";
}
