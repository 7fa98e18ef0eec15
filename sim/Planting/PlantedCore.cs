// Owns a changed core that is loaded beside the unchanged one: a load context of its own holds it
// and a second copy of every assembly that is built on the core (the simulator's, and this one), so
// that they meet the changed core and nothing else. All other assemblies are shared.
//
// What always holds: contexts share no static state of the simulator, so bugs may be tried side by
// side; only types of the framework pass from one to the other.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.Loader;
using Balancer.Core;

namespace Simulation.Planting;

/// <summary>A core with a bug, and the simulator on top of it.</summary>
internal sealed class PlantedCore : AssemblyLoadContext
{
    private static readonly string Core = NameOf(typeof(LoadBalancer).Assembly);

    /// <summary>The assemblies that are built on the core, by name.</summary>
    private static readonly Dictionary<string, Assembly> OnCore = FindOnCore();

    private readonly byte[] _core;

    /// <summary>Loads a core that was compiled.</summary>
    public PlantedCore(string name, byte[] core)
        : base(name)
    {
        _core = core;
    }

    /// <summary>A static method of an assembly built on the core, on top of this core.</summary>
    public T Get<T>(Type type, string method)
        where T : Delegate
    {
        var copy = LoadFromAssemblyName(type.Assembly.GetName()).GetType(type.FullName!, true)!;
        return copy.GetMethod(method, BindingFlags.Public | BindingFlags.Static)!
            .CreateDelegate<T>();
    }

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        if (assemblyName.Name == Core)
        {
            using var stream = new MemoryStream(_core);
            return LoadFromStream(stream);
        }
        return OnCore.TryGetValue(assemblyName.Name!, out var original)
            ? LoadFromAssemblyPath(original.Location)
            : null;
    }

    private static Dictionary<string, Assembly> FindOnCore()
    {
        var seen = new Dictionary<string, bool>();
        var found = new Dictionary<string, Assembly>();
        IsOnCore(typeof(PlantedCore).Assembly);
        return found;

        bool IsOnCore(Assembly assembly)
        {
            var name = NameOf(assembly);
            if (name == Core)
                return true;
            if (seen.TryGetValue(name, out var known))
                return known;
            seen[name] = false;
            // The framework's and the packages' assemblies know nothing of the core; they are many.
            var ours = assembly.GetReferencedAssemblies()
                .Where(reference => File.Exists(
                    Path.Combine(AppContext.BaseDirectory, reference.Name + ".dll")));
            foreach (var reference in ours)
                seen[name] |= IsOnCore(Assembly.Load(reference));
            if (seen[name])
                found[name] = assembly;
            return seen[name];
        }
    }

    private static string NameOf(Assembly assembly) => assembly.GetName().Name!;
}
