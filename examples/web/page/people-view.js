/** The list of those who are here. Files are dropped on one, or picked. */
import { announce, element, fromTemplate } from "./dom.js";

/** @import { Person } from "../shared/messages.js" */
/** @typedef {(to: Person, files: File[]) => void} Send */
/** @typedef {{ root: HTMLElement, update: (person: Person) => void }} Card */

export class PeopleView {
  #section = element("people-section", HTMLElement);
  #list = element("people", HTMLUListElement);
  #nobody = element("nobody", HTMLElement);
  #count = element("people-count", HTMLElement);
  /** By id: a card stays while its person does, and keeps the focus. @type {Map<string, Card>} */
  #cards = new Map();
  #send;

  /** @param {Send} send */
  constructor(send) {
    this.#send = send;
    // A file that misses must not replace the page.
    for (const type of ["dragover", "drop"]) document.addEventListener(type, (event) => event.preventDefault());
  }

  /** @param {Person[]} people */
  show(people) {
    const left = [...this.#cards.keys()].filter((id) => !people.some((person) => person.id === id));
    for (const id of left) {
      this.#cards.get(id)?.root.remove();
      this.#cards.delete(id);
    }
    for (const person of people) {
      let card = this.#cards.get(person.id);
      if (card === undefined) {
        card = createCard(this.#send);
        this.#cards.set(person.id, card);
        this.#list.append(card.root);
        announce(`${person.name} is here`);
      }
      card.update(person);
    }
    this.#count.textContent = String(people.length);
    this.#count.hidden = people.length === 0;
    this.#nobody.hidden = people.length > 0;
    this.#section.hidden = false;
  }

  /** Nothing is known of who is here. */
  hide() {
    this.show([]);
    this.#section.hidden = true;
  }
}

/**
 * @param {Send} send
 * @returns {Card}
 */
function createCard(send) {
  const { root, part } = fromTemplate("person-template");
  const input = part("input", HTMLInputElement);
  /** @type {Person} */
  let person;
  input.addEventListener("change", () => {
    send(person, [...(input.files ?? [])]);
    input.value = ""; // so that the same file can be picked again
  });
  let depth = 0; // of elements in the card that the file is over
  const over = (/** @type {number} */ change) => {
    depth += change;
    root.classList.toggle("over", depth > 0);
  };
  root.addEventListener("dragenter", () => over(1));
  root.addEventListener("dragleave", () => over(-1));
  root.addEventListener("drop", ({ dataTransfer }) => {
    over(-depth);
    const items = [...(dataTransfer?.items ?? [])].filter(({ kind }) => kind === "file");
    const isFolder = (/** @type {DataTransferItem} */ item) => item.webkitGetAsEntry()?.isDirectory === true;
    if (items.some(isFolder)) announce("Folders cannot be sent, only files");
    send(
      person,
      items.filter((item) => !isFolder(item)).flatMap((item) => item.getAsFile() ?? []),
    );
  });
  return {
    root,
    update(update) {
      person = update;
      part(".name", HTMLElement).textContent = person.name;
      part(".kind", HTMLElement).textContent = person.kind === "folder" ? "Folder, takes all" : "Browser tab";
      part(".face", HTMLElement).textContent = initials(person.name);
      input.setAttribute("aria-label", `Send a file to ${person.name}`);
      root.classList.toggle("folder", person.kind === "folder");
      root.style.setProperty("--hue", String(hue(person.name)));
    },
  };
}

/** @param {string} name */
function initials(name) {
  const words = name.split(" ").filter((word) => word !== "");
  return words
    .slice(0, 2)
    .map((word) => String.fromCodePoint(word.codePointAt(0) ?? 0x3f).toUpperCase())
    .join("");
}

/** @param {string} name */
function hue(name) {
  let sum = 7;
  for (let index = 0; index < name.length; index += 1) sum = (sum * 31 + name.charCodeAt(index)) % 360;
  return sum;
}
