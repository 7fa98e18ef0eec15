// Owns what the kernel does with each signal before anybody asks for it: the mask of every thread
// and the disposition of every signal. Both outlive execve, so that we start with whatever the
// process before us left: a shell ignores SIGINT for what it puts in the background, some
// supervisors block signals and forget them. Nothing of that is kept; what is set here is what the
// documentation says (docs/operating/options.md).
//
// A signal that is blocked waits for whoever asks for it, but only if no thread at all has it
// unblocked: the kernel gives it to any that has, and there its default is the end of the process.
// One thread is older than Main, the one that the runtime runs finalizers on; the mask of a thread
// can only be set by that thread, and so a finalizer sets it. All threads made later inherit it.
// The other way would be to block the signals and exec ourselves again: that needs /proc for
// our own name, gives the process another one (exe), asks for one more right in every sandbox,
// and starts twice.
//
// What always holds: after TryBlockEverywhere every thread blocks the four signals that have a
// meaning here, and no other, and none of the four is ignored; after SetOthers a signal without a
// meaning is ignored, and one that means a bug ends the process.

using System;
using System.Runtime.CompilerServices;
using System.Threading;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

/// <summary>Masks and dispositions, of the whole process.</summary>
internal static unsafe class SignalState
{
    /// <summary>Collections that may pass before the finalizer has run.</summary>
    private const int MostCollections = 10;

    private static int _masked;

    /// <summary>The set of the signals that have a meaning.</summary>
    internal static SignalSet Ours => new()
    {
        Signals = Bit(C.SIGHUP) | Bit(C.SIGINT) | Bit(C.SIGUSR1) | Bit(C.SIGTERM),
    };

    /// <summary>
    /// Blocks our signals, and no others, in this thread and in the runtime's. To be called on the
    /// first thread before it makes another; false if the runtime's could not be reached.
    /// </summary>
    internal static bool TryBlockEverywhere()
    {
        SetMask(Ours);
        for (var times = 0; times < MostCollections; times++)
        {
            LeaveOneBehind();
            GC.Collect(0, GCCollectionMode.Forced, blocking: true);
            GC.WaitForPendingFinalizers();
            if (Volatile.Read(ref _masked) == 0)
                continue;
            StopIgnoring();
            return true;
        }
        return false;
    }

    /// <summary>
    /// For callers with handlers for these signals: they reach this thread, and are not ignored.
    /// </summary>
    internal static void Unblock()
    {
        StopIgnoring();
        SetMask(default);
    }

    /// <summary>Has every signal but ours do what it does by our documentation.</summary>
    internal static void SetOthers()
    {
        for (var signal = 1; signal <= C.LAST_SIGNAL; signal++)
        {
            if (!IsOurs(signal) && signal is not C.SIGKILL and not C.SIGSTOP)
                Set(signal, HasDefault(signal) ? C.SIG_DFL : C.SIG_IGN);
        }
    }

    private static void StopIgnoring()
    {
        for (var signal = 1; signal <= C.LAST_SIGNAL; signal++)
        {
            if (IsOurs(signal))
                Set(signal, C.SIG_DFL);
        }
    }

    private static void Set(int signal, nint wanted)
    {
        SignalAction action;
        // The C library keeps two of the real-time ones to itself and refuses them.
        if (LibC.SigAction(signal, null, &action) != 0)
        {
            SetKept(signal, wanted);
            return;
        }
        // A handler is the runtime's: of faults in the code, and of its own real-time one.
        if (action.Handler == wanted || action.Handler is not (C.SIG_DFL or C.SIG_IGN))
            return;
        action = new SignalAction { Handler = wanted };
        _ = LibC.SigAction(signal, &action, null);
    }

    /// <summary>
    /// Sets one that the C library keeps, unless it uses it: it ends threads by one, and changes
    /// the user of all by the other, and nothing here does either.
    /// </summary>
    private static void SetKept(int signal, nint wanted)
    {
        KernelSignalAction action;
        if (LibC.KernelSigAction(signal, null, &action) != 0
            || action.Handler is not (C.SIG_DFL or C.SIG_IGN))
        {
            return;
        }
        action = new KernelSignalAction { Handler = wanted };
        _ = LibC.KernelSigAction(signal, &action, null);
    }

    /// <summary>
    /// Those that tell of a bug, and SIGQUIT, whose default is the end; those of job control and of
    /// children, whose default is none.
    /// </summary>
    private static bool HasDefault(int signal) =>
        signal is C.SIGQUIT or C.SIGILL or C.SIGTRAP or C.SIGABRT or C.SIGBUS or C.SIGFPE
            or C.SIGSEGV or C.SIGSYS or C.SIGCHLD or C.SIGCONT or C.SIGTSTP;

    private static bool IsOurs(int signal) => (Ours.Signals & Bit(signal)) != 0;

    private static ulong Bit(int signal) => 1ul << (signal - 1);

    private static void SetMask(SignalSet set) =>
        _ = LibC.SetSignalMask(C.SIG_SETMASK, &set, null);

    /// <summary>In a frame of its own, so that nothing refers to it afterwards.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LeaveOneBehind() => _ = new Masker();

    /// <summary>Sets the mask of the thread that finalizes it.</summary>
    private sealed class Masker
    {
        ~Masker()
        {
            SetMask(Ours);
            Volatile.Write(ref _masked, 1);
        }
    }
}
