// Owns the small shapes that several panels draw.

using static System.FormattableString;

namespace Simulation.Pictures;

internal static class Marks
{
    /// <summary>A cross around a point.</summary>
    public static string Cross(double x, double y, double size = 3.2) => Invariant(
        $"M{x - size:0.#} {y - size:0.#}L{x + size:0.#} {y + size:0.#}M{x - size:0.#} {y + size:0.#}L{x + size:0.#} {y - size:0.#}");

    /// <summary>An arc between two points of a baseline, `height` high.</summary>
    public static string Arc(double x1, double x2, double y, double height) => Invariant(
        $"M{x1:0.#} {y:0.#}C{x1:0.#} {y - height * 1.33:0.#} {x2:0.#} {y - height * 1.33:0.#} {x2:0.#} {y:0.#}");

    /// <summary>A triangle that points down at a point.</summary>
    public static string Triangle(double x, double y, double size = 4) => Invariant(
        $"M{x - size:0.#} {y - size * 1.6:0.#}L{x + size:0.#} {y - size * 1.6:0.#}L{x:0.#} {y:0.#}Z");
}
