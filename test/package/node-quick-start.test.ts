/** "Two programs that talk" of README.md, as a new user follows it, in an empty folder, with the packed package. */
import { afterAll, beforeAll, expect, test } from "vitest";

import { NewUser, quickStart } from "./new-user.ts";

const start = quickStart("README.md", "Two programs that talk");

let user: NewUser;
beforeAll(async () => void (user = await NewUser.create("4433")));
afterAll(() => user.close());

test("install, three files, three terminals", async () => {
  expect(start.files.map(({ name }) => name)).toEqual(["coordinator.mjs", "alice.mjs", "bob.mjs"]);
  user.install();
  user.write(start);
  await user.run("coordinator.mjs").printed(/^listening$/m);
  await user.run("alice.mjs").printed(/^waiting for somebody$/m);
  const bob = user.run("bob.mjs");
  await bob.printed(/^hello\.txt Hello bob$/m);
  expect(await bob.exitCode()).toBe(0);
}, 120_000);
