// The executable: reads its command line, makes its sockets, says so, serves.
//
// Exit status: 0 after SIGTERM or SIGINT, with its own paths unlinked; 1 after a crash that was
// asked for, or when a socket cannot be made; 64 for a wrong command line.

using System;
using System.CommandLine.Invocation;
using System.IO;
using System.Runtime.InteropServices;

namespace FakeBinder;

internal static class Program
{
    private const int UsageError = 64;

    private static int Main(string[] arguments)
    {
        var options = new Options();
        if (options.FlagWithValue(arguments) is { } flag)
            return Wrong($"{flag} takes no value");
        var parsed = options.Parse(arguments);
        // Of several errors the first: one line is read, ten are not.
        if (parsed.Action is ParseErrorAction)
            return Wrong(parsed.Errors[0].Message);
        if (parsed.Action is not null)
            return parsed.Invoke();
        try
        {
            Serve(options.Read(parsed));
            return 0;
        }
        catch (StartException e)
        {
            Console.Error.WriteLine("fake-binder: " + e.Message);
            return 1;
        }
    }

    private static int Wrong(string message)
    {
        Console.Error.WriteLine("fake-binder: " + message);
        return UsageError;
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
        foreach (var path in settings.Paths)
            Console.Out.WriteLine("listening " + path);
        Console.Out.Flush();
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
