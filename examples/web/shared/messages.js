/** What a Client and the lobby say to each other, as JSON messages on their two streams. */
import { cleanPersonName } from "./names.js";

/** @typedef {{ id: string, name: string, kind: "page" | "folder" }} Person */

/**
 * From a Client. `offer` is an id that the offering Client makes up.
 *
 * @typedef {{ type: "name", name: string }
 *   | { type: "offer", offer: string, to: string, name: string, size: number }
 *   | { type: "withdraw", offer: string }
 *   | { type: "answer", offer: string, accept: boolean }} Request
 */

/**
 * From the lobby. After a yes, each of the two gets a channel whose `metadata.offer` is the offer's id.
 *
 * @typedef {{ type: "people", people: Person[] }
 *   | { type: "offer", offer: string, from: string, name: string, size: number }
 *   | { type: "over", offer: string, why: Why }} Notice
 */
/** @typedef {"gone" | "refused" | "withdrawn" | "declined" | "cancelled"} Why Why nothing comes of an offer. */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** @param {Request | Notice} message */
export function encode(message) {
  return encoder.encode(JSON.stringify(message));
}

/**
 * @param {Uint8Array} bytes
 * @returns {unknown}
 */
export function decode(bytes) {
  return JSON.parse(decoder.decode(bytes));
}

/**
 * A request that came from somebody: checked, and only what belongs to it.
 *
 * @param {unknown} message
 * @returns {Request}
 */
export function requestFrom(message) {
  const { type, offer, to, name, size, accept } = /** @type {Record<string, unknown>} */ (Object(message));
  if (type === "name") return { type, name: cleanPersonName(name) };
  if (typeof offer === "string" && offer.length > 0 && offer.length <= 64) {
    if (type === "withdraw") return { type, offer };
    if (type === "answer" && typeof accept === "boolean") return { type, offer, accept };
    if (type === "offer" && typeof to === "string" && isFileName(name) && isSize(size))
      return { type, offer, to, name, size };
  }
  throw new TypeError("Not a request");
}

/**
 * @param {unknown} name
 * @returns {name is string}
 */
function isFileName(name) {
  return typeof name === "string" && name.length > 0 && name.length <= 255;
}

/**
 * @param {unknown} size
 * @returns {size is number}
 */
function isSize(size) {
  return Number.isSafeInteger(size) && /** @type {number} */ (size) >= 0;
}
