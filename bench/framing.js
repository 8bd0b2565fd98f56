/** Messages on a byte stream for the peers that have none of their own: a 4-byte length (little-endian), then the bytes. */

export const LENGTH_BYTES = 4;

/**
 * @param {Uint8Array} message
 * @returns {Buffer} A copy with its length in front.
 */
export function frame(message) {
  const framed = Buffer.allocUnsafe(LENGTH_BYTES + message.length);
  framed.writeUInt32LE(message.length, 0);
  framed.set(message, LENGTH_BYTES);
  return framed;
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
