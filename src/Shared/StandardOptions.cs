// Owns what the command lines of all executables have in common, so that who knows one knows all:
// -h, -? and --help, --version, an option that is given twice, output that cannot be written, and
// the words for a file that cannot be used.
// Each executable compiles this file; none of them imports another for it.
//
// Why an option given twice is an error and not the last one wins: of two values one is a slip,
// and which of them nobody but the writer of the command line knows.
//
// What always holds: help and version come before every complaint; nothing here throws.

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;

namespace CommandLines;

/// <summary>Options that every executable has.</summary>
internal static class StandardOptions
{
    /// <summary>sysexits.h, EX_IOERR: what was asked for cannot be written.</summary>
    public const int ExitCannotWrite = 74;

    // errno.h
    private const int NoSuchFile = 2;
    private const int BadDescriptor = 9;
    private const int NameTooLong = 36;

    private const string CannotWriteOutput = "cannot write to standard output: ";

    public static HelpOption Help() =>
        new("--help", "-h", "-?") { Description = "Print this and exit" };

    public static Option<bool> Version() => new("--version")
    {
        Description = "Print the version and exit",
        Arity = ArgumentArity.Zero,
    };

    /// <summary>What --version prints: the program's name and its version, on one line.</summary>
    public static string VersionOf(string program) => program + " " + typeof(StandardOptions)
        .Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
        .InformationalVersion + "\n";

    /// <summary>The complaint about the first option given twice; null if there is none.</summary>
    public static string? GivenTwice(ParseResult line) => Options(line)
        .Where(option => option.IdentifierTokenCount > 1)
        .Select(option => $"{option.IdentifierToken!.Value}: given more than once")
        .FirstOrDefault();

    /// <summary>
    /// The complaint about the first option whose value is not there; null if there is none.
    /// </summary>
    public static string? WithoutValue(ParseResult line) => Options(line)
        .Where(option => option.Tokens.Count < option.Option.Arity.MinimumNumberOfValues)
        .Select(option => $"{option.IdentifierToken!.Value}: its value is missing")
        .FirstOrDefault();

    /// <summary>Those that the command line has, of the command and of those above it.</summary>
    private static IEnumerable<OptionResult> Options(ParseResult line)
    {
        for (SymbolResult? at = line.CommandResult; at is CommandResult command; at = at.Parent)
        {
            foreach (var option in command.Children.OfType<OptionResult>())
            {
                if (!option.Implicit)
                    yield return option;
            }
        }
    }

    /// <summary>
    /// Writes the text on standard output; why it could not be written, or null. A reader that
    /// has gone is not an error.
    /// </summary>
    public static string? TryPrint(string text)
    {
        if (StandardStreams.OutputWasClosed)
            return OutputIsClosed;
        try
        {
            Console.Out.Write(text);
            Console.Out.Flush();
            return null;
        }
        catch (Exception wrong) when (wrong is IOException or UnauthorizedAccessException)
        {
            return CannotWrite(wrong);
        }
    }

    /// <summary>The complaint when standard output was closed from the start.</summary>
    public static string OutputIsClosed => CannotWriteOutput + TextOf(BadDescriptor);

    public static string CannotWrite(Exception wrong) => CannotWriteOutput + Reason(wrong);

    /// <summary>
    /// Why a file or a stream cannot be used, on one line: the system's text for the error, without
    /// .NET's sentence around it. The path is for the caller to name.
    /// </summary>
    public static string Reason(Exception wrong)
    {
        var error = wrong switch
        {
            FileNotFoundException or DirectoryNotFoundException => NoSuchFile,
            PathTooLongException => NameTooLong,
            UnauthorizedAccessException { InnerException: IOException inner } => inner.HResult,
            _ => wrong.HResult,
        };
        // What is not an errno is one of .NET's own codes, which are negative.
        return error > 0 ? TextOf(error) : wrong.Message.ReplaceLineEndings(" ");
    }

    private static string TextOf(int error) => Marshal.GetPInvokeErrorMessage(error);
}
