// Claims that the core reads the same frames out of a session's bytes as any reader would, however
// they are cut; that a protocol error ends exactly the session on which it came, within the turn;
// and that nothing of an old generation touches a new one: its bytes, its frames, its numbers.
//
// It knows by its own decoder: the hellos, heartbeats and errors that the core told must be those
// that it decoded, on this generation, and a new session's first bytes are CLIENT_HELLO.

using Balancer.Core;
using Simulation.Kernel;
using Simulation.Model;

namespace Simulation.Checking;

internal sealed class S6Generations() : Check("S6")
{
    private long _replies;

    public override bool Claims(ViolationKind kind) =>
        kind is ViolationKind.OutlivedItsError or ViolationKind.OtherGeneration;

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        switch (logged)
        {
            case LogEvent.BackendHealthy healthy
                when Model.Policy.WithId(healthy.Id.Value) is { } backend
                    && backend.Session is not { HasHello: true }:
                Fail($"{backend} was called healthy; generation {backend.Generations} has not said"
                    + " hello", backend.PlanId);
                break;
            case LogEvent.HeartbeatAnswered answered
                when Model.Policy.WithId(answered.Id.Value) is { } backend
                    && (backend.Session is not { } session
                        || ++session.AnswersLogged > session.Answers):
                Fail($"{backend} was said to have answered a heartbeat; it has not",
                    backend.PlanId);
                break;
            case LogEvent.BackendFaulted faulted:
                OnFaulted(faulted);
                break;
        }
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        var decoded = core.Counters[Counter.RepliesReceived];
        if (decoded != Model.Counters[Counter.RepliesReceived] && decoded != _replies)
        {
            Fail($"the core has decoded {decoded} replies; the bytes read hold"
                + $" {Model.Counters[Counter.RepliesReceived]}");
        }
        _replies = decoded;
    }

    private void OnFaulted(LogEvent.BackendFaulted logged)
    {
        var claimed = new Evidence(logged.Fault.Cause, logged.Fault.Io, logged.Fault.Detail);
        if (!claimed.IsOfProtocol || Model.Policy.WithId(logged.Id.Value) is not { } backend)
            return;
        if (backend.LastEvidence is not { } evidence || !evidence.Supports(logged.Fault))
        {
            Fail($"{backend} was faulted for {logged.Fault.Cause} ({logged.Fault.Detail});"
                + $" its bytes show {backend.LastEvidence?.ToString() ?? "no error"}",
                backend.PlanId);
        }
    }
}
