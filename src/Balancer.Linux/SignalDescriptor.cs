// Owns the descriptor that signals are read from (signalfd(2)). That they are blocked in every
// thread is up to SignalState.
//
// What always holds: a read never blocks; a signal that came is in the descriptor until it is read,
// once however often it came before.

using System;
using System.Runtime.InteropServices;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class SignalDescriptor : IDisposable
{
    /// <summary>Signals of one read; the rest is still there for the next.</summary>
    private const int SignalsPerRead = 8;

    private readonly SignalInfo* _came;

    private SignalDescriptor(int descriptor)
    {
        Descriptor = descriptor;
        _came = (SignalInfo*)NativeMemory.AllocZeroed(SignalsPerRead, (nuint)sizeof(SignalInfo));
    }

    internal int Descriptor { get; }

    /// <summary>A descriptor of our signals, or null and the errno.</summary>
    internal static SignalDescriptor? TryCreate(out int errno)
    {
        var ours = SignalState.Ours;
        var descriptor = LibC.SignalFd(-1, &ours, C.SFD_NONBLOCK | C.SFD_CLOEXEC);
        errno = descriptor < 0 ? LibC.Errno : 0;
        return descriptor < 0 ? null : new SignalDescriptor(descriptor);
    }

    /// <summary>Takes what came, up to a bound; the set of what it asks for.</summary>
    internal int Drain()
    {
        var bytes = LibC.Read(Descriptor, _came, (nuint)(SignalsPerRead * sizeof(SignalInfo)));
        var kinds = 0;
        for (var i = 0; i < (int)bytes / sizeof(SignalInfo); i++)
            kinds |= PostedEvents.Bit(Signals.KindOf((int)_came[i].Signal));
        return kinds;
    }

    public void Dispose()
    {
        _ = LibC.Close(Descriptor);
        NativeMemory.Free(_came);
    }
}
