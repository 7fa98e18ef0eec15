// Owns the writing of SVG elements as text: numbers in one form, everything escaped, each element
// with its title, which is what a pointer that rests on it shows.
//
// What always holds: the text is well-formed XML once every group is closed; the same calls give
// the same bytes on every machine.

using System.Globalization;
using System.Security;
using System.Text;

namespace Simulation.Pictures;

/// <summary>SVG under construction.</summary>
internal sealed class SvgText
{
    private readonly StringBuilder _text = new();

    public override string ToString() => _text.ToString();

    public void Raw(string text) => _text.Append(text).Append('\n');

    public void Open(string style) => Raw($"<g class=\"{style}\">");

    public void Close() => Raw("</g>");

    public void Rect(double x, double y, double width, double height, string style,
        string? title = null, string? fill = null, double round = 0)
    {
        Begin("rect", style, fill is null ? "" : $" fill=\"{fill}\"");
        _text.Append(CultureInfo.InvariantCulture,
            $" x=\"{N(x)}\" y=\"{N(y)}\" width=\"{N(width)}\" height=\"{N(height)}\"");
        if (round > 0)
            _text.Append(CultureInfo.InvariantCulture, $" rx=\"{N(round)}\"");
        End("rect", title);
    }

    public void Line(double x1, double y1, double x2, double y2, string style,
        string? title = null, string? stroke = null)
    {
        Begin("line", style, stroke is null ? "" : $" stroke=\"{stroke}\"");
        _text.Append(CultureInfo.InvariantCulture,
            $" x1=\"{N(x1)}\" y1=\"{N(y1)}\" x2=\"{N(x2)}\" y2=\"{N(y2)}\"");
        End("line", title);
    }

    public void Circle(double x, double y, double radius, string style,
        string? title = null, string? fill = null)
    {
        Begin("circle", style, fill is null ? "" : $" fill=\"{fill}\"");
        _text.Append(CultureInfo.InvariantCulture,
            $" cx=\"{N(x)}\" cy=\"{N(y)}\" r=\"{N(radius)}\"");
        End("circle", title);
    }

    public void Path(string data, string style, string? title = null, string? stroke = null,
        string? fill = null)
    {
        Begin("path", style, (stroke is null ? "" : $" stroke=\"{stroke}\"")
            + (fill is null ? "" : $" fill=\"{fill}\""));
        _text.Append(" d=\"").Append(data).Append('"');
        End("path", title);
    }

    /// <summary>Text from x on; "m" or "e" in the style's first letters moves its anchor.</summary>
    public void Text(double x, double y, string text, string style, string? title = null,
        string? fill = null)
    {
        Begin("text", style, fill is null ? "" : $" fill=\"{fill}\"");
        _text.Append(CultureInfo.InvariantCulture, $" x=\"{N(x)}\" y=\"{N(y)}\">");
        if (title is not null)
            _text.Append("<title>").Append(Escape(title)).Append("</title>");
        _text.Append(Escape(text)).Append("</text>\n");
    }

    /// <summary>A number to a tenth, without a needless zero.</summary>
    public static string N(double value) =>
        value.ToString("0.#", CultureInfo.InvariantCulture);

    /// <summary>Escaped for XML; what XML cannot hold at all is replaced.</summary>
    public static string Escape(string text)
    {
        var clean = new StringBuilder(text.Length);
        foreach (var c in text)
            clean.Append(char.IsControl(c) || char.IsSurrogate(c) ? '\ufffd' : c);
        return SecurityElement.Escape(clean.ToString())!;
    }

    private void Begin(string element, string style, string more) =>
        _text.Append('<').Append(element).Append(" class=\"").Append(style).Append('"')
            .Append(more);

    private void End(string element, string? title)
    {
        if (title is null)
            _text.Append("/>\n");
        else
            _text.Append("><title>").Append(Escape(title)).Append("</title></").Append(element)
                .Append(">\n");
    }
}
