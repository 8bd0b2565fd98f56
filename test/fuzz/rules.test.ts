/** The rules, without anything around them. */
import { anyMessages, honestEnds } from "../core/channel-state-model.ts";
import { fuzz } from "./fuzz.ts";

fuzz("channel state", "two honest ends, in any order of events", honestEnds);
fuzz("channel state", "one end, against any messages", anyMessages);
