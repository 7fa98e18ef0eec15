// What deploy/ says of containers, read as what reads it does: the compose file, parsed, and the
// Dockerfile's instructions. What is asserted is what would be missed: a right too many, a file
// system that can be written, backends that can be reached other than by their sockets, an image
// that must be fetched.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Tests.Integration.Harness;
using Xunit;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Tests.Integration.Containers;

public sealed class DeployTests
{
    private static readonly string[] Backends = ["binder-1", "binder-2", "binder-3"];

    private readonly Dictionary<object, object> _services = Map(Compose()["services"]);

    [Fact]
    public void Compose_HasOneBalancerAndThreeBackends() => Assert.Equal(
        ["bbal", .. Backends], _services.Keys.Cast<string>().Order(StringComparer.Ordinal));

    [Fact]
    public void EveryService_HasNoRightThatItDoesNotNeed() => Assert.All(
        _services.Values.Select(Map), service =>
        {
            Assert.Equal("65534:65534", service["user"]);
            Assert.Equal("true", service["read_only"]);
            Assert.Equal(["ALL"], Texts(service["cap_drop"]));
            Assert.Equal(["no-new-privileges:true"], Texts(service["security_opt"]));
            Assert.DoesNotContain("cap_add", service.Keys);
            Assert.DoesNotContain("privileged", service.Keys);
            Assert.DoesNotContain("ports", service.Keys);
            // Only what `make image` made, and a log that fills no disk.
            Assert.Equal("never", service["pull_policy"]);
            Assert.True(Map(Map(service["logging"])["options"]).ContainsKey("max-size"));
        });

    [Fact]
    public void Balancer_ListensOnTheHostsLoopbackByDefault()
    {
        var bbal = Map(_services["bbal"]);

        Assert.Equal("bbal:latest", bbal["image"]);
        Assert.Equal("host", bbal["network_mode"]);
        Assert.Equal(
            ["-s", "/sockets", "-b", "${BBAL_ADDRESS:-127.0.0.1}", "-p", "${BBAL_PORT:-5300}"],
            Texts(bbal["command"]));
        // It connects to sockets and makes none.
        Assert.Equal(["sockets:/sockets:ro"], Texts(bbal["volumes"]));
    }

    [Fact]
    public void Backends_HaveNoNetworkAndASocketEach()
    {
        var backends = Backends.Select(name => Map(_services[name])).ToList();

        Assert.All(backends, backend =>
        {
            Assert.Equal("fake-binder:latest", backend["image"]);
            Assert.Equal("none", backend["network_mode"]);
            Assert.Equal(["sockets:/sockets"], Texts(backend["volumes"]));
        });
        Assert.Equal(["/sockets/5301", "/sockets/5302", "/sockets/5303"],
            backends.SelectMany(backend => Texts(backend["command"])));
        Assert.Equal(["sockets"], Map(Compose()["volumes"]).Keys);
    }

    [Fact]
    public void Dockerfile_BuildsOnNothingForNobody()
    {
        var lines = File.ReadAllLines(Path.Combine(Places.Root, "deploy", "Dockerfile"));

        IEnumerable<string> Of(string instruction) => lines
            .Where(line => line.StartsWith(instruction + " ", StringComparison.Ordinal))
            .Select(line => line[(instruction.Length + 1)..]);

        Assert.Equal(["scratch AS bbal", "scratch AS fake-binder"], Of("FROM"));
        Assert.Equal(["65534:65534", "65534:65534"], Of("USER"));
        Assert.Equal(["[\"/bbal\"]", "[\"/fake-binder\"]"], Of("ENTRYPOINT"));
        Assert.Equal(["SIGTERM", "SIGTERM"], Of("STOPSIGNAL"));
        Assert.Empty(Of("RUN"));
        Assert.Empty(Of("ADD"));
    }

    private static Dictionary<object, object> Compose()
    {
        using var text = File.OpenText(Path.Combine(Places.Root, "deploy", "compose.yaml"));
        // What a service shares with others is merged into it, as compose does.
        return new DeserializerBuilder().Build().Deserialize<Dictionary<object, object>>(
            new MergingParser(new Parser(text)));
    }

    private static Dictionary<object, object> Map(object node) =>
        Assert.IsType<Dictionary<object, object>>(node);

    private static IEnumerable<string> Texts(object node) =>
        Assert.IsType<List<object>>(node).Cast<string>();
}
