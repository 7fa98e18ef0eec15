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
    public const double Letter = 5.1;

    /// <summary>Puts words; `freeAt` is where the last shown ones of the lane ended.</summary>
    public static void Put(SvgText svg, double x, double y, string words, ref double freeAt)
    {
        var isShown = x >= Math.Max(freeAt, Chart.Left)
            && x + words.Length * Letter < Chart.Right;
        if (isShown)
            freeAt = x + words.Length * Letter + 6;
        svg.Text(x, y, words, isShown ? "tag" : "tag off");
    }
}
