import { expect, test } from "vitest";
import { ChannelState } from "../../src/core/channel-state.ts";
import { IncomingStreams } from "../../src/core/incoming-streams.ts";
import { clientLimits } from "../../src/core/limits.ts";
import { createBytePipe } from "../../src/streams/byte-pipe.ts";

/** Fails when it is asked again and again: a loop without an end could not be seen otherwise. */
class ImpatientState extends ChannelState {
  asked = 0;

  override pair(stream: number, epoch: number): ReturnType<ChannelState["pair"]> {
    this.asked += 1;
    if (this.asked > 10) throw new Error("It asks again and again");
    return super.pair(stream, epoch);
  }
}

test("a stream that has come too early for its epoch still waits when the connection is lost", () => {
  const state = new ImpatientState({ end: 0, maxStreams: [1, 1], streamLimit: 1 });
  const streams = new IncomingStreams({
    state,
    limits: { ...clientLimits(), streamsPerChannel: 10 },
    apply() {},
    fault: (error) => expect.fail(error.message),
    stalls: undefined,
    account: undefined,
    resumable: true,
  });
  for (const [stream, epoch] of [
    [1, 0],
    [3, 1],
    [5, 2],
  ] as const) {
    streams.pair(stream, epoch, { head: new Uint8Array(0), reader: createBytePipe().readable.getReader() });
  }
  state.suspend();
  streams.suspend();
  // Once when it came, and once when the connection was lost.
  expect(state.asked).toBe(6);
});
