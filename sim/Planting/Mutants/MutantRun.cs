// Owns one run of a seed with one mutant switched on. It is called in the load context of a core
// with mutants, and so takes and gives types of the framework alone.
//
// What always holds: the scenario is made, and all that is read once has been read, before a mutant
// is switched on; afterwards none is. Not safe to call from several threads: which mutant is on is
// known to all of them.

using System;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Planting.Mutants;

/// <summary>Runs seeds with mutants.</summary>
public static class MutantRun
{
    /// <summary>What is said to have found a mutant that makes a loop endless.</summary>
    public const string Time = "time";

    /// <summary>What is said to have found a mutant that the simulator itself fails with.</summary>
    public const string Simulator = "simulator";

    private static readonly Type Switch =
        typeof(LoadBalancer).Assembly.GetType("Balancer.Core.MutantSwitch", true)!;

    private static readonly FieldInfo Active = FieldOf("Active");
    private static readonly FieldInfo RoundsLeft = FieldOf("RoundsLeft");
    private static readonly FieldInfo Reached = FieldOf("Reached");
    private static bool _isPrepared;

    /// <summary>
    /// Runs a seed of a profile with a mutant, 0 for none, and so many rounds of the core's loops
    /// at most. Gives the check that it violates or "", the run's hash in hexadecimal, how many
    /// events and how many rounds there were, what the check saw, and the sites that were reached,
    /// of so many, in base 64 (only of a core that tells them).
    /// </summary>
    public static string[] Execute(
        int mutant, ulong seed, string profile, long rounds, int sites)
    {
        Prepare();
        var scenario = Generator.FromSeed(seed, Enum.Parse<Profile>(profile, ignoreCase: true));
        var checks = new CheckSet(scenario);
        var reached = new bool[sites + 1];
        Reached.SetValue(null, reached);
        RoundsLeft.SetValue(null, rounds);
        Active.SetValue(null, mutant);
        try
        {
            var result = ScenarioRun.Execute(scenario, checks);
            Active.SetValue(null, 0);
            var left = (long)RoundsLeft.GetValue(null)!;
            var check = left < 0 ? Time : result.Violation?.Check ?? "";
            return [check, result.Hash.ToString("x16", CultureInfo.InvariantCulture),
                Text(result.Events), Text(rounds - left), result.Violation?.Evidence ?? "",
                Packed(reached)];
        }
        catch (Exception thrown) when (mutant != 0)
        {
            return [(long)RoundsLeft.GetValue(null)! < 0 ? Time : Simulator, "", "0", "0",
                $"{thrown.GetType().Name}: {thrown.Message}", ""];
        }
        finally
        {
            Active.SetValue(null, 0);
        }
    }

    /// <summary>Packs bits, the first the lowest of the first byte.</summary>
    private static string Packed(bool[] reached)
    {
        var bytes = new byte[(reached.Length + 7) / 8];
        for (var at = 0; at < reached.Length; at++)
        {
            if (reached[at])
                bytes[at / 8] |= (byte)(1 << (at % 8));
        }
        return Convert.ToBase64String(bytes);
    }

    private static void Prepare()
    {
        if (_isPrepared)
            return;
        RoundsLeft.SetValue(null, long.MaxValue);
        Reached.SetValue(null, new bool[1 << 16]);
        var types = new[] { typeof(LoadBalancer), typeof(Generator), typeof(ScenarioRun) }
            .SelectMany(type => type.Assembly.GetTypes())
            .Where(type => !type.ContainsGenericParameters);
        foreach (var type in types)
            RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        _isPrepared = true;
    }

    private static FieldInfo FieldOf(string name) =>
        Switch.GetField(name, BindingFlags.Public | BindingFlags.Static)!;

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
