/** No dead link in any page of the repository: what a relative link leads to is there, and has the heading that it names. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = markdownIn(root).map((path) => relative(root, path));

test.each(pages)("links of %s", (page) => {
  const dead = linksOf(page).filter((link) => !leadsSomewhere(page, link));
  expect(dead).toEqual([]);
});

test("headings are found by the anchors that GitHub gives them", () => {
  const headings = "# A `b`, c_d: e/f!\n## Same\n## Same\n```\n# none\n```\n### *Ü* [link](x.md)";
  expect(anchorsIn(headings)).toEqual(new Set(["a-b-c_d-ef", "same", "same-1", "ü-link"]));
});

function markdownIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return isOurs(path) ? markdownIn(path) : [];
    return entry.name.endsWith(".md") ? [path] : [];
  });
}

/** Neither installed nor made. */
function isOurs(folder: string): boolean {
  const name = relative(root, folder).replaceAll("\\", "/");
  return !/(^|\/)(node_modules|dist|coverage|\.[^/]*)$/.test(name) && name !== "docs/api" && name !== "bench/runs";
}

/** What is relative: nothing here asks the network. */
function linksOf(page: string): string[] {
  const text = withoutCode(readFileSync(join(root, page), "utf8"));
  const links = [
    ...text.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)|\b(?:src|href|srcset)="([^"]+)"|^\[[^\]]+\]: (\S+)/gm),
  ];
  return links.map((match) => match[1] ?? match[2] ?? match[3]!).filter((link) => !/^[a-z][a-z+.-]*:/i.test(link));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = "", anchor] = decodeURI(link).split("#");
  const target = path === "" ? join(root, page) : resolve(root, dirname(page), path);
  if (!target.startsWith(root) || !existsSync(target)) return false;
  if (anchor === undefined) return true;
  if (!statSync(target).isFile()) return false;
  return !target.endsWith(".md") || anchorsOf(target).has(anchor);
}

const anchors = new Map<string, Set<string>>();

function anchorsOf(path: string): Set<string> {
  const known = anchors.get(path) ?? anchorsIn(readFileSync(path, "utf8"));
  anchors.set(path, known);
  return known;
}

function anchorsIn(markdown: string): Set<string> {
  const found = new Set([...markdown.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id]) => id!));
  const counts = new Map<string, number>();
  for (const [, heading] of markdown.replaceAll(/^```[^]*?^```$/gm, "").matchAll(/^#{1,6} +(.+?)(?: +#+)?$/gm)) {
    const text = heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = text.replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "").replaceAll(" ", "-");
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    found.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return found;
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^(```+)[^]*?^\1$/gm, "").replaceAll(/`[^`\n]*`/g, "");
}
