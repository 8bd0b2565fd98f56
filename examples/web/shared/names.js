/** Names of people and of files, as they come from others. */

/** Controls, line separators, and what turns the direction of text: nothing that a name should hold. */
const unprintable = /[\p{Cc}\p{Cs}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/**
 * A name for the list of people: printable, at most 40 characters, never empty.
 *
 * @param {unknown} name
 */
export function cleanPersonName(name) {
  const text = typeof name === "string" ? name : "";
  const clean = text.replaceAll(unprintable, "").replaceAll(/\s+/g, " ").trim();
  return (
    clean
      .slice(0, 40)
      .replace(/[\ud800-\udbff]$/, "")
      .trim() || "Somebody"
  );
}

/**
 * A file's name as it can be told to others: conec takes names of streams without unprintable characters only.
 *
 * @param {string} name
 */
export function printable(name) {
  return name.replaceAll(unprintable, "\ufffd").slice(0, 255) || "file";
}

/**
 * A file's name that can be given to any file system, and that names nothing but a file in the folder it is put in: no
 * path, no device of Windows, not hidden, at most 200 bytes.
 *
 * @param {string} name
 */
export function cleanFileName(name) {
  const last = name.split(/[/\\]/).at(-1) ?? "";
  const clean = last
    .replaceAll(unprintable, "")
    .replaceAll(/[<>:"|?*]/g, "_")
    .replace(/^[.\s]+/, "")
    .replace(/[.\s]+$/, "");
  const safe = /^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\.|$)/i.test(clean) ? `_${clean}` : clean;
  return shorten(safe) || "file";
}

/**
 * Cut to 200 bytes in UTF-8, before the extension.
 *
 * @param {string} name
 */
function shorten(name) {
  const extension = /\.[^.\s]{1,16}$/.exec(name)?.[0] ?? "";
  const room = new Uint8Array(200 - encoder.encode(extension).length);
  const stem = name.slice(0, name.length - extension.length);
  return stem.slice(0, encoder.encodeInto(stem, room).read).trim() + extension;
}

const encoder = new TextEncoder();
