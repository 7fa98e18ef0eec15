// Owns the question whether a fake Binder listens, as a container's health check asks it: the image
// holds this executable and nothing else that could ask.
//
// Healthy is a socket that takes a connection. Whether its backend misbehaves is not asked, because
// it was told to; one that hangs is healthy too, as the kernel takes the connection.
//
// Which sockets: those of this command line or, where it names none, those of process 1, which is
// the fake Binder of the container; so the check of the image holds whatever a container is told.

using System;
using System.Collections.Generic;
using System.IO;

namespace FakeBinder;

internal static class Health
{
    private const string FirstProcess = "/proc/1/cmdline";

    /// <exception cref="StartException">One of the sockets takes no connection.</exception>
    public static void Check(Options options, Settings settings,
        System.CommandLine.ParseResult ownLine, IReadOnlyDictionary<string, string> environment)
    {
        if (!options.SaysWhere(ownLine) && SettingsOfFirstProcess(environment) is { } first)
            settings = first;
        if (settings.Paths.Count == 0 && settings.Listen is null)
            throw new StartException("--health: there is no PATH, nor --listen, to ask after");
        foreach (var path in settings.Paths)
        {
            if (!LibC.CanConnect(path))
                throw new StartException($"{path}: {LibC.LastErrorText()}");
        }
        if (settings.Listen is { } at && !LibC.CanConnect(at))
            throw new StartException($"{at}: {LibC.LastErrorText()}");
    }

    private static Settings? SettingsOfFirstProcess(
        IReadOnlyDictionary<string, string> environment)
    {
        string[] words;
        try
        {
            words = File.ReadAllText(FirstProcess).Split('\0')[..^1];
        }
        catch (Exception denied) when (denied is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        if (words is not [var program, .. var arguments]
            || Path.GetFileName(program) != "fake-binder")
            return null;
        var options = new Options();
        var (all, wrong) = EnvironmentOptions.Add(options, arguments, environment);
        var parsed = options.Parse(all);
        return wrong is null && options.Complaint(all, parsed) is null
            ? options.Read(parsed)
            : null;
    }
}
