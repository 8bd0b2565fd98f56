/**
 * A policy: only those get in, or get a channel, whose public key is on a list. A key cannot be shown without having it, so
 * the list is all there is to keep: no passwords.
 *
 * @example
 * ```js
 * const list = allowList(new Map([["ed25519:A6EH…", "alice"]]));
 * const coordinator = new Coordinator({ authenticate: list.authenticate, authorize: list.authorize });
 * const client = await Client.connect(url, { transport, keyPair, accept: acceptKeys(["ed25519:A6EH…"]) });
 * ```
 */

/** @import { AuthenticateRequest, AuthorizeRequest, ChannelOffer, Identity } from "conec" */

/** @param {ReadonlyMap<string, string>} members The id of each member, by public key. May change at any time. */
export function allowList(members) {
  return {
    /**
     * For the Coordinator: lets members in, each under its own id, whatever it asks for.
     *
     * @param {AuthenticateRequest} request
     * @returns {Identity}
     */
    authenticate: ({ publicKey }) => {
      const id = members.get(publicKey);
      if (id === undefined) throw new Error("You are not on the list");
      return { id };
    },
    /**
     * For the Coordinator: lets members hand channels on to each other. Who was taken off the list while connected may not.
     *
     * @param {AuthorizeRequest} request
     */
    authorize: ({ from, to }) => [from, to].every(({ publicKey = "" }) => members.has(publicKey)),
  };
}

/**
 * For a Client: takes channels only with those who have these keys, as the Coordinator has verified them.
 *
 * @param {Iterable<string>} publicKeys
 */
export function acceptKeys(publicKeys) {
  const known = new Set(publicKeys);
  return (/** @type {ChannelOffer} */ { peer }) => peer.publicKey !== undefined && known.has(peer.publicKey);
}
