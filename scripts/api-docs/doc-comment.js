/**
 * What a doc comment says, as Markdown: its text, then parameters, results, errors and examples.
 *
 * @param {string} comment With its stars, without slashes.
 */
export function documentation(comment) {
  const lines = comment.split("\n").map((line) => line.replace(/^\s*\* ?/, "").trimEnd());
  /** @type {{ tag: string, text: string[] }[]} */
  const parts = [{ tag: "", text: [] }];
  for (const line of lines) {
    // Also within a line, in comments of one line only.
    for (const piece of line.split(/(?:^|(?<=[.;)]) )(?=@(?:param|returns?|throws|example)\b)/)) {
      const [, tag, text = ""] = /^@(param|returns?|throws|example)\b ?(.*)$/.exec(piece) ?? [];
      if (tag === undefined) parts.at(-1)?.text.push(piece);
      else parts.push({ tag, text: [text] });
    }
  }
  return parts
    .map(({ tag, text }) => titled(tag, text.join("\n").trim()))
    .filter((text) => text !== "")
    .join("\n\n");
}

/** @param {string} tag @param {string} text */
function titled(tag, text) {
  if (tag === "param") return `- ${text.replace(/^(\[?[\w.]+\]?)\s*/, "`$1` ")}`;
  if (tag === "throws") return `Throws ${text}`;
  if (tag.startsWith("return")) return `Returns ${text}`;
  return text;
}
