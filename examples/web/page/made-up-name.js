const kinds = [
  "Amber",
  "Brisk",
  "Calm",
  "Dapper",
  "Early",
  "Gentle",
  "Keen",
  "Lucky",
  "Merry",
  "Quiet",
  "Swift",
  "Witty",
];
const animals = [
  "Badger",
  "Crane",
  "Dormouse",
  "Finch",
  "Heron",
  "Ibex",
  "Lynx",
  "Marten",
  "Otter",
  "Plover",
  "Stoat",
  "Wren",
];

/** A name for somebody who has not said one. */
export function madeUpName() {
  return `${anyOf(kinds)} ${anyOf(animals)}`;
}

/** @param {string[]} list */
function anyOf(list) {
  return list[Math.floor(Math.random() * list.length)];
}
