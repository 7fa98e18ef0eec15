// Balancer.Simulation as a stranger has it: packed, restored into a project outside the tree from a
// folder that holds no other library, and run, for each .NET that it supports. The example is the
// one of the package's README. Where that .NET is not installed, a newer one runs what was made for
// it.

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
            <TargetFramework>FRAMEWORK</TargetFramework>
            <RollForward>Major</RollForward>
            <UseAppHost>false</UseAppHost>
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
        using System.Reflection;
        using System.Runtime.Versioning;
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
            Console.WriteLine(typeof(ScenarioBuilder).Assembly
                .GetCustomAttribute<TargetFrameworkAttribute>()!.FrameworkName);
            File.Delete(found.PictureFile);
        }
        """;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("net8.0")]
    [InlineData("net10.0")]
    public void PackedLibrary_FindsAndShrinksOutsideOfTheTree(string framework)
    {
        Dotnet(Places.Root, "pack", "sim/Library", "-c", "Release", "--nologo",
            "-v", "quiet", "-o", _folder["feed"]);
        File.WriteAllText(_folder["Try.csproj"],
            Project.Replace("FRAMEWORK", framework, StringComparison.Ordinal));
        AddReferencePacks();
        File.WriteAllText(_folder["Program.cs"], Program);

        var output = Dotnet(Path.GetDirectoryName(_folder["feed"])!, "run");

        Assert.StartsWith("the property does not hold; the smallest scenario", output,
            StringComparison.Ordinal);
        Assert.Contains("\"kind\": \"backendCrash\"", output, StringComparison.Ordinal);
        Assert.Contains($".NETCoreApp,Version=v{framework[3..]}", output,
            StringComparison.Ordinal);
    }

    /// <summary>
    /// An older .NET to compile against is a package, which the build of this tree restored.
    /// </summary>
    private void AddReferencePacks()
    {
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile),
                ".nuget", "packages");
        foreach (var name in Directory.EnumerateDirectories(packages, "microsoft.*.app.ref"))
        {
            foreach (var pack in Directory.EnumerateFiles(name, "*.nupkg",
                SearchOption.AllDirectories))
            {
                File.Copy(pack, Path.Combine(_folder["feed"], Path.GetFileName(pack)));
            }
        }
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
