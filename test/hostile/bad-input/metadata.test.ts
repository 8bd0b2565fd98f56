import { tryAll } from "./bad-input.ts";
import { metadataAndNames } from "./metadata-cases.ts";

tryAll(metadataAndNames);
