/** Alice calls functions of Bob, and Bob one of hers: `node examples/rpc/main.js`. The calls themselves: rpc.js. */
import { openRpc } from "./rpc.js";
import { call, first, startCoordinator } from "../shared/local-coordinator.js";

const { coordinator, join } = await startCoordinator();
const [alice, bob] = await Promise.all([join("alice"), join("bob")]);

/** @type {Promise<Record<string, (...values: any[]) => any>>} Alice, as Bob sees her. */
const alicesProcedures = first(bob.incomingChannels).then((channel) =>
  openRpc(channel, {
    add: (a, b) => a + b,
    greet: async () => `Hello, ${await (await alicesProcedures)["name"]?.()}`,
    fail: () => {
      throw new Error("Not today");
    },
  }),
);

await call(alice, "bob");
const remote = await openRpc(await first(alice.incomingChannels), { name: () => "Alice" });

console.log(await remote["add"]?.(1, 2));
console.log(await remote["greet"]?.());
await remote["fail"]?.().catch((/** @type {Error} */ error) => console.log(error.message));
await remote["nothing"]?.().catch((/** @type {Error} */ error) => console.log(error.message));
await coordinator.close();
