/**
 * Collects the pieces of one message that came in several chunks. Memory follows what has arrived, never the declared
 * length: large pieces are kept as they are and copied once at the end; small ones are copied together at once, so that
 * a sender of single bytes cannot make each cost an object.
 */
export class MessageAssembler {
  readonly #length: number;
  readonly #pieces: Uint8Array[] = [];
  #received = 0;
  #block = new Uint8Array(0);
  #blockUsed = 0;

  /** @param length bytes of the whole message */
  constructor(length: number) {
    this.#length = length;
  }

  get missingBytes(): number {
    return this.#length - this.#received;
  }

  get heldBytes(): number {
    return this.#received;
  }

  /** Takes the next piece, at most {@link missingBytes} long. The bytes stay the caller's only until the next call. */
  add(piece: Uint8Array): void {
    this.#received += piece.length;
    if (piece.length >= smallPieceBytes) {
      this.#closeBlock();
      this.#pieces.push(piece);
      return;
    }
    if (this.#blockUsed + piece.length > this.#block.length) {
      this.#closeBlock();
      this.#block = new Uint8Array(Math.min(blockBytes, piece.length + this.missingBytes));
    }
    this.#block.set(piece, this.#blockUsed);
    this.#blockUsed += piece.length;
  }

  /** The whole message, once nothing is missing. */
  assemble(): Uint8Array {
    this.#closeBlock();
    if (this.#pieces.length === 1) return this.#pieces[0]!;
    const message = new Uint8Array(this.#length);
    let offset = 0;
    for (const piece of this.#pieces) {
      message.set(piece, offset);
      offset += piece.length;
    }
    return message;
  }

  #closeBlock(): void {
    if (this.#blockUsed > 0) this.#pieces.push(this.#block.subarray(0, this.#blockUsed));
    this.#block = this.#block.subarray(this.#blockUsed);
    this.#blockUsed = 0;
  }
}

/** Pieces below this many bytes are copied together. */
const smallPieceBytes = 4096;
/** The copies are made in blocks of at most this many bytes. */
const blockBytes = 16_384;
