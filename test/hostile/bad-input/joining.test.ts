import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Client } from "../../../src/index.ts";
import type { ConecErrorCode } from "../../../src/index.ts";
import { createSelfSignedCertificate, listen, quic } from "../../../src/transports/quic/index.ts";
import { createAuthority } from "../../support/certificates.ts";
import type { ServerCertificate } from "../../support/certificates.ts";
import { quicKind, rejection } from "../../support/hub.ts";
import { RawHttp3Client } from "../../transports/http3-client.ts";
import { tryAll } from "./bad-input.ts";
import { elsewhere, joining, silence } from "./joining-cases.ts";
import { Scene } from "./scene.ts";
import { within } from "./within.ts";

tryAll(joining);
tryAll(elsewhere);
tryAll(silence);

describe("dialling", () => {
  let scene: Scene;
  beforeAll(async () => void (scene = await Scene.start(quicKind)));
  afterAll(() => scene.end());

  const authority = createAuthority();
  const servers: [name: string, certificate: ServerCertificate, ConecErrorCode][] = [
    ["of another authority", createAuthority().issue(), "certificate-untrusted"],
    ["self-signed", createSelfSignedCertificate(), "certificate-untrusted"],
    ["expired", authority.issue({ validDays: [-3, -1] }), "certificate-expired"],
    ["for other names", authority.issue({ hosts: ["x.test"] }), "certificate-name-mismatch"],
  ];
  test.each(servers)("a server whose certificate is %s", async (_, { cert, key }, code) => {
    const listener = await listen({ host: "127.0.0.1", cert, key });
    const url = `https://127.0.0.1:${listener.address.port}`;
    const dialling = rejection(Client.connect(url, { transport: quic({ ca: authority.ca }) }));
    expect(await within(1000, dialling, () => "nothing")).toMatchObject({ code });
    await scene.goesOn();
    await listener.close();
    await scene.isTidy();
  });

  test("with a protocol that is not spoken here", async () => {
    const dialling = rejection(RawHttp3Client.connect(Number(new URL(scene.hub.url).port), ["conec/0"]));
    expect(await within(1000, dialling, () => "nothing")).toMatchObject({ code: "alpn-mismatch" });
    await scene.goesOn();
    await scene.isTidy();
  });
});
