// SPDX-License-Identifier: Apache-2.0
/** What the doctor finds, from what was measured: plain decisions, with what to do about it. */
import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";

import { durationText } from "../output/quantities.ts";

export interface Finding {
  readonly check: string;
  /** `skipped`: there is nothing to check. */
  readonly state: "ok" | "bad" | "skipped";
  readonly text: string;
  /** What to do. */
  readonly advice?: string;
}

const dayMs = 24 * 3_600_000;

export interface CertificateFacts {
  readonly certificate: X509Certificate;
  readonly host: string;
  /** Clients trust it by its hash, so its names do not matter. */
  readonly isPinned: boolean;
  /** SHA-256 of the one that follows, where the Coordinator says so. */
  readonly nextHash: string | undefined;
  readonly nowMs: number;
}

export function certificateFindings({ certificate, host, isPinned, nextHash, nowMs }: CertificateFacts): Finding[] {
  const { validFrom, validTo, subjectAltName = "no name", fingerprint256 } = certificate;
  const hash = fingerprint256.replaceAll(":", "").toLowerCase();
  const leftMs = Date.parse(validTo) - nowMs;
  const until = new Date(validTo).toISOString();
  const findings: Finding[] = [];
  if (nowMs < Date.parse(validFrom)) {
    const text = `not valid before ${new Date(validFrom).toISOString()}`;
    findings.push({ check: "certificate", state: "bad", text, advice: "Check the clock here" });
  } else if (leftMs < 0) {
    findings.push({
      check: "certificate",
      state: "bad",
      text: `expired at ${until}`,
      advice: "Renew it at the Coordinator",
    });
  } else {
    const next = nextHash === undefined ? "" : `; the next one has the SHA-256 ${nextHash}: give it as a second --hash`;
    const text = `valid until ${until} (${durationText(leftMs / 1000)})${next}`;
    const isShort = leftMs < dayMs && nextHash === undefined;
    findings.push(
      isShort
        ? { check: "certificate", state: "bad", text, advice: "Renew it at the Coordinator" }
        : { check: "certificate", state: "ok", text },
    );
  }
  const isForHost = (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
  const names = `for ${subjectAltName.replaceAll(/DNS:|IP Address:/g, "")}`;
  if (isForHost || isPinned)
    findings.push({ check: "names", state: "ok", text: isForHost ? names : `${names}; trusted by its hash` });
  else
    findings.push({ check: "names", state: "bad", text: names, advice: `Dial one of these names in place of ${host}` });
  findings.push({ check: "hash", state: "ok", text: hash });
  return findings;
}

/** `aheadMs`: how far the Coordinator's clock is ahead of this one. */
export function clockFinding(aheadMs: number, uncertaintyMs: number): Finding {
  const off = Math.max(0, Math.abs(aheadMs) - uncertaintyMs);
  const side = aheadMs > 0 ? "behind" : "ahead of";
  if (off < maxClockMs)
    return {
      check: "clock",
      state: "ok",
      text: `within ${durationText((off + uncertaintyMs) / 1000)} of the Coordinator's`,
    };
  const text = `${durationText(off / 1000)} ${side} the Coordinator's`;
  return { check: "clock", state: "bad", text, advice: "Set the clock, here or there: certificates depend on it" };
}

/** `datagramBytes`: the largest UDP payload that is known to arrive. */
export function pathMtuFinding(datagramBytes: number | undefined): Finding {
  if (datagramBytes === undefined)
    return { check: "path MTU", state: "skipped", text: "not known: nothing goes over UDP" };
  const text = `datagrams of ${datagramBytes} bytes get through`;
  if (datagramBytes >= usualDatagramBytes) return { check: "path MTU", state: "ok", text };
  return {
    check: "path MTU",
    state: "bad",
    text,
    advice:
      "It works, but slower: a tunnel on the way is narrow, or drops large datagrams; its MTU should be 1400 or more",
  };
}

/** Round trips that were measured, in milliseconds. */
export function rttFinding(timesMs: readonly number[]): Finding {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const show = (ms: number | undefined): string => (ms ?? 0).toFixed(1);
  const text = `${show(sorted[Math.floor(sorted.length / 2)])} ms (${show(sorted[0])} to ${show(sorted.at(-1))})`;
  return { check: "round trip", state: "ok", text };
}

/** Signatures and proofs allow for this much; certificates are made an hour early. */
const maxClockMs = 60_000;
/** What fits through common tunnels. */
const usualDatagramBytes = 1350;
