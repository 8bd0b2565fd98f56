/** Messages on a byte stream for the peers that have none of their own: a 4-byte length (little-endian), then the bytes. */

export const LENGTH_BYTES = 4;
export const BATCH_BYTES = 1 << 16;

/**
 * @param {Uint8Array} message
 * @returns {Buffer} A copy with its length in front.
 */
export function frame(message) {
  return pack([message], LENGTH_BYTES + message.length);
}

/**
 * @param {Uint8Array[]} messages
 * @param {number} size Of all of them with their lengths.
 * @returns {Buffer}
 */
export function pack(messages, size) {
  const batch = Buffer.allocUnsafe(size);
  let at = 0;
  for (const message of messages) {
    batch.writeUInt32LE(message.length, at);
    batch.set(message, at + LENGTH_BYTES);
    at += LENGTH_BYTES + message.length;
  }
  return batch;
}

/**
 * Packs small messages by hand, as many as there are.
 * @param {() => Uint8Array | undefined} next
 * @returns {() => Buffer | undefined} The next batch, of framed messages.
 */
export function inBatches(next) {
  return () => {
    const messages = [];
    let size = 0;
    for (let message = next(); message !== undefined; message = next()) {
      messages.push(message);
      size += LENGTH_BYTES + message.length;
      if (size >= BATCH_BYTES) break;
    }
    return size === 0 ? undefined : pack(messages, size);
  };
}

/**
 * Cuts a byte stream into messages, which are views of the pieces where they can be.
 * @param {(message: Uint8Array) => void} listener
 * @returns {(piece: Buffer) => void} To be given each piece; the piece may be reused after the call.
 */
export function deframer(listener) {
  /** The start of a message whose end has not come yet. */
  let rest = Buffer.alloc(0);
  return (piece) => {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + bytes.readUInt32LE(at);
      if (end > bytes.length) break;
      listener(bytes.subarray(at + LENGTH_BYTES, end));
      at = end;
    }
    rest = Buffer.from(bytes.subarray(at));
  };
}
