// Owns the fields of a fault in a file. What a fault needs depends on its kind: the backend it is
// about, how long it lasts, and a number that the records call Amount and that in a file has the
// name of what it means there - oneIn, bytes, error, times.
//
// What always holds: a kind has exactly the fields that mean something for it, so that a number
// that nothing would look at is refused; every fault that the bounds here let through is written
// and read back the same.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Whether a kind of fault lasts.</summary>
internal enum Lasting
{
    /// <summary>It happens and is over.</summary>
    Never,

    /// <summary>It has a length, which may be nothing.</summary>
    Optional,

    /// <summary>Without a length it would be over before it began.</summary>
    Always,
}

/// <summary>What one kind of fault has besides its time.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Words">What it does.</param>
/// <param name="Lasts">Whether it has `for`.</param>
/// <param name="ForWords">What `for` means where it is not how long the fault lasts.</param>
/// <param name="Amount">Its amounts, as one or two fields.</param>
internal sealed record FaultShape(FaultKind Kind, string Words, Lasting Lasts,
    string? ForWords, params ImmutableArray<FileField<long>> Amount)
{
    public string Name => FileValues.Camel(Kind.ToString());

    public bool IsAboutBackend =>
        Kind is >= FaultKind.BackendCrash and <= FaultKind.BackendMove;
}

/// <summary>What of a fault means something, by its kind.</summary>
public static class FaultKinds
{
    /// <summary>Whether it may last; all others are over at once, and have no length.</summary>
    public static bool MayLast(FaultKind kind) =>
        FaultFields.ShapeOf(kind).Lasts != Lasting.Never;

    /// <summary>Whether its amount means something; all others have none.</summary>
    public static bool HasAmount(FaultKind kind) => !FaultFields.ShapeOf(kind).Amount.IsEmpty;

    /// <summary>Whether it is about one backend.</summary>
    public static bool IsAboutBackend(FaultKind kind) => FaultFields.ShapeOf(kind).IsAboutBackend;
}

/// <summary>Reads and writes faults.</summary>
internal static class FaultFields
{
    public const string TargetName = "backend";

    private const int EntryKinds = 6;
    private const int MostTimes = 100_000;

    public static readonly ImmutableArray<FaultShape> Shapes =
    [
        new(FaultKind.BackendCrash, "The process dies and leaves its path behind, stale.",
            Lasting.Optional, "From its death to its next start."),
        new(FaultKind.BackendStop, "The process removes its path and exits.",
            Lasting.Optional, "From its exit to its next start."),
        new(FaultKind.BackendUnlink, "The process removes its path and goes on serving.",
            Lasting.Optional, "From then to its exit; it is not started again."),
        new(FaultKind.BackendPause, "The process does nothing.", Lasting.Always, null),
        new(FaultKind.BackendScript, "It begins or stops misbehaving as its script says.",
            Lasting.Never, null, Flag("on", "Whether it misbehaves from then on.")),
        new(FaultKind.BackendReset, "All its sessions are reset.", Lasting.Never, null),
        new(FaultKind.BackendEnd, "All its sessions end.", Lasting.Never, null,
            Number("bytes", 0, 20, "0", "Bytes of a frame of 20 that come before the end.")),
        new(FaultKind.BackendBacklog, "It accepts no connection.", Lasting.Always, null,
            Number("backlog", 0, 4096, "0", "Connections that may wait meanwhile.")),
        new(FaultKind.BackendRebind,
            "Its path is bound by a new process, and the old one goes on.", Lasting.Never, null),
        new(FaultKind.BackendListenLate,
            "It is restarted, or started; connects are refused until its new process listens.",
            Lasting.Always, "From its bind to its listen.",
            Flag("denied", "Whether they are denied in place of that, by its mode.", "false")),
        new(FaultKind.BackendMove, "Its path is moved out of the directory and back.",
            Lasting.Always, "From one to the other; it stays away if something has its name then."),
        new(FaultKind.UdpLoss, "Datagrams to the balancer are lost.", Lasting.Always, null,
            Number("oneIn", 1, int.MaxValue, null, "One in so many, at random.")),
        new(FaultKind.UdpDuplicate, "Datagrams to the balancer come twice.", Lasting.Always, null,
            Number("oneIn", 1, int.MaxValue, null, "One in so many, at random.")),
        new(FaultKind.UdpReorder, "Datagrams to the balancer are late, each by its own time.",
            Lasting.Always, null,
            Same("upTo", FileValues.Nanoseconds, null, "By this much at most; above 0s.")),
        new(FaultKind.UdpSendFails,
            "The next sends fail, with each errno that a send can have in turn.",
            Lasting.Never, null,
            Number("times", 1, MostTimes, "1", "How many.")),
        new(FaultKind.UdpSendBlocked, "The UDP socket takes nothing.", Lasting.Always, null),
        new(FaultKind.UdpReceiveFails, "The next receives of datagrams fail.", Lasting.Never, null,
            Number("times", 1, MostTimes, "1", "How many.")),
        new(FaultKind.KernelAccept, "Accepting a TCP connection fails.", Lasting.Always, null,
            Word("error", "With which errno.", "EMFILE", "ENFILE", "ENOMEM", "ECONNABORTED",
                "ENOBUFS", "EPERM", "EPROTO")),
        new(FaultKind.KernelSocket, "Connecting to a backend fails: no socket can be made.",
            Lasting.Always, null,
            Word("error", "With which errno.", "EMFILE", "ENOMEM", "ENOBUFS")),
        new(FaultKind.KernelWakes, "Waits return early, with nothing ready.", Lasting.Never, null,
            Number("times", 1, MostTimes, "1", "How many.")),
        new(FaultKind.StreamShort, "Reads and writes on streams are cut short.",
            Lasting.Always, null,
            Number("bytes", 1, 1_000_000, null, "Bytes that one moves at most.")),
        new(FaultKind.StreamWouldBlock, "The next writes to backends answer EAGAIN.",
            Lasting.Never, null, Number("times", 1, MostTimes, "1", "How many.")),
        new(FaultKind.StreamReset, "The next reads from backends answer ECONNRESET.",
            Lasting.Never, null, Number("times", 1, MostTimes, "1", "How many.")),
        new(FaultKind.DirectoryUnreadable, "The directory cannot be read.", Lasting.Always, null,
            Word("error", "With which errno.", "ENOENT", "EMFILE", "EACCES")),
        new(FaultKind.DirectoryBreaksOff, "The next scan of the directory breaks off.",
            Lasting.Never, null,
            Number("entries", 0, MostTimes, "0", "After so many entries.")),
        new(FaultKind.DirectoryEntry, "Entries appear that are not backends.",
            Lasting.Optional, "How long they stay; 0s for good.",
            new FileField<long>("entry", "What they are.", "file", Entries.Schema,
                amount => Entries.Write(amount % EntryKinds),
                (amount, node, place) =>
                    amount - amount % EntryKinds + Entries.Read(node, place)),
            new FileField<long>("count", "How many.", "1", EntryCount.Schema,
                amount => EntryCount.Write(1 + amount / EntryKinds),
                (amount, node, place) =>
                    amount % EntryKinds + EntryKinds * (EntryCount.Read(node, place) - 1))),
        new(FaultKind.DirectorySilent, "Changes in the directory are not announced.",
            Lasting.Always, null),
        new(FaultKind.ClockStall, "The balancer's process does not run.", Lasting.Always, null,
            Bit("inScan", "Only when a scan of the directory is half done.", 1),
            Bit("interrupted", "The wait that it is in ends without telling what is ready.", 2)),
        new(FaultKind.OperatorRescan, "The operator asks for a scan, as SIGHUP does.",
            Lasting.Never, null),
        new(FaultKind.OperatorStatus, "The operator asks for a status report, as SIGUSR1 does.",
            Lasting.Never, null),
        new(FaultKind.DirectoryHangs, "The directory does not answer, as one of a network's file"
            + " system whose server is gone.", Lasting.Always, null),
        new(FaultKind.DirectoryUnknown,
            "Nobody can say of the directory's entries what they are.", Lasting.Always, null,
            Number("only", 0, MostTimes, "0",
                "Of which backend's entry alone, counted from 1; 0 for all entries.")),
        new(FaultKind.ClockBack, "The balancer's clock goes back, and forward again at the end.",
            Lasting.Always, null,
            Same("by", FileValues.Nanoseconds, null, "By how much; above 0s.")),
        new(FaultKind.ClockStill, "The balancer's clock stands still, and leaps at the end.",
            Lasting.Always, null),
        new(FaultKind.StreamNoMemory,
            "The kernel has no memory for sessions to backends (ENOBUFS, ENOMEM).",
            Lasting.Always, null,
            Word("calls", "For which calls.", "writes", "reads", "both")),
    ];

    private static FileValue<long> Entries =>
        FileValues.Word(["file", "folder", "link", "socket", "datagramSocket", "foreignSocket"]);

    private static FileValue<long> EntryCount => FileValues.Number(1, 10_000);

    public static FaultShape ShapeOf(FaultKind kind) => Shapes[(int)kind];

    /// <summary>The fields of a kind, for the backends of one scenario.</summary>
    public static ImmutableArray<FileField<FaultPlan>> Of(
        FaultKind kind, ImmutableArray<BackendPlan> backends)
    {
        var shape = ShapeOf(kind);
        var fields = ImmutableArray.CreateBuilder<FileField<FaultPlan>>();
        fields.Add(FileFields.Make<FaultPlan, int>("id", FileValues.Count(0),
            "its place in the list, from 0", fault => fault.Id,
            (fault, id) => fault with { Id = id },
            "Its number, unique among the faults; what is drawn at random depends on it."));
        fields.Add(FileFields.Make<FaultPlan, FaultKind>("kind", FileValues.Name<FaultKind>(),
            null, fault => fault.Kind, (fault, _) => fault, "What goes wrong."));
        if (shape.IsAboutBackend)
        {
            fields.Add(FileFields.Make<FaultPlan, int>(TargetName, Target(backends), null,
                fault => fault.Target, (fault, target) => fault with { Target = target },
                "The name of the backend that it is about."));
        }
        fields.Add(FileFields.Make<FaultPlan, Instant>("at", FileValues.Instant, null,
            fault => fault.At, (fault, at) => fault with { At = at },
            "When it begins, before healAt."));
        if (shape.Lasts != Lasting.Never)
        {
            fields.Add(FileFields.Make<FaultPlan, Duration>("for", FileValues.Duration,
                shape.Lasts == Lasting.Always ? null : "0s",
                fault => fault.For, (fault, time) => fault with { For = time },
                shape.ForWords ?? "How long it lasts; it ends at healAt if not before."));
        }
        foreach (var amount in shape.Amount)
        {
            fields.Add(new FileField<FaultPlan>(amount.Name, amount.Words, amount.Default,
                amount.Schema, fault => amount.Get(fault.Amount),
                (fault, node, place) =>
                    fault with { Amount = amount.Set(fault.Amount, node, place) }));
        }
        return fields.ToImmutable();
    }

    /// <summary>The fault that a node holds.</summary>
    public static FaultPlan Read(
        FileNode node, FilePlace place, int item, ImmutableArray<BackendPlan> backends)
    {
        if (node.Kind != FileNodeKind.Object)
            throw place.Wrong("must be an object, in { }");
        if (node.Find("kind") is not { } name)
            throw place.Wrong("the field kind is missing");
        var kind = FileValues.Name<FaultKind>().Read(name, place.Of("kind", name));
        return FileFields.Read(Of(kind, backends), node, place, Default(kind, item));
    }

    public static FileNode Write(
        FaultPlan fault, int item, ImmutableArray<BackendPlan> backends) =>
        FileFields.Write(Of(fault.Kind, backends), fault, Default(fault.Kind, item));

    /// <summary>What a fault of this kind is if its file says nothing but that.</summary>
    public static FaultPlan Default(FaultKind kind, int item) => new(item, Instant.Zero,
        Duration.Zero, kind, -1, ShapeOf(kind).Amount is [{ Default: "1" }] ? 1 : 0);

    private static FileValue<int> Target(ImmutableArray<BackendPlan> backends) => new(
        FileValues.Text.Schema,
        (node, place) =>
        {
            var name = FileValues.Text.Read(node, place);
            return backends.FirstOrDefault(backend => backend.Name == name)?.Id
                ?? throw place.Wrong($"there is no backend '{name}' (there are "
                    + string.Join(", ", backends.Select(backend => $"'{backend.Name}'")) + ")");
        },
        target => FileNode.Of(backends.First(backend => backend.Id == target).Name));

    private static FileField<long> Same(
        string name, FileValue<long> value, string? otherwise, string words) => new(
        name, words, otherwise, value.Schema, value.Write,
        (_, node, place) => value.Read(node, place));

    private static FileField<long> Number(
        string name, long least, long most, string? otherwise, string words) =>
        Same(name, FileValues.Number(least, most), otherwise, words);

    private static FileField<long> Word(
        string name, string words, params ImmutableArray<string> names) =>
        Same(name, FileValues.Word(names), null, words);

    private static FileField<long> Flag(string name, string words, string? otherwise = null) =>
        Same(name, new FileValue<long>(FileValues.Flag.Schema,
            (node, place) => FileValues.Flag.Read(node, place) ? 1 : 0,
            amount => FileValues.Flag.Write(amount != 0)), otherwise, words);

    /// <summary>One of several flags that an amount is the sum of.</summary>
    private static FileField<long> Bit(string name, string words, long bit) => new(
        name, words, "false", FileValues.Flag.Schema,
        amount => FileValues.Flag.Write((amount & bit) != 0),
        (amount, node, place) => FileValues.Flag.Read(node, place) ? amount | bit : amount & ~bit);
}
