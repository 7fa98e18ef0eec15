// Owns the reporting of the balancer's scans and looks: it passes each call on to the simulated
// directory and reports the answer to the observers.
//
// What always holds: the answers are the directory's own, unchanged, and each is reported once.

using System;
using Balancer.Core;
using Simulation.Kernel;

namespace Simulation.Running;

/// <summary>The kernel's directory, watched.</summary>
internal sealed class ObservedDirectory(SimKernel kernel, RunObserver observer)
    : IBackendDirectory
{
    public ReadOnlySpan<byte> Path => kernel.Directory.Path;

    public IoResult OpenScan()
    {
        var result = kernel.Directory.OpenScan();
        observer.OnScanOpened(kernel.Clock.Steady, result);
        return result;
    }

    public IoResult NextEntry(out DirectoryEntry entry)
    {
        var result = kernel.Directory.NextEntry(out entry);
        observer.OnScanEntry(kernel.Clock.Steady, result, in entry);
        return result;
    }

    public void CloseScan() => kernel.Directory.CloseScan();

    public IoResult Look(ReadOnlySpan<byte> name)
    {
        var result = kernel.Directory.Look(name);
        observer.OnLooked(kernel.Clock.Steady, name, result);
        return result;
    }
}
