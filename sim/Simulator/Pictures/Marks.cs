// Owns the small shapes that several panels draw: those that keep their form however far the time
// axis is stretched, as definitions, and arcs, which do not, as paths.

using static System.FormattableString;

namespace Simulation.Pictures;

internal static class Marks
{
    /// <summary>A cross, around its point.</summary>
    public const string Cross = "cross";

    /// <summary>A triangle that points down at its point.</summary>
    public const string Down = "down";

    /// <summary>
    /// The shapes; the window that everything on a time axis is seen through; and the patterns of
    /// the states, in the colour of the ground, to be laid over a backend's colour.
    /// </summary>
    public static readonly string Definitions = Invariant($"""
        <defs>
        <clipPath id="plot">
        <rect x="{Chart.Left:0}" y="0" width="{Chart.Right - Chart.Left:0}" height="99999"/>
        </clipPath>
        <path id="cross" d="M-3.2 -3.2L3.2 3.2M-3.2 3.2L3.2 -3.2"/>
        <path id="down" d="M-4 -6.4L4 -6.4L0 0Z"/>
        <pattern id="few" width="7" height="7" patternUnits="userSpaceOnUse"
        patternTransform="rotate(45)"><rect class="ground" width="2" height="7"/></pattern>
        <pattern id="many" width="5" height="5" patternUnits="userSpaceOnUse"
        patternTransform="rotate(-45)"><rect class="ground" width="3.6" height="5"/></pattern>
        <pattern id="level" width="5" height="5" patternUnits="userSpaceOnUse">
        <rect class="ground" width="5" height="2"/></pattern>
        </defs>
        """);

    /// <summary>An arc between two points of a baseline, `height` high.</summary>
    public static string Arc(double x1, double x2, double y, double height) => Invariant(
        $"M{x1:0.###} {y:0.#}C{x1:0.###} {Top(y, height):0.#} {x2:0.###} {Top(y, height):0.#} ")
        + Invariant($"{x2:0.###} {y:0.#}");

    /// <summary>Where a curve's handles must be for it to rise as high.</summary>
    private static double Top(double y, double height) => y - height * 1.33;
}
