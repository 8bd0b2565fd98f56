/** What has been measured, run by run, so that a long bench can be stopped and taken up again; and the published results. */

import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** @typedef {import("./report.js").Run} Run */

const journals = new URL("runs/", import.meta.url);
const results = new URL("results/", import.meta.url);

export class Journal {
  /** @type {Run[]} */
  runs = [];
  #file;

  /**
   * @param {string} name
   * @param {Record<string, string>} versions
   * @param {boolean} resume Goes on with what is there, if it was measured with the same versions.
   */
  constructor(name, versions, resume) {
    mkdirSync(journals, { recursive: true });
    this.#file = fileURLToPath(new URL(`${name}.jsonl`, journals));
    const head = JSON.stringify({ versions });
    if (resume && existsSync(this.#file)) {
      const [first, ...lines] = readFileSync(this.#file, "utf8").trim().split("\n");
      if (first === head) {
        this.runs = lines.map((line) => JSON.parse(line)).filter(({ error }) => error === undefined);
        return;
      }
    }
    writeFileSync(this.#file, `${head}\n`);
  }

  /**
   * @param {string} workload
   * @param {number} round
   * @param {string} row
   */
  has(workload, round, row) {
    return this.runs.some((run) => run.workload === workload && run.round === round && run.row === row);
  }

  /** @param {Run} run */
  add(run) {
    this.runs.push(run);
    appendFileSync(this.#file, `${JSON.stringify(run)}\n`);
  }
}

/**
 * Writes a whole run's figures into bench/results, in place of those of the same workloads.
 * @param {string} kind
 * @param {Record<string, object>} workloads
 * @returns {string} The file.
 */
export function publish(kind, workloads) {
  mkdirSync(results, { recursive: true });
  const file = new URL(`${kind}.json`, results);
  const before = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).workloads : {};
  writeFileSync(file, `${JSON.stringify({ kind, workloads: { ...before, ...workloads } }, undefined, 2)}\n`);
  return fileURLToPath(file);
}

/**
 * @param {string} kind
 * @param {object} result
 * @returns {string} The file, which is nobody's but who measured.
 */
export function keep(kind, result) {
  mkdirSync(journals, { recursive: true });
  const file = new URL(`${kind}.json`, journals);
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  return fileURLToPath(file);
}
