/**
 * The process behind network.js: two TUN devices, bench-a and bench-r. What comes in at one goes out at the other, after
 * a time, or not at all. `node packet-path.js DELAY_MS LOSS`; says "ready" when the devices are there.
 *
 * In one loop over the system's own calls: Node's streams would cost a trip through its thread pool for each packet.
 */

import { closeSync, openSync } from "node:fs";
import { load } from "./peers/packages/load.js";

const TUNSETIFF = 0x400454ca;
const IFF_TUN = 1;
const IFF_NO_PI = 0x1000;
const IFREQ_BYTES = 40;
const FLAGS_AT = 16;
const O_NONBLOCK = 0o4000;
const F_SETFL = 4;
const POLLIN = 1;
const POLLFD_BYTES = 8;
const SLOT_BYTES = 2048;
/** On their way at a time: 100 MB/s for 200 ms. More are dropped. */
const SLOTS = 16_384;

const [delayMs, loss] = process.argv.slice(2).map(Number);
const koffi = await load("koffi");
const libc = koffi.load("libc.so.6");
const ioctl = libc.func("int ioctl(int fd, unsigned long request, void *argument)");
const fcntl = libc.func("int fcntl(int fd, int command, int flags)");
const read = libc.func("long read(int fd, void *bytes, size_t size)");
const write = libc.func("long write(int fd, const void *bytes, size_t size)");
const poll = libc.func("int poll(void *fds, unsigned long count, int timeoutMs)");

const random = makeRandom(1);
const [a, r] = [openTun("bench-a"), openTun("bench-r")];
const ways = [makeWay(a, r), makeWay(r, a)];
process.send?.("ready");
process.on("disconnect", () => process.exit());

const polled = Buffer.alloc(2 * POLLFD_BYTES);
for (const [place, fd] of [a, r].entries()) {
  polled.writeInt32LE(fd, place * POLLFD_BYTES);
  polled.writeInt16LE(POLLIN, place * POLLFD_BYTES + 4);
}
for (;;) {
  const nowMs = performance.now();
  const due = Math.min(...ways.map((way) => way.move(nowMs)));
  poll(polled, 2, Math.max(0, Math.min(100, Math.ceil(due - performance.now()))));
  // Now and then the event loop has its turn: it notices that the bench is gone.
  if (Math.random() < 0.01) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * One direction: packets wait in a ring of slots.
 * @param {number} from
 * @param {number} to
 */
function makeWay(from, to) {
  const bytes = Buffer.allocUnsafeSlow(SLOTS * SLOT_BYTES);
  const slots = Array.from({ length: SLOTS }, (_, i) => bytes.subarray(i * SLOT_BYTES, (i + 1) * SLOT_BYTES));
  const sizes = new Uint32Array(SLOTS);
  const dueMs = new Float64Array(SLOTS);
  let [head, tail] = [0, 0];
  const send = (/** @type {number} */ nowMs) => {
    for (; head < tail && /** @type {number} */ (dueMs[head % SLOTS]) <= nowMs; head++) {
      write(to, slots[head % SLOTS], sizes[head % SLOTS]);
    }
  };
  return {
    /**
     * @param {number} nowMs
     * @returns {number} When the next one is due.
     */
    move(nowMs) {
      send(nowMs);
      for (let i = 0; i < 64 && tail - head < SLOTS; i++) {
        const size = read(from, slots[tail % SLOTS], SLOT_BYTES);
        if (size <= 0) break;
        if (random() < /** @type {number} */ (loss)) continue;
        sizes[tail % SLOTS] = size;
        dueMs[tail % SLOTS] = nowMs + /** @type {number} */ (delayMs);
        tail++;
      }
      return head < tail ? /** @type {number} */ (dueMs[head % SLOTS]) : Infinity;
    },
  };
}

/** @param {string} name */
function openTun(name) {
  const fd = openSync("/dev/net/tun", "r+");
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(name, "ascii");
  request.writeUInt16LE(IFF_TUN | IFF_NO_PI, FLAGS_AT);
  if (ioctl(fd, TUNSETIFF, request) !== 0) {
    closeSync(fd);
    throw new Error(`The device ${name} could not be made`);
  }
  fcntl(fd, F_SETFL, O_NONBLOCK | 2);
  return fd;
}

/**
 * The same losses in every run, as far as the packets are the same. (xorshift32)
 * @param {number} seed
 */
function makeRandom(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
