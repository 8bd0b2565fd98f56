/** TLS certificates of Clients: who is asked for one, which are taken, and what is said of those that are not. */
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { afterEach, describe, expect, test, vi } from "vitest";

import { Client, Coordinator } from "../../src/index.ts";
import type { AuthenticateRequest, Connection, CoordinatorOptions } from "../../src/index.ts";
import { createSelfSignedCertificate, listen, quic } from "../../src/transports/quic/index.ts";
import type { ClientCertificates, QuicListener, QuicOptions } from "../../src/transports/quic/index.ts";
import { issueCertificate } from "../../src/transports/quic/self-signed-certificate.ts";
import { createAuthority } from "../support/certificates.ts";
import type { IssueOptions } from "../support/certificates.ts";
import { rejection } from "../support/hub.ts";
import { RawHttp3Client, sessionRequest, statusOf } from "./http3-client.ts";

const authority = createAuthority();
const server = authority.issue();
const clients = createAuthority("for clients");
const { ca } = clients;
const issue = (options: IssueOptions = {}) => clients.issue({ use: "client", ...options });

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Served {
  listener: QuicListener;
  /** What `authenticate` was asked. */
  asked: AuthenticateRequest[];
  /** A Client comes, with a certificate of its own or without. */
  join: (own?: Own) => Promise<Client>;
}

type Own = Pick<QuicOptions, "cert" | "key">;

async function serve(clientCertificates?: ClientCertificates, options: CoordinatorOptions = {}): Promise<Served> {
  const asked: AuthenticateRequest[] = [];
  const listener = await listen({ host: "127.0.0.1", cert: server.cert, key: server.key, clientCertificates });
  const coordinator = new Coordinator({ authenticate: (request) => (asked.push(request), {}), ...options });
  coordinator.serve(listener);
  cleanups.push(() => coordinator.close());
  const join = async ({ cert, key }: Own = {}): Promise<Client> => {
    const transport = quic({ ca: authority.ca, cert, key });
    const client = await Client.connect(urlOf(listener), { transport });
    cleanups.push(() => client.close());
    return client;
  };
  return { listener, asked, join };
}

function urlOf(listener: QuicListener): string {
  return `https://127.0.0.1:${listener.address.port}`;
}

/** The names of those whose certificates `authenticate` was given. */
function shown(asked: readonly AuthenticateRequest[]): (string[] | undefined)[] {
  return asked.map(({ remote }) =>
    remote.certificates?.map((der) => new X509Certificate(der).subject.replace("CN=", "")),
  );
}

const own = {
  "of another authority": createAuthority("others").issue({ use: "client" }),
  "of an authority that only has the same name": createAuthority("for clients").issue({ use: "client" }),
  "self-signed": createSelfSignedCertificate(),
  "the server's own": server,
  "for servers": clients.issue(),
  "of one that is no authority": issuedByLeaf(),
  "without that of the authority between": withoutIssuers(clients.subordinate("below").issue({ use: "client" })),
};
const expired = issue({ validDays: [-3, -1] });

describe("an authority vouches for them", () => {
  test.each(["ecdsa", "ed25519", "rsa"] as const)("%s", async (keyKind) => {
    const { join, asked } = await serve({ ca });
    const mine = issue({ keyKind });
    const client = await join(mine);
    const [{ remote, publicKey }] = asked as [AuthenticateRequest];
    expect(remote.certificates).toEqual([new Uint8Array(new X509Certificate(mine.cert).raw)]);
    // The key that it proves to the Coordinator is another matter.
    expect(publicKey).toBe(client.publicKey);
  });

  test("by way of others, whose certificates go along", async () => {
    const { join, asked } = await serve({ ca });
    await join(
      clients
        .subordinate("below")
        .subordinate("far below")
        .issue({ use: "client", hosts: ["leaf"] }),
    );
    expect(shown(asked)).toEqual([["leaf", "far below", "below"]]);
  });

  test("one of several", async () => {
    const others = createAuthority("others");
    const { join, asked } = await serve({ ca: [ca, Buffer.from(others.ca)] });
    await join(issue({ hosts: ["a"] }));
    await join(others.issue({ use: "client", hosts: ["b"] }));
    expect(shown(asked)).toEqual([["a"], ["b"]]);
  });

  const refused: [string, Own | undefined, string][] = [
    ["none", undefined, "certificate-required"],
    ...Object.entries(own).map(([name, each]): [string, Own, string] => [name, each, "certificate-untrusted"]),
    ["expired", expired, "certificate-expired"],
    ["not yet valid", issue({ validDays: [1, 3] }), "certificate-expired"],
  ];

  test.each(refused)("refused: %s", async (_, mine, code) => {
    const { join, asked, listener } = await serve({ ca });
    const startMs = performance.now();
    const error = await rejection(join(mine));
    expect(performance.now() - startMs).toBeLessThan(1000);
    expect(error).toMatchObject({ name: "ConecError", code, source: "connection", remote: false });
    expect(asked).toEqual([]);
    await join(issue());
    await vi.waitFor(async () =>
      expect(await listener.getStats()).toMatchObject({ certificatesRefused: 1, handshakesFailed: 1, accepted: 1 }),
    );
  });

  test("or there is none, where that is allowed", async () => {
    const { join, asked } = await serve({ ca, required: false });
    await join();
    await join(issue({ hosts: ["leaf"] }));
    expect(shown(asked)).toEqual([undefined, ["leaf"]]);
    for (const [name, mine, code] of refused) {
      if (mine !== undefined) expect(await rejection(join(mine)), name).toMatchObject({ code, remote: false });
    }
    expect(asked).toHaveLength(2);
  });
});

describe("authenticate looks at them", () => {
  test("whoever made them, and whenever", async () => {
    const { join, asked } = await serve({});
    for (const mine of [...Object.values(own), expired, issue()]) await join(mine);
    expect(asked).toHaveLength(Object.keys(own).length + 2);
    expect(asked.every(({ remote }) => (remote.certificates?.length ?? 0) > 0)).toBe(true);
    expect(await rejection(join())).toMatchObject({ code: "certificate-required", remote: false });
  });

  test("and says why it refuses", async () => {
    const known = new X509Certificate(issue({ hosts: ["known"] }).cert);
    const { join } = await serve(
      {},
      {
        authenticate: ({ remote }) => {
          if (Buffer.compare(remote.certificates![0]!, known.raw) !== 0) throw new Error("I do not know you");
          return {};
        },
      },
    );
    expect(await rejection(join(issue()))).toMatchObject({
      code: "refused",
      message: "I do not know you",
      remote: true,
    });
  });

  test("over QUIC not without insisting on one", async () => {
    expect(await rejection(serve({ required: false }))).toMatchObject({ code: "unsupported" });
  });
});

test("Clients are not asked by default, and show nothing then", async () => {
  const { join, asked } = await serve();
  await join(issue());
  expect(shown(asked)).toEqual([undefined]);
});

describe("Clients over WebTransport, which have none", () => {
  /** What a session is answered with; undefined if the connection ends before. */
  async function ask(listener: QuicListener): Promise<string | undefined> {
    const client = await RawHttp3Client.connect(listener.address.port);
    cleanups.push(() => client.close());
    await client.sendSettings();
    return await statusOf(await client.request(sessionRequest)).catch(() => undefined);
  }

  test("are let in where none is required", async () => {
    expect(await ask((await serve({ ca, required: false })).listener)).toBe("200");
  });

  test.each([{ ca }, {}])("are not, where one is", async (clientCertificates) => {
    expect(await ask((await serve(clientCertificates)).listener)).toBeUndefined();
  });
});

describe("while running", () => {
  test("a listener takes other ones from then on; who is there stays", async () => {
    const { listener, join, asked } = await serve({ ca });
    const early = await join(issue({ hosts: ["early"] }));
    const others = createAuthority("others");
    listener.updateCertificate({ cert: server.cert, key: server.key, clientCertificates: { ca: others.ca } });
    expect(await rejection(join(issue()))).toMatchObject({ code: "certificate-untrusted" });
    await join(others.issue({ use: "client", hosts: ["late"] }));
    expect(shown(asked)).toEqual([["early"], ["late"]]);
    await (await early.coordinator.createUnidirectionalStream()).close();
  });

  test("a listener with another certificate takes the same ones as before", async () => {
    const { listener, join } = await serve({ ca });
    const { cert, key } = authority.issue();
    listener.updateCertificate({ cert, key });
    await join(issue());
    expect(await rejection(join())).toMatchObject({ code: "certificate-required" });
  });

  test("a listener that is given nonsense goes on as before", async () => {
    const { listener, join } = await serve({ ca });
    const { cert, key } = server;
    for (const clientCertificates of [{ ca: "nothing" }, { ca: [] }, { required: false }]) {
      expect(() => listener.updateCertificate({ cert, key, clientCertificates })).toThrowError(
        expect.objectContaining({ name: "ConecError" }) as Error,
      );
    }
    await join(issue());
  });

  test("a Client shows another one from then on", async () => {
    const { listener, asked } = await serve({ ca });
    const transport = quic({ ca: authority.ca, ...issue({ hosts: ["old"] }) });
    const client = await Client.connect(urlOf(listener), { transport });
    cleanups.push(() => client.close());
    const { cert, key } = issue({ hosts: ["new"] });
    transport.updateCertificate({ cert, key });
    expect(client.state).toBe("connected");
    const back = new Promise<void>((resolve) =>
      client.addEventListener("statechange", () => client.state === "connected" && resolve()),
    );
    client.reconnect();
    await back;
    expect(shown(asked)).toEqual([["old"]]); // it was resumed: its key says who it is
    const later = await Client.connect(urlOf(listener), { transport });
    cleanups.push(() => later.close());
    expect(shown(asked)).toEqual([["old"], ["new"]]);
  });

  test("a Client whose certificate has expired meanwhile is told so when it comes back, and gives up", async () => {
    const { listener } = await serve({ ca });
    const transport = quic({ ca: authority.ca, ...issue() });
    const client = await Client.connect(urlOf(listener), { transport });
    transport.updateCertificate({ cert: expired.cert, key: expired.key });
    client.reconnect();
    expect(await rejection(client.closed)).toMatchObject({ code: "certificate-expired", remote: false });
    expect(client.state).toBe("closed");
  });
});

describe("a Client's own that is of no use", () => {
  const mine = issue();
  const p224 = generateKeyPairSync("ec", { namedCurve: "secp224r1" }).privateKey;
  test.each<[string, Own, RegExp]>([
    ["no key", { cert: mine.cert }, /without `key`/],
    ["no certificate", { key: mine.key }, /without `cert`/],
    ["no PEM", { cert: "certificate", key: mine.key }, /no PEM certificate/],
    ["bytes that are no PEM", { cert: Buffer.alloc(100, 255), key: mine.key }, /no PEM certificate/],
    ["neither text nor bytes", { cert: 7 as never, key: mine.key }, /neither a string nor a Uint8Array/],
    ["the key of another", { cert: mine.cert, key: issue().key }, /not the key of `cert`/],
    ["a key of another kind", { cert: mine.cert, key: issue({ keyKind: "rsa" }).key }, /not the key of `cert`/],
    ["an encrypted key", { cert: mine.cert, key: encrypted(mine.key) }, /unencrypted/],
    [
      "a public key",
      {
        cert: mine.cert,
        key: new X509Certificate(mine.cert).publicKey.export({ type: "spki", format: "pem" }),
      },
      /private key/,
    ],
    ["a curve that nobody takes", certificateOf(p224), /secp224r1/],
    ["a chain of 100", { cert: mine.cert.repeat(100), key: mine.key }, /16384 bytes/],
    [
      "a broken one behind it",
      { cert: mine.cert + mine.cert.replace("\nMI", "\nAA"), key: mine.key },
      /not a certificate/,
    ],
  ])("%s", (_, { cert, key }, message) => {
    const transport = quic(mine);
    for (const call of [() => quic({ cert, key }), () => transport.updateCertificate({ cert: cert!, key: key! })]) {
      expect(call).toThrowError(
        expect.objectContaining({
          code: "invalid-argument",
          message: expect.stringMatching(message) as string,
        }) as Error,
      );
    }
  });
});

test("a connection that is refused tells every part of it, in the same words", async () => {
  const { listener } = await serve({ ca });
  const connection: Connection = await quic({ ca: authority.ca }).connect(urlOf(listener));
  const { writable, readable } = await connection.createBidirectionalStream();
  const writing = writable.getWriter();
  writing.closed.catch(() => {});
  await writing.write(new Uint8Array(10)).catch(() => {});
  const parts = [connection.closed, readable.getReader().read(), writing.closed];
  const errors = await Promise.all(parts.map(rejection));
  errors.push(await rejection(connection.createUnidirectionalStream()));
  for (const error of errors) expect(error).toMatchObject({ code: "certificate-required", remote: false });
  expect(new Set(errors.map((error) => (error as Error).message)).size).toBe(1);
});

/** As its issuer, somebody who is no authority. */
function issuedByLeaf(): Own {
  const issuer = issue({ hosts: ["leaf"] });
  const key = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
  const dates = { notBefore: new Date(Date.now() - 1e6), notAfter: new Date(Date.now() + 1e6) };
  const { cert } = issueCertificate({
    name: "below a leaf",
    hosts: [],
    ...dates,
    key,
    use: "client",
    issuer: { name: "leaf", key: createPrivateKey(issuer.key) },
  });
  return { cert: cert + issuer.cert, key: key.export({ type: "pkcs8", format: "pem" }) };
}

function withoutIssuers({ cert, key }: { cert: string; key: string }): Own {
  return { cert: cert.slice(0, cert.indexOf("-----BEGIN", 1)), key };
}

function certificateOf(key: ReturnType<typeof createPrivateKey>): Own {
  const dates = { notBefore: new Date(Date.now() - 1e6), notAfter: new Date(Date.now() + 1e6) };
  return issueCertificate({ name: "own", hosts: [], ...dates, key, use: "client" });
}

function encrypted(key: string): string {
  const options = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" } as const;
  return createPrivateKey(key).export(options) as string;
}
