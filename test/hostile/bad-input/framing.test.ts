import { tryAll } from "./bad-input.ts";
import { controlFraming, dataFraming } from "./framing-cases.ts";

tryAll(controlFraming);
tryAll(dataFraming);
