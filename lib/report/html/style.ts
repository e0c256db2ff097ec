/** The page's one style sheet. Colours are variables, so that charts follow light, dark and print. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --text: #1d2733; --muted: #5b6876; --line: #dfe4ea; --grid: #e3e8ed;
  --accent: #0b6aa8; --on-accent: #ffffff; --contrast: #c8570b; --warn: #fff6e3; --warn-line: #d99a1c;
  --head: #0b6aa8; --medium: #a87204; --tail: #b8447f; --bar: #d5e6f2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161b; --card: #1a2027; --text: #e6eaef; --muted: #9fabb8; --line: #2c3540; --grid: #2c3540;
    --accent: #5eb1e8; --on-accent: #0c1620; --contrast: #f0915a; --warn: #2b2413; --warn-line: #c99a3a;
    --head: #5eb1e8; --medium: #e0ae45; --tail: #e686b9; --bar: #21394b;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
main, header.top { max-width: 1120px; margin: 0 auto; padding: 0 24px; }
header.top { padding-top: 36px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 6px; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 44px 0 14px; padding-top: 8px; }
h3 { font-size: 1rem; margin: 0 0 10px; }
p { margin: 0 0 10px; }
.lead { color: var(--muted); max-width: 75ch; }
.clinical {
  display: inline-block; margin: 8px 0 12px; padding: 3px 12px; border-radius: 99px; font-weight: 600;
  border: 1.5px solid var(--warn-line); background: var(--warn);
}
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 6px 0 0; }
a { color: var(--accent); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px; margin: 0 0 18px; }
.row { display: grid; gap: 18px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); margin: 0 0 18px; }
.row > .card { margin: 0; }
.facts { display: flex; flex-wrap: wrap; gap: 6px 26px; margin: 14px 0 0; padding: 0; }
.facts div { display: flex; gap: 7px; }
.facts dt { color: var(--muted); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.notices { list-style: none; margin: 20px 0 0; padding: 0; }
.notices li {
  background: var(--warn); border-left: 4px solid var(--warn-line); padding: 8px 14px; margin: 0 0 8px;
  border-radius: 0 8px 8px 0; overflow-wrap: anywhere;
}
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 225px), 1fr)); gap: 14px; margin: 0 0 18px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; }
.tile.main { border-color: var(--accent); }
.tile .name { color: var(--muted); font-size: .85rem; display: flex; gap: 7px; align-items: center; }
.tile .value { font-size: 1.6rem; font-weight: 650; line-height: 1.25; white-space: nowrap; }
.tile .more { color: var(--muted); font-size: .8rem; }
.dot { display: inline-block; width: .7em; height: .7em; border-radius: 50%; background: var(--muted); flex: none; }
.dot.head { background: var(--head); } .dot.medium { background: var(--medium); } .dot.tail { background: var(--tail); }
figure { margin: 0; }
.chart { text-align: center; }
.chart svg { max-width: 100%; height: auto; }
.chart text { font-family: inherit; }
figcaption { color: var(--muted); font-size: .84rem; margin-top: 8px; text-align: left; max-width: 80ch; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
caption { text-align: left; color: var(--muted); font-size: .84rem; padding: 0 0 8px; }
th, td { padding: 6px 10px; text-align: right; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; }
thead th { color: var(--muted); font-weight: 500; vertical-align: bottom; border-bottom-width: 2px; }
th.name, td.name { text-align: left; overflow-wrap: anywhere; min-width: 9em; }
tbody th.name { font-weight: 500; }
tr:last-child > * { border-bottom: 0; }
td .range, th .note { display: block; color: var(--muted); font-size: .78rem; white-space: nowrap; }
th .note { font-weight: 400; white-space: normal; }
td.bar { min-width: 150px; background: linear-gradient(to right, var(--bar) var(--share), transparent var(--share)); }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 18px; }
.gallery figure { background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 2px; background: #000; }
.pair img { width: 100%; height: auto; display: block; aspect-ratio: 1; object-fit: contain; background: #000; }
.wide { width: 100%; height: auto; display: block; }
.gallery figcaption { margin: 0; padding: 12px 16px 14px; color: var(--text); font-size: .88rem; overflow-wrap: anywhere; }
.gallery .id { color: var(--muted); font-size: .8rem; }
.right { color: var(--accent); font-weight: 600; } .wrong { color: var(--contrast); font-weight: 600; }
details summary { cursor: pointer; color: var(--muted); }
td.value { text-align: left; font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .84rem; overflow-wrap: anywhere; }
footer { max-width: 1120px; margin: 40px auto 0; padding: 18px 24px 40px; color: var(--muted); font-size: .84rem; }
@media print {
  :root {
    color-scheme: light;
    --page: #fff; --card: #fff; --text: #000; --muted: #444; --line: #ccc; --grid: #ddd;
    --accent: #0b6aa8; --on-accent: #fff; --contrast: #c8570b; --warn: #fff; --warn-line: #999;
    --head: #0b6aa8; --medium: #a87204; --tail: #b8447f; --bar: #d5e6f2;
  }
  body { font-size: 11px; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav { display: none; }
  .tiles { grid-template-columns: repeat(4, 1fr); }
  td.bar { min-width: 0; }
  main, header.top, footer { max-width: none; padding-left: 0; padding-right: 0; }
  .card, .tile, .gallery figure, figure, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
}
`;
