/** Where the victim is. */
export interface Target {
  port: number;
  /** SHA-256 of its certificate, hexadecimal. */
  hash: string;
}
