// The backend's codec against byte vectors written by hand from the protocol's description.

using System;
using FakeBinder;
using Xunit;

namespace Tests.Unit.FakeBinder;

public sealed class WireCodecTests
{
    private static readonly byte[] UdpFrame =
    [
        2, 0, 0, 0, 0x05, 0x4d, 0x4d, 0x0a, 0x39, 0x30, 0, 0, 3, 0, 0, 0, 0xaa, 0xbb, 0xcc,
    ];

    [Fact]
    public void InboundUdp_HasAddressWithFirstOctetMostSignificant()
    {
        Assert.Equal(WireStatus.Whole, WireCodec.Read(UdpFrame, out var frame, out var wrong));

        Assert.Null(wrong);
        Assert.Equal(WireType.InboundUdp, frame.Type);
        Assert.Equal(0x0a4d4d05u, frame.Address);
        Assert.Equal(12345, frame.Port);
        Assert.Equal(19, frame.Size);
        Assert.Equal([0xaa, 0xbb, 0xcc], frame.Packet.ToArray());
    }

    [Fact]
    public void InboundUdp_CutAnywhere_IsPartial()
    {
        for (var length = 0; length < UdpFrame.Length; length++)
            Assert.Equal(WireStatus.Partial,
                WireCodec.Read(UdpFrame.AsSpan(0, length), out _, out _));
    }

    [Fact]
    public void InboundTcp_IsTwelveBytes()
    {
        byte[] bytes = [3, 0, 0, 0, 1, 0, 0, 127, 0xff, 0xff, 0, 0, 9];

        Assert.Equal(WireStatus.Partial, WireCodec.Read(bytes.AsSpan(0, 11), out _, out _));
        Assert.Equal(WireStatus.Whole, WireCodec.Read(bytes, out var frame, out _));
        Assert.Equal(WireType.InboundTcp, frame.Type);
        Assert.Equal(0x7f000001u, frame.Address);
        Assert.Equal(65535, frame.Port);
        Assert.Equal(12, frame.Size);
    }

    [Theory]
    [InlineData(1, WireType.ClientHello)]
    [InlineData(4, WireType.ClientHeartbeat)]
    public void TypeOnlyFrames_AreFourBytes(byte type, WireType expected)
    {
        Assert.Equal(WireStatus.Whole, WireCodec.Read([type, 0, 0, 0, 7], out var frame, out _));
        Assert.Equal(expected, frame.Type);
        Assert.Equal(4, frame.Size);
    }

    [Theory]
    [InlineData("00000000", "unknown frame type 0")]
    [InlineData("05000000", "unknown frame type 5")]
    [InlineData("e9030000", "unknown frame type 1001")]
    [InlineData("00000001", "unknown frame type 16777216")]
    [InlineData("02000000054d4d0a00000000" + "01000000", "INBOUND_UDP from port 0")]
    [InlineData("02000000054d4d0a00000100" + "01000000", "INBOUND_UDP from port 65536")]
    [InlineData("02000000054d4d0a39300000" + "dd050000", "INBOUND_UDP of 1501 bytes")]
    [InlineData("02000000054d4d0a39300000" + "ffffffff", "INBOUND_UDP of 4294967295 bytes")]
    [InlineData("03000000054d4d0a00000000", "INBOUND_TCP from port 0")]
    public void WhatNoBalancerMaySend_IsWrongWithReason(string hex, string reason)
    {
        var status = WireCodec.Read(Convert.FromHexString(hex), out _, out var wrong);

        Assert.Equal(WireStatus.Wrong, status);
        Assert.Equal(reason, wrong);
    }

    [Fact]
    public void LargestPacket_IsTaken()
    {
        byte[] bytes =
            [2, 0, 0, 0, 5, 77, 77, 10, 1, 0, 0, 0, 0xdc, 5, 0, 0, .. new byte[1500]];

        Assert.Equal(WireStatus.Whole, WireCodec.Read(bytes, out var frame, out _));
        Assert.Equal(1500, frame.Packet.Length);
    }

    [Fact]
    public void OutboundUdpHeader_IsSixteenBytesLittleEndian()
    {
        var header = new byte[16];
        WireCodec.WriteOutboundUdpHeader(header, 0x0a4d4d05, 0x12345, 0x80000001);

        Assert.Equal("ea030000" + "054d4d0a" + "45230100" + "01000080",
            Convert.ToHexStringLower(header));
    }
}
