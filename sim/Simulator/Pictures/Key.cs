// Owns the keys: beside each panel's heading, a sample of everything that the panel draws, with
// what it stands for. They are set from left to right, each as wide as its words.
//
// What always holds: a sample is drawn with the same styles as what it stands for.

using Balancer.Core;

namespace Simulation.Pictures;

/// <summary>The key of one panel while it is set.</summary>
internal sealed class Key(Chart chart, double left = Chart.Left)
{
    /// <summary>How wide a letter is at most, on the average of words.</summary>
    private const double Letter = 6.3;

    private readonly double _y = chart.Y - 9;
    private double _x = left;

    /// <summary>Whether there is room for more.</summary>
    public bool IsWithin => _x < Chart.Right - 240;

    private SvgText Svg => chart.Svg;

    public Key State(LaneState state, string words)
    {
        Svg.Open("key b0");
        BackendPanel.State(Svg, _x, _y - 9, 18, 11, state, null);
        Svg.Close();
        return Words(24, words);
    }

    public Key Box(string style, string words, int hue = -1)
    {
        Svg.Open(hue < 0 ? "key" : "key " + Chart.Hue(hue));
        Svg.Rect(_x, _y - 8, 10, 9, style, round: 1.5);
        Svg.Close();
        return Words(15, words);
    }

    public Key Line(string style, string words, int hue = -1)
    {
        Svg.Open(hue < 0 ? "key" : "key " + Chart.Hue(hue));
        Svg.Line(_x, _y - 3.5, _x + 16, _y - 3.5, style);
        Svg.Close();
        return Words(21, words);
    }

    public Key Upright(string style, string words, int hue = -1)
    {
        Svg.Open(hue < 0 ? "key" : "key " + Chart.Hue(hue));
        Svg.Line(_x + 2, _y - 9, _x + 2, _y + 1, style);
        Svg.Close();
        return Words(8, words);
    }

    public Key Mark(string shape, string style, string words)
    {
        Svg.Mark(shape, _x + 4, shape == Marks.Down ? _y : _y - 4, style + " key");
        return Words(13, words);
    }

    public Key Circle(string style, double radius, string words)
    {
        Svg.Circle(_x + 3, _y - 4, radius, style + " key");
        return Words(11, words);
    }

    public Key Arc(string words)
    {
        Svg.Open("key b0");
        Svg.Path(Marks.Arc(_x + 2, _x + 20, _y, 10), "arc");
        Svg.Circle(_x + 2, _y, 1.8, "dot");
        Svg.Close();
        return Words(26, words);
    }

    public Key Bars(string above, string below)
    {
        Svg.Open("key b0");
        Svg.Rect(_x, _y - 9, 22, 5, "bar");
        Svg.Rect(_x, _y - 3, 14, 5, "bar");
        Svg.Close();
        return Words(28, $"{above}, below it {below}");
    }

    public Key Words(double room, string words)
    {
        chart.Legends.Text(_x + room, _y, words, "legend");
        _x += room + words.Length * Letter + 13;
        return this;
    }
}
