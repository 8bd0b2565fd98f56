// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from "node:crypto";

import { Coordinator } from "../../index.ts";
import { observe } from "../../observe/index.ts";
import type { Observer } from "../../observe/index.ts";
import { Desk } from "../desk/desk.ts";
import type { Output } from "../output/output.ts";
import type { Context } from "../program/command.ts";
import { UsageError } from "../program/failure.ts";
import { version } from "../program/version.ts";
import { openCertificates } from "./certificates.ts";
import type { CertificateNews, Certificates } from "./certificates.ts";
import { Guests } from "./guests.ts";
import { Listeners } from "./listeners.ts";
import { RulesFile } from "./rules-file.ts";
import { coordinatorSettings } from "./settings.ts";
import type { CoordinatorSettings } from "./settings.ts";
import { supervised } from "./supervised.ts";

/** `conec coordinator` */
export async function coordinator(
  values: Parameters<typeof coordinatorSettings>[0],
  operands: readonly string[],
  context: Context,
): Promise<void> {
  if (operands.length > 0) throw new UsageError("conec coordinator takes no operands", "coordinator");
  const settings = coordinatorSettings(values);
  const rulesFile = await RulesFile.open(settings.rulesPath);
  const certificates = await openCertificates(settings.certificate);
  try {
    // What a restart would not put right is found before.
    if (settings.supervise) return await supervised(settings, context);
    await serve(settings, rulesFile, certificates, context);
  } finally {
    rulesFile.close();
    certificates.close();
  }
}

async function serve(
  settings: CoordinatorSettings,
  rulesFile: RulesFile,
  certificates: Certificates,
  { output, interruption, signal }: Context,
): Promise<void> {
  const { host, port, websocket, drainMs } = settings;
  const listeners = await Listeners.open({ host, port, websocket, certificates });
  const guests = new Guests({
    rules: () => rulesFile.rules,
    connectionOf: ({ remote }) => listeners.connectionOf(remote),
    onRefused: ({ requestedId, publicKey, remote }) => {
      const fields = { ...(requestedId !== undefined && { id: requestedId }), publicKey, host: remote.host };
      output.say("refused", fields, `refused: ${requestedId ?? "somebody"} from ${remote.host}, key ${publicKey}`);
    },
  });
  const hub = new Coordinator({
    authenticate: (request) => guests.authenticate(request),
    limits: { maxMessageBytes: maxDeskMessageBytes, resumeWindowMs },
  });
  const desk = new Desk({
    coordinator: hub,
    mayReach: (from, to) => guests.mayReach(from, to),
    maySeeAll: (id) => guests.maySeeAll(id),
    figuresOf: (id, seesAll) => guests.figuresOf(id, seesAll),
    welcome: () => ({
      software: `conec ${version()}`,
      transports: [...listeners.transports],
      certificateHashes: [...certificates.hashes],
    }),
    onJoin: (channel) => {
      const { id, publicKey } = channel.peer;
      const from = guests.joined(channel);
      output.say("joined", { id, publicKey, ...from }, `joined: ${id} from ${from.host} over ${from.transport}`);
    },
    onLeave: (id) => {
      guests.left(id);
      output.say("left", { id }, `left: ${id}`);
    },
    onChannel: ({ between, service }, state) =>
      output.say("channel", { state, between, service }, `channel ${state}: ${between.join(" and ")}, ${service}`),
  });
  const reload = (): void => void Promise.all([rulesFile.reload(), certificates.check()]);
  rulesFile.onChange = () => {
    guests.review(hub);
    desk.review();
    output.say("rules", { state: "changed" }, "rules: read again");
  };
  rulesFile.onFault = (message) => output.note("rules", { state: "fault", message }, `rules: ${message}`);
  certificates.onChange = (identity) => listeners.updateCertificate(identity);
  certificates.onNews = (news) => tell(news, output);
  process.on("SIGHUP", reload);

  const ended = new Promise<void>((resolve) => {
    const end = async (): Promise<void> => {
      await hub.close({ reason: closingReason });
      resolve();
    };
    // Somebody waits at a terminal: at once. A service manager gives time.
    signal.addEventListener("abort", () => void end(), { once: true });
    const drain = async (): Promise<void> => {
      guests.closedBecause = closingReason;
      const text = `ending: ${desk.lineCount} channels are open, they have ${drainMs / 1000} s`;
      output.say("draining", { channels: desk.lineCount, withinMs: drainMs }, text);
      await desk.drain(closingReason, drainMs, AbortSignal.any([signal, AbortSignal.timeout(drainMs)]));
      await end();
    };
    interruption.onTerminate = () => void drain();
  });
  let observer: Observer | undefined;
  try {
    const served = listeners.served;
    for (const listener of served) hub.serve(listener);
    if (settings.observe !== undefined) {
      observer = observe(hub, { listeners: served });
      const { address } = await observer.listen(settings.observe);
      const observeUrl = urlOf("http", address.host, address.port);
      const text = `observing: live page ${observeUrl}/, metrics ${observeUrl}/metrics`;
      output.say("observing", { ...address, page: `${observeUrl}/`, metrics: `${observeUrl}/metrics` }, text);
    }
    void desk.run();
    announce(settings, listeners, certificates, output);
    await ended;
  } finally {
    await observer?.close();
    process.off("SIGHUP", reload);
    await hub.close();
  }
  output.say("ended", {}, "ended");
}

/** Requests and answers are smaller; what goes between Clients is not limited by it. */
const maxDeskMessageBytes = 131_072;
/** How long a lost Client counts as here: a pipe goes on when it is back, and nobody should wait for others for long. */
const resumeWindowMs = 15_000;
const closingReason = "The Coordinator is shutting down";

function announce(
  settings: CoordinatorSettings,
  listeners: Listeners,
  certificates: Certificates,
  output: Output,
): void {
  const { publicHost, rulesPath, host = "all addresses" } = settings;
  const { port, transports } = listeners;
  const url = urlOf("https", publicHost, port);
  const [hash, nextHash] = certificates.hashes;
  const { validTo } = new X509Certificate(certificates.identity.cert);
  const options = `--url ${url}${hash === undefined ? "" : ` --hash ${hash}`}`;
  const fields = {
    url,
    port,
    transports,
    ...(hash !== undefined && { hash }),
    ...(nextHash !== undefined && { nextHash }),
    validTo: new Date(validTo).toISOString(),
    options,
  };
  const made = hash === undefined ? "" : `, self-made, SHA-256 ${hash}`;
  const lines = [
    `listening: ${host}, port ${port}, ${transports.join(", ")}`,
    `certificate: valid until ${new Date(validTo).toISOString()}${made}`,
    ...(nextHash === undefined ? [] : [`certificate: the next one is made, SHA-256 ${nextHash}`]),
    ...(rulesPath === undefined ? ["rules: none; anybody who reaches this port may join (--rules changes that)"] : []),
    `to receive files: npx conec receive ${options} --as NAME`,
    `to send one:      npx conec send ${options} FILE --to NAME`,
  ];
  if (output.json) output.say("listening", fields, "");
  else for (const line of lines) output.say("listening", fields, line);
}

function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function tell(news: CertificateNews, output: Output): void {
  switch (news.type) {
    case "fault":
      return output.note("certificate", { state: "fault", message: news.message }, `certificate: ${news.message}`);
    case "next": {
      const from = news.from.toISOString();
      const text = `certificate: the next one has the SHA-256 ${news.hash}, from ${from} on; give Clients both: --hash`;
      return output.say("certificate", { state: "next", hash: news.hash, from }, text);
    }
    case "changed": {
      const validTo = news.validTo.toISOString();
      const text = `certificate: in use is now the one with the SHA-256 ${news.hash}, valid until ${validTo}`;
      return output.say("certificate", { state: "changed", hash: news.hash, validTo }, text);
    }
  }
}
