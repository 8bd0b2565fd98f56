// SPDX-License-Identifier: Apache-2.0
import { ConecError, reasonText } from "../../core/errors.ts";
import { generateKeyPair } from "../../core/key-pair.ts";

/**
 * The key pair of a Client that is kept in this browser, under a name, for pages of this origin (IndexedDB). The first
 * call makes one whose private key cannot be read out, not even by the page. Whoever clears the site's data clears it.
 *
 * @throws ConecError `unsupported` where there is no IndexedDB, or it cannot be used (private windows of some browsers)
 * @example
 * ```ts
 * const client = await Client.connect(url, { transport: webtransport(), id: "alice", keyPair: await loadKeyPair() });
 * ```
 */
export async function loadKeyPair(name = "default"): Promise<CryptoKeyPair> {
  const database = await open();
  try {
    const kept = await request(keys(database, "readonly").get(name));
    if (kept !== undefined) return kept as CryptoKeyPair;
    const fresh = await generateKeyPair();
    const store = keys(database, "readwrite");
    // Another tab may have been faster: the first one stays.
    const first: unknown = await request(store.get(name));
    if (first !== undefined) return first as CryptoKeyPair;
    await request(store.put(fresh, name));
    return fresh;
  } catch (cause) {
    throw unusable(cause);
  } finally {
    database.close();
  }
}

const databaseName = "conec";
const storeName = "keys";

async function open(): Promise<IDBDatabase> {
  const factory = (globalThis as { indexedDB?: IDBFactory }).indexedDB;
  if (factory === undefined) throw new ConecError("unsupported", "There is no IndexedDB here to keep a key in");
  try {
    const opening = factory.open(databaseName, 1);
    opening.addEventListener("upgradeneeded", () => void opening.result.createObjectStore(storeName));
    return await request(opening);
  } catch (cause) {
    throw unusable(cause);
  }
}

function keys(database: IDBDatabase, mode: IDBTransactionMode): IDBObjectStore {
  return database.transaction(storeName, mode).objectStore(storeName);
}

function request<T>(pending: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    pending.addEventListener("success", () => resolve(pending.result));
    pending.addEventListener("error", () => reject(pending.error ?? new Error("IndexedDB failed")));
  });
}

function unusable(cause: unknown): ConecError {
  return new ConecError("unsupported", `Cannot keep a key in IndexedDB: ${reasonText(cause)}`, { cause });
}
