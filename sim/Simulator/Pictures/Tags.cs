// Owns the small words that stand beside marks. There is not room for all of them: one that would
// run into the one before it is written, but not shown, until the time axis is stretched enough.
//
// What always holds: which words are shown depends on their order and their places alone, so the
// page's script, which goes by the same rule, begins with what is drawn here.

using System;

namespace Simulation.Pictures;

internal static class Tags
{
    /// <summary>How wide a letter is, about.</summary>
    public const double Letter = 6.1;

    /// <summary>Puts words; `freeAt` is where the last shown ones of the lane ended.</summary>
    public static void Put(SvgText svg, double x, double y, string words, ref double freeAt) =>
        Put(svg, x, y, words, Chart.Right, "tag", ref freeAt);

    /// <summary>The same where the lane's next mark, at that place, must stay clear of it.</summary>
    public static void PutBefore(SvgText svg, double next, double x, double y, string words,
        ref double freeAt) =>
        Put(svg, x, y, words, Math.Min(next - 5, Chart.Right), "tag apart", ref freeAt);

    private static void Put(SvgText svg, double x, double y, string words, double limit,
        string style, ref double freeAt)
    {
        var end = x + words.Length * Letter;
        var isShown = x >= Math.Max(freeAt, Chart.Left) && end < limit;
        if (isShown)
            freeAt = end + 6;
        svg.Text(x, y, words, isShown ? style : style + " off");
    }
}
