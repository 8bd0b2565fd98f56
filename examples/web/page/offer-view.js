/** A file that somebody wants to give: taken or not. */
import { inWords } from "../shared/words.js";
import { bytesInWords } from "./amounts.js";
import { announce, element, fromTemplate } from "./dom.js";
import { createStore } from "./store.js";
import { showTransfer } from "./transfer-view.js";

/** @import { Transfer } from "../shared/transfer.js" */

const section = element("offers", HTMLElement);
const list = element("offer-list", HTMLUListElement);

/** @param {Transfer} transfer */
export function showOffer(transfer) {
  const { root, part } = fromTemplate("offer-template");
  const size = document.createElement("span");
  size.className = "size";
  size.textContent = bytesInWords(transfer.size);
  const file = document.createElement("strong");
  file.textContent = transfer.name;
  part(".what", HTMLElement).append(`${transfer.peer.name} wants to send you `, file, " ", size);

  const accept = part(".accept", HTMLButtonElement);
  const decline = part(".decline", HTMLButtonElement);
  accept.setAttribute("aria-label", `Accept ${transfer.name} from ${transfer.peer.name}`);
  decline.setAttribute("aria-label", `Decline ${transfer.name} from ${transfer.peer.name}`);
  accept.addEventListener("click", async () => {
    accept.disabled = true;
    try {
      const store = await createStore(transfer.name);
      transfer.accept(store);
      if (!transfer.hasEnded) showTransfer(transfer, store).focus();
    } catch (error) {
      announce(`${transfer.name}: ${inWords(error, transfer.peer.name)}`);
      transfer.cancel();
    }
  });
  decline.addEventListener("click", () => transfer.cancel());
  transfer.addEventListener("change", function gone() {
    if (transfer.state === "asking") return;
    transfer.removeEventListener("change", gone);
    if (transfer.state === "failed" && transfer.problem !== "Declined") showTransfer(transfer);
    const hadFocus = root.contains(document.activeElement);
    root.remove();
    if (hadFocus) (list.querySelector("button") ?? element("people-title", HTMLElement)).focus();
    section.hidden = list.childElementCount === 0;
    title();
  });

  list.append(root);
  section.hidden = false;
  title();
  announce(`${transfer.peer.name} wants to send you ${transfer.name}, ${bytesInWords(transfer.size)}`);
}

/** So that it is seen in another tab, too. */
function title() {
  const waiting = list.childElementCount;
  document.title = `${waiting > 0 ? `(${waiting}) ` : ""}conec: files from hand to hand`;
}
