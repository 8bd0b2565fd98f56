/**
 * The interface that every peer implements. The rows of the table, which say how each peer is used, are in rows.js.
 *
 * A peer file holds only what is special to it: how A, R and B are connected, how a logical link A→R→B is opened,
 * and how messages are sent on it under the peer's own flow control. What is sent, checked and measured stands in
 * workloads/, once for all.
 */

/**
 * What `peers/<file>` exports as `peer`.
 * @typedef {object} Peer
 * @property {(options: RelayOptions) => Promise<Relay>} relay Runs in process R: listens, and joins the ends of a pair.
 * @property {(options: ConnectOptions) => Promise<End>} connect
 *   Runs in processes A and B: resolves when this end is connected with the relay, whether or not the other one is.
 */

/**
 * @typedef {object} Relay
 * @property {number} port
 * @property {string} [id] What the ends have to know of it besides, if anything.
 * @property {number} [pid] The process that does the work, where it is not this one.
 */

/**
 * @typedef {object} RelayOptions
 * @property {Certificate} certificate
 * @property {string} host The address to listen on.
 * @property {boolean} fanOut True for W6: what comes on a link of A goes to every end B, whatever its pair.
 * @property {RowOptions} options
 */

/**
 * @typedef {object} ConnectOptions
 * @property {"a" | "b"} role
 * @property {number} pair Which A belongs to which B: 0, 1, 2, …
 * @property {string} host The relay's.
 * @property {number} port The relay's.
 * @property {string} id What `relay` said, or "".
 * @property {Certificate} certificate The relay's, to be trusted.
 * @property {boolean} bulk True where a peer that moves bytes need not mark message boundaries (W1, W9, stalled reader).
 * @property {boolean} fanOut
 * @property {RowOptions} options
 */

/**
 * A connected end. A opens links, B is told of them.
 * @typedef {object} End
 * @property {() => Promise<Link>} open
 *   Opens a new logical link to B: a stream, a channel or a connection pair. Waits for B to be there, where it must.
 * @property {(listener: (link: Link) => void) => void} onLink Calls back for every link that A opened.
 */

/**
 * One logical two-way link A→R→B.
 * @typedef {object} Link
 * @property {(message: Uint8Array) => void} send
 *   Sends one message at once, without flow control: the caller has few messages under way.
 * @property {(next: () => Uint8Array | undefined) => Promise<void>} sendAll
 *   Takes messages from `next` until it returns undefined and sends them, as fast as the peer's own flow control
 *   lets it. Each message is a buffer of its own that nobody writes to again.
 * @property {(listener: (message: Uint8Array) => void) => void} onMessage
 *   Calls back for each message in order (where `bulk`, for each piece of the byte stream if boundaries are not marked).
 *   The bytes may be reused after the call.
 * @property {() => void} close Ends the link; called by A only.
 * @property {() => void} [pause] Stops reading, in the way that the peer's users have. Called by B, for a stalled reader.
 * @property {() => void} [resume]
 */

/** @typedef {{ cert: string, key: string, hash: Uint8Array<ArrayBuffer> }} Certificate PEM, PEM, SHA-256 of the DER certificate. */

/**
 * What differs between rows of one file.
 * @typedef {object} RowOptions
 * @property {number} [maxDatagramBytes]
 * @property {boolean} [plainStreams] conec: nothing but what every web stream has.
 * @property {boolean} [channels] conec: a link is a channel of its own.
 * @property {boolean} [websocket] conec: over its WebSocket transport.
 * @property {boolean} [bufferutil] ws: with that native addon.
 * @property {boolean} [batched] ws: small messages are packed by hand.
 * @property {boolean} [bbr] TCP with BBR in place of Linux's default, on the paths of network.js.
 * @property {boolean} [oneConnection] ws: all links on one connection pair.
 */

/**
 * @param {string} file In bench/peers.
 * @returns {Promise<Peer>}
 */
export async function loadPeer(file) {
  return (await import(`./peers/${file}`)).peer;
}
