import { BaseSequencer, type TestSpecification } from "vitest/node";
import { defineConfig, type TestUserConfig } from "vitest/config";

/** Files in the order of their paths. Vitest's own order follows the durations of earlier runs. */
class PathSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => (a.moduleId < b.moduleId ? -1 : 1));
  }
}

const browserTests = ["test/browser/**/*.test.ts", "test/**/*.browser.test.ts"];

/** Long, and the same on every Node: about the network, hostile peers, the package, other runtimes, docs, the command line. */
const onceTests = ["faults", "hostile", "network", "package", "runtimes", "docs", "soak", "cli"].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);

const common: TestUserConfig = {
  setupFiles: ["test/support/open-handles.ts"],
  pool: "forks",
  testTimeout: 30_000,
  hookTimeout: 30_000,
  retry: 0,
};

export default defineConfig({
  test: {
    // Many tests start processes of their own, so more workers than this only make them slower.
    maxWorkers: 2,
    sequence: { sequencer: PathSequencer, shuffle: false, concurrent: false },
    // Longer than scripts/test.js waits for vitest to end, so that a process that hangs is seen and not cut off.
    teardownTimeout: 60_000,
    projects: [
      {
        test: {
          ...common,
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...browserTests, ...onceTests],
        },
      },
      {
        test: {
          ...common,
          name: "node, once",
          include: onceTests,
          exclude: browserTests,
        },
      },
      {
        test: {
          ...common,
          // QUIC above Node's own UDP sockets, which are used where many datagrams a system call are not possible.
          name: "node, plain UDP",
          env: { CONEC_UDP: "node" },
          include: ["test/transports/quic*.test.ts"],
          exclude: ["**/quic-udp.test.ts"],
        },
      },
      {
        test: {
          ...common,
          name: "browser",
          include: browserTests,
          // Once for all files: two that install a Chromium at the same time would be in each other's way.
          globalSetup: ["test/support/chromium.ts"],
        },
      },
    ],
  },
});
