import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ControlLog } from "../../src/core/control-log.ts";

const message = (length: number): Uint8Array => new Uint8Array(length);

test("what is acknowledged is kept no longer", () => {
  const log = new ControlLog();
  for (let i = 1; i <= 5; i += 1) log.sent(message(i));
  log.acknowledge(2);
  expect(log.unacknowledged.map(({ length }) => length)).toEqual([3, 4, 5]);
  log.acknowledge(5);
  expect(log.unacknowledged).toEqual([]);
});

test.each([3, 100])("more than was sent cannot have been received: %i", (count) => {
  const log = new ControlLog();
  for (let i = 0; i < 2; i += 1) log.sent(message(1));
  expect(() => log.acknowledge(count)).toThrow(expect.objectContaining({ code: "protocol-error", remote: true }));
});

test("nor less than was acknowledged before", () => {
  const log = new ControlLog();
  for (let i = 0; i < 2; i += 1) log.sent(message(1));
  log.acknowledge(2);
  expect(() => log.acknowledge(1)).toThrow(expect.objectContaining({ code: "protocol-error" }));
});

test("whoever acknowledges nothing is given up", () => {
  const log = new ControlLog();
  const send = (): void => {
    for (let i = 0; i < 100; i += 1) log.sent(message(32_768));
  };
  expect(send).toThrow(expect.objectContaining({ code: "limit-exceeded", remote: true }));
});

test("every 32nd message is acknowledged", () => {
  const log = new ControlLog();
  const due: number[] = [];
  for (let i = 1; i <= 100; i += 1) if (log.receive()) due.push(log.tell());
  expect(due).toEqual([32, 64, 96]);
  expect(log.received).toBe(100);
});

test("over connections that are lost at any moment, every message arrives once and in order", () => {
  const step = fc.constantFrom("send", "send", "deliver", "deliver", "acknowledge", "cut");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const [sender, receiver] = [new ControlLog(), new ControlLog()];
      const got: number[] = [];
      let sent = 0;
      let onTheWay: Uint8Array[] = [];
      let acknowledgements: number[] = [];
      const deliver = (): void => {
        const bytes = onTheWay.shift();
        if (bytes === undefined) return;
        got.push(new DataView(bytes.buffer).getUint32(0));
        if (receiver.receive()) acknowledgements.push(receiver.tell());
      };
      for (const each of steps) {
        if (each === "send") {
          const bytes = new Uint8Array(4);
          new DataView(bytes.buffer).setUint32(0, sent++);
          sender.sent(bytes);
          onTheWay.push(bytes);
        } else if (each === "deliver") deliver();
        else if (each === "acknowledge") {
          const count = acknowledgements.shift();
          if (count !== undefined) sender.acknowledge(count);
        } else {
          acknowledgements = [];
          sender.acknowledge(receiver.received);
          onTheWay = [...sender.unacknowledged];
        }
      }
      while (onTheWay.length > 0) deliver();
      expect(got).toEqual(Array.from({ length: sent }, (_, i) => i));
    }),
  );
});
