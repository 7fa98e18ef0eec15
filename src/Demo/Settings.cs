// Owns the demo's command line: --build-dir DIR, --port PORT, and DEMO_SECONDS in the environment.

using System;
using System.Collections.Generic;
using System.Globalization;

namespace Demo;

/// <summary>The demo cannot go on; the message is one line for whoever started it.</summary>
internal sealed class DemoException(string message) : Exception(message);

/// <param name="BuildDirectory">Where the executables bbal and fake-binder are.</param>
/// <param name="Port">The port of 127.0.0.1 that the balancer listens on, 1 to 65535.</param>
/// <param name="Length">How long to run; null for until it is stopped.</param>
internal sealed record Settings(string BuildDirectory, ushort Port, TimeSpan? Length)
{
    public static bool TryRead(IReadOnlyList<string> arguments, Func<string, string?> environment,
        out Settings settings, out string wrong)
    {
        settings = new Settings("build", 5300, null);
        wrong = "";
        for (var i = 0; i < arguments.Count && wrong.Length == 0; i += 2)
        {
            var value = i + 1 < arguments.Count ? arguments[i + 1] : "";
            if (arguments[i] == "--build-dir" && value.Length > 0)
                settings = settings with { BuildDirectory = value };
            else if (arguments[i] != "--port")
                wrong = $"'{arguments[i]}': only --build-dir DIR and --port PORT are known";
            else if (TryNumber(value, ushort.MaxValue, out var port))
                settings = settings with { Port = (ushort)port };
            else
                wrong = $"--port (PORT=): '{value}' is not a port (1 to 65535)";
        }
        if (wrong.Length == 0 && environment("DEMO_SECONDS") is { Length: > 0 } seconds)
        {
            if (TryNumber(seconds, 86_400, out var length))
                settings = settings with { Length = TimeSpan.FromSeconds(length) };
            else
                wrong = $"DEMO_SECONDS: '{seconds}' is not a number of seconds (1 to 86400)";
        }
        return wrong.Length == 0;
    }

    private static bool TryNumber(string text, int most, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)
            && number >= 1 && number <= most;
}
