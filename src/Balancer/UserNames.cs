// Owns the names of this host's users. They are read from /etc/passwd, since the C library's way to
// them loads libraries, which an executable without any cannot; a user that only a directory
// service knows is named by its id.
//
// What always holds: nothing throws, and a file that cannot be read knows nobody.

using System;
using System.Globalization;
using System.IO;

namespace Balancer;

/// <summary>Finds users by name.</summary>
internal static class UserNames
{
    private const string File = "/etc/passwd";

    /// <summary>The id that a name or a number means, 0 to 4294967294; null for none.</summary>
    public static uint? IdOf(string user)
    {
        if (uint.TryParse(user, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            return id == uint.MaxValue ? null : id;
        foreach (var line in Lines())
        {
            var fields = line.Split(':');
            if (fields.Length > 2 && user.Length > 0 && fields[0] == user && uint.TryParse(
                fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out id))
            {
                return id;
            }
        }
        return null;
    }

    private static string[] Lines()
    {
        try
        {
            return System.IO.File.ReadAllLines(File);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
