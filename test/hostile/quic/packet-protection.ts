import { createCipheriv, createHmac } from "node:crypto";

import { varint } from "./frames.ts";

/** Makes packets of one end of a connection, of whose keys the TLS secret is known (RFC 9001, section 5). */
export class PacketProtection {
  readonly #key: Buffer;
  readonly #iv: Buffer;
  readonly #headerKey: Buffer;
  readonly #bits: 128 | 256;

  /** `secret`: as in a key log, CLIENT_TRAFFIC_SECRET_0 or SERVER_TRAFFIC_SECRET_0. */
  constructor(secret: Buffer) {
    const hash = secret.length === 48 ? "sha384" : "sha256";
    this.#bits = secret.length === 48 ? 256 : 128;
    this.#key = expandLabel(hash, secret, "quic key", this.#bits / 8);
    this.#iv = expandLabel(hash, secret, "quic iv", 12);
    this.#headerKey = expandLabel(hash, secret, "quic hp", this.#bits / 8);
  }

  /** For the first packets of a client, which anybody can make: their keys come from the id that it has chosen. */
  static ofClientInitial(destinationId: Uint8Array): PacketProtection {
    const salt = Buffer.from("38762cf7f55934b34d179ae6a4c80cadccbb7f0a", "hex");
    const secret = createHmac("sha256", salt).update(destinationId).digest();
    return new PacketProtection(expandLabel("sha256", secret, "client in", 32));
  }

  /** A 1-RTT packet. */
  seal(destinationId: Uint8Array, packetNumber: number, payload: Uint8Array): Buffer {
    return this.#seal(Buffer.concat([Buffer.of(0x43), destinationId]), packetNumber, payload);
  }

  /** An Initial packet of a client whose own id has zero length. */
  sealInitial(destinationId: Uint8Array, token: Uint8Array, packetNumber: number, payload: Uint8Array): Buffer {
    const tokenField = Buffer.concat([varint(token.length), token]);
    return this.#sealLong(0xc3, destinationId, tokenField, packetNumber, payload);
  }

  /** A Handshake packet of such a client. */
  sealHandshake(destinationId: Uint8Array, packetNumber: number, payload: Uint8Array): Buffer {
    return this.#sealLong(0xe3, destinationId, Buffer.of(), packetNumber, payload);
  }

  #sealLong(first: number, id: Uint8Array, more: Uint8Array, packetNumber: number, payload: Uint8Array): Buffer {
    const start = Buffer.of(first, 0, 0, 0, 1, id.length, ...id, 0);
    const length = varint(numberBytes + payload.length + tagBytes);
    return this.#seal(Buffer.concat([start, more, length]), packetNumber, payload);
  }

  #seal(start: Buffer, packetNumber: number, payload: Uint8Array): Buffer {
    // Long enough for the sample that the header is protected with.
    const padded = Buffer.concat([payload, Buffer.alloc(Math.max(0, 20 - payload.length))]);
    const header = Buffer.concat([start, Buffer.alloc(numberBytes)]);
    const numberAt = start.length;
    header.writeUInt32BE(packetNumber, numberAt);
    const nonce = Buffer.from(this.#iv);
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ packetNumber) >>> 0, 8);
    const cipher = createCipheriv(`aes-${this.#bits}-gcm`, this.#key, nonce).setAAD(header);
    const packet = Buffer.concat([header, cipher.update(padded), cipher.final(), cipher.getAuthTag()]);
    const sample = packet.subarray(numberAt + 4, numberAt + 20);
    const mask = createCipheriv(`aes-${this.#bits}-ecb`, this.#headerKey, null).update(sample);
    packet[0]! ^= mask[0]! & (start[0]! >= 0x80 ? 0x0f : 0x1f);
    for (let index = 0; index < numberBytes; index += 1) packet[numberAt + index]! ^= mask[1 + index]!;
    return packet;
  }
}

const numberBytes = 4;
const tagBytes = 16;

/** RFC 8446, section 7.1, for what fits into one block of the hash. */
function expandLabel(hash: string, secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.of(0, length, name.length), name, Buffer.of(0)]);
  return createHmac(hash, secret).update(info).update(Buffer.of(1)).digest().subarray(0, length);
}
