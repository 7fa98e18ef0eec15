// The executable: reads its command line, makes its sockets, says so, serves.
//
// Exit status: 0 after SIGTERM or SIGINT, with its own paths unlinked; 1 after a crash that was
// asked for, when a socket cannot be made, or when --health finds nobody listening; 64 for a wrong
// command line; 74 when standard output or the journal cannot be written at the start.

using System;
using System.Collections;
using System.Collections.Generic;
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
        StandardStreams.Occupy();
        var options = new Options();
        var environment = ReadEnvironment();
        var parsed = options.Parse(arguments);
        if (options.Text(parsed) is { } text)
        {
            return StandardOptions.TryPrint(text) is { } cannot
                ? Complain(cannot, StandardOptions.ExitCannotWrite)
                : 0;
        }
        var (all, wrong) = EnvironmentOptions.Add(options, arguments, environment);
        parsed = options.Parse(all);
        if ((wrong ?? options.Complaint(all, parsed)) is { } complaint)
            return Complain(complaint, UsageError);
        var settings = options.Read(parsed);
        try
        {
            if (settings.OnlyAsksForHealth)
                Health.Check(options, settings, options.Parse(arguments), environment);
            else
                Serve(settings);
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

    private static Dictionary<string, string> ReadEnvironment()
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
            environment[(string)variable.Key] = (string)variable.Value!;
        return environment;
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
        var journal = OpenJournal(settings.Journal);
        var server = new BinderServer(
            settings, settings.Verbose ? Console.Error.WriteLine : null, journal);
        if (settings.TakesCommands)
            server.TakeCommands();
        // The default of a signal that nobody waits for ends the process.
        using var hangUp = settings.ReadScriptAgain is null
            ? null
            : PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
            {
                context.Cancel = true;
                server.ReadScriptAgain();
            });
        foreach (var path in settings.Paths)
            server.Add(Listen(paths, path), settings.Id ?? Path.GetFileName(path));
        if (settings.Listen is { } at)
        {
            server.AddPlain(Bind(paths, at, isTcp: false), Bind(paths, at, isTcp: true),
                settings.Id ?? at.ToString());
        }
        IEnumerable<string> places = settings.Paths;
        if (settings.Listen is { } plain)
            places = places.Append(plain.ToString());
        if (journal?.Failure is { } full)
        {
            paths.UnlinkOwn();
            throw CannotWriteJournal(settings.Journal!, full);
        }
        var ready = string.Concat(places.Select(place => $"listening {place}\n"));
        if (StandardOptions.TryPrint(ready) is { } cannot)
        {
            paths.UnlinkOwn();
            throw new StartException(cannot, StandardOptions.ExitCannotWrite);
        }
        if (journal is not null)
        {
            journal.OnFailure = () => Console.Error.WriteLine("fake-binder: "
                + CannotWriteJournal(settings.Journal!, journal.Failure!).Message
                + "; serving without it");
        }
        server.Run();
    }

    private static StartException CannotWriteJournal(string path, Exception wrong) => new(
        $"cannot write the journal {path}: {StandardOptions.Reason(wrong)}",
        StandardOptions.ExitCannotWrite);

    private static Journal? OpenJournal(string? path)
    {
        try
        {
            return path is null ? null : new Journal(path);
        }
        catch (Exception wrong) when (wrong is IOException or UnauthorizedAccessException)
        {
            throw CannotWriteJournal(path!, wrong);
        }
    }

    private static int Bind(SocketPaths paths, DnsAddress at, bool isTcp)
    {
        var descriptor = LibC.Bind(at, isTcp, SocketPaths.Backlog);
        if (descriptor >= 0)
            return descriptor;
        var cannot = new StartException($"cannot listen on {at}: {LibC.LastErrorText()}");
        paths.UnlinkOwn();
        throw cannot;
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
