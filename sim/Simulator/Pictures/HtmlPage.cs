// Owns the page around a picture: one file with nothing outside it, the SVG as it is, and a script
// that makes it a tool. A line follows the pointer with the time that it is at, or with the event
// that it is on. Dragging over a piece of time stretches it over the section's width, as does the
// wheel with Ctrl; a double click, or Escape, shows all again.
//
// The script moves what the SVG says stands on the time axis, the groups of class t, and only
// sideways; marks keep their form, texts beside them come and go by the rule of Tags.
//
// What always holds: without scripts the page is as complete, titles being the browser's own.

using System.Globalization;

namespace Simulation.Pictures;

/// <summary>Puts a picture into a page.</summary>
public static class HtmlPage
{
    private const string Style = """
        body{margin:0;padding-bottom:40px;background:#fff}
        svg{display:block;margin:0 auto;max-width:100%;height:auto}
        #tip{position:absolute;pointer-events:none;background:#111827;color:#fff;
        font:12px/1.4 Inter,"Segoe UI",Arial,"DejaVu Sans",sans-serif;padding:6px 10px;
        border-radius:5px;max-width:460px;box-shadow:0 2px 10px #0005}
        #rule{position:absolute;pointer-events:none;width:1px;background:#8894a5}
        #band{position:absolute;pointer-events:none;background:#0b6fb833}
        #hint{position:fixed;right:14px;bottom:10px;margin:0;padding:5px 10px;border-radius:5px;
        background:#111827cc;color:#fff;font:11px Inter,"Segoe UI",Arial,"DejaVu Sans",sans-serif}
        [hidden]{display:none}
        @media (prefers-color-scheme:dark){body{background:#11151b}#tip{background:#2a3340}}
        @media print{#hint{display:none}}
        """;

    private const string Script = """
        'use strict';
        const svg=document.querySelector('svg'),ns=svg.namespaceURI;
        const [tip,rule,band,hint]=['tip','rule','band','hint'].map(i=>document.getElementById(i));
        const L=+document.body.dataset.left,R=+document.body.dataset.right;
        const LETTER=+document.body.dataset.letter,titles=new WeakMap();

        // ---- Places ----
        const scale=()=>svg.getBoundingClientRect().width/svg.viewBox.baseVal.width;
        const toX=e=>(e.clientX-svg.getBoundingClientRect().left)/scale();
        const sections=[...svg.querySelectorAll('g.section')].map(g=>{
          const from=+g.dataset.from,to=+g.dataset.to;
          return {g,from,to,a:from,b:to,movers:null};
        });
        const sectionAt=e=>{
          const x=toX(e);
          if(x<L||x>R)return null;
          return sections.find(s=>{
            const r=s.g.querySelector('.axis').getBoundingClientRect();
            return e.clientY>=r.top&&e.clientY<=r.bottom;
          });
        };
        const timeAt=(s,x)=>s.a+(x-L)/(R-L)*(s.b-s.a);
        const label=t=>+(t/1e9).toFixed(6)+' s';

        // ---- Stretching ----
        function mover(el){
          const get=n=>+el.getAttribute(n),set=(n,v)=>el.setAttribute(n,v.toFixed(2));
          const one=n=>{const x=get(n);return m=>set(n,m(x))};
          switch(el.tagName){
            case'circle':return one('cx');
            case'line':{const a=get('x1'),b=get('x2');return m=>{set('x1',m(a));set('x2',m(b))}}
            case'rect':{
              const x=get('x'),seen=get('width'),w=+(el.dataset.w??seen),least=w<seen?seen:0;
              return m=>{set('x',m(x));set('width',Math.max(least,m(x+w)-m(x)))};
            }
            case'path':{
              const parts=el.getAttribute('d').match(/[A-Z][^A-Z]*/g)
                .map(c=>[c[0],(c.match(/-?[\d.]+/g)||[]).map(Number)]);
              return m=>el.setAttribute('d',parts.map(([c,n])=>c+n.map((v,i)=>
                c==='V'||c!=='H'&&i%2?v:m(v).toFixed(2)).join(' ')).join(''));
            }
            default:return one('x');
          }
        }
        function show(s,a,b){
          const least=(s.to-s.from)/1000;
          if(b-a<least){const c=(a+b)/2;a=c-least/2;b=c+least/2}
          if(a<s.from){b=Math.min(s.to,b+s.from-a);a=s.from}
          if(b>s.to){a=Math.max(s.from,a-(b-s.to));b=s.to}
          s.a=a;s.b=b;
          s.movers??=[...s.g.querySelectorAll('.t :not(g,title)')].map(mover);
          const k=(s.to-s.from)/(b-a),x0=L+(a-s.from)/(s.to-s.from)*(R-L);
          const m=x=>L+(x-x0)*k;
          for(const move of s.movers)move(m);
          for(const t of s.g.querySelectorAll('.t'))tags(t);
          for(const f of s.g.querySelectorAll('.flag')){
            const dx=m(+f.dataset.x)-f.dataset.x,room=R+20;
            const kept=Math.max(L-f.dataset.left,Math.min(room-f.dataset.right,dx));
            f.setAttribute('transform',k===1?'':`translate(${kept} 0)`);
          }
          axis(s);
          hint.textContent=k===1?words:`${label(a)} to ${label(b)} · double click or Esc: all`;
        }
        function tags(group){
          let free=L;
          for(const t of group.querySelectorAll('.tag')){
            const x=+t.getAttribute('x'),end=x+t.textContent.length*LETTER;
            const next=t.classList.contains('apart')?t.nextElementSibling:null;
            const shown=x>=free&&end<Math.min(R,next?+next.getAttribute('x')-5:R);
            t.classList.toggle('off',!shown);
            if(shown)free=end+6;
          }
        }
        function axis(s){
          const g=s.g.querySelector('.axis'),top=+g.dataset.top,bottom=+g.dataset.bottom;
          let step=1000;
          for(let i=0;(s.b-s.a)/step>16;i++)step*=i%3===1?2.5:2;
          g.replaceChildren();
          const put=(tag,given,text)=>{
            const el=document.createElementNS(ns,tag);
            for(const n in given)el.setAttribute(n,given[n]);
            if(text)el.textContent=text;
            g.append(el);
          };
          for(let t=Math.max(0,Math.ceil(s.a/step)*step);t<=s.b;t+=step){
            const x=(L+(t-s.a)/(s.b-s.a)*(R-L)).toFixed(2);
            put('line',{class:'tick',x1:x,x2:x,y1:top+20,y2:bottom});
            put('text',{class:'m',x,y:top+14},label(t));
            put('text',{class:'m',x,y:bottom+15},label(t));
          }
        }

        // ---- The pointer ----
        function saidOf(el){
          for(;el&&el!==svg;el=el.parentNode){
            const own=[...el.children].find(c=>c.tagName==='title');
            if(own){titles.set(el,own.textContent);own.remove()}
            if(titles.has(el))return titles.get(el);
          }
        }
        let drag=null;
        function place(el,left,width){
          const s=scale(),box=svg.getBoundingClientRect(),at=drag?drag.s:hovered;
          const r=at.g.querySelector('.axis').getBoundingClientRect();
          el.style.left=box.left+scrollX+left*s+'px';el.style.width=Math.max(1,width*s)+'px';
          el.style.top=r.top+scrollY+'px';el.style.height=r.height+'px';el.hidden=false;
        }
        let hovered=null;
        svg.addEventListener('pointermove',e=>{
          hovered=sectionAt(e);
          const said=saidOf(e.target);
          tip.hidden=!hovered&&!said;
          rule.hidden=!hovered;
          if(hovered)place(rule,toX(e),0);
          if(drag){
            const x=Math.max(L,Math.min(R,toX(e)));
            place(band,Math.min(x,drag.x),Math.abs(x-drag.x));
          }
          if(tip.hidden)return;
          tip.textContent=said||label(timeAt(hovered,toX(e)));
          const most=innerWidth+scrollX-tip.offsetWidth-12;
          tip.style.left=Math.max(0,Math.min(e.pageX+14,most))+'px';
          tip.style.top=e.pageY+18+'px';
        });
        svg.addEventListener('pointerleave',()=>{tip.hidden=rule.hidden=true});
        svg.addEventListener('pointerdown',e=>{
          const s=e.button===0&&sectionAt(e);
          if(!s)return;
          e.preventDefault();
          drag={s,x:toX(e)};
        });
        addEventListener('pointerup',e=>{
          if(!drag)return;
          const {s,x}=drag,to=Math.max(L,Math.min(R,toX(e)));
          drag=null;band.hidden=true;
          if(Math.abs(to-x)>4)show(s,timeAt(s,Math.min(x,to)),timeAt(s,Math.max(x,to)));
        });
        svg.addEventListener('dblclick',e=>{
          const s=sectionAt(e);
          if(s)show(s,s.from,s.to);
        });
        svg.addEventListener('wheel',e=>{
          const s=sectionAt(e);
          if(!s||!e.ctrlKey&&!e.metaKey)return;
          e.preventDefault();
          const at=timeAt(s,toX(e)),k=Math.exp(e.deltaY/400);
          show(s,at-(at-s.a)*k,at+(s.b-at)*k);
        },{passive:false});
        addEventListener('keydown',e=>{
          if(e.key==='Escape')for(const s of sections)show(s,s.from,s.to);
        });
        const words='Drag over a piece of time to stretch it · Ctrl and wheel: the same · '
          +'point at anything';
        hint.textContent=words;hint.hidden=false;
        """;

    public static string Of(Story story) => string.Create(CultureInfo.InvariantCulture, $"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>{SvgText.Escape(HeadPanel.Title(story))}</title>
        <style>
        {Style}
        </style>
        </head>
        <body data-left="{Chart.Left}" data-right="{Chart.Right}" data-letter="{Tags.Letter}">

        """) + Picture.Svg(story) + $"""
        <div id="rule" hidden></div>
        <div id="band" hidden></div>
        <div id="tip" hidden></div>
        <p id="hint" hidden></p>
        <script>
        {Script}
        </script>
        </body>
        </html>

        """;
}
