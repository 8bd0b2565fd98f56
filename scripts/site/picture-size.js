import { existsSync, readFileSync } from "node:fs";

/**
 * Width and height of a PNG, or of an SVG that says them, in pixels; undefined if there is no such file.
 *
 * @param {string} path
 */
export function pictureSize(path) {
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  // The first chunk of every PNG, IHDR, begins with them (PNG, third edition, 11.2.1).
  if (path.endsWith(".png")) return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
  const [, width, height] = /<svg [^>]*width="(\d+)" height="(\d+)"/.exec(bytes.toString("utf8")) ?? [];
  return { width: Number(width), height: Number(height) };
}
