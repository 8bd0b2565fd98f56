/** @import { Channel, MessageReadable } from "conec/browser" */

/**
 * Shows the groups of pictures that come. Each has a decoder of its own, and they are read at the same time, so one that is
 * held up holds up no later one; of two pictures, the older one is not shown after the newer.
 *
 * @param {Channel} channel
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} text
 */
export async function showPictures(channel, canvas, text) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  let [shown, late, newest] = [0, 0, -1];
  const show = (/** @type {VideoFrame} */ frame) => {
    if (frame.timestamp > newest) {
      newest = frame.timestamp;
      context.drawImage(frame, 0, 0);
      shown++;
    } else {
      late++;
    }
    frame.close();
    text.textContent = `${shown} pictures shown, ${late} too late`;
  };
  for await (const group of channel.incomingUnidirectionalStreams) {
    decode(group, show).catch((error) => console.warn(error.message)); // of this group; others go on
  }
}

/** @param {MessageReadable} group @param {(frame: VideoFrame) => void} show */
async function decode(group, show) {
  const decoder = new VideoDecoder({ output: show, error: (error) => void group.cancel(error).catch(() => {}) });
  decoder.configure({ codec: "vp8" });
  try {
    for await (const message of group) {
      const view = new DataView(message.buffer, message.byteOffset);
      const [type, timestamp] = [view.getUint8(0) === 1 ? "key" : "delta", view.getFloat64(1)];
      decoder.decode(
        new EncodedVideoChunk({
          type: /** @type {EncodedVideoChunkType} */ (type),
          timestamp,
          data: message.subarray(9),
        }),
      );
    }
    await decoder.flush();
  } finally {
    if (decoder.state !== "closed") decoder.close();
  }
}
