// Owns the question whether a Docker engine answers here. Where none does, tests that say
// [FactNeedingDocker] or [TheoryNeedingDocker] are skipped with that reason; where one does and
// the images are not there, they fail and say what makes them.
//
// An engine on another machine counts for none, because the tests share folders with it. One that
// is older than the protocol which Testcontainers speaks is told so by its own version; and what
// cleans up for a process that dies, an image to be pulled, is left out, because these tests pull
// nothing.

using System;
using System.IO;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Docker.DotNet;
using DotNet.Testcontainers.Configurations;
using Xunit;

namespace Tests.Integration.Containers;

/// <summary>The Docker engine.</summary>
internal static class Engine
{
    private const string Unix = "unix://";
    private const int PatienceMs = 10_000;

    private static readonly Version Spoken = new(1, 44);

    static Engine()
    {
        var version = AskVersion();
        Answers = version is not null;
        if (Answers && version < Spoken)
            Default("DOCKER_API_VERSION", version!.ToString());
        Default("TESTCONTAINERS_RYUK_DISABLED", "true");
    }

    /// <summary>Whether there is one.</summary>
    public static bool Answers { get; }

    /// <summary>A client of it, for what Testcontainers does not do.</summary>
    public static DockerClient Client() => Answers
        ? TestcontainersSettings.OS.DockerEndpointAuthConfig.GetDockerClientBuilder(Guid.Empty)
            .Build()
        : throw new InvalidOperationException("there is no Docker engine");

    private static void Default(string variable, string value)
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable)))
            Environment.SetEnvironmentVariable(variable, value);
    }

    /// <summary>The version of its interface; null if none answers.</summary>
    private static Version? AskVersion()
    {
        var host = Environment.GetEnvironmentVariable("DOCKER_HOST");
        if (string.IsNullOrEmpty(host))
            host = Unix + "/var/run/docker.sock";
        if (!host.StartsWith(Unix, StringComparison.Ordinal))
            return null;
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, 0)
            {
                ReceiveTimeout = PatienceMs,
                SendTimeout = PatienceMs,
            };
            socket.Connect(new UnixDomainSocketEndPoint(host[Unix.Length..]));
            socket.Send("GET /version HTTP/1.0\r\nHost: docker\r\n\r\n"u8);
            using var reader = new StreamReader(new NetworkStream(socket), Encoding.UTF8);
            var answer = reader.ReadToEnd();
            var body = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            using var json = JsonDocument.Parse(answer[(body + 4)..]);
            return Version.Parse(json.RootElement.GetProperty("ApiVersion").GetString()!);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return null;
        }
    }
}

/// <summary>A fact about containers; skipped where there is no engine.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactNeedingDockerAttribute : FactAttribute
{
    internal const string Reason = "needs a Docker engine";

    public FactNeedingDockerAttribute()
    {
        if (!Engine.Answers)
            Skip = Reason;
    }
}

/// <summary>A theory about containers; skipped where there is no engine.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TheoryNeedingDockerAttribute : TheoryAttribute
{
    public TheoryNeedingDockerAttribute()
    {
        if (!Engine.Answers)
            Skip = FactNeedingDockerAttribute.Reason;
    }
}
