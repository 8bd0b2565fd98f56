import { readFileSync } from "node:fs";

/** A program that a page of the docs shows, in one or more blocks. */
export interface DocsProgram {
  /** As the page calls it, else `main.ts` or `main.js`. */
  file: string;
  /** Each line at the place that it has in the page, so that a compiler's message names the line there. */
  code: string;
  isForBrowser: boolean;
  /** Why it is compiled only; undefined if it is run. */
  noRun: string | undefined;
  /** What it must print: the comments behind its `console.log(…);`. */
  prints: string[];
}

/**
 * The programs of a page, in the order in which they begin. A block is TypeScript or JavaScript between fences:
 *
 * - ` ```ts ` continues the page's program, `main.ts`.
 * - ` ```js alice.js ` begins or continues the program of that name.
 * - ` ```ts page.ts browser ` is for a page in a browser.
 * - ` ```ts proxy.ts no-run needs a proxy ` is compiled only, for that reason.
 *
 * Blocks within an HTML comment count, too: what the reader need not see.
 */
export function programsOf(path: string): DocsProgram[] {
  const lines = readFileSync(path, "utf8").split("\n");
  const programs = new Map<string, DocsProgram & { lines: string[]; imported: Set<string> }>();
  for (let index = 0; index < lines.length; index++) {
    const [, language, info = ""] = /^```(ts|js)\b(.*)$/.exec(lines[index]!) ?? [];
    if (language === undefined) continue;
    const [words = "", noRun] = info.split("no-run");
    const file = words.split(" ").find((word) => word.includes(".")) ?? `main.${language}`;
    if (!programs.has(file)) {
      const isForBrowser = words.includes("browser");
      programs.set(file, {
        file,
        code: "",
        isForBrowser,
        noRun: undefined,
        prints: [],
        lines: [],
        imported: new Set(),
      });
    }
    const program = programs.get(file)!;
    if (noRun !== undefined) program.noRun = noRun.trim();
    for (index++; lines[index] !== "```"; index++) {
      if (index >= lines.length) throw new Error(`${path}: a block without an end`);
      const line = lines[index]!;
      program.lines[index] = withoutRepeatedImports(line, program.imported);
      const [, printed] = /console\.log\(.*\); \/\/ (.*)$/.exec(line) ?? [];
      if (printed !== undefined) program.prints.push(printed);
    }
  }
  return [...programs.values()].map(({ lines: sparse, imported: _, ...program }) => ({
    ...program,
    code: `${Array.from(sparse, (line) => line ?? "").join("\n")}\nexport {};\n`,
  }));
}

/** Each block of a page imports what it needs, so that it can be read alone; in the program, each name is imported once. */
function withoutRepeatedImports(line: string, imported: Set<string>): string {
  const [, type = "", names, from] = /^import (type )?\{ (.*) \} from ("[^"]+");/.exec(line) ?? [];
  if (names === undefined) {
    const [isImport] = /^import .*;/.exec(line) ?? [];
    if (isImport === undefined || !imported.has(isImport)) return (isImport && imported.add(isImport), line);
    return "";
  }
  const news = names.split(", ").filter((name) => !imported.has(`${name} of ${from}`));
  for (const name of news) imported.add(`${name} of ${from}`);
  return news.length === 0 ? "" : `import ${type}{ ${news.join(", ")} } from ${from};`;
}
