// SPDX-License-Identifier: Apache-2.0
/**
 * How a Client joins (docs/protocol.md, "Joining"): `hello`, `challenge`, `identify` and `proof`, then `welcome`; the
 * Coordinator may answer `refuse` at any point. Both sides of it.
 */
import { toBase64Url } from "./base64url.ts";
import { bindingFault, checkProof, createNonce, createProof } from "./client-proof.ts";
import { encodeControlMessage, maxControlMessageBytes, protocolVersion } from "./control-messages.ts";
import type { ControlMessage, ControlMessageOf, IdentifyMessage } from "./control-messages.ts";
import type { ControlStream } from "./control-stream.ts";
import { ConecError } from "./errors.ts";
import type { PublicKey } from "./key-pair.ts";
import type { ServerCertificate } from "./transport.ts";
import type { JsonValue } from "../streams/message-writable.ts";

export interface JoinOptions {
  keyPair: CryptoKeyPair;
  publicKey: PublicKey;
  /** Host and port that were dialled. */
  authority: string;
  server: ServerCertificate | undefined;
  id: string | undefined;
  credentials: JsonValue | undefined;
  resume?: IdentifyMessage["resume"];
  /** How long each answer of the Coordinator may take. */
  timeoutMs: number;
}

/**
 * The Client's side.
 *
 * @throws ConecError `version-mismatch`; what the Coordinator refuses with; `timeout`, `protocol-error`
 */
export async function join(control: ControlStream, options: JoinOptions): Promise<ControlMessageOf<"welcome">> {
  const { keyPair, publicKey, authority, server, id, credentials, resume, timeoutMs } = options;
  void control.send({ type: "hello", versions: [protocolVersion] });
  const { version, nonce } = await answer(control, "challenge", timeoutMs);
  if (version !== protocolVersion)
    throw new ConecError("version-mismatch", `The Coordinator answered with version ${version}`);
  const identify: IdentifyMessage = {
    type: "identify",
    publicKey,
    authority,
    certificateHashes: (server?.certificateHashes ?? []).map(toBase64Url),
    ...(id === undefined ? {} : { id }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(resume === undefined ? {} : { resume }),
  };
  void control.send(identify);
  void control.send({ type: "proof", signature: await createProof(keyPair, nonce, encodeControlMessage(identify)) });
  return await answer(control, "welcome", timeoutMs);
}

/**
 * The Coordinator's side, up to where its application decides. Resolves with what the Client says of itself, of which
 * the key is proven.
 *
 * @throws ConecError `version-mismatch`, `refused`, `limit-exceeded`, `timeout`, `protocol-error`
 */
export async function hearOut(
  control: ControlStream,
  { server, authorities, timeoutMs, limited }: HearOutOptions,
): Promise<IdentifyMessage> {
  const checkSize = (): void => {
    if (control.receivedBytes <= maxControlMessageBytes) return;
    limited("joiningBytes");
    throw new ConecError("limit-exceeded", `A Client may say ${maxControlMessageBytes} bytes before it is let in`);
  };
  const { versions } = await control.expect(["hello"], timeoutMs);
  if (!versions.includes(protocolVersion)) {
    const message = `This Coordinator speaks version ${protocolVersion}, not ${versions.join(", ")}`;
    throw new ConecError("version-mismatch", message);
  }
  const nonce = createNonce();
  void control.send({ type: "challenge", version: protocolVersion, nonce });
  const { message: identify, bytes } = await control.expectBytes(["identify"], timeoutMs);
  checkSize();
  const fault = bindingFault(identify, server, authorities);
  if (fault !== undefined) throw new ConecError("refused", fault);
  const proof = await control.expect(["proof"], timeoutMs);
  checkSize();
  await checkProof(identify, nonce, bytes, proof);
  return identify;
}

export interface HearOutOptions {
  server: ServerCertificate | undefined;
  /** What the Coordinator is called, if its application says so. */
  authorities: readonly string[] | undefined;
  /** How long each message of the Client may take. */
  timeoutMs: number;
  /** Called when a limit is reached, with its name. */
  limited: (limit: string) => void;
}

async function answer<T extends "challenge" | "welcome">(
  control: ControlStream,
  type: T,
  timeoutMs: number,
): Promise<ControlMessageOf<T>> {
  const message: ControlMessage = await control.expect([type, "refuse"], timeoutMs);
  if (message.type === "refuse") throw new ConecError(message.code, message.reason, { remote: true });
  return message as ControlMessageOf<T>;
}
