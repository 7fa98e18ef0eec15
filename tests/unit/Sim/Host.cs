// Owns what the tests of the simulated kernel share: a kernel with short ways to make the calls
// that the balancer would make.

using System;
using System.Text;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;

namespace Tests.Unit.Sim;

/// <summary>A simulated host, with the test in the balancer's place.</summary>
internal sealed class Host
{
    public static readonly Endpoint Client = new(Ipv4.From(10, 77, 77, 5), 4000);

    private readonly NetworkEvent[] _events = new NetworkEvent[64];

    public SimKernel Kernel { get; } = new();

    public SimNetwork Network => Kernel.Network;

    public static byte[] Bytes(string text) => Encoding.ASCII.GetBytes(text);

    public NetworkEvent[] Wait(Duration time) => Wait(Kernel.Now + time);

    public NetworkEvent[] Wait(Instant until) =>
        _events[..Network.Wait(until, _events)];

    public NetworkEvent[] Poll() => Wait(Kernel.Now);

    public IoResult Connect(string name, out SocketHandle stream) =>
        Network.ConnectBackend(Bytes("/run/bbal/" + name), out stream);

    /// <summary>A session to a backend that has accepted it.</summary>
    public (SocketHandle Balancer, SimStream Backend) ConnectUnix(string name = "5301")
    {
        var listener = Kernel.Directory.Bind(name);
        Assert(Connect(name, out var stream));
        return (stream, listener.Accept()!);
    }

    /// <summary>A TCP connection that the balancer has accepted.</summary>
    public (SocketHandle Balancer, SimStream Client) ConnectTcp()
    {
        var client = Kernel.ConnectClient(Client);
        Assert(Network.Accept(out var stream, out _));
        return (stream, client);
    }

    public IoResult Read(SocketHandle stream, int bytes = 100) =>
        Network.Read(stream, new byte[bytes]);

    public IoResult Write(SocketHandle stream, int bytes = 1) =>
        Network.Write(stream, new byte[bytes]);

    /// <summary>What the stream is ready for when everything is wanted.</summary>
    public Readiness Ready(SocketHandle stream)
    {
        Network.SetInterest(stream, Readiness.Read | Readiness.Write);
        var ready = Readiness.None;
        foreach (var happened in Poll())
        {
            if (happened.Handle == stream)
                ready = happened.Ready;
        }
        return ready;
    }

    private static void Assert(IoResult result) => Xunit.Assert.Equal(IoStatus.Ok, result.Status);
}
