// Planted bugs are patches beside the core (sim/plants), compiled into it in memory alone: nothing
// in the product's own source speaks of them.

using System;
using System.IO;
using System.Linq;
using Simulation.Planting;
using Xunit;

namespace Tests.Unit;

public sealed class PlantTests
{
    [Fact]
    public void ProductsSource_KnowsNothingOfPlantedBugs()
    {
        var sources = Directory.EnumerateFiles(
            Path.Combine(CoreSource.FindRoot()!, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal)).ToList();

        Assert.True(sources.Count > 40, $"only {sources.Count} sources");
        Assert.DoesNotContain(sources, file => File.ReadAllText(file)
            .Contains("plant", StringComparison.OrdinalIgnoreCase));
    }
}
