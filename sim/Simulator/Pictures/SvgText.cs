// Owns the writing of SVG elements as text: numbers in one form, everything escaped, each element
// with its title, which is what a pointer that rests on it shows.
//
// Horizontal places are written to a thousandth, vertical ones to a tenth: a page can stretch the
// time axis a thousandfold, and what is drawn must still be in its place then.
//
// What always holds: the text is well-formed XML once every group is closed; the same calls give
// the same bytes on every machine.

using System;
using System.Globalization;
using System.Security;
using System.Text;

namespace Simulation.Pictures;

/// <summary>SVG under construction.</summary>
internal sealed class SvgText
{
    private readonly StringBuilder _text = new();

    public int Length => _text.Length;

    public override string ToString() => _text.ToString();

    public void Raw(string text) => _text.Append(text).Append('\n');

    /// <summary>A group; its title is that of everything in it that has none of its own.</summary>
    public void Open(string style, string? title = null)
    {
        Begin("g", style);
        _text.Append('>');
        if (title is not null)
            _text.Append("<title>").Append(Escape(title)).Append("</title>");
        _text.Append('\n');
    }

    /// <summary>A group of what stands on the time axis, cut off where that ends.</summary>
    public void OpenTimed(string style = "t") =>
        Raw($"<g class=\"{style}\" clip-path=\"url(#plot)\">");

    public void Close() => Raw("</g>");

    /// <summary>
    /// A rectangle; one narrower than `least` is drawn that wide, and carries its own width.
    /// </summary>
    public void Rect(double x, double y, double width, double height, string style,
        string? title = null, string? fill = null, double round = 0, double least = 0)
    {
        Begin("rect", style);
        if (fill is not null)
            _text.Append(" fill=\"").Append(fill).Append('"');
        _text.Append(CultureInfo.InvariantCulture,
            $" x=\"{T(x)}\" y=\"{N(y)}\" width=\"{T(Math.Max(width, least))}\"");
        _text.Append(CultureInfo.InvariantCulture, $" height=\"{N(height)}\"");
        if (width < least)
            _text.Append(CultureInfo.InvariantCulture, $" data-w=\"{T(width)}\"");
        if (round > 0)
            _text.Append(CultureInfo.InvariantCulture, $" rx=\"{N(round)}\"");
        End("rect", title);
    }

    public void Line(double x1, double y1, double x2, double y2, string style,
        string? title = null)
    {
        Begin("line", style);
        _text.Append(CultureInfo.InvariantCulture,
            $" x1=\"{T(x1)}\" y1=\"{N(y1)}\" x2=\"{T(x2)}\" y2=\"{N(y2)}\"");
        End("line", title);
    }

    public void Circle(double x, double y, double radius, string style, string? title = null)
    {
        Begin("circle", style);
        _text.Append(CultureInfo.InvariantCulture,
            $" cx=\"{T(x)}\" cy=\"{N(y)}\" r=\"{N(radius)}\"");
        End("circle", title);
    }

    /// <summary>A path of absolute commands among M, L, C, H, V and Z.</summary>
    public void Path(string data, string style, string? title = null)
    {
        Begin("path", style);
        _text.Append(" d=\"").Append(data).Append('"');
        End("path", title);
    }

    /// <summary>One of the shapes of Marks, around or above a point.</summary>
    public void Mark(string shape, double x, double y, string style, string? title = null)
    {
        Begin("use", style);
        _text.Append(CultureInfo.InvariantCulture,
            $" href=\"#{shape}\" x=\"{T(x)}\" y=\"{N(y)}\"");
        End("use", title);
    }

    /// <summary>Text from x on; a style of "m" or "e" moves its anchor.</summary>
    public void Text(double x, double y, string text, string style, string? title = null)
    {
        Begin("text", style);
        _text.Append(CultureInfo.InvariantCulture, $" x=\"{T(x)}\" y=\"{N(y)}\">");
        if (title is not null)
            _text.Append("<title>").Append(Escape(title)).Append("</title>");
        _text.Append(Escape(text)).Append("</text>\n");
    }

    /// <summary>A number to a tenth, without a needless zero.</summary>
    public static string N(double value) =>
        value.ToString("0.#", CultureInfo.InvariantCulture);

    /// <summary>A place on the time axis, to a thousandth.</summary>
    public static string T(double value) =>
        value.ToString("0.###", CultureInfo.InvariantCulture);

    /// <summary>Escaped for XML; what XML cannot hold at all is replaced.</summary>
    public static string Escape(string text)
    {
        var clean = new StringBuilder(text.Length);
        foreach (var c in text)
            clean.Append(char.IsControl(c) || char.IsSurrogate(c) ? '\ufffd' : c);
        return SecurityElement.Escape(clean.ToString())!;
    }

    private void Begin(string element, string style)
    {
        _text.Append('<').Append(element);
        if (style.Length > 0)
            _text.Append(" class=\"").Append(style).Append('"');
    }

    private void End(string element, string? title)
    {
        if (title is null)
            _text.Append("/>\n");
        else
            _text.Append("><title>").Append(Escape(title)).Append("</title></").Append(element)
                .Append(">\n");
    }
}
