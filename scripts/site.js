/**
 * `npm run site`: the project's web page, in docs/site/dist or the folder that is named. Static files, which lead to each
 * other by relative links: any web server can have them, at any path, and so can `file:`.
 *
 * The front page is docs/site/index.html. Its marks `<!-- site:KEY ARGUMENT -->` are replaced by what stands elsewhere: code and
 * sections of README.md, which are tested there, and figures of bench/results. Beside it, the pages of the docs and whatever they
 * link to in this repository, each at its own path: Markdown and source as HTML, pictures as they are.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { figures } from "./site/figures.js";
import { codeBlock, escapeHtml } from "./site/highlight.js";
import { renderMarkdown } from "./site/markdown.js";
import { pictureSize } from "./site/picture-size.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const sources = join(root, "docs", "site");
const folder = resolve(process.argv[2] ?? join(sources, "dist"));

const readme = readFileSync(join(root, "README.md"), "utf8");
const pageTemplate = readFileSync(join(sources, "page.html"), "utf8");

/** Paths of this repository that are on the site, or are yet to be written. @type {Set<string>} */
const paths = new Set();

/** @type {Record<string, (argument: string) => string>} */
const marks = {
  code: (file) => codeBlock(blockOf(file), file.split(".").at(-1)),
  figures: () => figures(JSON.parse(readFileSync(join(root, "bench", "results", "loopback.json"), "utf8"))),
  guides: () =>
    `<ul class="guides">${guides()
      .map(([aim, link]) => `<li>${link}<span>${aim}</span></li>`)
      .join("\n")}</ul>`,
  // The API reference is there after `npm run docs`.
  api: () => (existsSync(join(root, "docs", "api", "README.md")) ? markdown("[API](docs/api/README.md)") : ""),
  picture: (file) => readFileSync(join(sources, file), "utf8"),
  section: (title) => markdown(sectionOf(title)),
  status: () => markdown(/^\*\*Status: .*$/m.exec(readme)?.[0] ?? ""),
  text: (text) => markdown(text),
};

rmSync(folder, { recursive: true, force: true });
for (const name of ["style.css", "front.css"]) write(name, readFileSync(join(sources, name)));
write("icon.svg", readFileSync(join(root, "examples", "web", "page", "icon.svg")));
write("index.html", filled(readFileSync(join(sources, "index.html"), "utf8"), "README.md"));
// A Set gives what is added meanwhile, too.
for (const path of paths) writePage(path);
console.log(`${relative(process.cwd(), join(folder, "index.html"))}: the page, and ${paths.size} that it leads to`);

/** @param {string} path */
function writePage(path) {
  const source = join(root, path);
  if (isPicture(path)) return write(path, readFileSync(source));
  let title = path;
  let body;
  if (statSync(source).isDirectory()) {
    const entries = readdirSync(source).map(
      (name) => `<li><a href="${linkTo(name, `${path}/index`)}">${name}</a></li>`,
    );
    body = `<h1>${path}</h1><ul>${entries.join("\n")}</ul>`;
  } else if (path.endsWith(".md")) {
    ({ title, html: body } = rendered(readFileSync(source, "utf8"), path));
  } else {
    body = `<h1>${path}</h1>${codeBlock(readFileSync(source, "utf8"), path.split(".").at(-1))}`;
  }
  const page = pageTemplate
    .replace("<!-- site:title -->", () => escapeHtml(title))
    .replace("<!-- site:body -->", () => body);
  write(htmlPath(path), filled(page, path));
}

/** @param {string} template @param {string} path Where it will be. */
function filled(template, path) {
  const up = "../".repeat(htmlPath(path).split("/").length - 1);
  return template
    .replaceAll(/<!-- site:(\w+)(?: ([^]+?))?? -->/g, (_, key, argument) => {
      const mark = marks[key];
      if (mark === undefined) throw new Error(`${path}: there is no mark site:${key}`);
      // What marks give is linked as from the root.
      return mark(argument).replaceAll(/(href|src|srcset)="(?![a-z]+:|#)/g, `$1="${up}`);
    })
    .replaceAll("{{root}}", up);
}

/** @param {string} text Whose links are those of README.md. */
function markdown(text) {
  return rendered(text, "README.md").html;
}

/** @param {string} text @param {string} path */
function rendered(text, path) {
  return renderMarkdown(text, {
    link: (link) => linkTo(link, path),
    sizeOf: (picture) => pictureSize(join(root, dirname(path), picture)),
  });
}

/**
 * The link on the site for one of this repository. What it leads to will be on the site.
 *
 * @param {string} link
 * @param {string} path Where it stands.
 */
function linkTo(link, path) {
  const [file = "", anchor] = link.split("#");
  const hash = anchor === undefined ? "" : `#${anchor}`;
  if (file === "") return hash;
  const target = relative(root, resolve(root, dirname(path), file));
  if (target.startsWith("..") || !existsSync(join(root, target))) throw new Error(`${path}: ${link} leads nowhere`);
  paths.add(target.replaceAll(sep, "/"));
  return relative(dirname(path), isPicture(target) ? target : htmlPath(target)).replaceAll(sep, "/") + hash;
}

/** @param {string} path */
function htmlPath(path) {
  const source = join(root, path);
  if (existsSync(source) && statSync(source).isDirectory()) return `${path}/index.html`;
  return `${path.replace(/\.md$/, "")}.html`;
}

/** @param {string} path */
function isPicture(path) {
  return /\.(png|svg)$/.test(path);
}

/** @param {string} file Of a block of README.md, behind its fence. */
function blockOf(file) {
  const [, code] = new RegExp(`^\`\`\`\\w+ ${file.replaceAll(".", "\\.")}\n([^]*?)^\`\`\`$`, "m").exec(readme) ?? [];
  if (code === undefined) throw new Error(`README.md has no ${file}`);
  return code;
}

/** @param {string} title Of a section of README.md. @returns its text, without the title */
function sectionOf(title) {
  const section = readme.split(/^## /m).find((each) => each.startsWith(`${title}\n`));
  if (section === undefined) throw new Error(`README.md has no section "${title}"`);
  return section.slice(title.length);
}

/** The table of guides in README.md: what for, and the link, as HTML. */
function guides() {
  return sectionOf("Guides")
    .split("\n")
    .map((line) => /^\| (\S.*?) +\| (\[.*\)) +\|$/.exec(line))
    .flatMap((match) => (match === null ? [] : [[inline(match[1]), inline(match[2])]]));
}

/** @param {string} [text] */
function inline(text = "") {
  return markdown(text).replaceAll(/^<p>|<\/p>\n$/g, "");
}

/** @param {string} path @param {string | Buffer} content */
function write(path, content) {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}
