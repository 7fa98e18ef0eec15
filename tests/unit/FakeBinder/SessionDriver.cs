// Owns the test's side of a BinderSession: it feeds bytes and time and writes down, in order,
// what the session does, each write in hexadecimal. Frames and queries are put together here by
// hand, not by the codec under test.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using FakeBinder;

namespace Tests.Unit.FakeBinder;

internal sealed class SessionDriver
{
    public const string Hello = "e9030000";
    public const string Heartbeat = "ec030000";
    public const string TcpOk = "eb030000";
    public const long Ms = 1_000_000;

    private readonly BinderSession _session;

    public SessionDriver(Misbehaviour? misbehaviour = null, BinderShared? shared = null)
    {
        Shared = shared ?? new BinderShared(0);
        _session = new BinderSession("5301", misbehaviour ?? Misbehaviour.None, Shared);
        _session.OnConnected(0);
    }

    public BinderShared Shared { get; }

    public BinderSession Session => _session;

    public long NowNs { get; private set; }

    /// <summary>A control session whose hello was said and taken note of.</summary>
    public static SessionDriver Control(
        Misbehaviour? misbehaviour = null, BinderShared? shared = null)
    {
        var driver = new SessionDriver(misbehaviour, shared);
        driver.Feed(ClientHello);
        return driver;
    }

    public static byte[] ClientHello => [1, 0, 0, 0];

    public static byte[] ClientHeartbeat => [4, 0, 0, 0];

    /// <summary>INBOUND_TCP from 10.77.77.5, port 4242.</summary>
    public static byte[] InboundTcp =>
        [3, 0, 0, 0, 0x05, 0x4d, 0x4d, 0x0a, 0x92, 0x10, 0, 0];

    /// <summary>INBOUND_UDP from 10.77.77.5, port 4242.</summary>
    public static byte[] InboundUdp(byte[] packet) =>
    [
        2, 0, 0, 0, 0x05, 0x4d, 0x4d, 0x0a, 0x92, 0x10, 0, 0,
        (byte)packet.Length, (byte)(packet.Length >> 8), 0, 0, .. packet,
    ];

    /// <summary>
    /// A query for one name, RD set, with an OPT record if a payload size is given.
    /// </summary>
    public static byte[] Query(
        string name, ushort type = 1, ushort @class = 1, int? edns = null, ushort id = 0x1234)
    {
        var bytes = new List<byte>
        {
            (byte)(id >> 8), (byte)id, 1, 0, 0, 1, 0, 0, 0, 0, 0, (byte)(edns is null ? 0 : 1),
        };
        foreach (var label in name.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(label));
        }
        bytes.AddRange([0, (byte)(type >> 8), (byte)type, (byte)(@class >> 8), (byte)@class]);
        if (edns is { } size)
            bytes.AddRange([0, 0, 41, (byte)(size >> 8), (byte)size, 0, 0, 0, 0, 0, 0]);
        return [.. bytes];
    }

    public static byte[] Framed(byte[] message) =>
        [(byte)(message.Length >> 8), (byte)message.Length, .. message];

    /// <summary>Feeds the bytes and returns what the session did because of them.</summary>
    public string[] Feed(params byte[] bytes)
    {
        _session.OnBytes(NowNs, bytes);
        return Take();
    }

    public string[] FeedQuery(string name) => Feed(InboundUdp(Query(name)));

    public string[] End()
    {
        _session.OnEndOfStream(NowNs);
        return Take();
    }

    /// <summary>Lets time pass, running each deadline at its time.</summary>
    public string[] Pass(long ns)
    {
        var until = NowNs + ns;
        var done = new List<string>();
        while (_session.NextDeadlineNs is { } next && next <= until)
        {
            NowNs = Math.Max(NowNs, next);
            _session.OnDeadline(NowNs);
            done.AddRange(Take());
        }
        NowNs = until;
        return [.. done];
    }

    private string[] Take()
    {
        var done = new List<string>();
        while (_session.Outbox.TryTake(out var action))
        {
            done.Add(action.Kind switch
            {
                SessionActionKind.Write => Convert.ToHexStringLower(action.Bytes.Span),
                SessionActionKind.PauseProcess => $"PauseProcess {action.DurationNs}",
                _ => action.Kind.ToString(),
            });
        }
        return [.. done];
    }

    /// <summary>All bytes of the writes, glued together.</summary>
    public static byte[] Bytes(IEnumerable<string> done) =>
        Convert.FromHexString(string.Concat(done.Where(d => d.All(char.IsAsciiHexDigitLower))));
}
