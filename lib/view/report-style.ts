/** How the report looks, in the light and in the dark. */

export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --text: #1c2430; --quiet: #5f6b7a; --line: #dfe3e8; --accent: #2563eb; --mark: #fde68a;
  --none: #9aa4b2; --trace: #b6bfca; --debug: #6aa9d8; --info: #3f9d6b; --warn: #e0a106; --error: #d6453d; --fatal: #9333a8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #11151b; --card: #1a2029; --text: #e3e8ef; --quiet: #93a0b1; --line: #2c3541; --accent: #7aa7ff; --mark: #6b5200;
    --none: #6d7886; --trace: #566170; --debug: #4f8fc0; --info: #44a673; --warn: #dba520; --error: #ef6a62; --fatal: #c77ddb;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1280px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 22px; line-height: 1.3; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 15px; margin: 0 0 12px; }
.quiet, th { color: var(--quiet); }
code, pre, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12.5px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 18px 0; }
.tile, section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 12px 16px; }
.tile b { display: block; font-size: 21px; font-weight: 600; line-height: 1.35; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.tile.bad b { color: var(--error); }
section { padding: 16px 18px; margin: 0 0 14px; min-width: 0; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 14px; margin: 0 0 14px; align-items: start; }
.columns section { margin: 0; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 500; font-size: 12px; padding: 4px 10px 6px 0; }
td { border-top: 1px solid var(--line); padding: 4px 10px 4px 0; vertical-align: top; overflow-wrap: anywhere; unicode-bidi: isolate; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.share { width: 32%; }
.accent { fill: var(--accent); }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 7px; }
.none { background: var(--none); fill: var(--none); } .trace { background: var(--trace); fill: var(--trace); }
.debug { background: var(--debug); fill: var(--debug); } .info { background: var(--info); fill: var(--info); }
.warn { background: var(--warn); fill: var(--warn); } .error { background: var(--error); fill: var(--error); }
.fatal { background: var(--fatal); fill: var(--fatal); }
#plot { position: relative; height: 260px; touch-action: none; user-select: none; }
#plot svg { display: block; width: 100%; height: 100%; }
#plot text { fill: var(--quiet); font-size: 11px; }
#plot .grid { stroke: var(--line); stroke-width: 1; }
#plot .brush { fill: var(--accent); opacity: .18; }
#plot .hover { fill: var(--text); opacity: .07; }
#tip { position: absolute; top: 4px; pointer-events: none; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 7px 10px; font-size: 12px; box-shadow: 0 4px 14px #0003; white-space: nowrap; }
#tip[hidden] { display: none; }
.legend { display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0 0; }
button, input, select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 7px; padding: 4px 10px; }
button { cursor: pointer; }
button:disabled { opacity: .45; cursor: default; }
button:focus-visible, input:focus-visible, select:focus-visible, tr:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.legend button[aria-pressed="false"] { opacity: .4; text-decoration: line-through; }
.tools { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 0 0 10px; }
.tools input { flex: 1 1 240px; min-width: 0; }
.tools select { max-width: 240px; }
.scroll { overflow-x: auto; }
#events { min-width: 720px; table-layout: fixed; }
#events td { overflow: hidden; }
#events tr.event td { white-space: nowrap; text-overflow: ellipsis; }
#events tbody tr.event { cursor: pointer; }
#events tbody tr.event:hover td { background: var(--ground); }
#events th:nth-child(1) { width: 226px; } #events th:nth-child(2) { width: 66px; } #events th:nth-child(3) { width: 130px; }
.level { display: inline-block; font-size: 11px; font-weight: 600; letter-spacing: .02em; padding: 1px 6px; border-radius: 4px; color: #fff; max-width: 100%; overflow: hidden; text-overflow: ellipsis; vertical-align: middle; }
.level.warn { color: #221a00; } .level.trace, .level.none { color: #1c2430; }
@media (prefers-color-scheme: dark) { .level { color: #0b0e12; } .level.trace, .level.none { color: #fff; } .level.warn { color: #1b1500; } }
tr.detail td { background: var(--ground); }
pre { margin: 4px 0; white-space: pre-wrap; overflow-wrap: anywhere; }
mark { background: var(--mark); color: inherit; border-radius: 2px; }
.note { margin: 10px 0 0; font-size: 13px; }
.files td:first-child { font-weight: 500; }
@media print { .tools, .legend button[aria-pressed="false"] { display: none; } section { break-inside: avoid; } }
`
