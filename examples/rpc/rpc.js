/**
 * Calls of functions at the other end of a channel, on two streams, one each way. A message is one call or one answer, as JSON.
 *
 * @example
 * ```js
 * const remote = await openRpc(channel, { add: (a, b) => a + b });
 * await remote.add(1, 2); // of the other end; rejects with what it throws there
 * ```
 */

/** @import { Channel } from "conec" */

/** @typedef {(...values: any[]) => any} Procedure */
/** @typedef {{ resolve: (value: any) => void, reject: (error: unknown) => void }} Waiting */

/**
 * @param {Channel} channel With an end that calls this, too.
 * @param {Record<string, Procedure>} [procedures] That the other end may call.
 * @returns {Promise<Record<string, Procedure>>}
 */
export async function openRpc(channel, procedures = {}) {
  const writable = await channel.createUnidirectionalStream({ name: "rpc" });
  const writer = writable.getWriter();
  const incoming = channel.incomingUnidirectionalStreams.getReader();
  const { value: readable } = await incoming.read();
  incoming.releaseLock();

  /** @type {Map<number, Waiting>} */
  const waiting = new Map();
  let lastId = 0;

  const send = (/** @type {object} */ message) => writer.write(new TextEncoder().encode(JSON.stringify(message)));

  /** @param {{ id: number, call: string, values: any[] }} message */
  const answer = async ({ id, call, values }) => {
    try {
      if (!Object.hasOwn(procedures, call)) throw new Error(`There is no ${call}`);
      await send({ id, result: await procedures[call]?.(...values) });
    } catch (error) {
      await send({ id, error: error instanceof Error ? error.message : String(error) });
    }
  };

  /** @param {ReadableStream<Uint8Array>} messages */
  const receive = async (messages) => {
    for await (const bytes of messages) {
      const message = JSON.parse(new TextDecoder().decode(bytes));
      if ("call" in message) {
        answer(message).catch(() => {}); // the channel is gone, and with it who asked
        continue;
      }
      const call = waiting.get(message.id);
      if ("error" in message) call?.reject(new Error(message.error));
      else call?.resolve(message.result);
      waiting.delete(message.id);
    }
    throw new Error("The other end has closed");
  };
  receive(readable ?? new ReadableStream()).catch((error) => {
    for (const { reject } of waiting.values()) reject(error);
    void writer.abort(error).catch(() => {}); // from now on, calls reject at once
  });

  /** @param {string} call @param {any[]} values */
  const ask = (call, values) =>
    new Promise((resolve, reject) => {
      const id = (lastId += 1);
      waiting.set(id, { resolve, reject });
      send({ id, call, values }).catch(reject);
    });
  // `then` is no procedure: what has one is taken for a promise.
  const get = (/** @type {object} */ _, /** @type {string} */ call) =>
    call === "then" ? undefined : (/** @type {any[]} */ ...values) => ask(call, values);
  return new Proxy({}, { get });
}
