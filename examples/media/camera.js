/** @import { Channel, MessageWritable } from "conec/browser" */

const picturesPerGroup = 15;
const intervalMs = 33;

/**
 * Encodes a canvas for one viewer. A group of pictures begins with one that needs no other (a key picture), and is a stream: a
 * viewer that is too slow for it loses the rest of the group, and begins again with the next.
 *
 * @param {Channel} channel
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} text
 */
export async function sendPictures(channel, canvas, text) {
  const { width, height } = canvas;
  let [count, groups, lost] = [0, 0, 0];
  /** @type {MessageWritable | undefined} */
  let group;
  for await (const chunk of pictures(canvas, width, height, () => count++ % picturesPerGroup === 0)) {
    if (chunk.type === "key") {
      void group?.close().catch(() => {}); // nobody waits for it here: the next one is on its way
      group = await channel.createUnidirectionalStream({ name: "pictures", metadata: { group: groups++ } });
    }
    const message = new Uint8Array(9 + chunk.byteLength); // 1 for a key picture, the time in µs, the picture
    const view = new DataView(message.buffer);
    view.setUint8(0, chunk.type === "key" ? 1 : 0);
    view.setFloat64(1, chunk.timestamp);
    chunk.copyTo(message.subarray(9));
    if (group?.tryWrite(message) === false) {
      void group.abort("Too slow").catch(() => {});
      group = undefined;
      lost++;
    }
    text.textContent = `${groups} groups sent, ${lost} cut short`;
  }
}

/**
 * @param {HTMLCanvasElement} canvas @param {number} width @param {number} height @param {() => boolean} keyFrame
 * @returns {ReadableStream<EncodedVideoChunk>} until it is cancelled
 */
function pictures(canvas, width, height, keyFrame) {
  /** @type {ReturnType<typeof setInterval>} */
  let timer;
  return new ReadableStream({
    start(controller) {
      const output = (/** @type {EncodedVideoChunk} */ chunk) => controller.enqueue(chunk);
      const encoder = new VideoEncoder({ output, error: (error) => controller.error(error) });
      encoder.configure({ codec: "vp8", width, height, bitrate: 500_000, latencyMode: "realtime" });
      timer = setInterval(() => {
        draw(canvas);
        const frame = new VideoFrame(canvas, { timestamp: performance.now() * 1000 });
        encoder.encode(frame, { keyFrame: keyFrame() });
        frame.close();
      }, intervalMs);
    },
    cancel: () => clearInterval(timer),
  });
}

/** @param {HTMLCanvasElement} canvas */
function draw(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = `hsl(${performance.now() / 50} 60% 50%)`;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "white";
  context.font = "40px monospace";
  context.fillText(new Date().toISOString().slice(11, 22), 40, 100);
}
