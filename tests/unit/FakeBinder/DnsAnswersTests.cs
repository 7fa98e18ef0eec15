// Answers byte by byte, and every way in which a query can be none.

using System;
using System.Text;
using FakeBinder;
using Xunit;

namespace Tests.Unit.FakeBinder;

public sealed class DnsAnswersTests
{
    private const ushort Txt = 16;
    private const string Www = "0377777707457861" + "6d706c6503636f6d00"; // www.Example.com

    private readonly byte[] _buffer = new byte[65_535];

    private DnsReply Ask(byte[] query, bool overTcp = false, bool failing = false) =>
        DnsAnswers.Answer(query, overTcp, "5301"u8, failing, _buffer);

    private string Hex(byte[] query, bool overTcp = false, bool failing = false)
    {
        var reply = Ask(query, overTcp, failing);
        Assert.Equal(DnsFate.Answered, reply.Fate);
        return Convert.ToHexStringLower(_buffer.AsSpan(0, reply.Length));
    }

    [Fact]
    public void Address_IsAnsweredWithQuestionAsAskedAndOneRecord() => Assert.Equal(
        "1234" + "8500" + "0001000100000000" + Www + "00010001"
        + "c00c" + "0001" + "0001" + "0000001e" + "0004" + "0a469fcb",
        Hex(SessionDriver.Query("www.Example.com")));

    [Theory]
    [InlineData("a", 0x0A0C292Cu)] // FNV-1a of "a" is e40c292c
    [InlineData("A.", 0x0A0C292Cu)]
    [InlineData("foobar", 0x0A9CF968u)] // of "foobar" bf9cf968
    public void AddressOf_IsTheLowerHashBehindTen(string name, uint address) =>
        Assert.Equal(address, DnsAnswers.AddressOf(name));

    [Fact]
    public void AddressOf_IsWhatIsAnswered()
    {
        var reply = Ask(SessionDriver.Query("Some.Name"));
        var address = DnsAnswers.AddressOf("some.name");

        Assert.Equal(Convert.ToHexStringLower(_buffer.AsSpan(reply.Length - 4, 4)),
            address.ToString("x8", null));
    }

    [Fact]
    public void Aaaa_IsEmptyWithoutAnError() => Assert.Equal(
        "1234" + "8500" + "0001000000000000" + Www + "001c0001",
        Hex(SessionDriver.Query("www.Example.com", 28)));

    [Fact]
    public void Text_TellsTheName() => Assert.Equal(
        "1234" + "8500" + "0001000100000000" + "016101620000100001"
        + "c00c" + "0010" + "0001" + "0000001e" + "0004" + "03612e62",
        Hex(SessionDriver.Query("a.b", Txt)));

    [Theory]
    [InlineData("id.server")]
    [InlineData("ID.Server")]
    [InlineData("hostname.bind")]
    public void ChaosText_TellsTheId(string name) => Assert.EndsWith(
        "c00c" + "0010" + "0003" + "0000001e" + "0005" + "0435333031",
        Hex(SessionDriver.Query(name, Txt, 3)), StringComparison.Ordinal);

    [Theory]
    [InlineData("id.server", 4)]
    [InlineData("id.server", 255)]
    [InlineData("id.server.x", 3)]
    [InlineData("other.name", 3)]
    public void OtherClassesAndChaosNames_AreRefused(string name, ushort @class)
    {
        Ask(SessionDriver.Query(name, Txt, @class));
        Assert.Equal(5, _buffer[3] & 15);
        Assert.Equal(0, _buffer[2] & 4);
    }

    /// <summary>As node-mname has it: 1 and 3 do not exist, and neither does 6 and more.</summary>
    [Fact]
    public void Opcode_OtherThanQuery_IsNotImplementedOrUnreadable()
    {
        for (var opcode = 1; opcode < 16; opcode++)
        {
            var query = SessionDriver.Query("a");
            query[2] = (byte)(opcode << 3 | 1); // RD

            if (opcode is 2 or 4 or 5)
            {
                Assert.Equal("1234" + $"{0x80 | opcode << 3 | 1:x2}04" + "0001000000000000"
                    + "01610000010001", Hex(query));
            }
            else
            {
                Assert.Equal(DnsFate.Unreadable, Ask(query).Fate);
            }
        }
    }

    [Theory]
    [InlineData("12340100000000000000" + "0000")]
    [InlineData("12340100000200000000" + "0000" + "0161000001000101610000010001")]
    [InlineData("12340100000100000000" + "0000")]
    [InlineData("12340100000100000000" + "0000" + "01610000")]
    [InlineData("12340100000100000000" + "0000" + "c00c00010001")]
    [InlineData("12340100000100000000" + "0000" + "40610000010001")]
    [InlineData("12340100000100000000" + "0001" + "016100000100010000")]
    [InlineData("12340100000100000000" + "0001" + "01610000010001" + "0000290200000000000001")]
    [InlineData("12340100000100000000" + "0001" + "01610000010001"
        + "016100" + "00290200000000000000")]
    [InlineData("12340100000100000000" + "0002" + "01610000010001"
        + "0000290200000000000000" + "0000290200000000000000")]
    public void QueryThatCannotBeRead_IsUnreadable(string hex) =>
        Assert.Equal(DnsFate.Unreadable, Ask(Convert.FromHexString(hex)).Fate);

    [Fact]
    public void NameOver255Bytes_IsUnreadable()
    {
        var label = new string('x', 63);
        Assert.Equal(DnsFate.Answered, Ask(SessionDriver.Query(
            $"{label}.{label}.{label}.{new string('x', 61)}")).Fate);
        Assert.Equal(DnsFate.Unreadable, Ask(SessionDriver.Query(
            $"{label}.{label}.{label}.{new string('x', 62)}")).Fate);
    }

    [Fact]
    public void Response_IsIgnored()
    {
        var response = SessionDriver.Query("a");
        response[2] |= 0x80;
        Assert.Equal(DnsFate.Ignored, Ask(response).Fate);
    }

    [Fact]
    public void EveryCutOfAQuery_IsUnreadable()
    {
        var query = SessionDriver.Query("www.example.com", 1, 1, 1232);
        for (var length = 0; length < query.Length; length++)
            Assert.Equal(DnsFate.Unreadable, Ask(query[..length]).Fate);
    }

    [Fact]
    public void Edns_IsAnsweredWithEdns() => Assert.Equal(
        "1234" + "8500" + "0001000000000001" + "0161000" + "01c0001" + "00002904d0000000000000",
        Hex(SessionDriver.Query("a", 28, 1, 4096)));

    [Fact]
    public void EdnsVersionOverZero_IsBadVersion()
    {
        var query = SessionDriver.Query("a", 1, 1, 512);
        query[^5] = 1; // the version, before flags and length

        Assert.Equal("1234" + "8100" + "0001000000000001" + "01610000010001"
            + "00002904d0010000000000", Hex(query));
    }

    [Fact]
    public void Failing_IsServerFailure() => Assert.Equal(
        "1234" + "8102" + "0001000000000000" + "01610000010001",
        Hex(SessionDriver.Query("a"), failing: true));

    [Theory]
    [InlineData(64)]
    [InlineData(300)]
    [InlineData(512)]
    [InlineData(48_000)]
    [InlineData(65_535)]
    public void SizeName_IsAnsweredWithThatManyOctetsOverTcp(int size)
    {
        foreach (var edns in new int?[] { null, 1232 })
        {
            var query = SessionDriver.Query($"size-{size}.x", Txt, 1, edns);
            var reply = Ask(query, overTcp: true);
            Assert.Equal(size, reply.Length);
            AssertStringsFill(query.Length - (edns is null ? 0 : 11), reply.Length
                - (edns is null ? 0 : 11));
        }
    }

    [Theory]
    [InlineData(null, 512, false)]
    [InlineData(null, 513, true)]
    [InlineData(0, 512, false)]
    [InlineData(0, 513, true)]
    [InlineData(1000, 1000, false)]
    [InlineData(1000, 1001, true)]
    [InlineData(65_535, 1232, false)]
    [InlineData(65_535, 1233, true)]
    public void OverUdp_AnswerIsCutAtWhatTheClientTakes(int? edns, int size, bool cut)
    {
        var query = SessionDriver.Query($"size-{size}.x", Txt, 1, edns);
        var reply = Ask(query);

        Assert.Equal(cut ? query.Length : size, reply.Length);
        Assert.Equal(cut, (_buffer[2] & 2) != 0);
        Assert.Equal(cut ? 0 : 1, _buffer[7]);
        Assert.Equal(edns is null ? 0 : 1, _buffer[11]);
    }

    [Theory]
    [InlineData("size-63.x")]
    [InlineData("size-65536.x")]
    [InlineData("size-.x")]
    [InlineData("size-1x.x")]
    public void SizeNameOutOfBounds_IsANameLikeOthers(string name)
    {
        var reply = Ask(SessionDriver.Query(name, Txt));
        Assert.Equal(name, Encoding.ASCII.GetString(
            _buffer, reply.Length - name.Length, name.Length));
    }

    [Theory]
    [InlineData("delay-250.x", 250)]
    [InlineData("DELAY-600000.x", 600_000)]
    [InlineData("delay-600001.x", 0)]
    [InlineData("delay-x.x", 0)]
    public void DelayName_SaysHowMuchLater(string name, long ms) =>
        Assert.Equal(ms * SessionDriver.Ms, Ask(SessionDriver.Query(name)).DelayNs);

    [Theory]
    [InlineData("drop.x", DnsFate.Ignored)]
    [InlineData("Crash.x.y", DnsFate.Deadly)]
    [InlineData("crash1.x", DnsFate.Answered)]
    public void NamesThatDoSomething_DoIt(string name, DnsFate fate) =>
        Assert.Equal(fate, Ask(SessionDriver.Query(name)).Fate);

    private void AssertStringsFill(int recordAt, int end)
    {
        var at = recordAt + 12;
        Assert.Equal(end - at, _buffer[recordAt + 10] << 8 | _buffer[recordAt + 11]);
        while (at < end)
            at += 1 + _buffer[at];
        Assert.Equal(end, at);
    }
}
