// Claims that every TCP connection is answered or closed within its time: its client's first byte
// within 30 s, INBOUND_TCP_OK within 10 s of that, the rest of a message within 30 s of its first
// byte, a question or a byte of an answer every 120 s, the client's end 5 s after it was told its
// backend's, an hour in all; and that none is sent to a backend whose path is known to be gone,
// where it can only fail.
//
// It knows by the connections that were seen to open and close, and by the bytes on them. All open
// ones are looked at once in a tenth of a second of virtual time.

using Balancer.Core;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class L3Connections() : Check("L3")
{
    private static readonly Duration Interval = Duration.FromMilliseconds(100);

    private Instant _next;
    private bool _wasLate;

    public override bool Claims(ViolationKind kind) => kind is ViolationKind.HopelessConnection;

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (now < _next && !_wasLate)
            return;
        _next = now + Interval;
        var late = Find(now);
        // With many deadlines at one instant a turn serves some and the next the others; so it is
        // with many connections that have something to do, as after a stall.
        var hasRoom = _wasLate || Model.MostTimers < Model.Work.TimersPerTurn;
        var waits = late is { IsWaiting: true } && Model.TcpTurns.IsUsedUp;
        if (late != null && hasRoom && !waits && now > Due(late) + Model.Lateness)
        {
            Fail($"the connection of {late.From}, accepted {late.AcceptedAt}, last active"
                + $" {late.LastActivity}, is {State(late)} at"
                + $" {now}",
                late.Backend?.PlanId ?? -1);
        }
        _wasLate = late != null;
    }

    private Instant Due(ExpectedConnection connection)
    {
        if (connection is { IsRelaying: false, SpokeAt: not null })
            return Model.Connections.Handshakes.HandshakeEnd(connection);
        var end = Instant.Min(Model.Connections.IdleEnd(connection),
            connection.AcceptedAt + Model.Scenario.Kernel.TcpLifetime);
        return Instant.Min(end, connection.IsRelaying
            ? Instant.Min(Model.Connections.CloseEnd(connection) ?? Instant.Never,
                MessageEnd(connection))
            : Model.Connections.SilentEnd(connection));
    }

    /// <summary>When its client's message must be whole; Never while it is not up to it.</summary>
    private Instant MessageEnd(ExpectedConnection connection) => connection is
    { PartSince: { } since, ClientEnded: false, IsBackendDeaf: false, HasRoomForClient: true }
        ? Model.Standstill.Extend(since + Model.Scenario.Kernel.TcpMessage) : Instant.Never;

    private static string State(ExpectedConnection connection) => connection.IsRelaying
        ? "relayed" : connection.SpokeAt != null ? "unanswered" : "silent";

    private ExpectedConnection? Find(Instant now)
    {
        foreach (var connection in Model.Connections.Open)
        {
            if (now >= Due(connection))
                return connection;
        }
        return null;
    }
}
