// Owns a balancer in virtual time that is watched by all checks: every system call goes through
// here and is told to a CheckSet, and so is every line of the log, in the order in which they
// happen. Tests run it with scripted backends: those of the checks as they are or with a call
// distorted, those of the policy for as long as the reference model agrees.
//
// What always holds: what the log has since the last call is passed on before the next.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;

namespace Tests.Support;

internal sealed class Watched : INetwork, IBackendDirectory
{
    private readonly EventLoop _loop;
    private int _told;

    /// <param name="scenario">What the checks know of the run.</param>
    /// <param name="choose">Which checks; all if null.</param>
    /// <param name="warmUp">A core that warms up for another time than the checks expect.</param>
    public Watched(Scenario? scenario = null, Func<CheckSet, CheckSet>? choose = null,
        Duration? warmUp = null)
    {
        var plan = scenario ?? new Scenario();
        Kernel = new SimKernel(new Endpoint(plan.Kernel.Listen, 53))
        {
            DescriptorLimit = plan.Kernel.DescriptorLimit,
        };
        Checks = new CheckSet(plan);
        Checks = choose?.Invoke(Checks) ?? Checks;
        Log = new SimLog(Kernel.Clock);
        Core = new LoadBalancer(this, this, Log, new BalancerOptions
        {
            MaxRemotes = plan.Kernel.MaxRemotes,
            TcpConnections = plan.Kernel.TcpConnections,
            WarmUp = warmUp ?? plan.Kernel.WarmUp,
            Probe = plan.Kernel.Probe
                && DnsName.TryParse(SpecifiedLimits.ProbeName, out var name) ? name : [],
            AnswersWithoutBackend = plan.Kernel.AnswersWithoutBackend,
            ProbeRise = plan.Kernel.ProbeRise,
            ProbeFall = plan.Kernel.ProbeFall,
        }, TurnLimits.Standard);
        _loop = new EventLoop(Kernel.Clock, this, Core);
        Checks.OnBegan(DatagramSocket, Listener);
    }

    public SimKernel Kernel { get; }

    public SimLog Log { get; }

    public LoadBalancer Core { get; }

    public CheckSet Checks { get; }

    public RunObserver Observer => Checks;

    public Instant Now => Kernel.Now;

    /// <summary>The stream of the first connect that succeeded.</summary>
    public SocketHandle FirstSession { get; private set; }

    /// <summary>Clients' streams, in the order in which they were accepted.</summary>
    public List<SocketHandle> Accepted { get; } = [];

    /// <summary>The stream to a backend that was connected to last.</summary>
    public SocketHandle LastConnected { get; private set; }

    /// <summary>
    /// Datagrams that arrive are not told: the checks see a core that knows more.
    /// </summary>
    public bool HidesDatagrams { get; set; }

    /// <summary>Runs turns for so long, as long as all checks hold.</summary>
    public void Run(double seconds)
    {
        var end = Kernel.Now + Duration.FromSeconds(seconds);
        Kernel.WaitLimit = end;
        try
        {
            while (Kernel.Now < end && Checks.Violation == null && !Core.HasStopped)
            {
                _loop.RunTurn();
                TellLog();
                Checks.OnTurnEnded(Now, Core);
            }
        }
        catch (ViolationException)
        {
            // Checks.Violation has it.
        }
        Kernel.WaitLimit = Instant.Never;
    }

    public void Query(Ipv4 from, ushort port, params byte[] tail)
    {
        byte[] query = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, .. tail];
        Kernel.InjectDatagram(new Endpoint(from, port), query);
    }

    // ---- INetwork ----

    public Endpoint ListenEndpoint => Kernel.Network.ListenEndpoint;

    public SocketHandle DatagramSocket => Kernel.Network.DatagramSocket;

    public SocketHandle Listener => Kernel.Network.Listener;

    public long DatagramsDropped => Kernel.Network.DatagramsDropped;

    public long ConnectionsDropped => Kernel.Network.ConnectionsDropped;

    public IoResult Unwatched => Kernel.Network.Unwatched;

    public int Wait(Instant until, Span<NetworkEvent> events)
    {
        TellLog();
        var count = Kernel.Network.Wait(until, events);
        Checks.OnTurnBegan(Now, events[..count]);
        return count;
    }

    public void MakeUrgent(SocketHandle stream) => Kernel.Network.MakeUrgent(stream);

    public void SetInterest(SocketHandle socket, Readiness interest)
    {
        Kernel.Network.SetInterest(socket, interest);
        Checks.OnInterest(Now, socket, interest);
    }

    public IoResult ReceiveDatagrams(DatagramBatch batch)
    {
        TellLog();
        var result = Kernel.Network.ReceiveDatagrams(batch);
        for (var i = 0; i < result.Count && !HidesDatagrams; i++)
            Checks.OnReceived(Now, in batch.Headers[i], batch.Payload(i));
        if (!result.IsOk)
            Checks.OnReceiveFailed(Now, result);
        return result;
    }

    public IoResult SendDatagrams(DatagramBatch batch, int first)
    {
        TellLog();
        var result = Kernel.Network.SendDatagrams(batch, first);
        for (var i = first; i < first + result.Count; i++)
            Checks.OnSent(Now, in batch.Headers[i], batch.Payload(i));
        if (!result.IsOk)
            Checks.OnSendFailed(Now, in batch.Headers[first], result);
        return result;
    }

    public IoResult Accept(out SocketHandle stream, out Endpoint client)
    {
        TellLog();
        var result = Kernel.Network.Accept(out stream, out client);
        if (result.IsOk)
            Accepted.Add(stream);
        Checks.OnAccepted(Now, result, stream, client);
        return result;
    }

    public IoResult ConnectBackend(ReadOnlySpan<byte> path, out SocketHandle stream)
    {
        TellLog();
        var result = Kernel.Network.ConnectBackend(path, out stream);
        if (result.IsOk && FirstSession.IsNone)
            FirstSession = stream;
        if (result.IsOk)
            LastConnected = stream;
        Checks.OnConnected(Now, path, result, stream);
        return result;
    }

    public IoResult Read(SocketHandle stream, Span<byte> into)
    {
        TellLog();
        var result = Kernel.Network.Read(stream, into);
        Checks.OnRead(Now, stream, result, into[..result.Count]);
        return result;
    }

    public IoResult Write(SocketHandle stream, ReadOnlySpan<byte> from)
    {
        TellLog();
        var result = Kernel.Network.Write(stream, from);
        Checks.OnWritten(Now, stream, result, from[..result.Count]);
        return result;
    }

    public void HalfClose(SocketHandle stream)
    {
        TellLog();
        Kernel.Network.HalfClose(stream);
        Checks.OnHalfClosed(Now, stream);
    }

    public void Discard(Span<byte> unused) => Kernel.Network.Discard(unused);

    public void Close(SocketHandle socket)
    {
        TellLog();
        Kernel.Network.Close(socket);
        Checks.OnClosed(Now, socket, aborted: false);
    }

    public void Abort(SocketHandle stream)
    {
        TellLog();
        Kernel.Network.Abort(stream);
        Checks.OnClosed(Now, stream, aborted: true);
    }

    // ---- IBackendDirectory ----

    public ReadOnlySpan<byte> Path => Kernel.Directory.Path;

    public IoResult OpenScan()
    {
        TellLog();
        var result = Kernel.Directory.OpenScan();
        Checks.OnScanOpened(Now, result);
        return result;
    }

    public IoResult NextEntry(out DirectoryEntry entry)
    {
        TellLog();
        var result = Kernel.Directory.NextEntry(out entry);
        Checks.OnScanEntry(Now, result, in entry);
        return result;
    }

    public void CloseScan() => Kernel.Directory.CloseScan();

    public IoResult Look(ReadOnlySpan<byte> name)
    {
        TellLog();
        var result = Kernel.Directory.Look(name);
        Checks.OnLooked(Now, name, result);
        return result;
    }

    private void TellLog()
    {
        for (; _told < Log.Events.Count; _told++)
            Checks.OnLogged(Now, Log.Events[_told].Event);
    }
}
