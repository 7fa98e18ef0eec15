// Owns the looks of a picture. Backends have hues that most people tell apart, those who see
// colours differently as well (after Okabe and Ito); states are shades and patterns of them; red is
// for what went wrong alone. Everything has a second value for a dark ground.
//
// What always holds: no style refers to anything outside the document.

namespace Simulation.Pictures;

internal static class PictureStyle
{
    public const string Css = """
        svg{--ground:#fff;--ink:#1a2230;--soft:#525d6c;--line:#e4e8ee;--rail:#f3f5f8;--grey:#b3bac4;
        --red:#cf1124;--pale:#fdecec;--heal:#0b7a75;--good:#15803d;--window:#f6efd9;
        --c0:#0b6fb8;--c1:#e08a00;--c2:#0a9a75;--c3:#8a5cc9;--c4:#45b0e6;--c5:#d673a9;--c6:#8a6a2f;
        --c7:#86a01a;--c8:#5d6f86;--c9:#2b3f8f}
        @media (prefers-color-scheme:dark){svg{--ground:#11151b;--ink:#e8ecf2;--soft:#a3aebc;
        --line:#29313c;--rail:#1a2028;--grey:#5d6774;--red:#ff5f66;--pale:#3a1a1f;--heal:#3fc4ba;
        --good:#2f9e58;--window:#2d2a1c;--c0:#4a9fe0;--c1:#f0a63a;--c2:#2fc39b;--c3:#a98be0;
        --c4:#7fd0f7;--c5:#ea95c3;--c6:#b8935a;--c7:#a9c43f;--c8:#8fa1b8;--c9:#7f93e6}}
        svg{color:var(--soft)}
        text{font-family:Inter,"Segoe UI","Helvetica Neue",Arial,"Liberation Sans","DejaVu Sans",
        sans-serif;fill:var(--ink);font-size:11px}
        .ground{fill:var(--ground)}.e{text-anchor:end}.m{text-anchor:middle}
        .title{font-size:23px;font-weight:650}.sub{font-size:12.5px;fill:var(--soft)}
        .section-name{font-size:17px;font-weight:650}.divider{stroke:var(--line)}
        .heading{font-size:13px;font-weight:650}.note,.legend{fill:var(--soft);paint-order:stroke;
        stroke:var(--ground);stroke-width:4px;stroke-linejoin:round}
        .label{font-size:11.5px;font-weight:500}.detail{font-size:10.5px;fill:var(--soft)}
        .label.blamed{fill:var(--red);font-weight:700}
        .pill.passed{fill:var(--good)}.pill.failed{fill:var(--red)}.pill.unknown{fill:#6b7280}
        .verdict{font-size:12.5px;font-weight:700;fill:#fff;letter-spacing:.4px}
        .axis line{stroke:var(--line)}.axis text{fill:var(--soft);font-size:10.5px}
        .rail{fill:var(--rail);fill-opacity:.62}.rail.blamed{fill:var(--pale);fill-opacity:1}
        .window{fill:var(--window)}
        .b0{color:var(--c0)}.b1{color:var(--c1)}.b2{color:var(--c2)}.b3{color:var(--c3)}
        .b4{color:var(--c4)}.b5{color:var(--c5)}.b6{color:var(--c6)}.b7{color:var(--c7)}
        .b8{color:var(--c8)}.b9{color:var(--c9)}.none{color:var(--grey)}
        .solid,.Healthy,.Warming,.BackingOff,.Draining,.Mixed,.dot{fill:currentColor}
        .AwaitingHello{fill:currentColor;fill-opacity:.28}
        .Removed{fill:none;stroke:currentColor;stroke-opacity:.7;stroke-dasharray:2 2}
        .Mixed{fill-opacity:.6}.Unknown{fill:none}.over{pointer-events:none}
        .over.Warming{fill:url(#few);fill-opacity:.85}.over.BackingOff{fill:url(#many)}
        .over.Draining{fill:url(#level)}
        .beat{stroke:currentColor;stroke-width:1.4}.beat.lost{stroke:var(--red);stroke-width:2.2}
        .fault-mark{fill:var(--red);stroke:var(--ground);stroke-width:.7}
        .note-mark{fill:var(--ink);stroke:var(--ground);stroke-width:.8}
        .backoff{stroke:var(--red);stroke-width:1.6;stroke-dasharray:3 2}
        .tag,.end-text{font-size:9.5px;paint-order:stroke;stroke:var(--ground);stroke-width:2.4px;
        stroke-linejoin:round;stroke-opacity:.85}.off{display:none}
        .fault,.fault-dot{fill:currentColor}.fault{fill-opacity:.5}
        .f-backend{color:#b0403a}.f-udp{color:#c07f14}.f-kernel{color:#7460bd}
        .f-stream{color:#2c88a0}.f-directory{color:#5c8a3a}.f-clock{color:#76849a}
        .arc{fill:none;stroke:currentColor;stroke-width:1.5}
        .lost{stroke:currentColor;stroke-width:1.3}
        .open{fill:var(--ground);stroke:var(--soft);stroke-width:1.2}
        .cross{stroke:var(--red);stroke-width:1.8;fill:none}
        .density{fill:currentColor}.density.missed{fill:var(--grey)}
        .density.dropped,.loss{fill:var(--red)}
        .bar{fill:currentColor;fill-opacity:.42}.pending{fill:var(--grey);fill-opacity:.55}
        .data{stroke:currentColor;stroke-width:1.3}
        .curve{fill:none;stroke:currentColor;stroke-width:1.6;stroke-linejoin:round}
        .heal line{stroke:var(--heal);stroke-width:1.6;stroke-dasharray:6 4}
        .heal text{fill:var(--heal);font-weight:650}
        .violated{stroke:var(--red);stroke-width:2}
        .flag-box{fill:var(--pale);stroke:var(--red);stroke-width:1.2}
        .flag-head{fill:var(--red);font-weight:700;font-size:12px}.evidence{font-size:12px}
        .hot .t *:hover{opacity:.6}
        """;
}
