// What becomes of a connection for which there is no memory, at its accept, when a backend is asked
// for it, and while it is relayed: it is reset and counted, which is logged, and all else goes on.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class TcpMemoryTests
{
    private readonly SimKernel _kernel = new();
    private readonly LackingNetwork _network;
    private readonly SimBackend _backend;
    private readonly SimBalancer _balancer;

    public TcpMemoryTests()
    {
        _network = new LackingNetwork(_kernel.Network);
        _backend = new SimBackend(_kernel, "5301");
        _balancer = new SimBalancer(_kernel, network: _network);
        Run(2);
    }

    [Theory]
    [InlineData(SimCall.SetInterest)]
    [InlineData(SimCall.Read)]
    [InlineData(SimCall.Connect)]
    [InlineData(SimCall.Write)]
    public void NoMemoryForAConnection_IsResetAndTheNextIsServed(SimCall lacking)
    {
        var descriptors = _kernel.OpenDescriptors;
        _network.Lacking = lacking;
        var client = _kernel.ConnectClient(ProxyScenario.Client());
        client.Send(ProxyScenario.Message(40));
        Run(0.01);
        Assert.True(client.IsReset);
        Assert.Equal(1, _balancer.Counters[Counter.ConnectionsWithoutResources]);
        Assert.Equal(IoStatus.NoBuffers, Assert.Single(
            _balancer.Log.Of<LogEvent.ConnectionWithoutResources>()).Why.Status);
        Assert.Equal(0, _balancer.Core.ConnectionCount);
        Assert.Equal(descriptors, _kernel.OpenDescriptors);

        Assert.Null(_network.Lacking);
        var next = _kernel.ConnectClient(ProxyScenario.Client(2));
        next.Send(ProxyScenario.Message(40));
        Run(0.01);

        Assert.Equal(ProxyScenario.Message(40), _backend.TcpSessions[^1].TcpBytes);
    }

    [Fact]
    public void MemoryLacksAgainAndAgain_IsLoggedOnceInFiveSeconds()
    {
        for (var n = 0; n < 40; n++)
        {
            _network.Lacking = SimCall.SetInterest;
            _kernel.ConnectClient(ProxyScenario.Client(n));
            Run(0.1);
        }

        Assert.Equal(40, _balancer.Counters[Counter.ConnectionsWithoutResources]);
        Assert.Single(_balancer.Log.Of<LogEvent.ConnectionWithoutResources>());
    }

    private void Run(double seconds) => _balancer.Run(Duration.FromSeconds(seconds));

    /// <summary>
    /// The simulated network, of which one call of a client's stream, or a connect, meets that
    /// there is no memory for what it needs.
    /// </summary>
    private sealed class LackingNetwork(SimNetwork network) : INetwork
    {
        private SocketHandle _client;

        /// <summary>The next such call throws.</summary>
        public SimCall? Lacking { get; set; }

        public Endpoint ListenEndpoint => network.ListenEndpoint;
        public SocketHandle DatagramSocket => network.DatagramSocket;
        public SocketHandle Listener => network.Listener;
        public long DatagramsDropped => network.DatagramsDropped;
        public long ConnectionsDropped => network.ConnectionsDropped;
        public IoResult Unwatched => network.Unwatched;

        public int Wait(Instant until, Span<NetworkEvent> events) => network.Wait(until, events);

        public void Discard(Span<byte> unused) => network.Discard(unused);

        public void MakeUrgent(SocketHandle stream) => network.MakeUrgent(stream);

        public void SetInterest(SocketHandle socket, Readiness interest)
        {
            Take(SimCall.SetInterest, socket == _client);
            network.SetInterest(socket, interest);
        }

        public IoResult ReceiveDatagrams(DatagramBatch batch) => network.ReceiveDatagrams(batch);

        public IoResult SendDatagrams(DatagramBatch batch, int first) =>
            network.SendDatagrams(batch, first);

        public IoResult Accept(out SocketHandle stream, out Endpoint client)
        {
            var result = network.Accept(out stream, out client);
            if (result.IsOk)
                _client = stream;
            return result;
        }

        public IoResult ConnectBackend(ReadOnlySpan<byte> path, out SocketHandle stream)
        {
            Take(SimCall.Connect, isMeant: true);
            return network.ConnectBackend(path, out stream);
        }

        public IoResult Read(SocketHandle stream, Span<byte> into)
        {
            Take(SimCall.Read, stream == _client);
            return network.Read(stream, into);
        }

        public IoResult Write(SocketHandle stream, ReadOnlySpan<byte> from)
        {
            // Nothing is written to a session of the backend's here.
            Take(SimCall.Write, isMeant: true);
            return network.Write(stream, from);
        }

        public void HalfClose(SocketHandle stream) => network.HalfClose(stream);

        public void Close(SocketHandle socket) => network.Close(socket);

        public void Abort(SocketHandle stream) => network.Abort(stream);

        private void Take(SimCall call, bool isMeant)
        {
            if (Lacking != call || !isMeant)
                return;
            Lacking = null;
            // As the runtime does it.
#pragma warning disable CA2201
            throw new OutOfMemoryException();
#pragma warning restore CA2201
        }
    }
}
