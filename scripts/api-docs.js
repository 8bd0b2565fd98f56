/**
 * `npm run docs`: the API reference in docs/api, a page for each entry point, from the declarations in dist and their comments.
 *
 * What is not documented is an error: an entry point or export without a comment, a function or class without an example,
 * a public member of a class without a comment, a `{@link}` to nothing. The code of examples is compiled by
 * test/docs, as that of the guides is.
 *
 * A script of our own, because TypeDoc needs the compiler's API, which TypeScript 7 does not have.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Declarations } from "./api-docs/declarations.js";
import { documentation } from "./api-docs/doc-comment.js";

/** @import { Declaration, Member } from "./api-docs/declarations.js" */

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "docs", "api");

/** @type {string[]} */
const problems = [];
const declarations = new Declarations();
/** @type {{ name: string, file: string, about: string, shown: Declaration[], again: Declaration[] }[]} */
const pages = [];
/** Where each declaration stands. @type {Map<Declaration, string>} */
const pageOf = new Map();

for (const [name, types] of entryPoints()) {
  const { comment, exports } = declarations.entryPoint(join(root, types));
  if (comment === undefined) problems.push(`${name} has no comment at the top of its file`);
  const page = { name, file: `${name.replaceAll("/", "-")}.md`, about: comment ?? "", shown: [], again: [] };
  pages.push(page);
  for (const declaration of exports) add(page, declaration);
}
// What is not exported, but needed to read what is. It stands on the page that needs it first.
for (const page of pages) {
  for (const declaration of page.shown) for (const used of declaration.uses()) add(page, used, false);
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const page of pages) writeFileSync(join(folder, page.file), pageText(page));
const list = pages.map(({ name, file, about }) => `- [\`${name}\`](${file}): ${linked(about).split("\n\n")[0]}`);
writeFileSync(join(folder, "README.md"), `# API reference\n\n${list.join("\n")}\n`);

for (const problem of problems) console.error(problem);
console.log(
  `${relative(root, folder)}: ${pages.length} pages, ${pageOf.size} declarations, ${problems.length} problems`,
);
process.exitCode = problems.length > 0 ? 1 : 0;

/** The entry points of the package that have types, by the name to import. @returns {[string, string][]} */
function entryPoints() {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.entries(exports).flatMap(([path, conditions]) => {
    const types = conditions.types ?? conditions.default?.types;
    return types === undefined ? [] : [[path.replace(".", name), types]];
  });
}

/** @param {typeof pages[number]} page @param {Declaration} declaration */
function add(page, declaration, isExported = true) {
  if (pageOf.has(declaration)) {
    if (isExported) page.again.push(declaration);
    return;
  }
  pageOf.set(declaration, page.file);
  page.shown.push(declaration);
  if (!isExported) return;
  const { name, comment, kind } = declaration;
  if (comment === undefined) problems.push(`${page.name}: ${name} has no comment`);
  else if ((kind === "function" || kind === "class") && !comment.includes("@example")) {
    problems.push(`${page.name}: ${name} has no example`);
  }
  if (kind !== "class") return;
  for (const member of declaration.members) {
    if (member.comment === undefined) problems.push(`${page.name}: ${name}.${member.name} has no comment`);
  }
}

/** @param {typeof pages[number]} page */
function pageText({ name, about, shown, again }) {
  const text = [`# ${name}`, linked(about)];
  for (const declaration of shown) text.push(declarationText(declaration));
  if (again.length > 0) text.push("## From other entry points", again.map((other) => `- ${linkTo(other)}`).join("\n"));
  return `${text.filter((part) => part !== "").join("\n\n")}\n`;
}

/** @param {Declaration} declaration */
function declarationText(declaration) {
  const { name, signature, comment, members } = declaration;
  const text = [`<a id="${name}"></a>`, `## ${name}`, block(signature), linked(comment, declaration)];
  const uses = declaration.uses();
  if (uses.length > 0) text.push(`With ${uses.map((used) => linkTo(used)).join(", ")}.`);
  for (const [member, ...others] of groups(members)) {
    const names = [member, ...others].map(({ name: own }) => `<a id="${name}.${own}"></a>`);
    const signatures = [member, ...others].map((each) => each.signature);
    text.push(names.join(""), `### ${member.name}`, block(signatures.join("\n")), linked(member.comment, declaration));
  }
  return text.filter((part) => part !== "").join("\n\n");
}

/**
 * Members without a comment share that of the one before.
 *
 * @param {Member[]} members
 */
function groups(members) {
  /** @type {[Member, ...Member[]][]} */
  const all = [];
  for (const member of members) {
    if (member.comment === undefined && all.length > 0) all.at(-1)?.push(member);
    else all.push([member]);
  }
  return all;
}

/** @param {string} code */
function block(code) {
  return `\`\`\`ts\n${code}\n\`\`\``;
}

/** @param {string | undefined} comment @param {Declaration} [within] Whose members need no more than their names. */
function linked(comment, within) {
  return documentation(comment ?? "").replaceAll(/\{@link ([\w.]+)\}/g, (_, path) => {
    if (within?.members.some(({ name }) => name === path)) return linkTo(within, path);
    const [name, member] = path.split(".");
    const target = [...pageOf.keys()].find((declaration) => declaration.name === name);
    if (target !== undefined && (member === undefined || target.members.some((other) => other.name === member))) {
      return linkTo(target, member);
    }
    problems.push(`{@link ${path}} leads nowhere`);
    return path;
  });
}

/** @param {Declaration} declaration @param {string} [member] */
function linkTo(declaration, member) {
  const path = member === undefined ? declaration.name : `${declaration.name}.${member}`;
  return `[\`${path}\`](${pageOf.get(declaration)}#${path})`;
}
