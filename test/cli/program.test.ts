/** The parts of the command line that need no process. */
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { renewalStep, switchTimeMs } from "../../src/cli/coordinator/renewal.ts";
import { SelfMadeCertificates } from "../../src/cli/coordinator/self-made-certificates.ts";
import { certificateFindings, clockFinding, pathMtuFinding } from "../../src/cli/doctor/findings.ts";
import { printable } from "../../src/cli/output/printable.ts";
import { bytesText, durationText, table } from "../../src/cli/output/quantities.ts";
import { parseArguments } from "../../src/cli/program/arguments.ts";
import { createSelfSignedCertificate } from "../../src/transports/quic/index.ts";

const options = {
  to: { value: "NAME", help: "" },
  token: { value: "TOKEN", env: "TOKEN", help: "" },
  hash: { value: "HEX", multiple: true, env: "HASH", help: "" },
  json: { help: "" },
} as const;

describe("arguments", () => {
  const parse = (...args: string[]) => parseArguments("send", options, args, { HASH: "aa, bb" });

  test("values, flags, lists, operands, the environment", () => {
    expect(parse("-", "--to=bob", "a", "--json", "--", "--b")).toEqual({
      values: { to: "bob", token: undefined, hash: ["aa", "bb"], json: true },
      operands: ["-", "a", "--b"],
    });
    expect(parse("--hash", "cc", "--hash=dd").values["hash"]).toEqual(["cc", "dd"]);
  });

  test.each([
    [["--tto", "x"], "There is no option --tto; did you mean --to?"],
    [["--constructor"], "There is no option --constructor"],
    [["-x"], "There is no option -x"],
    [["--to"], "--to needs a value"],
    [["--to", "--json"], "--to needs a value"],
    [["--json=1"], "--json takes no value"],
    [["--to", "a", "--to", "b"], "--to is given more than once"],
  ])("%j", (args, message) => {
    expect(() => parse(...args)).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringContaining(message) }),
    );
  });

  test("a value, which may be a secret, is never repeated", () => {
    fc.assert(
      fc.property(fc.constantFrom("--token", "--tokem", "--json", "--to"), (option) => {
        try {
          parse(`${option}=s3cr3t`, `${option}=s3cr3t`);
        } catch (error) {
          expect((error as Error).message).not.toContain("s3cr3t");
        }
      }),
    );
  });
});

test("what others say cannot play with the terminal", () => {
  expect(printable("a\u001b[2Jb\u202ec\r\nd\u0007")).toBe("a\\u{1b}[2Jb\\u{202e}c d\\u{7}");
  fc.assert(
    fc.property(fc.array(fc.nat(0xffff)), (units) => {
      const text = String.fromCharCode(...units);
      expect(/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u.test(printable(text))).toBe(true);
    }),
  );
});

test("quantities", () => {
  expect([0, 999, 1000, 1_234_567, 999_999, 12_345_678_901].map(bytesText)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "1.2 MB",
    "1.0 MB",
    "12.3 GB",
  ]);
  expect([0.04, 9.94, 12, 60, 3725, 90_000].map(durationText)).toEqual([
    "0.0 s",
    "9.9 s",
    "12 s",
    "1 min 0 s",
    "1 h 2 min",
    "1 d 1 h",
  ]);
  expect(
    table([
      ["a", "bb"],
      ["ccc", "d"],
    ]),
  ).toEqual(["a    bb", "ccc  d"]);
});

describe("renewal of a self-made certificate", () => {
  const day = 24 * 3_600_000;
  const current = { notBeforeMs: 0, notAfterMs: 14 * day };

  test.each([
    [6 * day, undefined, "none"],
    [7 * day, undefined, "prepare"],
    [7 * day, { notBeforeMs: 7 * day, notAfterMs: 21 * day }, "none"],
    [13 * day, { notBeforeMs: 7 * day, notAfterMs: 21 * day }, "switch"],
    [13.5 * day, undefined, "prepare"],
    [15 * day, undefined, "restart"],
    [15 * day, { notBeforeMs: 7 * day, notAfterMs: 21 * day }, "switch"],
    [40 * day, { notBeforeMs: 7 * day, notAfterMs: 21 * day }, "restart"],
  ])("at %d ms", (nowMs, next, step) => {
    expect(renewalStep(nowMs, current, next)).toBe(step);
  });

  test("the next one is made and told a week before, used a day before the end; both survive a restart", async () => {
    const folder = mkdtempSync(join(tmpdir(), "conec-state-"));
    const hosts = ["localhost"];
    const first = await SelfMadeCertificates.open(folder, hosts);
    const [hash] = first.hashes;
    expect(statSync(join(folder, "certificate.pem")).mode & 0o777).toBe(0o600);
    first.close();

    const news: string[] = [];
    const again = await SelfMadeCertificates.open(folder, hosts);
    again.onNews = (each) => news.push(each.type);
    again.onChange = ({ cert }) =>
      news.push(new X509Certificate(cert).fingerprint256.replaceAll(":", "").toLowerCase());
    expect(again.hashes).toEqual([hash]);
    expect(again.resetKey).toEqual(first.resetKey);
    const validTo = again.validTo.getTime();
    await again.check(validTo - 7 * day + 1000);
    const [, next] = again.hashes;
    expect(news).toEqual(["next"]);
    await again.check(switchTimeMs({ notBeforeMs: validTo - 14 * day, notAfterMs: validTo }) + 1000);
    expect(news).toEqual(["next", next, "changed"]);
    again.close();

    const third = await SelfMadeCertificates.open(folder, hosts);
    expect(third.hashes[0]).toBe(next);
    third.close();
    const moved = await SelfMadeCertificates.open(folder, [...hosts, "conec.example"]);
    expect(moved.hashes).not.toContain(next);
    moved.close();
    writeFileSync(join(folder, "certificate.pem"), "rubbish");
    const fresh = await SelfMadeCertificates.open(folder, hosts);
    expect(fresh.hashes).toHaveLength(1);
    fresh.close();
    expect(readdirSync(folder).sort()).toEqual(["certificate.pem", "stateless-reset.key"]);
    rmSync(folder, { recursive: true });
  });
});

describe("what the doctor makes of", () => {
  const { cert } = createSelfSignedCertificate({ hosts: ["conec.example"] });
  const certificate = new X509Certificate(cert);
  const facts = { certificate, host: "conec.example", isPinned: false, nextHash: undefined };
  const states = (nowMs: number, more = {}) =>
    certificateFindings({ ...facts, nowMs, ...more }).map(({ check, state }) => `${check} ${state}`);
  const day = 24 * 3_600_000;

  test("a certificate", () => {
    const nowMs = Date.now();
    expect(states(nowMs)).toEqual(["certificate ok", "names ok", "hash ok"]);
    expect(states(nowMs - day)).toEqual(["certificate bad", "names ok", "hash ok"]);
    expect(states(nowMs + 13.5 * day)[0]).toBe("certificate bad");
    expect(states(nowMs + 13.5 * day, { nextHash: "ab" })[0]).toBe("certificate ok");
    expect(states(nowMs + 20 * day)[0]).toBe("certificate bad");
    expect(states(nowMs, { host: "other.example" })[1]).toBe("names bad");
    expect(states(nowMs, { host: "other.example", isPinned: true })[1]).toBe("names ok");
  });

  test("the clock and the path", () => {
    expect(clockFinding(30_000, 100).state).toBe("ok");
    expect(clockFinding(-3_600_000, 100)).toMatchObject({ state: "bad", text: expect.stringMatching("ahead of") });
    expect(clockFinding(3_600_000, 100)).toMatchObject({ state: "bad", text: expect.stringMatching("behind") });
    expect([1452, 1200, undefined].map((size) => pathMtuFinding(size).state)).toEqual(["ok", "bad", "skipped"]);
  });
});
