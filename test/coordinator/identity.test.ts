/** Who Clients are, and that nobody can be another, over every transport. */
import { describe, expect, test } from "vitest";
import { generateKeyPair, publicKeyOf } from "../../src/index.ts";
import type { AuthenticateRequest, ChannelOffer, PublicKey, ServerCertificate } from "../../src/index.ts";
import { toBase64Url } from "../../src/core/base64url.ts";
import { authorityOf, createProof } from "../../src/core/client-proof.ts";
import { encodeControlMessage } from "../../src/core/control-messages.ts";
import { join } from "../../src/core/joining.ts";
import { Hub, memoryKind, next, quicKind, rejection } from "../support/hub.ts";
import { controlStreamOn, joinByHand, openControlStream } from "../support/join-by-hand.ts";

describe.each([memoryKind, quicKind])("identity over $name", (kind) => {
  test("authenticate gets the key that was proven, the same at each joining", async () => {
    const keys: string[] = [];
    const hub = await Hub.start(kind, {
      authenticate: ({ publicKey }: AuthenticateRequest) => {
        keys.push(publicKey);
        return { id: `key ${publicKey}` };
      },
    });
    const keyPair = await generateKeyPair();
    const client = await hub.join(undefined, { keyPair });
    expect(client.publicKey).toBe(await publicKeyOf(keyPair));
    await client.close();
    await hub.join(undefined, { keyPair });
    const stranger = await hub.join();
    expect(keys).toEqual([client.publicKey, client.publicKey, stranger.publicKey]);
    expect(stranger.publicKey).not.toBe(client.publicKey);
    await hub.close();
  });

  test("a key pair that is none is refused before anything is dialled", async () => {
    const hub = await Hub.start(kind);
    const { publicKey } = await generateKeyPair();
    const keyPair = { publicKey, privateKey: publicKey };
    expect(await rejection(hub.join("a", { keyPair }))).toMatchObject({ code: "invalid-argument" });
    await hub.close();
  });

  test("an id belongs to its key: the same one takes it over, another does not get it", async () => {
    const hub = await Hub.start(kind);
    const keyPair = await generateKeyPair();
    const old = await hub.join("alice", { keyPair });
    expect(await rejection(hub.join("alice"))).toMatchObject({ code: "refused", message: 'The id "alice" is taken' });
    const fresh = await hub.join("alice", { keyPair });
    expect(await rejection(old.coordinator.closed)).toMatchObject({ code: "replaced", remote: true });
    expect(hub.coordinator.clients.get("alice")?.peer.publicKey).toBe(fresh.publicKey);
    await hub.close();
  });

  test("the application decides who wins an id", async () => {
    const hub = await Hub.start(kind, {
      authenticate: ({ requestedId, credentials }) => ({ id: requestedId, metadata: { rank: Number(credentials) } }),
      duplicateId: (newcomer, holder) => (newcomer.metadata["rank"] as number) > (holder.metadata["rank"] as number),
    });
    await hub.join("king", { credentials: 5 });
    expect(await rejection(hub.join("king", { credentials: 4 }))).toMatchObject({ code: "refused" });
    await hub.join("king", { credentials: 6 });
    expect(hub.coordinator.clients.get("king")?.peer.metadata).toEqual({ rank: 6 });
    await hub.close();
  });

  test("both ends of a passed channel learn whom they talk to, before they accept", async () => {
    const hub = await Hub.start(kind, { authenticate: ({ requestedId }) => ({ id: requestedId, metadata: { v: 1 } }) });
    const offers: ChannelOffer[] = [];
    const accept = (offer: ChannelOffer): void => void offers.push(offer);
    const [alice, bob] = [await hub.join("alice", { accept }), await hub.join("bob", { accept })];
    const [a, b] = await hub.link(alice, bob);
    const whoIs = (client: typeof alice) => ({ id: client.id, metadata: { v: 1 }, publicKey: client.publicKey });
    expect(a.peer).toEqual(whoIs(bob));
    expect(b.peer).toEqual(whoIs(alice));
    expect(offers.map(({ peer }) => peer)).toEqual(expect.arrayContaining([whoIs(alice), whoIs(bob)]));
    expect(alice.coordinator.peer.publicKey).toBeUndefined();
    await hub.close();
  });

  test("a refusal by accept tells the reason, and nothing of the channel", async () => {
    const hub = await Hub.start(kind);
    await hub.join("alice");
    await hub.join("bob", {
      accept: ({ peer }) => {
        throw new Error(`I do not know ${peer.publicKey?.slice(0, 8)}`);
      },
    });
    expect(await rejection(hub.coordinator.introduce("alice", "bob"))).toMatchObject({
      code: "refused",
      message: "I do not know ed25519:",
      remote: true,
    });
    await hub.close();
  });

  test("the key of another cannot be shown without having it", async () => {
    const hub = await Hub.start(kind);
    const { publicKey } = await hub.join("alice");
    const connection = await hub.transport.connect(hub.url);
    const control = await openControlStream(connection);
    const who = { publicKey, keyPair: await generateKeyPair(), id: "alice", credentials: undefined };
    const attempt = join(control, {
      ...who,
      authority: authorityOf(hub.url),
      server: connection.server,
      timeoutMs: 5000,
    });
    expect(await rejection(attempt)).toMatchObject({ code: "refused", remote: true });
    expect(hub.coordinator.clients.get("alice")?.peer.publicKey).toBe(publicKey);
    await connection.closed.catch(() => {});
    await hub.close();
  });

  test("a proof that was overheard is of no use", async () => {
    const hub = await Hub.start(kind);
    const keyPair = await generateKeyPair();
    const publicKey = await publicKeyOf(keyPair);
    const answers: string[] = [];
    for (let nonce = ""; answers.length < 2;) {
      const connection = await hub.transport.connect(hub.url);
      const control = await openControlStream(connection);
      void control.send({ type: "hello", versions: [1] });
      const challenge = await control.expect(["challenge"], 5000);
      nonce ||= challenge.nonce; // the second time, what was said the first time is said again
      const { server } = connection;
      const answer = await proveOver(control, { keyPair, publicKey, nonce, authority: authorityOf(hub.url), server });
      answers.push(answer);
      connection.close();
    }
    expect(answers).toEqual(["welcome", "refuse"]);
    await hub.close();
  });

  test("what comes before the proof is bounded", async () => {
    const hub = await Hub.start(kind, { limits: { authenticateTimeoutMs: 200 } });
    const connection = await hub.transport.connect(hub.url);
    const control = await openControlStream(connection);
    void control.send({ type: "hello", versions: [1] });
    await control.expect(["challenge"], 5000);
    // And then nothing.
    expect(await control.expect(["refuse"], 5000)).toMatchObject({ code: "timeout" });
    await connection.closed.catch(() => {});
    expect((await hub.coordinator.getStats()).refused).toEqual({ timeout: 1 });
    await hub.close();
  });
});

describe("a Coordinator that is not what it seems", () => {
  /** Sits between a Client that dialled it and the real Coordinator, and passes the joining on. */
  async function relay(real: Hub, evil: Awaited<ReturnType<typeof quicKind.listen>>): Promise<string> {
    const inner = await next(evil.listener.incomingConnections);
    const outer = await real.transport.connect(real.url);
    const client = controlStreamOn(await next(inner.incomingBidirectionalStreams));
    const coordinator = await openControlStream(outer);
    void coordinator.send(await client.expect(["hello"], 5000));
    void client.send(await coordinator.expect(["challenge"], 5000));
    void coordinator.send(await client.expect(["identify"], 5000));
    void coordinator.send(await client.expect(["proof"], 5000));
    const answer = await coordinator.expect(["welcome", "refuse"], 5000);
    void client.send(answer);
    await inner.closed.catch(() => {});
    outer.close();
    return answer.type === "refuse" ? answer.reason : answer.type;
  }

  test("cannot pass a Client's proof on", async () => {
    const real = await Hub.start(quicKind);
    const evil = await quicKind.listen();
    const relayed = relay(real, evil);
    const connection = await evil.transport.connect(evil.url);
    expect(await rejection(joinByHand(connection, evil.url, "alice"))).toMatchObject({ code: "refused" });
    connection.close();
    expect(await relayed).toBe("The Client met another certificate than this Coordinator's");
    expect(real.coordinator.clients.size).toBe(0);
    await evil.listener.close();
    await real.close();
  });

  test("unless nothing ties the proof to a place", async () => {
    // What the test above would see if the certificate did not count: the relay itself is sound.
    const evil = await quicKind.listen();
    const real = await Hub.start(quicKind, { authorities: [authorityOf(evil.url)] });
    const relayed = relay(real, evil);
    const connection = await evil.transport.connect(evil.url);
    await joinByHand(connection, evil.url, "alice");
    connection.close();
    expect(await relayed).toBe("welcome");
    await evil.listener.close();
    await real.close();
  });
});

/** The rest of a joining by hand, with a nonce that may be an old one. Resolves with the type of the answer. */
async function proveOver(
  control: Awaited<ReturnType<typeof openControlStream>>,
  { keyPair, publicKey, nonce, authority, server }: Proving,
): Promise<string> {
  const certificateHashes = (server?.certificateHashes ?? []).map(toBase64Url);
  const identify = { type: "identify" as const, publicKey, authority, certificateHashes };
  void control.send(identify);
  void control.send({ type: "proof", signature: await createProof(keyPair, nonce, encodeControlMessage(identify)) });
  return (await control.expect(["welcome", "refuse"], 5000)).type;
}

interface Proving {
  keyPair: CryptoKeyPair;
  publicKey: PublicKey;
  nonce: string;
  authority: string;
  server: ServerCertificate | undefined;
}
