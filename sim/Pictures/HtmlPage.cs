// Owns the page around a picture: one file with nothing outside it, the SVG as it is, a line that
// follows the pointer with the time it is at, and the event under the pointer beside it.
//
// What always holds: without scripts the page is as complete, titles being the browser's own.

using System.Globalization;

namespace Simulation.Pictures;

/// <summary>Puts a picture into a page.</summary>
public static class HtmlPage
{
    private const string Script = """
        const svg=document.querySelector('svg'),tip=document.getElementById('tip'),
        rule=document.getElementById('rule'),d=document.body.dataset;
        const titles=new WeakMap();
        svg.addEventListener('pointermove',e=>{
          const box=svg.getBoundingClientRect(),scale=box.width/+d.width;
          const x=(e.clientX-box.left)/scale;
          if(x<+d.left||x>+d.right){tip.hidden=rule.hidden=true;return}
          const t=(x-+d.left)/(+d.right-+d.left)*+d.span/1e9;
          const el=e.target,own=el.querySelector&&el.querySelector(':scope>title');
          if(own&&el!==svg){titles.set(el,own.textContent);own.remove()}
          const said=titles.get(el);
          rule.hidden=tip.hidden=false;
          rule.style.left=(e.pageX)+'px';rule.style.top=(box.top+scrollY)+'px';
          rule.style.height=box.height+'px';
          tip.textContent=said||t.toFixed(3)+' s';
          const w=tip.offsetWidth;
          tip.style.left=Math.min(e.pageX+14,innerWidth+scrollX-w-12)+'px';
          tip.style.top=(e.pageY+16)+'px';
        });
        svg.addEventListener('pointerleave',()=>{tip.hidden=rule.hidden=true});
        """;

    public static string Of(Story story)
    {
        var span = new Chart(story, new SvgText()).Span;
        return string.Create(CultureInfo.InvariantCulture, $$"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width">
            <title>{{SvgText.Escape(HeadPanel.Title(story))}}</title>
            <style>
            body{margin:0;background:#fff}
            svg{display:block;margin:0 auto;max-width:100%;height:auto}
            #tip{position:absolute;pointer-events:none;background:#111827;color:#fff;
            font:12px/1.35 "Segoe UI",Arial,"DejaVu Sans",sans-serif;padding:5px 9px;
            border-radius:5px;max-width:420px;box-shadow:0 2px 8px #0003}
            #rule{position:absolute;pointer-events:none;width:1px;background:#1f293766}
            [hidden]{display:none}
            </style>
            </head>
            <body data-width="{{Chart.Width:0}}" data-left="{{Chart.Left:0}}" data-right="{{Chart.Right:0}}" data-span="{{span}}">

            """) + Picture.Svg(story) + $"""
            <div id="rule" hidden></div>
            <div id="tip" hidden></div>
            <script>
            {Script}
            </script>
            </body>
            </html>

            """;
    }
}
