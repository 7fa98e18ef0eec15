// Owns what all panels of a picture share: the time axis, the column of labels, the colours, and
// how times and addresses are written.
//
// What always holds: x grows with time; every panel starts at Y and moves it down by its height.

using System;
using System.Globalization;
using Balancer.Core;

namespace Simulation.Pictures;

/// <summary>A picture while it is drawn, from top to bottom.</summary>
internal sealed class Chart(Story story, SvgText svg)
{
    public const double Width = 1560;
    public const double Left = 218;
    public const double Right = 1520;

    // Told apart by most who see colours differently as well (after Okabe and Ito, and Tableau).
    private static readonly string[] Colours =
    [
        "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8c6d31", "#7b4ea3", "#d55e00",
        "#6b8e23", "#5f6b7a",
    ];

    public Story Story => story;

    public SvgText Svg => svg;

    /// <summary>The top of the next panel.</summary>
    public double Y { get; set; }

    /// <summary>The end of the time axis: a little after the last event.</summary>
    public long Span { get; } = Math.Max(1_000_000,
        story.End.Nanoseconds + Math.Max(story.End.Nanoseconds / 50, 1));

    public double X(Instant at) => at == Instant.Never
        ? Right
        : Left + Math.Min(1, (double)at.Nanoseconds / Span) * (Right - Left);

    /// <summary>The end of something that may still go on.</summary>
    public Instant OrEnd(Instant at) => at == Instant.Never ? story.End : at;

    public static string ColourOf(int lane) =>
        lane < 0 ? "#9aa3af" : Colours[lane % Colours.Length];

    public string NameOf(int lane) => lane < 0 ? "no backend" : story.Backends[lane].Name;

    /// <summary>A panel's heading, over its full width.</summary>
    public void Heading(string text, string explanation)
    {
        Y += 26;
        svg.Text(24, Y, text, "heading");
        svg.Text(Left, Y, explanation, "note");
        Y += 8;
    }

    /// <summary>A lane's label, in the column at the left.</summary>
    public void Label(double y, string text, string detail, string? colour = null,
        string? title = null)
    {
        if (colour is not null)
            svg.Rect(24, y - 9, 10, 10, "swatch", fill: colour, round: 2);
        svg.Text(colour is null ? 24 : 40, y, Fit(text, 34 - Math.Max(4, detail.Length)), "label", title);
        svg.Text(Left - 10, y, Fit(detail, 18), "detail e", title);
    }

    public static string Fit(string text, int length) =>
        text.Length <= length ? text : text[..(length - 1)] + "…";

    /// <summary>Seconds, to as many places as the time needs: 12.345 s.</summary>
    public static string Time(Instant at) => at == Instant.Never
        ? "never"
        : (at.Nanoseconds / 1e9).ToString("0.000###", CultureInfo.InvariantCulture) + " s";

    public static string Length(Duration time) => time.Nanoseconds switch
    {
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture,
            $"{time.Nanoseconds / 1e3:0.###} µs"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture,
            $"{time.Nanoseconds / 1e6:0.###} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.Nanoseconds / 1e9:0.###} s"),
    };

    public static string Number(long value) =>
        value.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>A step for the time axis that gives 8 to 16 marks.</summary>
    public long Step()
    {
        foreach (var step in (long[])[100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000,
            10_000_000, 20_000_000, 50_000_000, 100_000_000, 200_000_000, 500_000_000,
            1_000_000_000, 2_000_000_000, 5_000_000_000, 10_000_000_000, 20_000_000_000,
            30_000_000_000, 60_000_000_000, 120_000_000_000, 300_000_000_000, 600_000_000_000])
        {
            if (Span / step <= 16)
                return step;
        }
        return Span / 10;
    }
}
