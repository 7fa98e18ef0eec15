// The images: small, made of one executable and nothing else, nobody's process, and content with
// a read-only root, no network and no capability. Exit statuses are those of the executables.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using System.Xml.Linq;
using Docker.DotNet.Models;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Containers;

public sealed class ImageTests
{
    private const long MaxBytes = 8_000_000;

    [TheoryNeedingDocker]
    [InlineData("bbal")]
    [InlineData("fake-binder")]
    public async Task Image_IsOneExecutableOfNobodysUnderEightMegabytes(string name)
    {
        using var docker = Engine.Client();
        var image = await docker.Images.InspectImageAsync(name + ":" + Version());
        var latest = await docker.Images.InspectImageAsync(name + ":latest");

        var config = image.Config!;
        var labels = config.Labels!;

        Assert.Equal(image.ID, latest.ID);
        Assert.InRange(image.Size, 1, MaxBytes);
        Assert.Equal("65534:65534", config.User);
        Assert.Equal(["/" + name], config.Entrypoint);
        Assert.Equal("SIGTERM", config.StopSignal);
        Assert.Equal(name, labels["org.opencontainers.image.title"]);
        Assert.Equal("MPL-2.0", labels["org.opencontainers.image.licenses"]);
        Assert.Equal(Version(), labels["org.opencontainers.image.version"]);
        // The executable and the folder of the sockets, and no image below.
        Assert.Equal(2, image.RootFS!.Layers!.Count);
        Assert.Equal(
            name == "bbal" ? (List<string>)["53/tcp", "53/udp"] : [],
            (config.ExposedPorts?.Keys ?? []).Order(StringComparer.Ordinal));
    }

    [TheoryNeedingDocker]
    [InlineData("bbal", 0, "bbal 0.1", "--version")]
    [InlineData("bbal", 64, "bbal: --nonsense: no such option", "--nonsense")]
    [InlineData("bbal", 64, "bbal: ", "stray")]
    [InlineData("bbal", 1, "bbal: cannot bind", "-s", "/sockets", "-b", "192.0.2.1")]
    [InlineData("fake-binder", 64, "fake-binder: --nonsense: no such option", "--nonsense")]
    [InlineData("fake-binder", 1, "fake-binder: cannot listen on /5301: ", "/5301")]
    public async Task Container_EndsWithTheStatusOfItsExecutable(
        string name, int status, string said, params string[] arguments)
    {
        var (ended, output) = await RunAsync(name, arguments);

        Assert.Contains(said, output, StringComparison.Ordinal);
        Assert.Equal(status, ended);
    }

    [FactNeedingDocker]
    public async Task PortBelow1024InANetworkOfItsOwn_NeedsNoRight()
    {
        using var docker = Engine.Client();
        var id = await CreateAsync(docker, "bbal", []);
        try
        {
            await docker.Containers.StartContainerAsync(id, new ContainerStartParameters());
            await Patience.UntilAsync(
                async () => (await OutputAsync(docker, id)).Contains(
                    "\"event\":\"started\",\"listen_ip\":\"0.0.0.0\",\"listen_port\":53,"
                        + "\"directory\":\"/sockets\"",
                    StringComparison.Ordinal),
                "bbal listens on port 53");
        }
        finally
        {
            await RemoveAsync(docker, id);
        }
    }

    [Fact]
    public void UnknownArgumentOfTheScript_IsNamed()
    {
        using var script = new ManagedProcess(
            Path.Combine(Places.Root, "scripts", "image"), ["--nonsense"]);

        Assert.Equal(64, script.WaitForExit());
        Assert.Equal(["image: --nonsense: the one option is --if-engine"], script.Errors);
    }

    private static string Version() =>
        XDocument.Load(Path.Combine(Places.Root, "Directory.Build.props"))
            .Descendants("VersionPrefix").Single().Value;

    private static async Task<(long Status, string Output)> RunAsync(
        string image, string[] arguments)
    {
        using var docker = Engine.Client();
        var id = await CreateAsync(docker, image, arguments);
        try
        {
            await docker.Containers.StartContainerAsync(id, new ContainerStartParameters());
            var ended = await docker.Containers.WaitContainerAsync(id);
            return (ended.StatusCode, await OutputAsync(docker, id));
        }
        finally
        {
            await RemoveAsync(docker, id);
        }
    }

    private static async Task<string> CreateAsync(
        Docker.DotNet.DockerClient docker, string image, string[] arguments)
    {
        var container = new CreateContainerParameters
        {
            Image = image,
            HostConfig = new HostConfig
            {
                NetworkMode = "none",
                ReadonlyRootfs = true,
                CapDrop = ["ALL"],
                SecurityOpt = ["no-new-privileges"],
            },
        };
        // None means those of the image.
        if (arguments.Length > 0)
            container.Cmd = arguments;
        return (await docker.Containers.CreateContainerAsync(container)).ID;
    }

    private static async Task<string> OutputAsync(Docker.DotNet.DockerClient docker, string id)
    {
        using var stream = await docker.Containers.GetContainerLogsAsync(
            id, new ContainerLogsParameters { ShowStdout = true, ShowStderr = true });
        var (output, errors) = await stream.ReadOutputToEndAsync(default);
        return output + errors;
    }

    private static Task RemoveAsync(Docker.DotNet.DockerClient docker, string id) =>
        docker.Containers.RemoveContainerAsync(
            id, new ContainerRemoveParameters { Force = true });
}
