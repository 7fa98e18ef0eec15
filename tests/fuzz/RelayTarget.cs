// Owns the fuzzing of TCP: clients and a backend that are scripts, on a simulated host. All checks
// of the simulator watch.
//
// What always holds: a run lasts a few hundred steps at most.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;

namespace Tests.Fuzz;

internal static class RelayTarget
{
    private const int MostSteps = 200;
    private const int MostClients = 16;

    public static void Run(ReadOnlySpan<byte> bytes)
    {
        var sim = new Watched(choose: checks => checks.Without([SessionTarget.NothingLost]));
        sim.Kernel.ClientToBalancer = sim.Kernel.BalancerToClient = new PipeSize(4096, 64);
        var backend = new SimBackend(sim.Kernel, "5301");
        var other = new SimBackend(sim.Kernel, "5302") { EchoesTcp = true };
        sim.Run(1);
        var clients = new List<SimStream>();
        var script = new Script(bytes);
        for (var step = 0; step < MostSteps && !script.IsOver; step++)
        {
            Step(sim, backend, other, clients, ref script);
            FindingException.IfViolated(sim);
        }
        sim.Run(1);
        FindingException.IfViolated(sim);
    }

    private static void Step(Watched sim, SimBackend backend, SimBackend other,
        List<SimStream> clients, ref Script script)
    {
        var what = script.Byte() % 24;
        if (what < 10 || what is 20 or 21)
            Client(sim, clients, what, ref script);
        else if (what < 16 || what == 22)
            Server(backend, what, ref script);
        else if (what < 19)
            sim.Run(script.Time().TotalSeconds);
        else if (what == 23)
            Resize(sim.Kernel, script.Byte());
        else if (script.Byte() % 2 == 0)
            other.Hang();
        else
            other.Resume();
    }

    private static void Client(
        Watched sim, List<SimStream> clients, int what, ref Script script)
    {
        var which = script.Byte();
        if (what < 2 && clients.Count < MostClients)
        {
            var host = Ipv4.From(10, 1, 0, (byte)(which % 8));
            var from = new Endpoint(host, (ushort)(2000 + clients.Count));
            if (sim.Kernel.TryConnectClient(from) is { } made)
                clients.Add(made);
            return;
        }
        if (clients.Count == 0)
            return;
        var client = clients[which % clients.Count];
        if (client.IsClosed)
            return;
        switch (what)
        {
            case < 4:
                Send(client, Message(script.Bytes()));
                break;
            case < 6:
                Send(client, script.Bytes());
                break;
            case 6:
                client.Receive();
                break;
            case 7 when client.CanSend:
                client.HalfClose();
                break;
            case 8:
                client.Close();
                break;
            case 9:
                client.Reset();
                break;
            case 20:
                Send(client, Message(script.Stretch()));
                break;
            case 21:
                SendInPieces(sim, client, Message(script.Bytes()), script.Byte());
                break;
        }
    }

    /// <summary>What connections that are made from now on can hold, 1 to 65,536 bytes.</summary>
    private static void Resize(SimKernel kernel, byte size)
    {
        kernel.ClientToBalancer = new PipeSize(1 << size % 17, size / 17 * 16);
        kernel.BalancerToClient = new PipeSize(1 << (size / 3 + 5) % 17, 64);
    }

    /// <summary>The balancer reads each piece by itself; the first byte of a length may be one.
    /// </summary>
    private static void SendInPieces(Watched sim, SimStream stream, byte[] message, byte bytes)
    {
        for (var at = 0; at < message.Length && !stream.IsClosed; at += bytes + 1)
        {
            Send(stream, message.AsSpan(at, Math.Min(bytes + 1, message.Length - at)));
            sim.Run(Duration.FromMilliseconds(1).TotalSeconds);
        }
    }

    private static void Server(SimBackend backend, int what, ref Script script)
    {
        var which = script.Byte();
        if (what == 10)
        {
            backend.AnswersTcp = which % 2 == 0;
            return;
        }
        if (what == 11)
        {
            if (which % 8 == 0)
                backend.Hang();
            else if (which % 8 == 1)
                backend.Rebind();
            else if (which % 8 == 2)
                backend.CloseSessions();
            else
                backend.Resume();
            return;
        }
        var sessions = backend.Sessions.Where(session => !session.IsControl).ToArray();
        if (sessions.Length == 0)
            return;
        var session = sessions[which % sessions.Length];
        if (session.Stream.IsClosed)
            return;
        if (what is 12 or 22)
            Send(session.Stream, Message(what == 12 ? script.Bytes() : script.Stretch()));
        else if (what == 13)
            Send(session.Stream, script.Bytes());
        else if (what == 14)
            session.Reset();
        else if (which >= 128)
            session.Close();
        else if (session.Stream.CanSend)
            session.HalfClose();
    }

    /// <summary>Bytes with their length before them, as DNS over TCP has it.</summary>
    private static byte[] Message(ReadOnlySpan<byte> bytes) =>
        [(byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes];

    private static void Send(SimStream stream, ReadOnlySpan<byte> bytes)
    {
        if (stream.CanSend)
            stream.Send(bytes);
    }
}
