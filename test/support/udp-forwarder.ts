import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";

export type Direction = "to-server" | "to-client";

export interface UdpForwarder {
  /** Where clients send to, on 127.0.0.1. */
  readonly port: number;
  /** Where the server sees the client. */
  readonly outside: { host: string; port: number };
  /** What becomes of each datagram: false swallows it. */
  pass: (datagram: Buffer, direction: Direction) => boolean;
  /** Puts a datagram of one's own on the path. */
  inject(datagram: Uint8Array, direction: Direction): void;
  /**
   * Does what a NAT does that has forgotten about the client: from now on the server sees another port, or another address of
   * this machine, and what is sent to the old one is lost.
   */
  rebind(host?: string): Promise<void>;
  close(): Promise<void>;
}

/** A path between one client and a server on 127.0.0.1 that tests can look into and cut. */
export async function forwardUdp(serverPort: number): Promise<UdpForwarder> {
  const front = await bound();
  let back = await bound();
  let client: { port: number; address: string } | undefined;
  let closed = false;
  const toServer = (datagram: Uint8Array) => {
    if (!closed) back.send(datagram, serverPort, "127.0.0.1");
  };
  const toClient = (datagram: Uint8Array) => {
    if (!closed && client !== undefined) front.send(datagram, client.port, client.address);
  };
  const listen = () =>
    back.on("message", (datagram) => {
      if (forwarder.pass(datagram, "to-client")) toClient(datagram);
    });
  const forwarder: UdpForwarder = {
    port: front.address().port,
    get outside() {
      const { address, port } = back.address();
      return { host: address, port };
    },
    pass: () => true,
    inject: (datagram, direction) => (direction === "to-server" ? toServer(datagram) : toClient(datagram)),
    async rebind(host) {
      const old = back;
      back = await bound(host);
      listen();
      await closing(old);
    },
    async close() {
      closed = true;
      await Promise.all([front, back].map(closing));
    },
  };
  front.on("message", (datagram, from) => {
    client = from;
    if (forwarder.pass(datagram, "to-server")) toServer(datagram);
  });
  listen();
  return forwarder;
}

function bound(host = "127.0.0.1"): Promise<Socket> {
  const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024 });
  socket.on("error", () => {});
  return new Promise((resolve) => {
    socket.bind(0, host, () => resolve(socket));
  });
}

function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.removeAllListeners("message");
    socket.close(() => resolve());
  });
}
