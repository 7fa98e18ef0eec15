// A backend that passes descriptors over its session, as SCM_RIGHTS does. What becomes of them is
// the kernel's business, and closing a TCP socket that lingers takes seconds: nobody waits for it.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Net.Sockets;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Peers;

public sealed class PassedDescriptorTests
{
    private const int LingerSeconds = 4;

    [Theory]
    [InlineData(false, SocketFlags.None)]
    [InlineData(true, SocketFlags.None)]
    [InlineData(false, SocketFlags.OutOfBand)]
    [InlineData(true, SocketFlags.OutOfBand)]
    public void SocketThatLingers_KeepsNobodyWaiting(bool withFallbacks, SocketFlags flags)
    {
        using var folder = new TestFolder();
        using var binder = new FakeBinderProcess(folder["5301"]);
        using var bad = new RawBackend(folder["5302"]);
        var environment = new Dictionary<string, string>();
        if (withFallbacks)
            environment["BBAL_NO_BATCH_CALLS"] = "1";
        using var balancer = BalancerProcess.Start(folder.FullName, environment: environment);
        using var session = bad.AcceptControl();
        balancer.WaitHealthy(5301, 5302);
        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(balancer.Endpoint));

        using (var passed = new LingeringSocket(LingerSeconds))
        {
            // Of several bytes the last alone would be out of band, and the socket with the first.
            byte[] bytes = flags == SocketFlags.OutOfBand
                ? [1] : Frame.U32(Frame.ServerHeartbeat);
            if (session.Pass(passed, bytes, flags))
                passed.LetGo();
            else
                Assert.False(withFallbacks, "a socket refuses descriptors only if told to");
            if (flags == SocketFlags.OutOfBand)
                session.TryWrite(Frame.U32(Frame.ServerHeartbeat));
            var waited = Stopwatch.StartNew();
            while (waited.Elapsed.TotalSeconds < LingerSeconds + 1)
            {
                var asked = waited.Elapsed;
                Assert.NotNull(
                    host.AskOnce(balancer.Endpoint, DnsWire.WhoAreYou(UdpHost.NextId())));
                var took = (waited.Elapsed - asked).TotalSeconds;
                Assert.True(took < 1, $"one query took {took} s");
            }
        }
        Assert.Equal(0, balancer.Stop());
    }
}
