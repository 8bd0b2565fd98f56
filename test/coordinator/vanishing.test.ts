/** A Client whose packets stop coming, without a word. */
import { expect, test } from "vitest";
import { Client, Coordinator } from "../../src/index.ts";
import { createSelfSignedCertificate, listen, quic } from "../../src/transports/quic/index.ts";
import { collect, next, rejection } from "../support/hub.ts";
import { message } from "../support/messages.ts";
import { UdpPath } from "../support/network/udp-path.js";

test("the others learn that it is gone, within the idle timeout, and keep what they had received", async () => {
  const idleTimeoutMs = 500;
  const { cert, key, hash } = createSelfSignedCertificate({ hosts: ["localhost"] });
  const listener = await listen({ host: "127.0.0.1", cert, key, idleTimeoutMs });
  // Nobody waits for it to come back.
  const coordinator = new Coordinator({ limits: { resumeWindowMs: 0 } });
  coordinator.serve(listener);
  const path = await UdpPath.open({ serverPort: listener.address.port });
  const join = (id: string, port: number): Promise<Client> =>
    Client.connect(`https://127.0.0.1:${port}`, {
      transport: quic({
        serverCertificateHashes: [{ algorithm: "sha-256", value: hash }],
        idleTimeoutMs,
        keepAliveIntervalMs: 100,
      }),
      id,
      reconnect: false,
    });
  const alice = await join("alice", path.port);
  const bob = await join("bob", listener.address.port);
  const link = await coordinator.introduce("alice", "bob");
  const [a, b] = [await next(alice.incomingChannels), await next(bob.incomingChannels)];
  const writable = await a.createUnidirectionalStream();
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  await writer.write(message(0, 1000));
  const readable = await next(b.incomingUnidirectionalStreams);
  const reader = readable.getReader();
  expect((await reader.read()).value?.length).toBe(1000);

  path.pass = () => false;

  const lost = { code: "peer-lost", source: "channel", remote: true };
  expect(await rejection(reader.read())).toMatchObject(lost);
  expect(await rejection(b.closed)).toMatchObject(lost);
  expect(await rejection(link.closed)).toMatchObject(lost);
  expect(await rejection(b.createUnidirectionalStream())).toMatchObject(lost);
  expect(await rejection(alice.closed)).toMatchObject({ code: "connection-lost" });
  expect(await rejection(a.closed)).toMatchObject({ code: "connection-lost" });
  expect([...coordinator.clients.keys()]).toEqual(["bob"]);
  await roundTrip(bob, coordinator);
  await bob.close();
  await coordinator.close();
  await path.close();
});

/** Bob and the Coordinator go on. */
async function roundTrip(bob: Client, coordinator: Coordinator): Promise<void> {
  const far = coordinator.clients.get("bob")!;
  const writable = await bob.coordinator.createUnidirectionalStream();
  await Promise.all([writable.close(), next(far.incomingUnidirectionalStreams).then(collect)]);
}
