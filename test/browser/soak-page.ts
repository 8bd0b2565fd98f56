import { Client } from "../../src/index.ts";
import { webtransport } from "../../src/transports/webtransport/index.ts";
import { receiveAll, sendAll } from "../conformance/load.ts";
import type { Load } from "../conformance/load.ts";
import { cuttable } from "../conformance/path.ts";
import { random } from "../support/messages.ts";

export interface SoakOptions {
  url: string;
  hash: number[];
  /** Sessions at once. */
  sessions: number;
  seed: number;
}

/** How many sessions were opened, and what went wrong. */
export interface SoakResult {
  opened: number;
  errors: string[];
}

interface Session {
  client: Client;
  /** Ends its connection without a word. */
  cut: () => void;
}

/** How long a session is open. */
const minLifeMs = 200;
const maxLifeMs = 5000;

/**
 * Opens so many sessions. What it resolves with closes and opens at random until the time is up, and closes them all. In
 * each of them goes a stream of a few messages to the Coordinator, which is to come back.
 */
export async function soak(options: SoakOptions): Promise<(seconds: number) => Promise<SoakResult>> {
  const serverCertificateHashes = [{ algorithm: "sha-256", value: Uint8Array.from(options.hash) }];
  let drawn = options.seed * 1_000_000;
  const draw = (): number => random((drawn += 1));
  const result: SoakResult = { opened: 0, errors: [] };

  async function open(): Promise<Session> {
    const { transport, cut } = cuttable(webtransport({ serverCertificateHashes }));
    const client = await Client.connect(options.url, { transport });
    result.opened += 1;
    return { client, cut };
  }

  async function exchange({ client: { coordinator } }: Session): Promise<void> {
    const load: Load = { first: Math.floor(1000 * draw()), bytes: Math.floor(20_000 * draw()) };
    const count = Math.floor(10 * draw());
    const writable = await coordinator.createUnidirectionalStream({ metadata: { ...load, count } });
    await sendAll(writable, load, count);
    const { value } = await coordinator.incomingUnidirectionalStreams.getReader().read();
    const received = await receiveAll(value!, load);
    if (received !== count) throw new Error(`${received} messages came back, not ${count}`);
  }

  /** In order, or without a word, or with a stream open. */
  async function end({ client, cut }: Session): Promise<void> {
    const way = draw();
    if (way < 0.3) return cut();
    if (way < 0.6) await (await client.coordinator.createUnidirectionalStream()).getWriter().write(new Uint8Array(100));
    await client.close();
  }

  async function openAndClose(first: Session, untilMs: number): Promise<void> {
    for (let session = first; ; session = await open()) {
      await exchange(session);
      const lifeMs = minLifeMs + (maxLifeMs - minLifeMs) * draw();
      await new Promise((resolve) => setTimeout(resolve, Math.min(lifeMs, untilMs - performance.now())));
      await end(session);
      if (performance.now() >= untilMs) return;
    }
  }

  const opened = await Promise.all(Array.from({ length: options.sessions }, open));
  return async (seconds) => {
    const untilMs = performance.now() + 1000 * seconds;
    const running = opened.map((session) => openAndClose(session, untilMs));
    await Promise.all(running.map((each) => each.catch((error: unknown) => result.errors.push(String(error)))));
    return result;
  };
}
