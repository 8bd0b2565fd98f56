/** conec in a page: bench/peers/conec.js with the browser's transport, as far as W1 needs it. */
import { Client } from "conec";
import { webtransport } from "conec/webtransport";

/** @param {{ role: "a" | "b", port: number, hash: Uint8Array<ArrayBuffer> }} options */
export async function connect({ role, port, hash }) {
  const transport = webtransport({ serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });
  const client = await Client.connect(`https://127.0.0.1:${port}`, { transport, id: `${role}0` });
  const channels = client.incomingChannels.getReader();
  const { value: channel } = await channels.read();
  if (channel === undefined) throw new Error("The Client ended before it was introduced");
  return {
    async open() {
      const writable = await channel.createUnidirectionalStream({ name: "0" });
      const writer = writable.getWriter();
      return {
        /** @param {() => Uint8Array | undefined} next */
        async sendAll(next) {
          for (let message = next(); message !== undefined; message = next()) {
            await writer.ready;
            void writer.write(message);
          }
        },
      };
    },
    /** @param {(link: object) => void} listener */
    async onLink(listener) {
      for await (const readable of channel.incomingUnidirectionalStreams) {
        listener({
          /** @param {(message: Uint8Array) => void} onMessage */
          async onMessage(onMessage) {
            for await (const message of readable) onMessage(message);
          },
        });
      }
    },
  };
}
