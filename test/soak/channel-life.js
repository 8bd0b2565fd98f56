/** What a party does with a channel that it has: opens streams, reads those that come, and at some time closes it or hands it on. */
import { setTimeout as pause } from "node:timers/promises";
import { maxMessageBytes } from "./content.js";
import { codeOf } from "./pending.js";
import { receive, send } from "./streams.js";

/** @import { Channel } from "conec" */
/** @import { Host } from "./host.js" */
/** @import { Plan } from "./streams.js" */

/**
 * @typedef {object} LifeOptions
 * @property {boolean} mayEnd Whether the channel may be closed and handed on.
 * @property {() => Channel[]} others Over which it may be handed on.
 */

/**
 * Resolves when the channel is over, with all its streams, or the party has stopped and its own streams are over.
 *
 * @param {Channel} channel
 * @param {Host} host
 * @param {LifeOptions} options
 */
export async function live(channel, host, { mayEnd, others }) {
  const { random } = host;
  let isOver = false;
  const closed = recordEnd(channel, host).then(() => (isOver = true));
  const reading = readAll(channel, host);
  /** @type {Set<Promise<void>>} */
  const sending = new Set();
  const sendOne = (/** @type {number} */ mostMessages) => {
    const stream = send(channel, newPlan(host, mostMessages), host).finally(() => sending.delete(stream));
    sending.add(stream);
  };
  const isQuiet = random.chance(0.3);
  while (!isOver && !host.stopping) {
    await Promise.race([pause(random.between(20, isQuiet ? 2000 : 800)), closed]);
    if (isOver || host.stopping) break;
    const dice = random.next();
    if (dice < 0.92 && sending.size >= 8) continue;
    if (dice < 0.9) sendOne(40);
    else if (dice < 0.92) for (let i = 0; i < 60; i += 1) sendOne(3);
    else if (dice > 0.985 && mayEnd) await close(channel, host);
    else if (dice > 0.95 && mayEnd) await handOn(channel, host, others());
  }
  await Promise.all(sending);
  if (isOver) await reading;
}

/** @param {Host} host @param {number} mostMessages @returns {Plan} */
function newPlan(host, mostMessages) {
  const { random } = host;
  return {
    key: host.newKey(),
    seed: random.below(2 ** 31),
    largest: random.pick([100, 10_000, 10_000, 100_000, maxMessageBytes]),
    count: random.chance(0.1) ? 0 : random.below(mostMessages),
    end: random.chance(0.08) ? "abort" : "close",
  };
}

/** @param {Channel} channel @param {Host} host */
async function readAll(channel, host) {
  /** @type {Promise<void>[]} */
  const streams = [];
  for await (const readable of channel.incomingUnidirectionalStreams) streams.push(receive(readable, channel, host));
  await Promise.all(streams);
}

/** @param {Channel} channel @param {Host} host */
async function recordEnd(channel, host) {
  let outcome;
  try {
    const { closeCode, reason } = await channel.closed;
    outcome = "closed";
    if (reason !== farewell.reason || closeCode !== farewell.closeCode) host.finding(`${host.id}: a channel was closed with ${closeCode}, ${reason}`);
  } catch (error) {
    outcome = host.endedBy(error);
  }
  host.record({ key: "channel", side: "channel", self: host.id, peer: channel.peer.id, outcome });
}

/** @param {Channel} channel @param {Host} host */
async function close(channel, host) {
  host.count("closes");
  const closing = channel.close(farewell);
  try {
    await host.pending.watch(() => `${host.id}: closing a channel with ${channel.peer.id}`, closing);
  } catch (error) {
    host.finding(`${host.id}: close failed with ${codeOf(error)}`);
  }
}

/** @param {Channel} channel @param {Host} host @param {Channel[]} others */
async function handOn(channel, host, others) {
  const targets = others.filter((other) => other !== channel);
  if (targets.length === 0) return;
  const target = host.random.pick(targets);
  const what = () => `${host.id}: handing a channel with ${channel.peer.id} on to ${target.peer.id}`;
  try {
    await host.pending.watch(what, target.sendChannel(channel, { metadata: { by: host.id } }));
    host.count("passed on");
  } catch (error) {
    const code = codeOf(error);
    host.count(`not passed on: ${code}`);
    if (!mayFailWith.includes(code)) host.finding(`${what()} failed with ${code}: ${String(error)}`);
  }
}

/** What everything is closed with. */
export const farewell = { closeCode: 7, reason: "soak" };
/** Why a channel could not be passed on, when all is well. */
const mayFailWith = ["streams-open", "refused", "closed", "detached", "peer-lost", "limit-exceeded", "timeout"];
