/** The messages that are sent, and the checks of what arrives: the same work for every peer. */

import { nowMs } from "./workloads/clock.js";

export const BULK_BYTES = 65536;
const SMALL_BYTES = 64;

const SMALL_WORDS = SMALL_BYTES / 4;
/** After so many messages their content comes again. */
const BULK_PERIOD = 1024;
const SMALL_PERIOD = 8192;
/** Every one of this many small messages is checked in full, the others by their first and last word. */
const FULL_CHECK_EVERY = 64;

const pattern = makePattern(2 * BULK_BYTES);

/**
 * Message `index` of W1: a part of the pattern that depends on the index. Nothing is copied or allocated, so that the
 * transport is measured and not the making of messages.
 * @param {number} index
 */
export function bulkMessage(index) {
  const start = bulkStart(index);
  return pattern.subarray(start, start + BULK_BYTES);
}

/**
 * A source of small messages. They repeat with a long period; nobody writes to them, so they are made only once.
 * @returns {() => Uint8Array}
 */
export function smallMessages() {
  const messages = Array.from({ length: SMALL_PERIOD }, (_, index) => makeSmall(index));
  let index = 0;
  return () => /** @type {Buffer} */ (messages[index++ % SMALL_PERIOD]);
}

/** Checks every byte of W1, whether it comes as messages or as pieces of a byte stream. */
export class BulkCheck {
  /** Messages that arrived completely. */
  count = 0;
  #wholeMessages;
  /** Where in the message the next byte belongs. */
  #offset = 0;

  /** @param {boolean} wholeMessages Whether each piece must be exactly one message. */
  constructor(wholeMessages) {
    this.#wholeMessages = wholeMessages;
  }

  /** @param {Uint8Array} piece */
  take(piece) {
    if (this.#wholeMessages && piece.length !== BULK_BYTES) {
      throw new Error(`Message ${this.count} has ${piece.length} bytes instead of ${BULK_BYTES}`);
    }
    for (let from = 0; from < piece.length;) {
      const size = Math.min(piece.length - from, BULK_BYTES - this.#offset);
      const start = bulkStart(this.count) + this.#offset;
      const expected = pattern.subarray(start, start + size);
      if (!isEqual(expected, piece.subarray(from, from + size))) {
        throw new Error(`Message ${this.count} has wrong content after byte ${this.#offset}`);
      }
      from += size;
      this.#offset += size;
      if (this.#offset === BULK_BYTES) {
        this.#offset = 0;
        this.count++;
      }
    }
  }
}

/** Checks length and order of every small message, and the rest of it now and then. */
export class SmallCheck {
  /** Messages that arrived, which is also the index of the next one. */
  count = 0;

  /** @param {Uint8Array} message */
  take(message) {
    const index = this.count++ % SMALL_PERIOD;
    if (message.length !== SMALL_BYTES) {
      throw new Error(`Message ${index} has ${message.length} bytes instead of ${SMALL_BYTES}`);
    }
    const step = index % FULL_CHECK_EVERY === 0 ? 1 : SMALL_WORDS - 1;
    for (let word = 0; word < SMALL_WORDS; word += step) {
      if (readWord(message, word * 4) !== smallWord(index, word)) {
        throw new Error(`Message ${index} is wrong in word ${word}: lost, repeated, out of order or damaged`);
      }
    }
  }
}

/**
 * Small messages that say when they were made, for latencies: index, time (two words), then words as in the others.
 * @returns {(flow: number) => Uint8Array} The next of that flow; flows are counted for themselves.
 */
export function timedMessages() {
  /** @type {number[]} */
  const counts = [];
  return (flow) => {
    const index = counts[flow] ?? 0;
    counts[flow] = index + 1;
    const message = Buffer.allocUnsafe(SMALL_BYTES);
    message.writeInt32LE(index, 0);
    message.writeDoubleLE(nowMs(), 4);
    for (let word = 3; word < SMALL_WORDS; word++) message.writeInt32LE(smallWord(index, word), word * 4);
    return message;
  };
}

/** Checks every byte of the timed messages of one flow. */
export class TimedCheck {
  count = 0;

  /**
   * @param {Uint8Array} message
   * @returns {number} When it was made.
   */
  take(message) {
    const index = this.count++;
    if (message.length !== SMALL_BYTES) throw new Error(`Message ${index} has ${message.length} bytes`);
    for (let word = 0; word < SMALL_WORDS; word += word === 0 ? 3 : 1) {
      const expected = word === 0 ? index : smallWord(index, word);
      if (readWord(message, word * 4) !== expected) {
        throw new Error(`Message ${index} is wrong in word ${word}: lost, repeated, out of order or damaged`);
      }
    }
    return new DataView(message.buffer, message.byteOffset, message.length).getFloat64(4, true);
  }
}

/**
 * Of the same length. Pages have no Buffer, and pay for that at every peer alike.
 * @param {Uint8Array} expected
 * @param {Uint8Array} piece
 */
function isEqual(expected, piece) {
  if ("Buffer" in globalThis) return Buffer.compare(expected, piece) === 0;
  for (let index = 0; index < expected.length; index++) if (expected[index] !== piece[index]) return false;
  return true;
}

/** @param {number} index */
function bulkStart(index) {
  return (index % BULK_PERIOD) * (BULK_BYTES / BULK_PERIOD);
}

/** @param {number} index */
function makeSmall(index) {
  const message = Buffer.alloc(SMALL_BYTES);
  for (let word = 0; word < SMALL_WORDS; word++) message.writeInt32LE(smallWord(index, word), word * 4);
  return message;
}

/**
 * @param {number} index
 * @param {number} word
 */
function smallWord(index, word) {
  return word === 0 ? index : Math.imul(index, 0x9e3779b1) ^ word;
}

/**
 * A little-endian word. (`Buffer.readInt32LE` is not there: some peers deliver plain Uint8Arrays.)
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function readWord(bytes, at) {
  const [one = 0, two = 0, three = 0, four = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return one | (two << 8) | (three << 16) | (four << 24);
}

/** @param {number} size */
function makePattern(size) {
  const bytes = new Uint8Array(size);
  let state = 1;
  for (let index = 0; index < size; index++) {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    bytes[index] = state >>> 16;
  }
  return bytes;
}
