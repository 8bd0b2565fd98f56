/** The command line as a new user gets it: from the packed package, in an empty folder. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { npm, pack } from "../support/packed-package.ts";
import { Conec } from "./conec.ts";

let conec: Conec;
beforeAll(() => {
  conec = new Conec();
}, 60_000);
afterAll(() => conec.close());

test("pack, install, then the three commands of the README", async (context) => {
  const tarball = pack(conec.folder);

  // Outside of every package, as a user's folder is.
  const empty = mkdtempSync(join(tmpdir(), "conec-new-user-"));
  try {
    writeFileSync(join(empty, "package.json"), "{}");
    const options = ["--prefer-offline", "--no-audit", "--no-fund"];
    const installed = npm(["install", tarball, ...options], empty);
    const isOffline = /ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ENOTCACHED/.test(installed.stderr);
    context.skip(isOffline, "no package registry within reach");
    expect(installed.status, installed.stderr).toBe(0);

    const env = { CONEC_PORT: "0" };
    const npx = (args: string) =>
      conec.spawn("sh", ["-c", `exec npx --no-install conec ${args}`], { cwd: empty, env, isGroup: true });
    const coordinator = npx("coordinator --host 127.0.0.1");
    const [, options1 = ""] = await coordinator.printed(/npx conec receive (.*) --as NAME/);
    const [, options2 = ""] = await coordinator.printed(/npx conec send (.*) FILE --to NAME/);
    mkdirSync(join(empty, "inbox"));
    writeFileSync(join(empty, "photo.jpg"), "a photo");
    const receiving = npx(`receive ${options1} --as bob --into inbox`);
    await receiving.printed(/Files for "bob"/);
    const sending = npx(`send ${options2} photo.jpg --to bob`);
    sending.child.stdin.end();
    const sent = await sending.ended;
    expect(sent, sent.stderr).toMatchObject({ code: 0 });
    expect(sent.stdout).toMatch(/sent photo\.jpg \(7 B\), SHA-256 [0-9a-f]{64}/);
    expect(readFileSync(join(empty, "inbox", "photo.jpg"), "utf8")).toBe("a photo");
    receiving.kill("SIGINT");
    await receiving.ended;
    coordinator.kill("SIGTERM");
    await coordinator.ended;
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
}, 180_000);
