/// How pages look. Text and its ground differ by 4.5 to 1 or more in both schemes, lines of charts by 3 to 1.
enum PageStyle {
  static let css =
    base + ColorScale.css(isDark: false)
    + "\n@media (prefers-color-scheme:dark){\(dark)\(ColorScale.css(isDark: true))}\n"
    + narrow + print

  private static let base = """
    :root{color-scheme:light dark;--ground:#fdfdfc;--raised:#f4f5f3;--ink:#1c2126;--quiet:#565e66;--rule:#dcdfdd;--accent:#0b6a73;
    --good:#1f6b3a;--note:#7a5300;--fault:#ab2430;--odd:#d0475a;
    --s1:#0b6a9c;--s2:#b8500a;--s3:#1d7f55;--s4:#a8418f;--s5:#6b6f00;--s6:#5b55b8;--s7:#b3374a;--s8:#4d5a63}
    *{box-sizing:border-box}
    html{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;-webkit-text-size-adjust:100%}
    body{margin:0 auto;max-width:60rem;padding:2.5rem 1.5rem 3rem;background:var(--ground);color:var(--ink);overflow-wrap:anywhere}
    header p{margin:0;color:var(--quiet);font-size:.875rem}
    h1{margin:.1rem 0 0;font-size:1.625rem;line-height:1.25;font-weight:650;letter-spacing:-.012em}
    h2{margin:3rem 0 1rem;padding-top:1.1rem;border-top:1px solid var(--rule);font-size:1.1875rem;line-height:1.3;font-weight:620;letter-spacing:-.006em}
    h3{margin:2rem 0 .5rem;font-size:1rem;font-weight:620}
    p{margin:.5rem 0;max-width:44rem}
    .remark{color:var(--quiet);font-size:.875rem}
    a{color:var(--accent)}
    nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin:1.1rem 0 0;padding:0;list-style:none;font-size:.875rem}
    main>section:first-child h2{margin-top:1.75rem}
    ul{padding-left:1.2rem}
    li{margin:.15rem 0}
    code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.8125rem}
    pre{margin:.75rem 0;padding:.7rem .9rem;background:var(--raised);border-radius:.4rem;overflow-x:auto;overflow-wrap:normal}
    dl{margin:.75rem 0;font-size:.9375rem}
    dl div{display:grid;grid-template-columns:10.5rem 1fr;gap:1rem;padding:.28rem 0}
    dl div+div{border-top:1px solid var(--rule)}
    dt{color:var(--quiet)}
    dd{margin:0;font-variant-numeric:tabular-nums;white-space:pre-line;unicode-bidi:plaintext}
    .figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.75rem;margin:1rem 0 1.25rem;padding:0;list-style:none}
    .figures li{margin:0;padding:.75rem .9rem;background:var(--raised);border-radius:.5rem}
    .figures span,.figures small{display:block;color:var(--quiet);font-size:.8125rem;line-height:1.35}
    .figures b{display:block;font-size:1.3125rem;line-height:1.35;font-weight:620;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
    .notice{display:grid;grid-template-columns:3.6rem 1fr;gap:.5rem;margin:.5rem 0;padding:.6rem .9rem;border-left:3px solid;background:var(--raised);border-radius:0 .4rem .4rem 0}
    .notice>b{font-size:.8125rem;line-height:1.85}
    .notice div p{margin:0;color:var(--ink)}
    .notice .advice{color:var(--quiet);font-size:.9375rem}
    .good{border-color:var(--good)}.good>b{color:var(--good)}
    .note{border-color:var(--note)}.note>b{color:var(--note)}
    .fault{border-color:var(--fault)}.fault>b{color:var(--fault)}
    .wide{overflow-x:auto;-webkit-overflow-scrolling:touch}
    .wide:focus-visible,summary:focus-visible,a:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:2px}
    table{border-collapse:collapse;font-size:.875rem;line-height:1.4;font-variant-numeric:tabular-nums}
    .wide>table{min-width:100%}
    th,td{padding:.3rem .9rem .3rem 0;max-width:20rem;text-align:left;vertical-align:top;white-space:pre-line;unicode-bidi:plaintext;overflow-wrap:break-word}
    th:last-child,td:last-child{padding-right:0}
    th{color:var(--quiet);font-weight:500}
    thead th{border-bottom:1px solid var(--rule);white-space:nowrap}
    tbody tr+tr>*{border-top:1px solid var(--rule)}
    \(numberColumns){text-align:right;white-space:nowrap}
    .bars{width:100%;table-layout:fixed;overflow-wrap:anywhere}
    .bars th{width:15rem;padding-right:.9rem;color:var(--ink);font-weight:400}
    .bars td{width:5.5rem;text-align:right;white-space:nowrap;color:var(--quiet)}
    .bars td+td{width:auto;padding:.3rem 0}
    .bars tbody tr+tr>*{border:0}
    .bars div{min-width:1px;height:.8rem;margin-top:.22rem;border-radius:0 2px 2px 0;background:var(--s1)}
    figure{margin:1.25rem 0 .5rem}
    figcaption{margin-bottom:.4rem;font-size:.9375rem;font-weight:560}
    img{display:block;max-width:100%;height:auto;border-radius:.3rem}
    img+figcaption{margin:.4rem 0 0;color:var(--quiet);font-size:.8125rem;font-weight:400}
    .pictures{display:flex;flex-wrap:wrap;gap:.75rem;margin:.5rem 0 1rem;padding:0;list-style:none}
    .pictures li{margin:0}.pictures img{width:7.5rem}
    .pictures small{color:var(--quiet);font-size:.8125rem}
    svg{display:block;width:100%;height:auto}
    svg.chart{max-width:46rem}
    svg.map{min-width:calc(.85*var(--width));max-width:calc(1.25*var(--width))}
    svg text{font-size:11px;fill:var(--quiet);font-variant-numeric:tabular-nums}
    svg .row,svg .label{fill:var(--ink)}
    svg.chart text{font-size:12px}
    svg .marked{fill:var(--ink);font-weight:600}
    .grid{stroke:var(--rule);stroke-width:1}
    .axis,.bracket{stroke:var(--quiet);stroke-width:1;fill:none}
    .pointer{stroke:var(--quiet);stroke-dasharray:2 3}
    .mark{fill:var(--ground);stroke:var(--ink);stroke-width:2}
    .curve{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
    .dashed{stroke-dasharray:5 4}.faint{stroke-width:1;opacity:.45}
    .odd{fill:var(--odd)}
    \(seriesColors)
    .legend{display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;margin:.2rem 0 .4rem;padding:0;list-style:none;font-size:.8125rem}
    .legend li{margin:0}
    .legend li::before{content:"";display:inline-block;width:.9rem;height:.2rem;margin-right:.4rem;vertical-align:.22rem;border-radius:1px;background:currentColor}
    details{margin:.6rem 0}
    summary{color:var(--accent);font-size:.875rem;cursor:pointer}
    details[open]>summary{margin-bottom:.5rem}
    footer{margin-top:3.5rem;padding-top:.9rem;border-top:1px solid var(--rule);color:var(--quiet);font-size:.8125rem}

    """

  private static let dark = """
    :root{--ground:#14181b;--raised:#1d2327;--ink:#e4e8ea;--quiet:#a2abb2;--rule:#2f373c;--accent:#69c3cb;
    --good:#7cc894;--note:#dfb35c;--fault:#f08b90;--odd:#e0586c;
    --s1:#6bb4e0;--s2:#f09a5b;--s3:#68c79c;--s4:#dd8fc9;--s5:#c3c54a;--s6:#a9a4f0;--s7:#f08794;--s8:#a9b6bf}

    """

  private static let narrow = """
    @media (max-width:40rem){body{padding:1.5rem 1rem 2rem}h1{font-size:1.3125rem}
    dl div{grid-template-columns:1fr;gap:0}.notice{grid-template-columns:1fr;gap:0}
    .figures{grid-template-columns:1fr 1fr}.bars th{width:8.5rem}.bars td{width:5rem}
    th,td{max-width:15rem}svg.chart text{font-size:19px}svg.chart .minor{display:none}}

    """

  private static let print = """
    @media print{:root{color-scheme:light}html{font-size:11px}body{max-width:none;padding:0}nav{display:none}
    details:not([open]){display:none}figure,.notice,.figures li,tr{break-inside:avoid}h2,h3,figcaption{break-after:avoid}
    .wide{overflow:visible}svg.map{min-width:0;max-width:calc(.7*var(--width))}svg.chart{max-width:34rem}
    h2{margin:1.8rem 0 .7rem;padding-top:.8rem}th,td{max-width:none;overflow-wrap:anywhere}.bars th{width:22rem}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}

    """

  /// Of the first twelve columns: `DataTable` says which of them hold numbers.
  private static let numberColumns = (1...12).map {
    ".n\($0) th:nth-child(\($0)),.n\($0) td:nth-child(\($0))"
  }.joined(separator: ",")

  private static let seriesColors = (1...8).map {
    ".curve.s\($0){stroke:var(--s\($0))}.dot.s\($0){fill:var(--s\($0))}.legend .s\($0){color:var(--s\($0))}"
  }.joined()
}
