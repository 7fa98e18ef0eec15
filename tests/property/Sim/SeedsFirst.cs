// Owns the order in which the collections of this assembly's tests begin: the fixed seeds first,
// then the rest by name. The seeds find most of what is wrong in a second; the properties take
// longer, and one that fails goes on to look for its smallest script.
//
// What always holds: the order says nothing about what passes; collections run at the same time.

using System;
using System.Collections.Generic;
using System.Linq;
using Tests.Property.Sim;
using Xunit;
using Xunit.Abstractions;

[assembly: TestCollectionOrderer("Tests.Property.Sim.SeedsFirst", "Tests.Property")]

namespace Tests.Property.Sim;

public sealed class SeedsFirst : ITestCollectionOrderer
{
    public IEnumerable<ITestCollection> OrderTestCollections(
        IEnumerable<ITestCollection> testCollections) => testCollections
        .OrderByDescending(of => of.DisplayName.Contains(
            nameof(FixedSeedTests), StringComparison.Ordinal))
        .ThenBy(of => of.DisplayName, StringComparer.Ordinal);
}
