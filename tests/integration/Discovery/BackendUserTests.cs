// Whose sockets may be backends: with --backend-user, those alone whose owner is named and on which
// such a user listens. A session to any other is not begun, and that is no fault.

using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using Tests.Integration.Deploy;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Discovery;

public sealed class BackendUserTests : IDisposable
{
    private const int Nobody = 65_534;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SocketOfTheUserNamed_IsABackend()
    {
        using var binder = new FakeBinderProcess(_folder["5301"]);
        using var balancer = BalancerProcess.Start(
            _folder.FullName, ["--backend-user", $"{Nobody},{GetUserId()}"]);

        balancer.WaitHealthy(5301);
    }

    [Fact]
    public void SocketOfAnother_IsRefusedOnceAndSentNothing()
    {
        using var stranger = new RawBackend(_folder["5301"]);
        using var balancer = BalancerProcess.Start(
            _folder.FullName, ["--backend-user", $"{Nobody}"]);
        var refused = balancer.WaitFor(Log.Refused);
        for (var i = 1; i <= 2; i++)
        {
            balancer.Signal(Posix.SigHup);
            balancer.WaitFor(Log.Rescan, nth: i);
        }

        Assert.Equal("wrong_user", refused.Text("refusal"));
        Assert.Single(balancer.All(Log.Refused));
        Assert.Empty(balancer.All(Log.Discovered));
    }

    /// <summary>Its entry was given away, and who listens shows.</summary>
    [FactNeedingRoot]
    public void EntryThatWasGivenAway_IsRefusedByWhoListens()
    {
        using var stranger = new RawBackend(_folder["5301"]);
        Assert.Equal(0, ChangeOwner(Text(_folder["5301"]), Nobody, Nobody));
        using var balancer = BalancerProcess.Start(
            _folder.FullName, ["--backend-user", "nobody"]);

        Assert.Equal("wrong_user", balancer.WaitFor(Log.Refused).Text("refusal"));
        Assert.Empty(balancer.All(Log.Faulted));
    }

    /// <summary>
    /// Whoever may make a link has a hello sent to a socket that he need not reach himself.
    /// </summary>
    [FactNeedingRoot]
    public void LinkOfAnother_IsRefused_WhoeverHasTheSocket()
    {
        using var elsewhere = new TestFolder();
        using var binder = new FakeBinderProcess(elsewhere["binder"]);
        Link("5301", elsewhere["binder"], Nobody);
        Link("5302", elsewhere["binder"], owner: 0);
        using var balancer = BalancerProcess.Start(
            _folder.FullName, ["--backend-user", "root"]);

        balancer.WaitHealthy(5302);
        var refused = balancer.WaitFor(Log.Refused);
        Assert.Equal("wrong_user", refused.Text("refusal"));
        Assert.Equal(_folder["5301"], refused.Text("path"));
        Assert.Single(balancer.All(Log.Discovered));
    }

    /// <summary>A link is no better than what it leads to.</summary>
    [FactNeedingRoot]
    public void LinkToAnothersSocket_IsRefused_WhoeverHasMadeTheLink()
    {
        using var elsewhere = new TestFolder();
        using var stranger = new RawBackend(elsewhere["stranger"]);
        Assert.Equal(0, ChangeOwner(Text(elsewhere["stranger"]), Nobody, Nobody));
        Link("5301", elsewhere["stranger"], owner: 0);
        using var balancer = BalancerProcess.Start(
            _folder.FullName, ["--backend-user", "root"]);

        var refused = balancer.WaitFor(Log.Refused);
        Assert.Equal("wrong_user", refused.Text("refusal"));
        Assert.Equal(_folder["5301"], refused.Text("path"));
        Assert.Empty(balancer.All(Log.Discovered));
    }

    [FactNeedingRoot]
    public void LinkOfTheDirectorysOwner_IsFollowed()
    {
        using var elsewhere = new TestFolder();
        using var binder = new FakeBinderProcess(elsewhere["binder"]);
        Link("5301", elsewhere["binder"], Nobody);
        Assert.Equal(0, ChangeOwner(Text(_folder.FullName), Nobody, Nobody));
        using var balancer = BalancerProcess.Start(
            _folder.FullName, ["--backend-user", "root"]);

        balancer.WaitHealthy(5301);
    }

    private static byte[] Text(string path) => [.. Encoding.UTF8.GetBytes(path), 0];

    private void Link(string name, string target, int owner)
    {
        File.CreateSymbolicLink(_folder[name], target);
        Assert.Equal(0, ChangeOwnerOfLink(Text(_folder[name]), owner, owner));
    }

    [DllImport("libc", EntryPoint = "lchown")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ChangeOwnerOfLink(byte[] path, int user, int group);

    [DllImport("libc", EntryPoint = "getuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint GetUserId();

    [DllImport("libc", EntryPoint = "chown")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ChangeOwner(byte[] path, int user, int group);
}
