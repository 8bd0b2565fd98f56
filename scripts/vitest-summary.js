/**
 * Vitest reporter for scripts/test.js: writes what a run came to, as JSON, to the file named by CONEC_TEST_SUMMARY.
 * Vitest's own JSON report lacks the errors outside of tests and the reasons of skipped tests.
 */
import { writeFileSync } from "node:fs";

/** @import { SerializedError } from "vitest" */
/** @import { Reporter, TestCase, TestModule, Vitest } from "vitest/node" */

/**
 * @typedef {object} Summary
 * @property {number} passed
 * @property {string[]} failed Names; files that did not load, hooks and unhandled errors among them.
 * @property {{ name: string, reason: string }[]} skipped
 */

/** @implements {Reporter} */
export default class SummaryReporter {
  /** @type {RegExp | undefined} */
  #namePattern;

  /** @param {Vitest} vitest */
  onInit(vitest) {
    this.#namePattern = vitest.config.testNamePattern;
  }

  /**
   * @param {readonly TestModule[]} modules
   * @param {readonly SerializedError[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    /** @type {Summary} */
    const summary = { passed: 0, failed: [], skipped: [] };
    for (const module of modules) {
      const file = module.relativeModuleId;
      for (const error of module.errors()) summary.failed.push(`${file}: ${firstLine(error.message)}`);
      for (const suite of module.children.allSuites()) {
        for (const error of suite.errors()) {
          summary.failed.push(`${file} > ${suite.fullName}: ${firstLine(error.message)}`);
        }
      }
      for (const test of module.children.allTests()) this.#count(test, `${file} > ${test.fullName}`, summary);
    }
    for (const error of unhandledErrors) summary.failed.push(`unhandled error: ${firstLine(error.message)}`);
    const path = process.env["CONEC_TEST_SUMMARY"];
    if (path) writeFileSync(path, JSON.stringify(summary));
  }

  /**
   * @param {TestCase} test
   * @param {string} name
   * @param {Summary} summary
   */
  #count(test, name, summary) {
    const result = test.result();
    if (result.state === "passed") summary.passed++;
    else if (result.state === "failed") summary.failed.push(name);
    else if (result.state === "pending") summary.failed.push(`${name} (did not run to its end)`);
    else if (this.#namePattern && !this.#namePattern.test(test.fullName.replaceAll(" > ", " ")))
      return; // not asked for
    else summary.skipped.push({ name, reason: skipReason(test, result.note) });
  }
}

/**
 * @param {TestCase} test
 * @param {string | undefined} note
 */
function skipReason(test, note) {
  if (note) return note;
  return test.options.mode === "todo" ? "to do" : "no reason given";
}

/** @param {string | undefined} text */
function firstLine(text) {
  return (text ?? "").split("\n", 1)[0] ?? "";
}
