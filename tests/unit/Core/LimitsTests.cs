// Limits: the numbers that are only right together are.

using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class LimitsTests
{
    [Fact]
    public void Limits_HoldTogether() => Limits.VerifyRelations();
}
