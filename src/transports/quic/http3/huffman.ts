// SPDX-License-Identifier: Apache-2.0
import { Http3Error, http3ErrorCodes } from "./error-codes.ts";

/**
 * Decodes a string in the Huffman code of HPACK and QPACK (RFC 7541, section 5.2 and appendix B; RFC 9204, 4.1.2).
 *
 * @throws Http3Error `QPACK_DECOMPRESSION_FAILED` for the EOS symbol, and for padding that is not the beginning of it
 */
export function decodeHuffman(bytes: Uint8Array): Uint8Array {
  // The shortest code has 5 bits.
  const decoded = new Uint8Array(Math.ceil((bytes.length * 8) / 5));
  let length = 0;
  let code = 0;
  let bits = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      code = (code << 1) | ((byte >>> bit) & 1);
      bits += 1;
      const index = code - firstCode[bits]!;
      if (index < 0 || index >= codeCount[bits]!) continue;
      const symbol = symbolsByCode[firstIndex[bits]! + index]!;
      if (symbol === endOfString) throw invalid("the end-of-string symbol in a Huffman string");
      decoded[length] = symbol;
      length += 1;
      code = 0;
      bits = 0;
    }
  }
  if (bits > 7 || code !== (1 << bits) - 1) throw invalid("bad padding of a Huffman string");
  return decoded.subarray(0, length);
}

function invalid(what: string): Http3Error {
  return new Http3Error(http3ErrorCodes.QPACK_DECOMPRESSION_FAILED, what);
}

const endOfString = 256;
const maxCodeBits = 30;

/** Bits of the code of each symbol. The code is canonical, so it follows from these (RFC 7541, appendix B). */
// prettier-ignore
const codeBits = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const symbolsByCode = codeBits
  .map((bits, symbol) => ({ bits, symbol }))
  .toSorted((a, b) => a.bits - b.bits || a.symbol - b.symbol)
  .map(({ symbol }) => symbol);

/** By number of bits: the first code of that length, how many there are, and where they begin in `symbolsByCode`. */
const codeCount = Array.from({ length: maxCodeBits + 1 }, (_, bits) => codeBits.filter((each) => each === bits).length);
const firstCode = [0];
const firstIndex = [0];
for (let bits = 1; bits <= maxCodeBits; bits += 1) {
  firstCode[bits] = (firstCode[bits - 1]! + codeCount[bits - 1]!) * 2;
  firstIndex[bits] = firstIndex[bits - 1]! + codeCount[bits - 1]!;
}
