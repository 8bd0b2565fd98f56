/**
 * A policy: Clients have to do with each other only if they are in the same room. The Coordinator puts each Client into a
 * room when it joins, as `metadata.room`, which both ends of a channel see.
 *
 * @example
 * ```js
 * const rooms = sameRoom();
 * const coordinator = new Coordinator({ authenticate: rooms.authenticate, authorize: rooms.authorize });
 * if (rooms.mayMeet(from, to)) await coordinator.introduce(from.id, to.id); // when one asks for the other
 * ```
 */

/** @import { AuthenticateRequest, AuthorizeRequest, ChannelOffer, Identity, Metadata, Peer } from "conec" */

/**
 * @param {(request: AuthenticateRequest) => string | Promise<string>} [roomOf] Which room a Client may enter; throws if none.
 * Default: whichever it asks for in `credentials.room`.
 */
export function sameRoom(roomOf = requestedRoom) {
  return {
    /**
     * For the Coordinator: lets a Client in, into its room.
     *
     * @param {AuthenticateRequest} request
     * @returns {Promise<Identity>}
     */
    authenticate: async (request) => ({ id: request.requestedId, metadata: { room: await roomOf(request) } }),
    /**
     * For the Coordinator: lets a Client hand a channel on within the room. The Coordinator itself is in none.
     *
     * @param {AuthorizeRequest} request
     */
    authorize: ({ from, to }) => mayMeet(from, to),
    mayMeet,
  };
}

/**
 * For a Client, which need not trust the Coordinator's application to keep to it: takes channels with others of its room only.
 *
 * @param {string} room
 */
export function acceptRoom(room) {
  return (/** @type {ChannelOffer} */ { peer }) => peer.metadata["room"] === room;
}

/** @param {Peer} from @param {Peer} to */
function mayMeet(from, to) {
  return from.metadata["room"] !== undefined && from.metadata["room"] === to.metadata["room"];
}

/** @param {AuthenticateRequest} request */
function requestedRoom({ credentials }) {
  const { room } = /** @type {Metadata} */ (Object(credentials));
  if (typeof room !== "string" || room === "") throw new Error("Say which room you want to enter");
  return room;
}
