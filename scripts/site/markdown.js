import { Marked } from "marked";
import { codeBlock, escapeHtml } from "./highlight.js";

/**
 * A page of the docs as HTML, its headings with the anchors that GitHub gives them. HTML comments are left out. A picture that
 * has another beside it for dark pages, `NAME-dark.png`, becomes both.
 *
 * @param {string} text
 * @param {object} options
 * @param {(link: string) => string} options.link What a relative link, or the address of a picture, becomes.
 * @param {(picture: string) => { width: number, height: number } | undefined} options.sizeOf So that nothing moves when it has
 *   come. Undefined for one that is not there.
 * @returns {{ title: string, html: string }} The title is the first heading.
 */
export function renderMarkdown(text, { link, sizeOf }) {
  let title = "";
  /** @type {Map<string, number>} */
  const slugs = new Map();
  const marked = new Marked({
    renderer: {
      heading(html, level, raw) {
        const plain = raw
          .replaceAll("&amp;", "&")
          .replaceAll("&lt;", "<")
          .replaceAll("&quot;", '"')
          .replaceAll("&#39;", "'");
        title ||= plain;
        const slug = plain
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
          .replaceAll(" ", "-");
        const count = slugs.get(slug) ?? 0;
        slugs.set(slug, count + 1);
        const id = count === 0 ? slug : `${slug}-${count}`;
        return `<h${level} id="${escapeHtml(id)}">${html}</h${level}>\n`;
      },
      code(code, info = "") {
        const [language, ...words] = info.split(" ");
        const file = words.find((word) => word.includes("."));
        const block = codeBlock(code, language);
        return file === undefined ? block : `<figure class="file"><figcaption>${file}</figcaption>${block}</figure>\n`;
      },
      table: (head, body) =>
        `<div class="scroll" tabindex="0"><table><thead>${head}</thead><tbody>${body}</tbody></table></div>\n`,
      html: (html) => (html.startsWith("<!--") ? "" : html),
      link: (href, _title, html) => `<a href="${escapeHtml(isRelative(href) ? link(href) : href)}">${html}</a>`,
      image(href, _title, about) {
        const { width, height } = sizeOf(href) ?? {};
        const image = `<img src="${link(href)}" alt="${escapeHtml(about)}" width="${width}" height="${height}">`;
        const dark = href.replace(/\.\w+$/, "-dark$&");
        if (sizeOf(dark) === undefined) return image;
        return `<picture><source srcset="${link(dark)}" media="(prefers-color-scheme: dark)">${image}</picture>`;
      },
    },
  });
  const html = /** @type {string} */ (marked.parse(text));
  return { title, html };
}

/** @param {string} link */
function isRelative(link) {
  return !/^[a-z][a-z+.-]*:/i.test(link);
}
