// Which ids names ask for, against the decimal reader of .NET: a name of digits alone that is 5300
// to 5399 asks for that id, however many zeros stand before it; any other name asks for none.

using System.Globalization;
using System.Numerics;
using System.Text;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Xunit;

namespace Tests.Property.Core;

public sealed record EntryName(string Text);

public static class NamesArbitraries
{
    public static Arbitrary<EntryName> Names() => Arb.From(
        from number in Gen.OneOf(Gen.Choose(5290, 5410), Gen.Choose(0, 60_000))
        from prefix in Gen.Elements("", "", "", "0", "00000000000000", "-", "x", " ", "5")
        from suffix in Gen.Elements("", "", "", "0", "a", ".sock", " ")
        from isAny in Gen.Frequency((1, Gen.Constant(true)), (2, Gen.Constant(false)))
        from near in Gen.Elements('5', '2', '3', '0', '9', '/', ':', ';').ArrayOf(4)
        select new EntryName(isAny
            ? string.Concat(near)
            : prefix + number.ToString(CultureInfo.InvariantCulture) + suffix));
}

public sealed class NamesTests
{
    [Property(Arbitrary = [typeof(NamesArbitraries)], MaxTest = 3000)]
    public void AnyName_AsksForTheIdThatItIs(EntryName name)
    {
        BackendId? expected = null;
        if (BigInteger.TryParse(name.Text, NumberStyles.None, CultureInfo.InvariantCulture,
            out var number) && number >= 5300 && number <= 5399)
        {
            expected = new BackendId((int)number);
        }
        Assert.Equal(expected, Backends.NamedId(Encoding.UTF8.GetBytes(name.Text)));
    }
}
