// SPDX-License-Identifier: Apache-2.0
/** conec: COordinated NEtwork Channels. The core, for Node and browsers; transports are entry points of their own. */
export { Channel } from "./core/channel.ts";
export type { ChannelStats, CreateStreamOptions, SendChannelOptions } from "./core/channel.ts";
export { Client } from "./core/client.ts";
export type { ChannelOffer, ClientOptions, ClientState, ClientStats } from "./core/client-options.ts";
export type { CloseOptions } from "./core/close-info.ts";
export type { Peer } from "./core/control-messages.ts";
export { Coordinator } from "./core/coordinator.ts";
export type { CoordinatorEvent } from "./core/coordinator-events.ts";
export type {
  AuthenticateRequest,
  AuthorizeRequest,
  ClientDetails,
  CoordinatorDetails,
  CoordinatorOptions,
  CoordinatorStats,
  ForwardedChannel,
  Identity,
  IntroduceOptions,
  Introduction,
} from "./core/coordinator-options.ts";
export { ConecError } from "./core/errors.ts";
export type { ConecErrorCode, ConecErrorOptions, ConecErrorSource } from "./core/errors.ts";
export { generateKeyPair, importPublicKey, publicKeyOf } from "./core/key-pair.ts";
export type { GenerateKeyPairOptions, PublicKey } from "./core/key-pair.ts";
export type { ReconnectOptions } from "./core/reconnect-delay.ts";
export type { SlowReaderPolicy, StalledStream } from "./core/slow-readers.ts";
export type { ChannelLimits, ClientLimits, CoordinatorLimits } from "./core/limits.ts";
export type {
  Address,
  BidirectionalStream,
  CloseInfo,
  ConnectOptions,
  Connection,
  ConnectionStats,
  Listener,
  ListenerStats,
  Remote,
  ServerCertificate,
  Transport,
} from "./core/transport.ts";
export { MessageReadable } from "./streams/message-readable.ts";
export { MessageWritable } from "./streams/message-writable.ts";
export type { JsonValue, MessageStreamInfo, Metadata } from "./streams/message-writable.ts";
