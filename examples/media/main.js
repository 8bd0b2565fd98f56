/**
 * Moving pictures from a tab to others: `node examples/media/main.js`. The camera (a clock on a canvas) encodes with WebCodecs,
 * each group of pictures goes on a stream of its own, and the viewers decode what comes. See camera.js and viewer.js.
 */
import { startCoordinator } from "../shared/local-coordinator.js";
import { servePages } from "../shared/page-server.js";

const { coordinator, url, hash } = await startCoordinator();
const pages = await servePages(new URL("./", import.meta.url), { url, hash });
console.log(`Open ${pages.url}?camera in one tab, then ${pages.url} in others`);
process.once("SIGINT", async () => {
  pages.close();
  await coordinator.close();
});
