// Owns the commands that a process takes on its standard input with --commands, one a line: what
// whoever started it may have it do while it runs.
//
//   script {…}     misbehave so from now on, in the sessions that there are too; see ScriptFile
//   reset          reset all sessions
//   end N          end all sessions, behind the first N bytes of a reply's header (0 to 16)
//   accept on      accept again
//   accept off N   accept nothing, with a backlog of N
//
// What always holds: a line is a command as a whole or none.

using System;
using System.Globalization;

namespace FakeBinder;

/// <summary>What a command does.</summary>
internal enum CommandKind
{
    Script,
    Reset,
    End,
    Accept,
    AcceptNot,
}

/// <summary>One command.</summary>
internal sealed record Command(CommandKind Kind, int Number = 0, Misbehaviour? Script = null)
{
    /// <summary>Reads a line; null if it is not a command.</summary>
    public static Command? Read(string line)
    {
        var (word, rest) = line.Split(' ', 2) is [var first, var second]
            ? (first, second)
            : (line, "");
        return (word, rest) switch
        {
            ("script", _) => ReadScript(rest),
            ("reset", "") => new Command(CommandKind.Reset),
            ("end", _) when ToNumber(rest) is >= 0 and <= WireCodec.UdpHeaderBytes and var bytes =>
                new Command(CommandKind.End, bytes),
            ("accept", "on") => new Command(CommandKind.Accept),
            ("accept", _) when rest.StartsWith("off ", StringComparison.Ordinal)
                && ToNumber(rest[4..]) is >= 0 and var backlog =>
                new Command(CommandKind.AcceptNot, backlog),
            _ => null,
        };
    }

    private static Command? ReadScript(string json)
    {
        try
        {
            return new Command(CommandKind.Script, Script: ScriptFile.Read(json));
        }
        catch (ScriptFormatException)
        {
            return null;
        }
    }

    private static int ToNumber(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : -1;
}
