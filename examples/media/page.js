import { Client, webtransport } from "conec/browser";
import { sendPictures } from "./camera.js";
import { showPictures } from "./viewer.js";

const isCamera = new URLSearchParams(location.search).has("camera");
const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("canvas"));
const text = /** @type {HTMLElement} */ (document.querySelector("p"));

const { url, hash } = await (await fetch("/coordinator.json")).json();
const serverCertificateHashes = [{ algorithm: "sha-256", value: new Uint8Array(hash) }];
const client = await Client.connect(url, {
  transport: webtransport({ serverCertificateHashes }),
  ...(isCamera && { id: "camera" }),
});
text.textContent = isCamera ? "Nobody is watching" : "Waiting for the camera";

if (!isCamera) {
  const request = await client.coordinator.createUnidirectionalStream({ name: "call", metadata: { to: "camera" } });
  await request.close();
}
for await (const channel of client.incomingChannels) {
  const done = isCamera ? sendPictures(channel, canvas, text) : showPictures(channel, canvas, text);
  done.catch((error) => (text.textContent = error.message));
}
