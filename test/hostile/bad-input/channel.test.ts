import { tryAll } from "./bad-input.ts";
import { channelState, halfOpen } from "./channel-cases.ts";

tryAll(channelState);
tryAll(halfOpen);
