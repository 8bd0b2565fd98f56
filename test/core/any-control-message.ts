import * as fc from "fast-check";
import type { ControlMessage } from "../../src/core/control-messages.ts";
import { conecErrorCodes } from "../../src/core/errors.ts";

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const name = fc.string({ maxLength: 20, unit: fc.constantFrom("a", "Z", "0", "-", ".", " ", "ä", "中", "😀") });
const id = name.map((text) => `id${text}`);
const metadata = fc.dictionary(
  fc.constantFrom("a", "b", "c"),
  fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(fc.nat(), { maxLength: 3 }),
  ),
  { maxKeys: 3, noNullPrototype: true },
);
const code = fc.constantFrom(...conecErrorCodes);
const reason = fc.string({ maxLength: 40, unit: "grapheme" });
const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array).toString("base64url"));
const publicKey = fc.oneof(
  bytes(32).map((key) => `ed25519:${key}`),
  bytes(65).map((key) => `p256:${key}`),
);
const peer = fc.record({ id, metadata, publicKey }, { requiredKeys: ["id", "metadata"] });

/** Any message that the schema allows; stream ids and counts are what `number` gives. */
export function anyControlMessage(number: fc.Arbitrary<number> = fc.maxSafeNat()): fc.Arbitrary<ControlMessage> {
  const type = <T extends string>(value: T): fc.Arbitrary<T> => fc.constant(value);
  const ended = { stream: number, code, reason, streamErrorCode: uint32 };
  const limit = number.map((count) => Math.max(1, count));
  const counts = fc.array(fc.tuple(number, number), { maxLength: 4 });
  const all = fc.oneof(
    fc.record({ type: type("hello"), versions: fc.array(uint32, { minLength: 1, maxLength: 16 }) }),
    fc.record({ type: type("challenge"), version: uint32, nonce: bytes(32) }),
    fc.record(
      {
        type: type("identify"),
        publicKey,
        authority: id,
        certificateHashes: fc.array(bytes(32), { maxLength: 16 }),
        id,
        credentials: fc.jsonValue(),
        resume: fc.record({ session: bytes(16), received: number }),
      },
      { requiredKeys: ["type", "publicKey", "authority", "certificateHashes"] },
    ),
    fc.record({ type: type("proof"), signature: bytes(64) }),
    fc.record(
      {
        type: type("welcome"),
        id,
        metadata,
        coordinator: peer,
        streamLimit: limit,
        clientStreamLimit: limit,
        session: fc.record({ token: bytes(16), windowMs: limit }),
        resumed: fc.record({ received: number, channels: fc.array(number, { maxLength: 4 }) }),
      },
      { requiredKeys: ["type", "id", "metadata", "coordinator", "streamLimit"] },
    ),
    fc.record({
      type: type("channel"),
      channel: number,
      end: fc.constantFrom<0 | 1>(0, 1),
      peer,
      metadata,
      opened: fc.tuple(number, number),
      maxStreams: fc.tuple(number, number),
      epoch: number,
    }),
    fc.record({ type: type("rejoin"), channel: number, received: number }),
    fc.record({ type: type("rejoined"), received: number }),
    fc.record({ type: type("ack"), count: number }),
    fc.record({ type: type("received"), counts }),
    fc.record({ type: type("suspend") }),
    fc.record({ type: type("resume"), epoch: number }),
    fc.record({ type: type("resumeAt"), epoch: number, counts, last: fc.boolean() }),
    fc.record({ type: type("accept") }),
    fc.record({ type: type("refuse"), code, reason }),
    fc.record({ type: type("open"), stream: number, name, metadata }),
    fc.record({ type: type("finished"), stream: number }),
    fc.record({ type: type("abort"), ...ended }, { requiredKeys: ["type", "stream", "code", "reason"] }),
    fc.record({ type: type("stop"), ...ended }, { requiredKeys: ["type", "stream", "code", "reason"] }),
    fc.record({ type: type("maxStreams"), count: number }),
    fc.record(
      { type: type("close"), closeCode: uint32, reason, code },
      { requiredKeys: ["type", "closeCode", "reason"] },
    ),
    fc.record({ type: type("sendChannel"), via: number, metadata }),
    fc.record({ type: type("peer"), peer }),
    fc.record({ type: type("goaway"), reason }),
    fc.record({ type: type("ping"), id: number }),
    fc.record({ type: type("pong"), id: number }),
  );
  return all as fc.Arbitrary<ControlMessage>;
}
