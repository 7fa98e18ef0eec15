// Owns the small types that name things: addresses, backends, connections, and the handles of
// sockets. Each is a number with a type of its own, so that a port can never be passed for an id.

using System;
using System.Globalization;

namespace Balancer.Core;

/// <summary>
/// An IPv4 address as the number whose most significant byte is the first octet, which is also how
/// the frames carry it: 10.77.77.5 is 0x0a4d4d05.
/// </summary>
public readonly record struct Ipv4(uint Value)
{
    /// <summary>
    /// 0.0.0.0: every address of the host when listened on, "not known" elsewhere.
    /// </summary>
    public static readonly Ipv4 Any = new(0);

    public static readonly Ipv4 Loopback = new(0x7f000001);

    /// <summary>Whether it is 0.0.0.0, multicast or broadcast: no host's own address.</summary>
    public bool IsNoHost => Value >> 28 == 14 || Value is 0 or uint.MaxValue;

    /// <summary>Whether it lies in 127.0.0.0/8, all of which is the host itself.</summary>
    public bool IsLoopback => Value >> 24 == 127;

    public static Ipv4 From(byte a, byte b, byte c, byte d) =>
        new((uint)a << 24 | (uint)b << 16 | (uint)c << 8 | d);

    /// <summary>Reads four decimal octets and nothing else; false for anything else.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Ipv4 address)
    {
        address = Any;
        uint value = 0;
        for (var octet = 0; octet < 4; octet++)
        {
            var end = octet < 3 ? text.IndexOf('.') : text.Length;
            if (end is < 1 or > 3
                || !byte.TryParse(text[..end], NumberStyles.None, CultureInfo.InvariantCulture,
                    out var number))
            {
                return false;
            }
            value = value << 8 | number;
            text = octet < 3 ? text[(end + 1)..] : [];
        }
        address = new Ipv4(value);
        return true;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Value >> 24}.{Value >> 16 & 255}.{Value >> 8 & 255}.{Value & 255}");
}

/// <summary>An IPv4 address and a UDP or TCP port.</summary>
public readonly record struct Endpoint(Ipv4 Address, ushort Port)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Address}:{Port}");
}

/// <summary>
/// What operators call a backend by: 5300 to 5399 for sockets named so, other numbers for the
/// rest; 0 means "none".
/// </summary>
public readonly record struct BackendId(int Value)
{
    public static readonly BackendId None = new(0);

    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>
/// A proxied TCP connection: 1, 2, 3, … in the order of acceptance, never reused.
/// </summary>
public readonly record struct ConnectionId(long Value)
{
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>
/// Names a socket of an INetwork. The slot is small and dense, so that it can index a table, and
/// is used again after a close; the generation is not, so a handle kept too long names nothing.
/// The default value names no socket.
/// </summary>
public readonly record struct SocketHandle(int Slot, uint Generation)
{
    public static readonly SocketHandle None;

    /// <summary>Generations of live sockets start at 1.</summary>
    public bool IsNone => Generation == 0;

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"#{Slot}.{Generation}");
}
