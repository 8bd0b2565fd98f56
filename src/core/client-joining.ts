// SPDX-License-Identifier: Apache-2.0
/** What a Client does to join: dials, proves its key, is welcomed. Once, and again whenever its connection was lost. */
import type { ClientOptions } from "./client-options.ts";
import { authorityOf } from "./client-proof.ts";
import type { ControlMessageOf, IdentifyMessage } from "./control-messages.ts";
import type { ControlStream } from "./control-stream.ts";
import { dial } from "./dial.ts";
import { ConecError, toConecError } from "./errors.ts";
import { checkOptions } from "./options.ts";
import { errorOfClose } from "./farewell.ts";
import { join } from "./joining.ts";
import { generateKeyPair, publicKeyOf } from "./key-pair.ts";
import type { PublicKey } from "./key-pair.ts";
import { clientLimits } from "./limits.ts";
import type { ClientLimits } from "./limits.ts";
import { checkId } from "./metadata.ts";
import { Session } from "./session.ts";
import type { Connection } from "./transport.ts";
import type { JsonValue } from "../streams/message-writable.ts";

/** What a Client joins with, checked. */
export interface Applicant {
  readonly url: string | URL;
  readonly options: ClientOptions;
  readonly limits: ClientLimits;
  readonly keyPair: CryptoKeyPair;
  readonly publicKey: PublicKey;
  readonly id: string | undefined;
  readonly credentials: JsonValue | undefined;
}

/** A Client that was let in. Nothing that the Coordinator opens is taken before `session.open()`. */
export interface Joined {
  readonly session: Session;
  /** The control stream of the channel with the Coordinator. */
  readonly control: ControlStream;
  readonly welcome: ControlMessageOf<"welcome">;
}

export interface JoinCoordinatorOptions {
  /** Asks for a session whose connection was lost. */
  resume?: IdentifyMessage["resume"];
  /** The Coordinator opened a control stream. */
  onControlStream: (control: ControlStream, session: Session) => void;
  signal: AbortSignal | undefined;
}

/** @throws ConecError `invalid-argument` */
export async function prepareApplicant(url: string | URL, given: ClientOptions): Promise<Applicant> {
  const options = checkOptions(given, "Client.connect");
  const limits = clientLimits(options.limits);
  const id = options.id === undefined ? undefined : checkId(options.id);
  const credentials = options.credentials === undefined ? undefined : checkCredentials(options.credentials);
  const keyPair = options.keyPair ?? (await generateKeyPair());
  return { url, options, limits, keyPair, publicKey: await publicKeyOf(keyPair), id, credentials };
}

/** @throws ConecError as `Client.connect`; the signal's reason */
export async function joinCoordinator(applicant: Applicant, joining: JoinCoordinatorOptions): Promise<Joined> {
  const { url, options, limits, keyPair, publicKey, id, credentials } = applicant;
  const { resume, onControlStream, signal } = joining;
  const connection = await dial(url, { ...options, signal });
  const session = new Session(connection, {
    onControlStream,
    headerTimeoutMs: limits.pairTimeoutMs,
    maxHeaders: maxHeaders,
    mayCarryData: () => true,
    mayBeLate: () => true,
  });
  const abort = (): void => connection.close({ closeCode: 0, reason: "The Client gave up" });
  signal?.addEventListener("abort", abort, { once: true });
  try {
    signal?.throwIfAborted();
    const control = await session.openControlStream();
    const { welcomeTimeoutMs: timeoutMs } = limits;
    const who = { keyPair, publicKey, id, credentials, resume };
    const joined = join(control, { ...who, authority: authorityOf(url), server: connection.server, timeoutMs });
    return { session, control, welcome: await Promise.race([joined, closedEarly(connection)]) };
  } catch (error) {
    abort();
    signal?.throwIfAborted();
    throw await session.explain(toConecError(error, "internal"));
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Rejects when the connection ends before the welcome. */
async function closedEarly(connection: Connection): Promise<never> {
  const info = await connection.closed;
  throw (
    errorOfClose(info) ??
    new ConecError("closed", info.reason || "The Coordinator closed the connection", { remote: true })
  );
}

function checkCredentials(credentials: JsonValue): JsonValue {
  const json: unknown = JSON.stringify(credentials);
  if (typeof json !== "string") throw new ConecError("invalid-argument", "Credentials must be JSON");
  if (new TextEncoder().encode(json).length > maxCredentialsBytes)
    throw new ConecError("invalid-argument", `Credentials must be at most ${maxCredentialsBytes} bytes as JSON`);
  return JSON.parse(json) as JsonValue;
}

const maxCredentialsBytes = 16_384;
/** Streams of the Coordinator that may be about to say what they are. */
const maxHeaders = 4096;
