/** The page: joins, and shows who is here, what is offered and what is on its way. */
import { webtransport } from "conec/webtransport";
import { Session } from "../shared/session.js";
import { inWords } from "../shared/words.js";
import { announce, element } from "./dom.js";
import { createHash } from "./hash.js";
import { madeUpName } from "./made-up-name.js";
import { showOffer } from "./offer-view.js";
import { PeopleView } from "./people-view.js";
import { showTransfer } from "./transfer-view.js";

/** @import { Person } from "../shared/messages.js" */
/** @import { TransferEvent } from "../shared/session.js" */

const nameField = element("my-name", HTMLInputElement);
const banner = element("banner", HTMLElement);
const connection = element("connection", HTMLElement);

/** @type {Session | undefined} */
let session;
const people = new PeopleView(send);

nameField.value = new URLSearchParams(location.search).get("name") ?? sessionStorage.getItem("name") ?? madeUpName();
nameField.addEventListener("change", () => {
  sessionStorage.setItem("name", nameField.value);
  session?.rename(nameField.value);
});
element("me", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  nameField.blur();
});
element("again", HTMLButtonElement).addEventListener("click", connect);
element("folder-command", HTMLElement).textContent =
  `node examples/web/folder-client.js --page ${location.origin} --as files --into FOLDER`;

await connect();

/** Joins. Shows why when that fails, or when the Coordinator is lost later. */
async function connect() {
  banner.hidden = true;
  connection.textContent = "Connecting…";
  try {
    const { url, hash } = await (await fetch("/config.json")).json();
    const value = Uint8Array.from(hash.match(/../g), (byte) => Number.parseInt(byte, 16));
    session = await Session.join({
      url,
      transport: webtransport({ serverCertificateHashes: [{ algorithm: "sha-256", value }] }),
      name: nameField.value,
      kind: "page",
      createHash,
    });
    show(session);
    connection.textContent = `Connected to ${url} by WebTransport; certificate ${hash.slice(0, 16)}…`;
    announce("Connected");
  } catch (error) {
    const isPage = error instanceof TypeError; // fetch: this server is gone, too
    lost(isPage ? "The Coordinator is gone" : inWords(error, "The Coordinator"));
  }
}

/** @param {Session} session */
function show(session) {
  session.addEventListener("people", () => {
    people.show(session.others);
    const { me } = session;
    if (me && document.activeElement !== nameField) nameField.value = me.name;
  });
  session.addEventListener("transfer", (event) => {
    const { transfer } = /** @type {TransferEvent} */ (event);
    if (transfer.direction === "in") showOffer(transfer);
    else showTransfer(transfer);
  });
  session.closed.then(
    ({ reason }) => lost(reason || "The Coordinator is gone"),
    (error) => lost(inWords(error, "The Coordinator")),
  );
}

/** @param {string} why */
function lost(why) {
  people.hide();
  banner.hidden = false;
  element("banner-text", HTMLElement).textContent = why;
  connection.textContent = "Not connected";
}

/**
 * @param {Person} to
 * @param {Iterable<File>} files
 */
function send(to, files) {
  for (const file of files) session?.offer(to, file);
}
