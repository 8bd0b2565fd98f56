import * as fc from "fast-check";
import { anyControlMessage } from "../core/any-control-message.ts";

/** Control messages that somebody has cut, doubled or swapped something in: some are still good. */
export const almostJson: fc.Arbitrary<string> = fc
  .tuple(
    anyControlMessage(fc.nat({ max: 40 })).map((message) => JSON.stringify(message)),
    fc.array(fc.tuple(fc.nat(), fc.nat({ max: 12 }), piece()), { maxLength: 4 }),
  )
  .map(([json, edits]) =>
    edits.reduce((text, [at, remove, insert]) => {
      const from = at % (text.length + 1);
      return text.slice(0, from) + insert + text.slice(from + remove);
    }, json),
  );

function piece(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom("", "", "{", "}", "[", "]", ",", ":", '"', "\\", "\\u0000", "\\ud800", "-", "1e999", "null", "0.5"),
    fc.constantFrom(
      '"type":"open",',
      '"stream":0,',
      '"metadata":{},',
      '"__proto__":{},',
      "\u202e",
      "\u0000",
      "9007199254740992",
    ),
    fc.string({ unit: "binary", maxLength: 4 }),
  );
}
