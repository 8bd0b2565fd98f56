import { Client, webtransport } from "conec/browser";

const { url, hash } = await (await fetch("/coordinator.json")).json();
const serverCertificateHashes = [{ algorithm: "sha-256", value: new Uint8Array(hash) }];
const id = new URLSearchParams(location.search).get("name") ?? `guest ${Math.floor(Math.random() * 1000)}`;
const client = await Client.connect(url, { transport: webtransport({ serverCertificateHashes }), id });

const say = (await client.coordinator.createUnidirectionalStream({ name: "say" })).getWriter();
const input = /** @type {HTMLInputElement} */ (document.querySelector("input"));
document.querySelector("form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  say.write(new TextEncoder().encode(input.value)).catch((error) => show(error.message));
  input.value = "";
});

try {
  for await (const readable of client.coordinator.incomingUnidirectionalStreams) {
    for await (const message of readable) show(new TextDecoder().decode(message));
  }
} catch (error) {
  show(error instanceof Error ? error.message : String(error));
}

/** @param {string} line */
function show(line) {
  const item = document.createElement("li");
  item.textContent = line;
  document.querySelector("ul")?.append(item);
}
