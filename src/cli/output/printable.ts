// SPDX-License-Identifier: Apache-2.0
/**
 * A text as it can be shown on a terminal or in a log: on one line, and without anything that moves the cursor, changes
 * colours, hides what follows or turns the direction of the text. What others say passes through here before it is shown.
 */
export function printable(text: string): string {
  return text
    .replaceAll(/[\r\n\t]+/g, " ")
    .replaceAll(unprintable, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** Whatever is no letter, mark, number, punctuation, symbol or plain space. */
const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;
