// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from "node:crypto";
import { lookup } from "node:dns/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";

import { ConecError } from "../../index.ts";
import { checkWebTransport } from "../../transports/quic/index.ts";
import type { ConnectionValues } from "../connect/connection-options.ts";
import { readConnectionSettings } from "../connect/connection-settings.ts";
import type { ConnectionSettings, TransportName } from "../connect/connection-settings.ts";
import { adviceFor, explain } from "../connect/explain.ts";
import { Session } from "../connect/session.ts";
import type { Output } from "../output/output.ts";
import type { Context } from "../program/command.ts";
import { exitCodes } from "../program/exit-codes.ts";
import { Failure, UsageError } from "../program/failure.ts";
import { certificateFindings, clockFinding, pathMtuFinding, rttFinding } from "./findings.ts";
import type { Finding } from "./findings.ts";

export interface DoctorValues extends ConnectionValues {
  as: string | undefined;
  origin: string | undefined;
}

/** `conec doctor` */
export async function doctor(
  values: DoctorValues,
  operands: readonly string[],
  { output, signal }: Context,
): Promise<void> {
  if (operands.length > 0) throw new UsageError("conec doctor takes no operands", "doctor");
  const examination = new Examination(await readConnectionSettings(values), values, output, signal);
  const bad = await examination.run();
  if (bad > 0) throw new Failure(`${bad} of these is wrong: see above`, exitCodes.failed, "unwell");
}

const labels: Record<TransportName, string> = { quic: "QUIC", websocket: "WebSocket" };

class Examination {
  readonly #settings: ConnectionSettings;
  readonly #options: Pick<DoctorValues, "as" | "origin">;
  readonly #output: Output;
  readonly #signal: AbortSignal;
  readonly #host: string;
  #bad = 0;
  #certificate: X509Certificate | undefined;
  #session: Session | undefined;

  constructor(
    settings: ConnectionSettings,
    options: Pick<DoctorValues, "as" | "origin">,
    output: Output,
    signal: AbortSignal,
  ) {
    this.#settings = settings;
    this.#options = options;
    this.#output = output;
    this.#signal = signal;
    this.#host = settings.url.hostname.replace(/^\[(.*)\]$/, "$1");
  }

  /** @returns how much is wrong */
  async run(): Promise<number> {
    const { transports } = this.#settings;
    const hasUdp = transports.some(({ name }) => name === "quic");
    if (!(await this.#address())) return this.#bad;
    const failures: { name: TransportName; error: unknown }[] = [];
    for (const each of transports) {
      try {
        const startMs = performance.now();
        const connection = await each.transport.connect(this.#settings.url, { signal: this.#signal });
        const tookMs = performance.now() - startMs;
        const [leaf] = connection.remote.certificates ?? [];
        if (leaf !== undefined) this.#certificate ??= new X509Certificate(leaf);
        connection.close({ reason: "The doctor has seen enough" });
        this.#find({ check: labels[each.name], state: "ok", text: `connects in ${tookMs.toFixed(0)} ms` });
      } catch (error) {
        this.#signal.throwIfAborted();
        failures.push({ name: each.name, error });
      }
      if (each.name === "quic") await this.#webTransport();
    }
    try {
      const joining = await this.#join();
      this.#tellFailures(failures);
      await this.#showCertificate();
      this.#find(joining);
      if (this.#session !== undefined) {
        await this.#measure(this.#session);
        if (hasUdp) this.#find(pathMtuFinding(await this.#datagramBytes(this.#session)));
      }
    } finally {
      await this.#session?.[Symbol.asyncDispose]();
    }
    return this.#bad;
  }

  async #address(): Promise<boolean> {
    try {
      const found = await lookup(this.#host, { all: true });
      this.#find({ check: "address", state: "ok", text: found.map(({ address }) => address).join(", ") });
      return true;
    } catch {
      const advice = "Check the spelling, and that this machine can look up names";
      this.#find({ check: "address", state: "bad", text: `no address is known for ${this.#host}`, advice });
      return false;
    }
  }

  async #webTransport(): Promise<void> {
    const { url, timeoutMs, serverCertificateHashes, ca } = this.#settings;
    const { origin } = this.#options;
    const options = { connectTimeoutMs: timeoutMs, serverCertificateHashes, ca, origin, signal: this.#signal };
    try {
      await checkWebTransport(url, options);
      const as = origin === undefined ? "" : ` as a page of ${origin}`;
      this.#find({
        check: "WebTransport",
        state: "ok",
        text: `a session opens over HTTP/3${as}`,
      });
    } catch (error) {
      this.#signal.throwIfAborted();
      const advice = error instanceof ConecError && error.code === "refused" ? "Allow the origin there" : undefined;
      this.#find(findingOf("WebTransport", error, advice));
    }
  }

  async #join(): Promise<Finding> {
    try {
      this.#session = await Session.join(this.#settings, { id: this.#options.as, signal: this.#signal });
      const { client, desk } = this.#session;
      return { check: "joining", state: "ok", text: `let in as ${client.id} by ${desk.welcome.software}` };
    } catch (error) {
      this.#signal.throwIfAborted();
      const isRefused = error instanceof ConecError && error.code === "refused";
      return findingOf(
        "joining",
        error,
        isRefused ? "Give the right --token, or have your key (conec key) put into the rules" : undefined,
      );
    }
  }

  /** A transport that the Coordinator does not offer is none that is wrong. */
  #tellFailures(failures: readonly { name: TransportName; error: unknown }[]): void {
    const offered = this.#session?.desk.welcome.transports;
    for (const { name, error } of failures) {
      if (offered?.includes(name) === false) {
        this.#find({ check: labels[name], state: "skipped", text: "the Coordinator does not offer it" });
      } else this.#find(findingOf(labels[name], error, blockedAdvice(name, error, this.#settings.url)));
    }
  }

  async #showCertificate(): Promise<void> {
    const certificate =
      this.#certificate ?? (await certificateOver(this.#settings.url, this.#host, this.#settings.timeoutMs));
    if (certificate === undefined) {
      return this.#find({ check: "certificate", state: "skipped", text: "none was seen" });
    }
    const isPinned = this.#settings.serverCertificateHashes !== undefined;
    const nextHash = this.#session?.desk.welcome.certificateHashes[1];
    for (const finding of certificateFindings({
      certificate,
      host: this.#host,
      isPinned,
      nextHash,
      nowMs: Date.now(),
    })) {
      this.#find(finding);
    }
  }

  async #measure(session: Session): Promise<void> {
    const times: number[] = [];
    let clock: Finding | undefined;
    for (let round = 0; round < pingRounds; round += 1) {
      const { timeMs, rttMs } = await session.desk.ping(this.#signal);
      times.push(rttMs);
      clock = clockFinding(timeMs - (Date.now() - rttMs / 2), rttMs / 2);
    }
    this.#find(clock!);
    this.#find(rttFinding(times));
  }

  /** The largest datagram that gets through: larger ones are only tried when there is much to send. */
  async #datagramBytes({ client }: Session): Promise<number | undefined> {
    if ((await client.getStats()).transport !== "quic") return undefined;
    const writable = await client.coordinator.createUnidirectionalStream({
      name: "conec-doctor",
      signal: this.#signal,
    });
    const writer = writable.getWriter();
    writer.closed.catch(() => {});
    // The Coordinator wants no such stream; but the bytes are on their way.
    for (let sent = 0; sent < mtuBytes; sent += mtuChunkBytes)
      writer.write(new Uint8Array(mtuChunkBytes)).catch(() => {});
    let best: number | undefined;
    let rttMs = 0;
    for (let quiet = 0; quiet < mtuQuietRounds; quiet += 1) {
      await sleep(Math.max(mtuPauseMs, rttMs), undefined, { signal: this.#signal }).catch(() =>
        this.#signal.throwIfAborted(),
      );
      const { datagramBytes, rttMs: nowMs = 0 } = await client.getStats();
      rttMs = nowMs;
      if (datagramBytes !== best) quiet = 0;
      best = datagramBytes;
    }
    writer.abort().catch(() => {});
    return best;
  }

  #find(finding: Finding): void {
    const { check, state, text, advice } = finding;
    if (state === "bad") this.#bad += 1;
    const word = { ok: "ok  ", bad: "BAD ", skipped: "-   " }[state];
    const as = { ok: "good", bad: "bad", skipped: "dim" } as const;
    const line = `${check.padEnd(12)}  ${text}${advice === undefined ? "" : `. ${advice}`}`;
    this.#output.say("finding", finding, line, { word, as: as[state] });
  }
}

/** Enough packets for the search to begin; a probe that is lost is given up within 100 ms or three round trips. */
const mtuBytes = 131_072;
const mtuChunkBytes = 16_384;
const mtuQuietRounds = 6;
const mtuPauseMs = 100;
const pingRounds = 5;

function findingOf(check: string, error: unknown, advice: string | undefined): Finding {
  const text = error instanceof ConecError ? error.message.replace(/\.$/, "") : explain(error).message;
  const what = advice ?? (error instanceof ConecError ? adviceFor(error.code) : undefined);
  return { check, state: "bad", text, ...(what !== undefined && { advice: what }) };
}

function blockedAdvice(name: TransportName, error: unknown, { port }: URL): string | undefined {
  const isSilent = error instanceof ConecError && (error.code === "unreachable" || error.code === "timeout");
  if (!isSilent) return undefined;
  const number = port === "" ? "443" : port;
  return `Check that the Coordinator runs there, and open ${name === "quic" ? "UDP" : "TCP"} port ${number} on the way`;
}

/** The certificate, whether it is to be trusted or not, as TLS over TCP shows it. */
function certificateOver(url: URL, host: string, timeoutMs: number): Promise<X509Certificate | undefined> {
  return new Promise((resolve) => {
    const port = url.port === "" ? 443 : Number(url.port);
    const socket = connectTls({ host, port, rejectUnauthorized: false, timeout: timeoutMs });
    const end = (certificate?: X509Certificate): void => {
      socket.destroy();
      resolve(certificate);
    };
    socket.once("secureConnect", () => end(socket.getPeerX509Certificate()));
    socket.once("timeout", () => end());
    socket.once("error", () => end());
  });
}
