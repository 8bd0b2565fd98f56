/** The help texts, whose examples are run as they stand. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { commands } from "../../src/cli/program/commands.ts";
import { createAuthority } from "../support/certificates.ts";
import { Conec } from "./conec.ts";
import type { Program } from "./conec.ts";

let conec: Conec;
beforeAll(async () => {
  conec = new Conec();
  await conec.useCoordinator();
  // `conec`, as a shell finds it.
  const bin = conec.newFolder("bin");
  writeFileSync(join(bin, "conec"), `#!/bin/sh\nexec "${process.execPath}" "${conec.main}" "$@"\n`);
  chmodSync(join(bin, "conec"), 0o755);
  conec.env["PATH"] = `${bin}:${conec.env["PATH"]}`;
}, 60_000);
afterAll(() => conec.close());

/** A folder with what the examples name. */
function workplace(name: string): string {
  const folder = conec.newFolder(name);
  mkdirSync(join(folder, "holiday"), { recursive: true });
  writeFileSync(join(folder, "photo.jpg"), "a photo");
  writeFileSync(join(folder, "holiday", "list.txt"), "a list");
  const { cert, key } = createAuthority().issue();
  writeFileSync(join(folder, "fullchain.pem"), cert);
  writeFileSync(join(folder, "privkey.pem"), key);
  writeFileSync(join(folder, "rules.json"), readFileSync(new URL("rules-example.json", import.meta.url)));
  return folder;
}

/** Runs a line as it was typed into a shell. Its ports may be in use here. */
function shell(line: string, cwd: string, env = {}): Program {
  const typed = line.replace("--port 4433", "--port 0").replace("--observe-port 9464", "--observe-port 0");
  return conec.spawn("sh", ["-c", `exec 2>&1; ${typed}`], { cwd, env: { CONEC_PORT: "0", ...env } });
}

async function endsWell(program: Program): Promise<void> {
  program.child.stdin.end();
  const { code, stdout } = await program.ended;
  expect(code, stdout).toBe(0);
}

/** What is to go on beside an example, and what shows that it works; by the command. */
const trials: Record<string, (line: string, cwd: string) => Promise<void>> = {
  coordinator: async (line, cwd) => {
    const program = shell(`exec ${line}`, cwd, { CONEC_STATE: join(cwd, "state") });
    await program.printed(/listening/);
    program.kill("SIGTERM");
    await endsWell(program);
  },
  send: async (line, cwd) => {
    const receiving = conec.start(["receive", "--as", "bob", "--into", join(cwd, "in"), "--once"], { input: "" });
    await endsWell(shell(line, cwd));
    expect((await receiving.ended).code).toBe(0);
  },
  receive: async (line, cwd) => {
    const program = shell(`exec ${line}`, cwd);
    await program.printed(/Files for|"listening"/);
    await endsWell(
      shell("conec send photo.jpg --to bob --as alice", workplace(`${cwd}-sender`.slice(conec.folder.length + 1))),
    );
    await program.printed(/received/);
    if (line.includes("--once")) return await endsWell(program);
    program.kill("SIGINT");
    expect((await program.ended).code).toBe(130);
  },
  pipe: async (line, cwd) => {
    const other = line.includes("--as b") ? "echo hello | conec pipe --as a --to b" : "conec pipe --as b --to a";
    const [first, second] = [shell(line, cwd), shell(other, cwd)];
    await Promise.all([endsWell(first), endsWell(second)]);
  },
  status: (line, cwd) => endsWell(shell(line, cwd)),
  doctor: (line, cwd) => endsWell(shell(line, cwd)),
  key: (line, cwd) => endsWell(shell(line, cwd)),
};

const examples = commands.flatMap(({ name, examples: each }) => each.map(({ line }) => [name, line] as const));

test.each(examples)("the example of %s: %s", async (name, line) => {
  await trials[name]!(line, workplace(`example-${examples.findIndex((each) => each[1] === line)}`));
});

test.each(commands.map((command) => [command.name, command] as const))("conec %s --help", async (name, command) => {
  const { code, stdout, stderr } = await conec.run([name, "--as", "--help"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  for (const option of Object.keys(command.options)) expect(stdout).toContain(`--${option}`);
  for (const { line } of command.examples) expect(stdout).toContain(line);
  expect(command.examples.length).toBeGreaterThan(0);
  expect(stdout).toMatch(/130 +Ctrl-C/);
  for (const row of stdout.split("\n")) expect(row.length).toBeLessThanOrEqual(112);
  expect((await conec.run(["help", name])).stdout).toBe(stdout);
});

test("conec --help lists the commands; conec --version is that of the package", async () => {
  const { code, stdout } = await conec.run(["--help"]);
  expect(code).toBe(0);
  for (const { name, summary } of commands) expect(stdout).toMatch(new RegExp(`^  ${name} +${summary}$`, "m"));
  const { version } = JSON.parse(readFileSync(join(conec.folder, "package.json"), "utf8")) as { version: string };
  expect(await conec.run(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test("the page on the command line has every command, every option and every exit code", () => {
  const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
  for (const { name, options } of commands) {
    expect(page).toContain(`conec ${name}`);
    for (const option of Object.keys(options)) expect(page, `--${option} of ${name}`).toContain(`--${option}`);
  }
  for (const code of [0, 1, 2, 3, 4, 5, 130, 141, 143]) expect(page).toMatch(new RegExp(`^\\| ${code} `, "m"));
  // Its rules are those that the example is run with.
  const [, rules = ""] = /```json\n(\{\n {2}"clients"[^]*?)```/.exec(page) ?? [];
  expect(JSON.parse(rules)).toEqual(
    JSON.parse(readFileSync(new URL("rules-example.json", import.meta.url), "utf8")) as unknown,
  );
});
