// Owns what the ids of checks stand for, in words for people: a name, the rule in a line, and how
// much time the rule is about.
//
// What always holds: an id that is not known is shown as itself.

using Balancer.Core;

namespace Simulation.Checking;

/// <summary>The checks in words.</summary>
public static class CheckNames
{
    public static string Of(string check) => Find(check).Name;

    public static string Rule(string check) => Find(check).Rule;

    /// <summary>How much of what came before a violation explains it.</summary>
    public static Duration LooksBack(string check) => Duration.FromSeconds(check switch
    {
        "S8" => 20L,
        "S9" => 40,
        "L1" => 25,
        "L2" or "L3" or "L4" or "L5" => 70,
        _ => 5,
    });

    private static (string Name, string Rule) Find(string check) => check switch
    {
        "S1" => ("conservation", "every datagram and reply is in exactly one place"),
        "S2" => ("routing", "primary if healthy, else backup, else the next healthy, else a drop"),
        "S3" => ("stickiness", "a primary changes only by expiry, removal or a due rebalance"),
        "S4" => ("assignment", "a backend's count of remotes equals a recount"),
        "S5" => ("no invention", "what is sent is a whole reply of a live session to who asked"),
        "S6" => ("decoder", "frames do not depend on chunks, nor sessions on older ones"),
        "S7" => ("streams", "what arrives is a prefix of what was sent, ends after all bytes"),
        "S8" => ("heartbeats", "one at a time, 5 s after an answer, a fault after 15 s"),
        "S9" => ("scans and back-off", "scans when due; connects at 0, 1, 3 … 32 s; hello resets"),
        "S10" => ("bounds", "queues, remotes, descriptors and timers stay within their limits"),
        "S11" => ("attribution", "every fault names evidence of the present generation"),
        "S12" => ("accounting", "every counter and log record equals a recount"),
        "S13" => ("survival", "nothing from outside ends the process"),
        "S14" => ("attention", "the loop is woken for all that it waits for, and nothing else"),
        "S15" => ("stop", "5 s for what is under way, nothing open in the end, no time wasted"),
        "L1" => ("answers", "a client that retries is answered within 22 s"),
        "L2" => ("recovery", "a core backend is healthy within 65 s"),
        "L3" => ("connections", "a connection is answered or closed within its time-outs"),
        "L4" => ("balance", "two rebalances even the spread out, and then nothing moves"),
        "L5" => ("rest", "an idle system settles to its timers"),
        "L6" => ("coverage", "every fault happens"),
        _ => (check, "what the evidence says"),
    };
}
