/** Bar charts as SVG, readable on light and dark pages. */

import { formatNumber } from "./report.js";

/** @typedef {{ name: string, value: number, kind: "conec" | "alternative" | "limit", note: string }} Bar */

const WIDTH = 760;
const NAME_WIDTH = 150;
const NOTE_WIDTH = 170;
const BAR_HEIGHT = 18;
const LINE_HEIGHT = 26;
const TOP = 62;
const BOTTOM = 34;

const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .small { font-size: 12px; fill: #59636e; }
  .conec { fill: #0969da; }
  .alternative { fill: #8c959f; }
  .limit { fill: none; stroke: #8c959f; stroke-dasharray: 3 2; }
  .base { stroke: #1f2328; stroke-opacity: 0.4; stroke-dasharray: 2 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .conec { fill: #4493f8; }
    .alternative { fill: #767e87; }
    .limit { stroke: #9198a1; }
    .base { stroke: #e6edf3; }
  }`;

/**
 * @param {object} options
 * @param {string} options.title
 * @param {string} options.unit With which way is better.
 * @param {Bar[]} options.bars
 * @param {number} [options.baseline] Drawn as a line across.
 * @param {number} [options.most] Longer bars are cut off, and say so by their number.
 * @returns {string}
 */
export function barChart({ title, unit, bars, baseline, most = Infinity }) {
  const height = TOP + bars.length * LINE_HEIGHT + BOTTOM;
  const room = WIDTH - NAME_WIDTH - NOTE_WIDTH;
  const scale = room / Math.min(most, Math.max(...bars.map(({ value }) => value)));
  const lines = bars.map(({ name, value, kind, note }, place) => {
    const y = TOP + place * LINE_HEIGHT;
    const width = Math.max(1, Math.min(room, value * scale));
    const middle = y + BAR_HEIGHT / 2 + 4.5;
    const cut = value * scale > room + 1 ? " …" : "";
    return `  <text x="${NAME_WIDTH - 8}" y="${middle}" text-anchor="end">${escape(name)}</text>
  <rect class="${kind}" x="${NAME_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>
  <text x="${(NAME_WIDTH + width + 6).toFixed(1)}" y="${middle}">${formatNumber(value)}${cut} <tspan class="small">${escape(note)}</tspan></text>`;
  });
  const x = (NAME_WIDTH + (baseline ?? 0) * scale).toFixed(1);
  const base =
    baseline === undefined || baseline > most ? "" : `\n  <path class="base" d="M${x} ${TOP - 6}V${height - BOTTOM}"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}">
  <style>${style}
  </style>
  <text class="title" x="12" y="24">${escape(title)}</text>
  <text class="small" x="12" y="44">${escape(unit)}</text>${base}
${lines.join("\n")}
  ${legend(bars, height - 12)}
</svg>
`;
}

/**
 * @param {Bar[]} bars
 * @param {number} y
 */
function legend(bars, y) {
  const names = {
    conec: "conec",
    alternative: "alternatives",
    limit: "a loop without a library: a limit, no alternative",
  };
  let x = NAME_WIDTH;
  return Object.entries(names)
    .filter(([kind]) => bars.some((bar) => bar.kind === kind))
    .map(([kind, text]) => {
      const at = x;
      x += 34 + text.length * 6.5;
      return `<rect class="${kind}" x="${at}" y="${y - 9}" width="12" height="10" rx="2"/><text class="small" x="${at + 17}" y="${y}">${text}</text>`;
    })
    .join("\n  ");
}

/** @param {string} text */
function escape(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
