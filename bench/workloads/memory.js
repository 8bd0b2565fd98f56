import { SmallCheck, smallMessages } from "../messages.js";

const KILOBYTE = 1000;
/** The relay's memory is looked at when it is at rest; a link has carried one message. */
const links = { warmup: 200, counted: 1000 };
const quickLinks = { warmup: 100, counted: 200 };

/** @type {import("../workloads.js").Workload} */
export const memory = {
  title: "memory: of the relay, for an idle Client and an idle link, which carried one message",
  unit: "KB a Client",
  better: "lower",
  amounts: { normal: { warmup: 100, counted: 400 }, quick: { warmup: 20, counted: 50 } },
  rounds: 3,
  columns: { link: "KB a link" },
  async send(end, amount, { connect, relayUse, tell, onTold }) {
    /** @type {import("../workloads.js").End[]} */
    const ends = [];
    const connectMore = async (/** @type {number} */ count) => {
      for (let i = 0; i < count; i++) ends.push(await connect(ends.length + 1));
      return (await relayUse()).residentBytes;
    };
    const perClient = ((await connectMore(amount.warmup)) - (await connectMore(amount.counted))) / -amount.counted;

    const make = smallMessages();
    const openMore = async (/** @type {number} */ count) => {
      for (let i = 0; i < count; i++) {
        const arrived = new Promise((resolve) => onTold(resolve));
        (await end.open()).send(make());
        await arrived;
      }
      return (await relayUse()).residentBytes;
    };
    const { warmup, counted } = linksOf(amount);
    const perLink = ((await openMore(warmup)) - (await openMore(counted))) / -counted;
    tell(0);
    return { perClient, perLink };
  },
  receive(end, amount, { tell, onTold }) {
    const check = new SmallCheck();
    const { warmup, counted } = linksOf(amount);
    end.onLink((link) => {
      link.onMessage((message) => {
        check.take(message);
        tell(check.count);
      });
    });
    return new Promise((resolve, reject) => {
      onTold(() => (check.count === warmup + counted ? resolve(undefined) : reject(new Error("Links are missing"))));
    });
  },
  figures: ({ perClient, perLink }) => ({ value: perClient / KILOBYTE, link: perLink / KILOBYTE }),
};

/** @param {import("../workloads.js").Amount} amount */
function linksOf({ counted }) {
  return counted === memory.amounts.quick.counted ? quickLinks : links;
}
