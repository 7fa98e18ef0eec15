// The SMF manifest. Debian has no copy of its document type, so what it asks for is asserted here:
// which elements there are, in which order, and that every property that a method names exists.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Deploy;

public sealed class SmfManifestTests
{
    /// <summary>What a service may hold, in the order that service_bundle.dtd.1 asks for.</summary>
    private static readonly string[] Order =
    [
        "create_default_instance", "single_instance", "restarter", "dependency", "dependent",
        "method_context", "exec_method", "property_group", "instance", "stability", "template",
    ];

    private readonly XElement _bundle = Load();

    private XElement Service => Assert.Single(_bundle.Elements());

    [Fact]
    public void Bundle_IsAManifestOfOneService()
    {
        Assert.Equal("service_bundle", _bundle.Name.LocalName);
        Assert.Equal("manifest", Of(_bundle, "type"));
        Assert.Equal("service", Service.Name.LocalName);
        Assert.Equal("network/dns/bbal", Of(Service, "name"));
        Assert.Equal("service", Of(Service, "type"));
        Assert.Equal("1", Of(Service, "version"));
    }

    [Fact]
    public void Elements_AreThoseOfTheDocumentTypeInItsOrder()
    {
        var places = Service.Elements()
            .Select(element => Array.IndexOf(Order, element.Name.LocalName)).ToList();

        Assert.DoesNotContain(-1, places);
        Assert.Equal(places.Order(), places);
        foreach (var once in new[] { "create_default_instance", "single_instance", "stability" })
            Assert.Single(Service.Elements(once));
        Assert.Equal(["common_name", "description"],
            Service.Element("template")!.Elements().Select(element => element.Name.LocalName));
        Assert.All(Service.Descendants("propval"), property =>
            Assert.Contains(Of(property, "type"), new[] { "astring", "count", "boolean" }));
    }

    [Fact]
    public void Process_RunsAsNobodyWithNetPrivaddrOnly()
    {
        var context = Assert.Single(Service.Descendants("method_context"));
        Assert.Equal("/", Of(context, "working_directory"));
        var who = Assert.Single(context.Elements());
        Assert.Equal("method_credential", who.Name.LocalName);
        Assert.Equal("nobody", Of(who, "user"));
        Assert.Equal("nobody", Of(who, "group"));
        Assert.Equal("basic,net_privaddr", Of(who, "privileges"));
    }

    [Theory]
    [InlineData("start", "^/opt/bbal/bin/bbal -s ")]
    [InlineData("stop", "^:kill$")]
    [InlineData("refresh", "^:kill -HUP$")]
    public void Method_IsOfItsKind(string name, string exec)
    {
        var method = Assert.Single(
            Service.Elements("exec_method"), one => Of(one, "name") == name);

        Assert.Equal("method", Of(method, "type"));
        Assert.Matches(exec, Of(method, "exec"));
        Assert.InRange(int.Parse(Of(method, "timeout_seconds"),
            System.Globalization.CultureInfo.InvariantCulture), 10, 60);
    }

    [Fact]
    public void StartMethod_IsTheService()
    {
        Assert.Equal("child", Properties("startd")["duration"]);
        // The process is waited for, so it must not be put into the background.
        Assert.DoesNotContain("&", Of(Start(), "exec"), StringComparison.Ordinal);
    }

    [Fact]
    public void StartMethod_IsACommandLineThatTheExecutableTakes()
    {
        var options = Properties("options");

        var words = Regex.Replace(Of(Start(), "exec"), @"%\{options/(\w+)\}",
            match => options[match.Groups[1].Value]).Split(' ');

        Assert.DoesNotContain(words, word => word.Contains('%'));
        Assert.Equal(["/opt/bbal/bin/bbal", "-s", "/var/run/binder/sockets", "-b", "0.0.0.0",
            "-p", "53", "-l", "info"], words);
        Assert.Equal(0, BalancerProcess.Run([.. words[1..], "--help"]).Status);
        Assert.All(options.Keys, key =>
            Assert.Contains($"%{{options/{key}}}", Of(Start(), "exec"), StringComparison.Ordinal));
    }

    private static XElement Load()
    {
        // The document type is on illumos only, and what it would add here is nothing.
        using var reader = XmlReader.Create(
            Path.Combine(Places.Root, "deploy", "smf", "bbal.xml"),
            new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore, XmlResolver = null });
        return XDocument.Load(reader).Root!;
    }

    private XElement Start() =>
        Service.Elements("exec_method").Single(one => Of(one, "name") == "start");

    private Dictionary<string, string> Properties(string group) =>
        Assert.Single(Service.Elements("property_group"), one => Of(one, "name") == group)
            .Elements("propval").ToDictionary(one => Of(one, "name"), one => Of(one, "value"));

    private static string Of(XElement element, string attribute) =>
        (string?)element.Attribute(attribute) ?? "";
}
