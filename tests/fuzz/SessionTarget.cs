// Owns the fuzzing of a session: a backend that is a script, beside one that behaves, on a
// simulated host. All checks of the simulator watch, so whatever the backend sends, the reference
// model says what the balancer must do.
//
// What always holds: a run lasts a few hundred steps at most.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;

namespace Tests.Fuzz;

internal static class SessionTarget
{
    private const int MostSteps = 200;

    /// <summary>It expects answers of a healthy backend; this one answers as it likes.</summary>
    public const string NothingLost = "S17";

    public static void Run(ReadOnlySpan<byte> bytes)
    {
        var sim = new Watched(choose: checks => checks.Without([NothingLost]));
        var good = new SimBackend(sim.Kernel, "5301") { EchoesQueries = true };
        var wild = new SimBackend(sim.Kernel, "5302");
        sim.Run(1);
        var script = new Script(bytes);
        for (var step = 0; step < MostSteps && !script.IsOver; step++)
        {
            Step(sim, good, wild, ref script);
            FindingException.IfViolated(sim);
        }
        sim.Run(1);
        FindingException.IfViolated(sim);
    }

    private static void Step(Watched sim, SimBackend good, SimBackend wild, ref Script script)
    {
        switch (script.Byte() % 20)
        {
            case 0:
            case 1:
                Query(sim, ref script);
                break;
            case 2:
            case 3:
                sim.Run(script.Time().TotalSeconds);
                break;
            case 4:
            case 5:
                if (Session(wild) is { } raw)
                    raw.Send(script.Bytes());
                break;
            case 6:
            case 7:
                Reply(wild, ref script);
                break;
            case 8:
                if (Session(wild) is { } any)
                    any.SendOutbound(script.Byte() * 0x0101_0101u, script.Byte() * 257u,
                        script.Byte() * 17u, script.Bytes());
                break;
            case 9:
                wild.CloseSessions();
                break;
            case 10:
                wild.ResetSessions();
                break;
            case 11:
                wild.Hang();
                break;
            case 12:
                wild.Resume();
                break;
            case 13:
                wild.Rebind();
                break;
            case 14:
                wild.Unlink();
                break;
            case 15:
                wild.AnswersHello = script.Byte() % 2 == 0;
                break;
            case 16:
                wild.AnswersHeartbeats = script.Byte() % 2 == 0;
                break;
            case 17:
                wild.EchoesQueries = script.Byte() % 2 == 0;
                break;
            case 18:
                if (script.Byte() % 2 == 0)
                    good.Hang();
                else
                    good.Resume();
                break;
            case 19:
                Ask(sim.Kernel, script.Byte());
                break;
        }
    }

    private static void Query(Watched sim, ref Script script)
    {
        var client = script.Byte();
        var host = Ipv4.From(10, 1, 0, (byte)(client % 16));
        sim.Kernel.InjectDatagram(new Endpoint(host, (ushort)(1000 + client / 16)), script.Bytes());
    }

    private static void Reply(SimBackend wild, ref Script script)
    {
        var at = script.Byte();
        var changes = script.Byte();
        if (at >= wild.Queries.Count)
            return;
        var query = wild.Queries[^(at + 1)];
        var session = query.Session;
        if (session.IsOver || !session.Stream.CanSend)
            return;
        byte[] payload = [.. query.Payload];
        if (payload.Length > 3)
        {
            payload[2] |= 0x80;
            payload[3] = (byte)(payload[3] & 0xf0 | changes & 0x0f);
            payload[^1] ^= (byte)(changes >> 6);
        }
        session.Reply(query.Source, payload);
    }

    private static SimBackendSession? Session(SimBackend backend) =>
        backend.Sessions.Count > 0 && backend.Sessions[^1] is { Stream.CanSend: true } last
            ? last : null;

    /// <summary>The operator's requests; a stop is the rarest, since little follows it.</summary>
    private static void Ask(SimKernel kernel, byte what)
    {
        if (what == 255)
            kernel.RequestStop();
        else if (what % 2 == 0)
            kernel.RequestRescan();
        else
            kernel.RequestStatus();
    }
}
