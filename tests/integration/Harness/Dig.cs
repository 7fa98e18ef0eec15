// Owns the running of Debian's dig, the client that operators debug with.

using System.Collections.Generic;
using System.Globalization;
using System.Net;
using Xunit;

namespace Tests.Integration.Harness;

/// <summary>Runs dig.</summary>
public static class Dig
{
    /// <summary>Asks a server; what dig printed, which must have exited with 0.</summary>
    public static string Run(IPEndPoint server, params string[] question)
    {
        List<string> arguments =
        [
            "@" + server.Address, "-p", server.Port.ToString(CultureInfo.InvariantCulture),
            "+time=15", "+tries=2", .. question,
        ];
        using var dig = new ManagedProcess("dig", arguments);
        var status = dig.WaitForExit();
        Assert.True(status == 0, dig.Tail());
        return string.Join('\n', dig.Lines);
    }
}
