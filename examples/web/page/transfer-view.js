/** A file on its way, or at its end. */
import { bytesInWords, secondsInWords } from "./amounts.js";
import { announce, element, fromTemplate } from "./dom.js";

/** @import { Transfer } from "../shared/transfer.js" */
/** @import { Store } from "./store.js" */

/** How often what moves is shown anew, in milliseconds. */
const intervalMs = 100;

/**
 * @param {Transfer} transfer
 * @param {Store} [store] where it goes that is received
 * @returns {HTMLElement} what takes the focus of whoever started it
 */
export function showTransfer(transfer, store) {
  const { root, part } = fromTemplate("transfer-template");
  const { name, size, peer, direction } = transfer;
  const other = peer.name;
  root.classList.add(direction);
  part(".file", HTMLElement).textContent = name;
  part(".route", HTMLElement).textContent = direction === "out" ? `to ${other}` : `from ${other}`;
  part(".mine", HTMLElement).textContent = "SHA-256 here";
  part(".theirs", HTMLElement).textContent = `at ${other}`;
  const progress = part("progress", HTMLProgressElement);
  progress.setAttribute("aria-label", `${name} ${direction === "out" ? "to" : "from"} ${other}`);
  const cancel = part(".cancel", HTMLButtonElement);
  cancel.setAttribute("aria-label", `Cancel ${name}`);
  cancel.addEventListener("click", () => transfer.cancel());
  const speed = new Speed();

  const show = () => {
    const { state } = transfer;
    root.classList.toggle("moving", state === "moving");
    root.classList.toggle("done", state === "done");
    root.classList.toggle("failed", state === "failed");
    progress.hidden = transfer.hasEnded;
    progress.value = size === 0 ? Number(state === "checking") : transfer.bytes / size;
    part(".status", HTMLElement).textContent = inWords(transfer, speed.at(transfer.bytes));
    if (!transfer.hasEnded) return;
    if (document.activeElement === cancel) root.focus();
    cancel.hidden = true;
    part(".sums", HTMLElement).hidden = transfer.theirSha256 === "";
    part(".my-sum", HTMLElement).textContent = transfer.sha256;
    part(".their-sum", HTMLElement).textContent = transfer.theirSha256;
    announce(`${name} ${direction === "out" ? "to" : "from"} ${other}: ${inWords(transfer, 0)}`);
    if (state === "done" && store !== undefined) offerToSave(part(".save", HTMLAnchorElement), transfer, store);
  };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let shown = transfer.state;
  const later = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      show();
    }, intervalMs);
  };
  transfer.addEventListener("change", () => {
    if (transfer.state === shown) return later();
    shown = transfer.state;
    clearTimeout(timer);
    timer = undefined;
    show();
  });
  show();

  const list = element("transfer-list", HTMLUListElement);
  list.prepend(root);
  element("transfers", HTMLElement).hidden = false;
  return cancel;
}

/**
 * @param {Transfer} transfer
 * @param {number} speed in bytes a second
 */
function inWords({ state, direction, peer, bytes, size, problem, startedMs, endedMs }, speed) {
  switch (state) {
    case "asking":
      return `${bytesInWords(size)}. Asking ${peer.name}…`;
    case "starting":
      return `${bytesInWords(size)}. Waiting for the channel…`;
    case "moving": {
      const rest = speed > 0 ? `, ${secondsInWords((size - bytes) / speed)} to go` : "";
      return `${bytesInWords(bytes)} of ${bytesInWords(size)}${speed > 0 ? `, ${bytesInWords(speed)}/s` : ""}${rest}`;
    }
    case "checking":
      return "Comparing checksums…";
    case "done": {
      const seconds = (endedMs - startedMs) / 1000;
      const average = seconds >= 0.5 ? `, ${bytesInWords(size / seconds)}/s` : "";
      const verb = direction === "out" ? "Sent" : "Received";
      return `${verb}: ${bytesInWords(size)} in ${secondsInWords(seconds)}${average}. Same checksum at both ends.`;
    }
    case "failed":
      return bytes > 0 ? `${problem}, after ${bytesInWords(bytes)} of ${bytesInWords(size)}.` : `${problem}.`;
  }
}

/**
 * @param {HTMLAnchorElement} link
 * @param {Transfer} transfer
 * @param {Store} store
 */
function offerToSave(link, { name }, store) {
  link.href = URL.createObjectURL(store.content());
  link.download = name;
  link.setAttribute("aria-label", `Save ${name}`);
  link.hidden = false;
  link.click(); // asked for by "Accept"; the link stays, for a browser that does not allow it
}

/** Bytes a second, over the last two seconds or so. */
class Speed {
  #atMs = performance.now();
  #bytes = 0;
  #speed = 0;

  /** @param {number} bytes so far */
  at(bytes) {
    const nowMs = performance.now();
    const seconds = (nowMs - this.#atMs) / 1000;
    if (seconds < 0.05) return this.#speed;
    const weight = this.#speed === 0 ? 1 : 1 - Math.exp(-seconds / 2);
    this.#speed += weight * ((bytes - this.#bytes) / seconds - this.#speed);
    this.#atMs = nowMs;
    this.#bytes = bytes;
    return this.#speed;
  }
}
