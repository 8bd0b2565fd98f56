/**
 * The project's web page as `npm run site` builds it: no dead link, and in Chromium on any screen. With CONEC_SCREENSHOTS=1 it
 * also takes the pictures for README.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { launchChromium } from "../support/chromium.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const chromium = inject("chromium");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "conec-site-"));
  execFileSync(process.execPath, [join(root, "scripts", "site.js"), folder]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("every link leads to a file of the site, and to what has the id that it names", () => {
  const pages = pagesIn(folder);
  expect(pages).toContain("docs/guides/browser.html");
  const texts = new Map(pages.map((page) => [page, readFileSync(join(folder, page), "utf8")]));
  const dead = pages.flatMap((page) =>
    [...texts.get(page)!.matchAll(/\b(?:href|src|srcset)="([^"]+)"/g)]
      .map(([, link]) => decodeURI(link!))
      .filter((link) => !/^https?:/.test(link) && !leadsSomewhere(page, link))
      .map((link) => `${page}: ${link}`),
  );
  expect(dead).toEqual([]);

  function leadsSomewhere(page: string, link: string): boolean {
    const [path = "", id] = link.split("#");
    const target = path === "" ? page : relative(folder, resolve(folder, dirname(page), path)).replaceAll("\\", "/");
    if (target.startsWith("..") || !existsSync(join(folder, target))) return false;
    return id === undefined || texts.get(target)!.includes(`id="${id}"`);
  }
});

test("the figures are those that were measured", () => {
  const page = readFileSync(join(folder, "index.html"), "utf8");
  const { workloads } = JSON.parse(readFileSync(join(root, "bench", "results", "loopback.json"), "utf8")) as Results;
  const names = ["W1", "W2", "W3", "W4"].filter((name) => name in workloads);
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    const { rows } = workloads[name]!;
    const chart = page.split(`id="${name}"`)[1]!.split("</figure>")[0]!;
    const [, ratio] = /<th scope="row"[^>]*>conec<\/th>[^]*?<td>([\d.,]+)<\/td>/.exec(chart)!;
    const measured = rows.find(({ row }) => row === "conec")!.ratios["ws"]!;
    expect(Math.abs(Number(ratio!.replaceAll(",", "")) / measured - 1), name).toBeLessThan(0.05);
  }
});

if ("missing" in chromium) test("Chromium", (context) => context.skip(chromium.missing));
else describe("in Chromium", () => suite(chromium.path));

function suite(chromiumPath: string): void {
  let browser: Browser;
  beforeAll(async () => void (browser = await launchChromium(chromiumPath)));
  afterAll(() => browser.close());

  test.each([
    { colorScheme: "light", width: 360 },
    { colorScheme: "dark", width: 1280 },
  ] as const)("$colorScheme, $width px wide", async ({ colorScheme, width }) => {
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
    const complaints = complaintsOf(page);
    for (const path of ["index.html", "README.html", "docs/guides/browser.html", "examples/echo/main.js.html"]) {
      await page.goto(pathToFileURL(join(folder, path)).href);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBe(width);
      expect(await page.evaluate(faintTexts), path).toEqual([]);
      expect(await page.evaluate(layoutShift), path).toBe(0);
    }
    await page.close();
    expect(complaints).toEqual([]);
  });

  test("no page needs scrolling to the side on a phone", async () => {
    const page = await browser.newPage({ viewport: { width: 360, height: 800 } });
    const complaints = complaintsOf(page);
    const wide = [];
    // Pages of source are all alike.
    for (const path of pagesIn(folder).filter((path) => !/\.(js|ts|json)\.html$/.test(path))) {
      await page.goto(pathToFileURL(join(folder, path)).href);
      if ((await page.evaluate(() => document.documentElement.scrollWidth)) > 360) wide.push(path);
    }
    await page.close();
    expect(wide).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test("by keyboard: past the navigation, and to everything that can be followed or scrolled", async () => {
    const page = await browser.newPage({ viewport: { width: 360, height: 800 } });
    await page.goto(pathToFileURL(join(folder, "index.html")).href);
    await page.keyboard.press("Tab");
    await page.getByRole("link", { name: "Skip to the text" }).press("Enter");
    await page.waitForFunction(() => document.activeElement!.id === "main");
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement!.textContent)).toBe("Two programs that talk");
    const left = await page.evaluate(() => {
      const scrolled = [...document.querySelectorAll("*")].filter(
        (element) =>
          element.scrollWidth > element.clientWidth + 1 &&
          getComputedStyle(element).overflowX === "auto" &&
          element.clientWidth > 0,
      );
      return [...document.querySelectorAll("a"), ...scrolled].filter((element) => (element as HTMLElement).tabIndex < 0)
        .length;
    });
    expect(left).toBe(0);
    await page.close();
  });

  const pictures = async (): Promise<void> => {
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({
        colorScheme,
        viewport: { width: 1280, height: 800 },
        reducedMotion: "reduce",
      });
      await page.goto(pathToFileURL(join(folder, "index.html")).href);
      const path = join(root, "docs", "site", `screenshot${colorScheme === "dark" ? "-dark" : ""}.png`);
      await page.screenshot({ path });
      await page.close();
    }
  };
  if (process.env["CONEC_SCREENSHOTS"] === "1") test("pictures for the docs", pictures);
}

interface Results {
  workloads: Record<string, { rows: { row: string; ratios: Record<string, number> }[] }>;
}

function pagesIn(folder: string): string[] {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((path) => path.replaceAll("\\", "/"));
  return paths.filter((path) => path.endsWith(".html")).toSorted();
}

/** What goes wrong in a page, and what it asks for that is not of the site. */
function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith(pathToFileURL(folder).href)) complaints.push(`asked for: ${request.url()}`);
  });
  return complaints;
}

/** Texts whose contrast is below 4.5 (WCAG 2, success criterion 1.4.3), in the page. */
function faintTexts(): string[] {
  const rgb = (color: string): number[] => color.match(/[\d.]+/g)!.map(Number);
  const luminance = (color: string): number => {
    const [r, g, b] = rgb(color).map((part) =>
      part / 255 <= 0.04045 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const backgroundOf = (element: Element | null): string => {
    const color = element === null ? "rgb(255, 255, 255)" : getComputedStyle(element).backgroundColor;
    return (rgb(color)[3] ?? 1) === 0 ? backgroundOf(element!.parentElement) : color;
  };
  const texts = [...document.body.querySelectorAll(":not(title)")].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent!.trim() !== ""),
  );
  return texts
    .filter((element) => {
      const isDrawn = element instanceof SVGElement;
      const behind = isDrawn ? getComputedStyle(document.querySelector(".party")!).fill : backgroundOf(element);
      const { color, fill } = getComputedStyle(element);
      const [dark, light] = [luminance(behind), luminance(isDrawn ? fill : color)].sort((a, b) => a - b);
      return (light! + 0.05) / (dark! + 0.05) < 4.5;
    })
    .map((element) => `${element.tagName} ${element.textContent.trim().slice(0, 40)}`);
}

/** How far things moved while the page was loaded (Layout Instability API), in the page. */
async function layoutShift(): Promise<number> {
  return await new Promise((resolve) => {
    const observer = new PerformanceObserver((list) => {
      const shifts = list.getEntries() as (PerformanceEntry & { value: number })[];
      resolve(shifts.reduce((sum, { value }) => sum + value, 0));
    });
    observer.observe({ type: "layout-shift", buffered: true });
    // Entries that are there are given before the next frame but one; without any, nothing is called.
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => resolve(0))));
  });
}
