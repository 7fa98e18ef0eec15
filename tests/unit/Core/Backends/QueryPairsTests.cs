// QueryPairs: which of two copies is answered first, when both are lost, and that numbers are used
// again when both copies are gone.

using System.Linq;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class QueryPairsTests
{
    private readonly QueryPairs _pairs = new();

    [Fact]
    public void SecondReply_IsNotTheFirst()
    {
        var pair = _pairs.Make();
        Assert.False(_pairs.IsAnswered(pair));

        Assert.True(_pairs.TryAnswer(pair));
        Assert.True(_pairs.IsAnswered(pair));
        Assert.False(_pairs.TryAnswer(pair));
    }

    [Fact]
    public void NoPair_IsNotAnswered() => Assert.False(_pairs.IsAnswered(0));

    [Fact]
    public void BothCopiesGoUnanswered_TheSecondIsTheLoss()
    {
        var pair = _pairs.Make();

        Assert.False(_pairs.IsLostWithout(pair));
        Assert.True(_pairs.IsLostWithout(pair));
    }

    [Fact]
    public void OneCopyGoesAndTheOtherIsAnswered_NothingIsLost()
    {
        var pair = _pairs.Make();

        Assert.False(_pairs.IsLostWithout(pair));
        Assert.True(_pairs.TryAnswer(pair));
    }

    [Fact]
    public void AnsweredAndThenTheOtherGoes_NothingIsLost()
    {
        var pair = _pairs.Make();

        Assert.True(_pairs.TryAnswer(pair));
        Assert.False(_pairs.IsLostWithout(pair));
    }

    [Fact]
    public void RemovedPair_IsCreatedAgainAsUnanswered()
    {
        var pair = _pairs.Make();
        _pairs.TryAnswer(pair);
        var other = _pairs.Make();
        Assert.NotEqual(pair, other);
        _pairs.TryAnswer(pair);

        Assert.Equal(pair, _pairs.Make());
        Assert.False(_pairs.IsAnswered(pair));
    }

    [Fact]
    public void DiscardedPair_IsFree()
    {
        var pair = _pairs.Make();
        _pairs.Discard(pair);

        Assert.Equal(pair, _pairs.Make());
    }

    [Fact]
    public void Many_AreAllDifferentAndNoneIsZero()
    {
        var pairs = Enumerable.Range(0, 1000).Select(_ => _pairs.Make()).ToList();

        Assert.Equal(1000, pairs.Distinct().Count());
        Assert.All(pairs, pair => Assert.True(pair > 0));
        foreach (var pair in pairs)
            Assert.True(_pairs.TryAnswer(pair));
        foreach (var pair in pairs)
            Assert.False(_pairs.TryAnswer(pair));
        Assert.Equal(pairs.Order(), Enumerable.Range(0, 1000).Select(_ => _pairs.Make()).Order());
    }

    [Fact]
    public void ThirdCopy_IsABug()
    {
        var pair = _pairs.Make();
        _pairs.Discard(pair);

        Assert.Throws<VerificationException>(() => _pairs.TryAnswer(pair));
    }
}
