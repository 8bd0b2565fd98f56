/** What the small examples begin with: a Coordinator on this machine that connects whoever asks for it. */
import { Client, Coordinator } from "conec";
import { createSelfSignedCertificate, listen, quic } from "conec/quic";

/** @import { Channel, CoordinatorOptions } from "conec" */

/**
 * Starts a Coordinator. A Client that calls another by {@link call} is introduced to it.
 *
 * @param {CoordinatorOptions} [options]
 * @returns what Clients need to join, and `join` for one in this process
 */
export async function startCoordinator(options) {
  const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });
  const coordinator = new Coordinator(options);
  const listener = await listen({ host: "127.0.0.1", port: 0, cert, key });
  coordinator.serve(listener);
  void answerCalls(coordinator);

  const url = `https://127.0.0.1:${listener.address.port}`;
  const transport = quic({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });
  return { coordinator, url, hash, join: (/** @type {string} */ id) => Client.connect(url, { transport, id }) };
}

/**
 * Asks for a channel with another Client. Both get it from `incomingChannels`.
 *
 * @param {Client} client
 * @param {string} to
 */
export async function call(client, to) {
  const request = await client.coordinator.createUnidirectionalStream({ name: "call", metadata: { to } });
  await request.close();
}

/**
 * The first thing of a stream.
 *
 * @template T
 * @param {ReadableStream<T>} stream
 * @returns {Promise<T>}
 */
export async function first(stream) {
  for await (const item of stream.values({ preventCancel: true })) return item;
  throw new Error("Nothing came");
}

/** @param {Coordinator} coordinator */
async function answerCalls(coordinator) {
  for await (const client of coordinator.incomingChannels) void answerCallsOf(client, coordinator);
}

/** @param {Channel} client @param {Coordinator} coordinator */
async function answerCallsOf(client, coordinator) {
  for await (const { name, metadata } of client.incomingUnidirectionalStreams) {
    const { to } = metadata;
    if (name !== "call" || typeof to !== "string") continue;
    coordinator.introduce(client.peer.id, to).catch((error) => console.error(error.message));
  }
}
