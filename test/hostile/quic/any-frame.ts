import * as fc from "fast-check";

import { frames, largest } from "./frames.ts";

const number = fc.oneof(
  { weight: 2, arbitrary: fc.nat({ max: 40 }) },
  fc.constantFrom(0, 1, 63, 64, 16_383, 16_384, 2 ** 30, 2 ** 32, 2 ** 53, 2n ** 60n, largest),
);
const fewBytes = fc.uint8Array({ maxLength: 30 });
const eightBytes = fc.uint8Array({ minLength: 8, maxLength: 8 });

/** Of kinds that a client may send. */
const allowed: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.integer({ min: 1, max: 30 }).map((length) => Buffer.alloc(length)),
  fc.constant(frames.ping()),
  fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 60 })).map((of) => frames.ack(...of)),
  fc.tuple(number, number, number).map((of) => frames.resetStream(...of)),
  fc.tuple(number, number).map((of) => frames.stopSending(...of)),
  fc.tuple(number, fewBytes).map((of) => frames.crypto(...of)),
  fc.tuple(fc.nat({ max: 30 }), number, fewBytes, fc.boolean()).map((of) => frames.stream(...of)),
  number.map(frames.maxData),
  fc.tuple(number, number).map((of) => frames.maxStreamData(...of)),
  number.map(frames.maxStreams),
  number.map(frames.streamsBlocked),
  number.map(frames.retireConnectionId),
  eightBytes.map(frames.pathChallenge),
  eightBytes.map(frames.pathResponse),
  fewBytes.map((bytes) => Buffer.concat([Buffer.of(0x30), bytes])),
  fc.uint8Array({ minLength: 1, maxLength: 30 }),
);

/** Of kinds that end the connection, or that no client may send. */
const last: fc.Arbitrary<Uint8Array> = fc.oneof(
  fewBytes.map(frames.newToken),
  fc.tuple(number, number, fewBytes, fc.constant(Buffer.alloc(16))).map((of) => frames.newConnectionId(...of)),
  fc.constant(frames.handshakeDone()),
  fc.tuple(number, number, fewBytes).map((of) => frames.close(...of)),
  fc.tuple(number, fewBytes).map((of) => frames.closeApplication(...of)),
);

/** A QUIC frame, right or wrong, or what is none: all that a client may put into a packet. */
export const anyFrame: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 60, arbitrary: allowed },
  { weight: 1, arbitrary: last },
);
