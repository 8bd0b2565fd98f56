// SPDX-License-Identifier: Apache-2.0
/** What is wrong with names that come from somebody else, before they are taken for names of files. */

/**
 * Why a path is not taken, or undefined if it is: then it names something inside of the folder that it is put into, and
 * nothing else, on every system. What only Windows cannot have is refused there alone.
 */
export function pathFault(path: readonly string[], platform: NodeJS.Platform = process.platform): string | undefined {
  if (path.length === 0) return "it has no name";
  for (const name of path) {
    const fault = nameFault(name, platform);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Ends the names of files that are not whole yet. */
export const partSuffix = ".conec-part";

function nameFault(name: string, platform: NodeJS.Platform): string | undefined {
  if (name === "" || name === "." || name === "..") return `a part of its name is ${JSON.stringify(name)}`;
  if (/[/\\]/.test(name)) return "a part of its name holds a / or \\";
  if (/^[a-z]:/i.test(name)) return "a part of its name begins like a drive";
  if (unprintable.test(name)) return "its name holds characters that cannot be shown";
  if (new TextEncoder().encode(name).length > maxNameBytes) return `a part of its name is over ${maxNameBytes} bytes`;
  if (name.toLowerCase().endsWith(partSuffix))
    return `names that end in ${partSuffix} are those of files not whole yet`;
  return platform === "win32" ? windowsFault(name) : undefined;
}

function windowsFault(name: string): string | undefined {
  if (/[<>:"|?*]/.test(name)) return 'Windows has no names with < > : " | ? or *';
  if (/[. ]$/.test(name)) return "Windows has no names that end in a dot or a space";
  return devices.test(name) ? "on Windows this is the name of a device" : undefined;
}

/** As the most common file systems have it. */
const maxNameBytes = 255;

/** Controls (NUL, escape sequences, line breaks), invisible and direction-changing characters, lone surrogates. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

const devices = /^(con|prn|aux|nul|conin\$|conout\$|com[\d¹²³]|lpt[\d¹²³])\s*(\.|$)/i;

/** `name (2).ext`: another name for a file whose own is taken. */
export function numberedName(name: string, number: number): string {
  const extension = /(?<=.)\.[^.\s]{1,16}$/.exec(name)?.[0] ?? "";
  const suffix = ` (${number})${extension}`;
  const room = maxNameBytes - new TextEncoder().encode(suffix).length;
  return shortened(name.slice(0, name.length - extension.length), room) + suffix;
}

/** A text cut to so many bytes of UTF-8, without splitting a character. */
export function shortened(text: string, maxBytes: number): string {
  const bytes = new Uint8Array(Math.max(0, maxBytes));
  const { read } = new TextEncoder().encodeInto(text, bytes);
  return text.slice(0, read);
}
