// SPDX-License-Identifier: Apache-2.0
/**
 * Draws what `live.json` says, once a second. What Clients have chosen (ids) comes into the page as text only: nothing here
 * makes markup out of strings, and the page's Content-Security-Policy lets nobody.
 *
 * @import { LiveChannel, LiveClient, LiveView } from "../live-view.ts"
 */

const everyMs = 1000;
/** More Clients than this are not drawn, but counted. */
const maxNodes = 60;
const maxRows = 100;
const historyLength = 120;
const [ringX, ringY] = [400, 350];

/** @type {number[]} */
const history = [];

await poll();

async function poll() {
  // Nobody looks at a page that is hidden.
  if (!document.hidden) {
    try {
      const response = await fetch("live.json", { signal: AbortSignal.timeout(10_000) });
      if (!response.ok) throw new Error(`it says ${response.status}`);
      draw(/** @type {LiveView} */ (await response.json()));
      say("");
    } catch (error) {
      const why = error instanceof Error ? error.message : "";
      say(`No figures since ${new Date().toLocaleTimeString()}: ${why}`, document.body.dataset["state"] !== "fault");
    }
  }
  setTimeout(() => void poll(), everyMs);
}

/**
 * @param {string} fault
 * @param {boolean} [isNew]
 */
function say(fault, isNew = true) {
  document.body.dataset["state"] = fault === "" ? "live" : "fault";
  const line = element("fault");
  line.hidden = fault === "";
  if (isNew) line.textContent = fault;
}

/** @param {LiveView} view */
function draw({ totals, clients, channels, overMs }) {
  setText("clients", totals.away === 0 ? count(totals.clients) : `${count(totals.clients)} (${totals.away} away)`);
  setText("channels", count(totals.channels));
  setText("streams", count(totals.streams));
  setText("held", bytes(totals.bytesHeld));
  setText("refused", count(totals.refused));
  setText("rate", rate(totals.rate));
  setText("hub-rate", rate(totals.rate));
  if (overMs > 0) {
    history.push(totals.rate);
    if (history.length > historyLength) history.shift();
    drawHistory();
  }
  drawPicture(clients, channels, totals.clients);
  fill("client-rows", clients.slice(0, maxRows), (client) => [
    [client.id, client.isAway ? "idle" : ""],
    [client.isAway ? `${client.transport}, away` : client.transport, ""],
    [client.rttMs === undefined ? "" : `${client.rttMs.toFixed(client.rttMs < 10 ? 1 : 0)} ms`, "number"],
    [rate(client.received?.rate ?? 0), `number ${idle(client.received?.rate)}`],
    [rate(client.sent?.rate ?? 0), `number ${idle(client.sent?.rate)}`],
    [count(client.channels), "number"],
  ]);
  fill("channel-rows", channels.slice(0, maxRows), ({ between: [first, second], streams, flows: [there, back] }) => [
    [first ?? "Coordinator", ""],
    [`— ${second ?? "Coordinator"}`, ""],
    [count(streams), "number"],
    [rate(there.rate), `number ${idle(there.rate)}`],
    [rate(back.rate), `number ${idle(back.rate)}`],
    [bytes(there.bytes + back.bytes), "number"],
  ]);
}

/**
 * Clients stand in a ring, by name so that they keep their places, and are as large as they are busy. Between them are their
 * channels, one line for each direction in which something has gone, as wide as it is fast.
 *
 * @param {LiveClient[]} clients
 * @param {LiveChannel[]} channels
 * @param {number} inAll
 */
function drawPicture(clients, channels, inAll) {
  const shown = clients.slice(0, maxNodes).sort((a, b) => (a.id < b.id ? -1 : 1));
  /** @type {Map<string | null, [number, number]>} */
  const places = new Map([[null, [0, 0]]]);
  shown.forEach(({ id }, index) => {
    const angle = (index / shown.length) * 2 * Math.PI - Math.PI / 2;
    places.set(id, [Math.cos(angle) * ringX, Math.sin(angle) * ringY]);
  });
  const isCrowded = shown.length > 24;
  element("spokes").replaceChildren(
    ...shown.map(({ id }) => {
      const [x2, y2] = places.get(id) ?? [0, 0];
      return shape("line", { x1: 0, y1: 0, x2, y2 });
    }),
  );
  element("nodes").replaceChildren(...shown.map((client) => node(client, places.get(client.id) ?? [0, 0], isCrowded)));
  element("flows").replaceChildren(
    ...channels.flatMap(({ between: [first, second], flows: [there, back] }) => {
      const [from, to] = [places.get(first), places.get(second)];
      if (from === undefined || to === undefined) return [];
      const nothing = there.bytes + back.bytes === 0;
      return [
        ...(there.bytes > 0 || nothing ? [flow(from, to, there.rate)] : []),
        ...(back.bytes > 0 ? [flow(to, from, back.rate)] : []),
      ];
    }),
  );
  const hidden = inAll - shown.length;
  setText("more", hidden > 0 ? `and ${count(hidden)} more, less busy` : "");
  const label = `${inAll} Clients, ${channels.length} channels between them; the tables list both`;
  element("picture").setAttribute("aria-label", label);
}

/**
 * @param {LiveClient} client
 * @param {[number, number]} place
 * @param {boolean} isCrowded
 */
function node({ id, transport, isAway, received, sent }, [x, y], isCrowded) {
  const moving = (received?.rate ?? 0) + (sent?.rate ?? 0);
  const group = shape("g", { class: `${kind(transport)}${isAway ? " away" : ""}`, transform: `translate(${x} ${y})` });
  const radius = 8 + width(moving);
  const title = shape("title", {});
  title.textContent = id;
  group.append(title, shape("circle", { r: radius }));
  // Labels stand outside the ring.
  const side = x > 40 ? "start" : x < -40 ? "end" : "";
  const [labelX, labelY] = side === "" ? [0, y < 0 ? -radius - 26 : radius + 20] : [Math.sign(x) * (radius + 8), 4];
  const name = shape("text", { class: side, x: labelX, y: labelY });
  name.textContent = shortened(id);
  group.append(name);
  if (!isCrowded) {
    const figure = shape("text", { class: `rate ${side}`, x: labelX, y: labelY + 18 });
    figure.textContent = moving > 0 ? rate(moving) : "";
    group.append(figure);
  }
  return group;
}

/**
 * Bends towards the Coordinator, through which it goes; the two directions of a channel lie side by side.
 *
 * @param {[number, number]} from
 * @param {[number, number]} to
 * @param {number} bytesPerSecond
 */
function flow([x1, y1], [x2, y2], bytesPerSecond) {
  const [x, y] = [(x1 + x2) * 0.22 + (y2 - y1) * 0.05, (y1 + y2) * 0.22 - (x2 - x1) * 0.05];
  return shape("path", {
    d: `M${x1} ${y1}Q${x} ${y} ${x2} ${y2}`,
    class: bytesPerSecond > 0 ? "moving" : "",
    "stroke-width": bytesPerSecond > 0 ? 1.5 + width(bytesPerSecond) / 2 : 1,
  });
}

function drawHistory() {
  const highest = Math.max(...history, 1);
  const points = history.map((value, index) => {
    const x = 120 - (history.length - 1 - index) * (120 / (historyLength - 1));
    return `${x.toFixed(1)} ${(23 - (value / highest) * 22).toFixed(1)}`;
  });
  const first = points[0]?.split(" ")[0] ?? "0";
  const [area, line] = element("history").children;
  line?.setAttribute("d", `M${points.join("L")}`);
  area?.setAttribute("d", `M${first} 24L${points.join("L")}L120 24Z`);
}

/**
 * @template T
 * @param {string} id
 * @param {T[]} rows
 * @param {(row: T) => [string, string][]} cells Text and class.
 */
function fill(id, rows, cells) {
  element(id).replaceChildren(
    ...rows.map((row) => {
      const line = document.createElement("tr");
      for (const [text, name] of cells(row)) {
        const cell = document.createElement("td");
        cell.textContent = text;
        cell.className = name;
        if (text.length > 24) cell.title = text;
        line.append(cell);
      }
      return line;
    }),
  );
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function shape(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * @param {string} id
 * @param {string} text
 */
function setText(id, text) {
  element(id).textContent = text;
}

/** @param {string} transport */
function kind(transport) {
  return ["quic", "webtransport", "websocket"].includes(transport) ? transport : "other";
}

/** How much larger something is drawn for its rate: by its logarithm, from 1 kB/s on. @param {number} bytesPerSecond */
function width(bytesPerSecond) {
  return Math.min(14, Math.max(0, Math.log10(bytesPerSecond / 1000) * 2.4));
}

/** @param {number | undefined} bytesPerSecond */
function idle(bytesPerSecond = 0) {
  return bytesPerSecond > 0 ? "" : "idle";
}

/** @param {string} text */
function shortened(text) {
  const characters = Array.from(text);
  return characters.length > 16 ? `${characters.slice(0, 15).join("")}…` : text;
}

/** @param {number} value */
function count(value) {
  return value.toLocaleString("en");
}

/** @param {number} value */
function rate(value) {
  return `${bytes(value)}/s`;
}

/** @param {number} value */
function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const step = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1000 ** step;
  return `${scaled.toFixed(step === 0 || scaled >= 100 ? 0 : 1)} ${units[step]}`;
}
