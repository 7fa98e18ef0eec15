// The executable: reads its command line, makes its sockets, says so, serves.
//
// Exit status: 0 after SIGTERM or SIGINT, with its own paths unlinked; 1 after a crash that was
// asked for, or when a socket cannot be made; 64 for a wrong command line; 74 when what it has to
// say on standard output cannot be written.

using System;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using CommandLines;

namespace FakeBinder;

internal static class Program
{
    private const int UsageError = 64;

    private static int Main(string[] arguments)
    {
        var options = new Options();
        var parsed = options.Parse(arguments);
        if (options.Text(parsed) is { } text)
        {
            return StandardOptions.TryPrint(text) is { } cannot
                ? Complain(cannot, StandardOptions.ExitCannotWrite)
                : 0;
        }
        if (options.Complaint(arguments, parsed) is { } complaint)
            return Complain(complaint, UsageError);
        try
        {
            Serve(options.Read(parsed));
            return 0;
        }
        catch (StartException e)
        {
            return Complain(e.Message, e.ExitCode);
        }
    }

    private static int Complain(string message, int exitCode)
    {
        Console.Error.WriteLine("fake-binder: " + message);
        return exitCode;
    }

    private static void Serve(Settings settings)
    {
        var paths = new SocketPaths();
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            paths.UnlinkOwn();
            LibC.ExitNow(0);
        }

        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        var server = new BinderServer(settings.Misbehaviour, settings.Accepts,
            settings.Verbose ? Console.Error.WriteLine : null, OpenJournal(settings.Journal));
        if (settings.TakesCommands)
            server.TakeCommands();
        foreach (var path in settings.Paths)
            server.Add(Listen(paths, path), settings.Id ?? Path.GetFileName(path));
        var ready = string.Concat(settings.Paths.Select(path => $"listening {path}\n"));
        if (StandardOptions.TryPrint(ready) is { } cannot)
        {
            paths.UnlinkOwn();
            throw new StartException(cannot, StandardOptions.ExitCannotWrite);
        }
        server.Run();
    }

    private static Journal? OpenJournal(string? path)
    {
        try
        {
            return path is null ? null : new Journal(path);
        }
        catch (Exception wrong) when (wrong is IOException or UnauthorizedAccessException)
        {
            throw new StartException($"cannot write the journal: {wrong.Message}");
        }
    }

    private static int Listen(SocketPaths paths, string path)
    {
        try
        {
            return paths.Listen(path);
        }
        catch (StartException)
        {
            // Those made before must not be left behind by a process that does not start.
            paths.UnlinkOwn();
            throw;
        }
    }
}
