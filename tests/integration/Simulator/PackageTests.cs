// Balancer.Simulation as a stranger has it: packed, restored into a project outside the tree from a
// folder that holds nothing else, and run. The example is the one of the package's README.

using System;
using System.Diagnostics;
using System.IO;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Simulator;

public sealed class PackageTests : IDisposable
{
    private const string Project = """
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <ImplicitUsings>enable</ImplicitUsings>
            <RestorePackagesPath>packages</RestorePackagesPath>
            <RestoreSources>feed</RestoreSources>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="Balancer.Simulation" Version="*" />
          </ItemGroup>
        </Project>
        """;

    private const string Program = """
        using Balancer.Simulation;

        try
        {
            new ScenarioBuilder()
                .Backend("5301")
                .UdpClient(from: TimeSpan.FromSeconds(2), every: TimeSpan.FromSeconds(1), times: 20)
                .Crash("5301", at: TimeSpan.FromSeconds(9), restartAfter: TimeSpan.FromSeconds(4))
                .Build()
                .Verify(outcome => outcome.Log.All(logged => logged.Event != "backend_faulted"));
        }
        catch (CounterexampleException found)
        {
            Console.WriteLine(found.Message);
            File.Delete(found.PictureFile);
        }
        """;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void PackedLibrary_FindsAndShrinksOutsideOfTheTree()
    {
        Dotnet(Places.Root, "pack", "sim/Library", "-c", "Release", "--nologo",
            "-v", "quiet", "-o", _folder["feed"]);
        File.WriteAllText(_folder["Try.csproj"], Project);
        File.WriteAllText(_folder["Program.cs"], Program);

        var output = Dotnet(Path.GetDirectoryName(_folder["feed"])!, "run");

        Assert.StartsWith("the property does not hold; the smallest scenario", output,
            StringComparison.Ordinal);
        Assert.Contains("\"kind\": \"backendCrash\"", output, StringComparison.Ordinal);
    }

    /// <summary>Runs the SDK; its output, if it succeeds.</summary>
    private static string Dotnet(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output + errors.Result);
        return output;
    }
}
