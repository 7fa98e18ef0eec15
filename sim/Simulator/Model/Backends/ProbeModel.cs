// Owns when a backend should be probed, and what its answers should come to: from the hellos, the
// bytes of its replies and the clock of turns follows which probe is out, which has failed, and
// whether the backend is warm or down by it.
//
// Where in a session's queue a probe stands is taken from the log (ProbeSent), as for heartbeats;
// that it was due is checked, and that its bytes are these.
//
// What always holds: what is thought of a session ends with it; ids of one backend count up.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>What probes said of one session.</summary>
internal sealed class ExpectedProbes
{
    /// <summary>The id of the probe that is out; null for none.</summary>
    public int? Out { get; set; }

    /// <summary>It has had more time because something lay unread.</summary>
    public bool HasWaitedForUnread { get; set; }

    public Instant SentAt { get; set; }

    /// <summary>The next failure of a probe, or the next probe; Never for none.</summary>
    public Instant DueAt { get; set; } = Instant.Never;

    /// <summary>Of two deadlines at one instant the lower one comes first.</summary>
    public long DueOrder { get; set; }

    public int FailuresInARow { get; set; }

    public int GoodInARow { get; set; }

    /// <summary>One was answered well.</summary>
    public bool HasAnswered { get; set; }

    /// <summary>Since when it is down by them; null if it is not.</summary>
    public Instant? DownSince { get; set; }

    /// <summary>The core has not said that it sent the one that is out.</summary>
    public bool OwesLine { get; set; }
}

/// <summary>Follows the probes of all sessions.</summary>
internal sealed class ProbeModel(ReferenceModel model)
{
    private static readonly byte[] Question = MakeQuestion();

    private bool IsOn => model.Scenario.Kernel.Probe;

    public bool IsFromProbeAddress(Ipv4 address) =>
        IsOn && address == SpecifiedLimits.ProbeSource.Address;

    /// <summary>Whether a backend may have clients, as far as it was just started.</summary>
    public static bool IsWarm(ExpectedBackend backend, Instant now, bool probes) =>
        now >= WarmAt(backend, probes);

    /// <summary>From when on, if nothing else happens; Never while a probe has to answer.</summary>
    public static Instant WarmAt(ExpectedBackend backend, bool probes)
    {
        if (probes)
        {
            return backend.Session is { Probes.HasAnswered: true }
                ? backend.ProvenAt : Instant.Never;
        }
        return backend.Session?.Given.ErredUntil is { } erred && erred > backend.WarmAt
            ? erred : backend.WarmAt;
    }

    public void OnHello(ExpectedSession session)
    {
        if (IsOn)
            Send(session);
    }

    public static void OnSessionOver(ExpectedSession session) =>
        session.Probes.DueAt = Instant.Never;

    /// <summary>Takes the answer to the probe that is out; false if a reply is none.</summary>
    public bool TryTake(ExpectedSession session, in SeenFrame frame)
    {
        var probes = session.Probes;
        if (session.IsRetired || probes.Out is not { } id || !IsAnswer(in frame, id))
            return false;
        probes.Out = null;
        var why = (frame.Payload[3] & 15) switch
        {
            AnswerList.ServerFailure => ProbeFailure.ServerFailure,
            AnswerList.Refused => ProbeFailure.Refused,
            _ => (ProbeFailure?)null,
        };
        if (why is { } failure)
            Fail(session, failure);
        else
            Succeed(session);
        var isCold = !probes.HasAnswered
            && model.Now < session.HelloAt + SpecifiedLimits.ProbeColdFor;
        LookAgain(probes, Instant.Max(model.Now, probes.SentAt + (isCold
            ? SpecifiedLimits.ProbeEveryWhenCold : SpecifiedLimits.ProbeEvery)));
        return true;
    }

    public void OnDue(ExpectedSession session)
    {
        var probes = session.Probes;
        var isLate = model.Now - probes.DueAt > SpecifiedLimits.LatenessAllowed;
        var waits = session.ReadLacksMemory
            || (session.IsReadable && !probes.HasWaitedForUnread);
        if (probes.Out != null && (isLate || waits))
        {
            probes.HasWaitedForUnread |= !isLate;
            LookAgain(probes, model.Now + SpecifiedLimits.SilenceTime);
            return;
        }
        if (probes.Out != null && model.Now < model.Standstill.SilentUntil)
        {
            LookAgain(probes, model.Standstill.SilentUntil);
            return;
        }
        if (probes.Out != null && !session.Backend.IsStuck)
            Fail(session, ProbeFailure.NoAnswer);
        Send(session);
    }

    /// <summary>The core says that it sent one.</summary>
    public void OnSentLine(LogEvent.ProbeSent line)
    {
        if (model.Policy.WithId(line.Id.Value)?.Session is not { } session)
        {
            model.Report(ViolationKind.Probe,
                $"backend {line.Id} has no session and was sent a probe");
            return;
        }
        model.Deadlines.ServeUntil(() => session.Probes.OwesLine);
        if (!session.Probes.OwesLine || session.Probes.Out != line.DnsId)
        {
            model.Report(ViolationKind.Probe, $"{session.Backend} was sent probe {line.DnsId} at"
                + $" {model.Now}; due {session.Probes.DueAt}, out"
                + $" {session.Probes.Out?.ToString() ?? "none"}", session.Backend);
        }
        session.Probes.OwesLine = false;
        if (session.IsLost)
            return;
        Span<byte> head = stackalloc byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(head, SeenFrame.InboundUdp);
        BinaryPrimitives.WriteUInt32LittleEndian(
            head[4..], SpecifiedLimits.ProbeSource.Address.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], SpecifiedLimits.ProbeSource.Port);
        BinaryPrimitives.WriteUInt32LittleEndian(head[12..], (uint)(2 + Question.Length));
        session.Owed.Append(head);
        session.Owed.Append([(byte)(line.DnsId >> 8), (byte)line.DnsId]);
        session.Owed.Append(Question);
    }

    public void OnTurnEnded()
    {
        foreach (var backend in model.Policy.Backends)
        {
            if (backend.Session is { Probes.OwesLine: true, Evidence: null })
            {
                model.Report(ViolationKind.Probe, $"{backend} was sent no probe at {model.Now}",
                    backend);
            }
        }
    }

    private void Send(ExpectedSession session)
    {
        var probes = session.Probes;
        var id = session.Backend.ProbeId = (session.Backend.ProbeId + 1) & 0xffff;
        var needed = 16 + 2 + Question.Length + SpecifiedLimits.ControlReserveBytes;
        var hasRoom = SpecifiedLimits.SessionQueueBytes - session.Owed.Count >= needed;
        probes.Out = session.Backend.IsStuck || !hasRoom ? null : id;
        probes.OwesLine = probes.Out != null;
        probes.SentAt = model.Now;
        probes.HasWaitedForUnread = false;
        model.Counters.Add(Counter.ProbesSent, probes.Out != null ? 1 : 0);
        LookAgain(probes, model.Now + (probes.Out != null
            ? SpecifiedLimits.ProbeAnswerTime : SpecifiedLimits.ProbeEvery));
    }

    private void Fail(ExpectedSession session, ProbeFailure why)
    {
        var probes = session.Probes;
        model.Counters.Add(Counter.ProbesFailed);
        probes.GoodInARow = 0;
        if (++probes.FailuresInARow < model.Scenario.Kernel.ProbeFall || probes.DownSince != null)
            return;
        probes.DownSince = model.Now;
        model.Counters.Add(Counter.BackendsDownByProbe);
        model.Lines.Owe(new LogEvent.BackendDownByProbe(
            session.Backend.Name, session.Backend.Path, why, probes.FailuresInARow));
    }

    private void Succeed(ExpectedSession session)
    {
        var probes = session.Probes;
        model.Counters.Add(Counter.ProbesAnswered);
        probes.FailuresInARow = 0;
        probes.HasAnswered = true;
        if (++probes.GoodInARow < model.Scenario.Kernel.ProbeRise
            || probes.DownSince is not { } since)
        {
            return;
        }
        probes.DownSince = null;
        model.Counters.Add(Counter.BackendsUpByProbe);
        model.Lines.Owe(new LogEvent.BackendUpByProbe(
            session.Backend.Name, session.Backend.Path, model.Now - since));
    }

    private void LookAgain(ExpectedProbes probes, Instant at)
    {
        probes.DueAt = at;
        probes.DueOrder = model.Deadlines.NextOrder();
    }

    private static bool IsAnswer(in SeenFrame frame, int id) =>
        new Ipv4(frame.Address) == SpecifiedLimits.ProbeSource.Address
        && frame.Port == SpecifiedLimits.ProbeSource.Port && frame.Length <= 1500
        && frame.Payload.Length >= 12 && frame.Payload[2] >= 0x80
        && ExpectedQuery.IdOf(frame.Payload) == id
        && ExpectedQuery.QuestionOf(frame.Payload)
            == ExpectedQuery.QuestionOf((byte[])[0, 0, .. Question]);

    /// <summary>All but the id.</summary>
    private static byte[] MakeQuestion()
    {
        var bytes = new List<byte> { 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
        foreach (var label in SpecifiedLimits.ProbeName.Split('.').Select(Encoding.ASCII.GetBytes))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(label);
        }
        bytes.AddRange([0, 0, 1, 0, 1]);
        return [.. bytes];
    }
}
