/** For promises whose failure somebody else deals with. */
export function ignore(..._: unknown[]): void {}
