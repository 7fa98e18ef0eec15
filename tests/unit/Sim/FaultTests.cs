// Scripted faults: in their order, for their calls, and gone when they are used up.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class FaultTests
{
    private readonly Host _host = new();

    [Fact]
    public void ScriptedResults_ComeInOrderAndEnd()
    {
        _host.Kernel.ConnectClient(Host.Client);
        _host.Kernel.Faults.NextAccept(IoStatus.TooManyFiles, times: 2);
        _host.Kernel.Faults.NextAccept(IoStatus.Aborted);
        Assert.Equal(IoStatus.TooManyFiles, _host.Network.Accept(out _, out _).Status);
        Assert.Equal(IoStatus.TooManyFiles, _host.Network.Accept(out _, out _).Status);
        Assert.Equal(IoStatus.Aborted, _host.Network.Accept(out _, out _).Status);
        Assert.True(_host.Network.Accept(out _, out _).IsOk);
    }

    [Fact]
    public void StandingFault_LastsUntilHealed()
    {
        _host.Kernel.Directory.Bind("5301");
        _host.Kernel.Faults.Standing(SimCall.Connect, IoStatus.NoBuffers);
        for (var i = 0; i < 5; i++)
            Assert.Equal(IoStatus.NoBuffers, _host.Connect("5301", out _).Status);
        _host.Kernel.Faults.Heal(SimCall.Connect);
        Assert.True(_host.Connect("5301", out _).IsOk);
    }

    [Fact]
    public void Caps_CutReadsAndWrites()
    {
        var (balancer, backend) = _host.ConnectUnix();
        backend.Send("abcdef"u8);
        _host.Kernel.Faults.MaxReadBytes = 1;
        _host.Kernel.Faults.MaxWriteBytes = 2;
        Assert.Equal(1, _host.Read(balancer).Count);
        Assert.Equal(2, _host.Write(balancer, 9).Count);
        _host.Kernel.Faults.MaxReadBytes = int.MaxValue;
        _host.Kernel.Faults.Next(SimCall.Read, IoResult.Ok(3));
        Assert.Equal(3, _host.Read(balancer).Count);
        Assert.Equal(2, _host.Read(balancer).Count);
    }

    [Fact]
    public void FailedRead_LosesNoBytes()
    {
        var (balancer, backend) = _host.ConnectUnix();
        backend.Send("ab"u8);
        _host.Kernel.Faults.NextRead(IoStatus.WouldBlock);
        _host.Kernel.Faults.NextWrite(IoStatus.NoBuffers);
        Assert.Equal(IoStatus.WouldBlock, _host.Read(balancer).Status);
        Assert.Equal(IoStatus.NoBuffers, _host.Write(balancer).Status);
        Assert.Equal(2, _host.Read(balancer).Count);
        Assert.Equal(0, backend.Available);
    }

    [Fact]
    public void FailedReceive_LeavesTheDatagrams()
    {
        var batch = new DatagramBatch();
        _host.Kernel.InjectDatagram(Host.Client, "x"u8);
        _host.Kernel.Faults.NextReceive(IoStatus.Refused);
        Assert.Equal(IoStatus.Refused, _host.Network.ReceiveDatagrams(batch).Status);
        Assert.Equal(1, _host.Network.ReceiveDatagrams(batch).Count);
    }

    [Fact]
    public void EarlyWakeUp_TellsNothingAndMovesNoTime()
    {
        _host.Kernel.Faults.EarlyWakeUps = 1;
        Assert.Empty(_host.Wait(Duration.FromSeconds(1)));
        Assert.Equal(Instant.Zero, _host.Kernel.Now);
        _host.Wait(Duration.FromSeconds(1));
        Assert.Equal(Instant.Zero + Duration.FromSeconds(1), _host.Kernel.Now);
    }

    [Fact]
    public void StallThatInterrupts_TellsNothingOfWhatCame()
    {
        _host.Kernel.Faults.Stall = Duration.FromSeconds(2);
        _host.Kernel.Faults.StallInterrupts = true;
        _host.Kernel.After(Duration.FromSeconds(1), _host.Kernel.RequestRescan);
        Assert.Empty(_host.Wait(Duration.FromSeconds(10)));
        Assert.Equal(Instant.Zero + Duration.FromSeconds(2), _host.Kernel.Now);
        Assert.Single(_host.Wait(Duration.FromSeconds(10)));
        Assert.Equal(Instant.Zero + Duration.FromSeconds(2), _host.Kernel.Now);
    }

    [Fact]
    public void Stall_RunsTheWorldWithoutTheBalancer()
    {
        var ran = Instant.Never;
        _host.Kernel.After(Duration.FromSeconds(30), () => ran = _host.Kernel.Now);
        _host.Kernel.Faults.Stall = Duration.FromSeconds(60);
        _host.Wait(Duration.FromSeconds(1));
        Assert.Equal(Instant.Zero + Duration.FromSeconds(30), ran);
        Assert.Equal(Instant.Zero + Duration.FromSeconds(60), _host.Kernel.Now);
    }

    [Fact]
    public void SpuriousReadiness_IsReportedOnceIfWanted()
    {
        var (balancer, _) = _host.ConnectTcp();
        _host.Network.SetInterest(balancer, Readiness.Read);
        _host.Kernel.Faults.SpuriousReadiness(balancer, Readiness.Read | Readiness.Write);
        Assert.Equal(Readiness.Read, Assert.Single(_host.Poll()).Ready);
        Assert.Empty(_host.Poll());
        Assert.Equal(IoStatus.WouldBlock, _host.Read(balancer).Status);
    }

    [Fact]
    public void Calls_AreCountedAndFingerprinted()
    {
        var other = new Host();
        foreach (var host in new[] { _host, other })
        {
            host.ConnectUnix();
            host.Wait(Duration.FromSeconds(1));
        }
        Assert.Equal(1, _host.Kernel.Calls[SimCall.Connect]);
        Assert.Equal(2, _host.Kernel.Calls.Total);
        Assert.Equal(other.Kernel.Calls.Fingerprint, _host.Kernel.Calls.Fingerprint);
        _host.Connect("5301", out _);
        other.Connect("5302", out _);
        Assert.NotEqual(other.Kernel.Calls.Fingerprint, _host.Kernel.Calls.Fingerprint);
    }
}
