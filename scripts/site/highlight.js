/** Code with its comments, strings and keywords marked, as HTML. No parser: what a line of an example needs. */

const keywords =
  "as async await break catch class const continue else export extends finally for from function if import in instanceof " +
  "interface let new null of private readonly return static switch this throw true false try type typeof undefined while";

const script = new RegExp(
  [
    String.raw`(?<comment>//[^\n]*|/\*[^]*?\*/)`,
    String.raw`(?<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|${"`"}(?:\\.|[^${"`"}\\])*${"`"})`,
    String.raw`(?<keyword>(?<![\w$.])(?:${keywords.replaceAll(" ", "|")})(?![\w$]))`,
  ].join("|"),
  "g",
);
const shell = /(?<comment>(?<=^|\s)#[^\n]*)|(?<string>"[^"\n]*"|'[^'\n]*')/g;

/** @type {Record<string, RegExp>} */
const languages = {
  js: script,
  mjs: script,
  ts: script,
  json: script,
  sh: shell,
  yaml: shell,
  ini: shell,
  prometheus: shell,
};

/**
 * @param {string} code
 * @param {string} language As behind the fence of a block, or the end of a file's name.
 */
function highlight(code, language) {
  const pattern = languages[language];
  if (pattern === undefined) return escapeHtml(code);
  let html = "";
  let end = 0;
  for (const { 0: text, index, groups = {} } of code.matchAll(pattern)) {
    const kind = Object.keys(groups).find((name) => groups[name] !== undefined);
    html += `${escapeHtml(code.slice(end, index))}<span class="${kind}">${escapeHtml(text)}</span>`;
    end = index + text.length;
  }
  return html + escapeHtml(code.slice(end));
}

/** A block of code that can be scrolled by keyboard, too. @param {string} code @param {string} [language] */
export function codeBlock(code, language = "") {
  return `<pre tabindex="0"><code>${highlight(code.trimEnd(), language)}</code></pre>\n`;
}

/** @param {string} text */
export function escapeHtml(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
