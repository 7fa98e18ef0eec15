// Owns what must hold between the numbers of Limits.cs, of which some are only right together.
//
// What always holds: all of it is compared once, at start, and nothing here is a number of its own.

namespace Balancer.Core;

public static partial class Limits
{
    /// <summary>Checks what must hold between these numbers; called once at start.</summary>
    public static void VerifyRelations()
    {
        Verify.That(DatagramSlotBytes > MaxUdpPayload, "a slot shows that a payload is too large");
        Verify.That(MaxSkippedPayload > MaxUdpPayload, "some payloads are skipped, not faulted");
        Verify.That(EventsPerTurn > UrgentEvents, "all that is urgent comes every turn");
        Verify.That(
            BackendQueueBytes >= ControlReserveBytes + Frames.UdpHeaderBytes + MaxUdpPayload,
            "an empty queue takes any one frame");
        Verify.That(LeastSessionReadBytes >= Frames.UdpHeaderBytes + MaxUdpPayload,
            "one read takes any one frame");
        Verify.That(TcpQueueBytes <= ReadBytes, "a read fills a connection's queue");
        Verify.That(TcpQueueBytes >= Frames.TcpHeaderBytes, "a queue takes a handshake");
        Verify.That(TcpQueueBytes > ClientQuestion.LengthBytes + FirstMessageBytes,
            "what is read of a message fits a queue");
        Verify.That(ControlReserveBytes >= 2 * Frames.TypeBytes,
            "a full queue takes a hello and a heartbeat");
        Verify.That(MaxBackOff >= FirstBackOff, "back-off grows");
        Verify.That(LongestWarmUp < FlapMemory, "who fails when it is warm is not forgiven");
        Verify.That(FirstQuietDelay.Nanoseconds << QuietTries < FirstBackOff.Nanoseconds,
            "quiet tries are over before a back-off would be");
        Verify.That(HeartbeatTimeout > HeartbeatInterval, "one heartbeat is out at a time");
        Verify.That(StopQuietTime < StopGrace, "a stop takes queries before it stops taking them");
        Verify.That(MaxBackends < ushort.MaxValue, "a backend's slot fits a remote's field");
        Verify.That(LeastRemotes >= NewcomerShare && NewcomerShare > 1,
            "there is room for newcomers and for others");
        Verify.That(ProvingTime < Duration.FromSeconds(KeptSeconds)
            && Duration.FromSeconds(KeptSeconds) < RemoteExpiry,
            "who sends twice is not kept, and who is silent is not for long");
        Verify.That(ProvingTime < AnsweredLately && AnsweredLately < RemoteExpiry,
            "who may be moved is established, and not forgotten");
        Verify.That(LastNamedId >= FirstNamedId, "names make ids");
        Verify.That(InFlightBlocks * InFlightBlockBytes
            >= InFlightAlike * (MaxUdpPayload + InFlightBlockBytes),
            "a few of any size are in flight");
        Verify.That(InFlightQueries <= ushort.MaxValue, "a share's cells count all in flight");
        Verify.That(FairBytes < FairBurstBytes && FairBurstBytes < BackendQueueBytes / 2,
            "a burst is more than what may always wait, and fits the queue");
        Verify.That(FairWait > SilenceTime, "who hangs is asked before it is taken to be slow");
        Verify.That(InFlightQueries >= InFlightAlike, "queries that are alike fit the table");
        Verify.That(ResendTime < InFlightTime, "what is sent again is still in flight");
        Verify.That(LeastAnswers <= AnswersRecorded && AnswersRecorded <= 128,
            "a record has room for what is judged");
        Verify.That(FailingEnd < FailingMargin, "who fails no longer does not fail at once again");
        Verify.That(HoldDelay < SameBackendTime && SameBackendTime < HoldTime
            && HoldTime < ResendTime,
            "what is held is asked again, and may be elsewhere");
        Verify.That(FastProbeInterval < ProbeInterval, "a cold backend is asked more often");
        Verify.That(LatenessAllowed < SilenceTime, "a wait is judged by its own length");
        Verify.That(ShortStandstillTime <= StandstillTime && StandstillTime <= TimeOfStandstills,
            "one standstill does not use up the time of all");
        Verify.That(DoubtTime <= LossDelay && LossDelay < ResendTime,
            "what is sent again waits until the silent are in doubt");
        Verify.That(QuarantineHangTime < SilenceTime + SilenceTime,
            "what hangs one is charged before the next is suspect");
        Verify.That(DoubtTime < SilenceTime, "who is silent is doubted before it is asked");
        Verify.That(FirstProof > SilenceTime && LongestProof >= FirstProof, "trust takes proof");
    }
}
