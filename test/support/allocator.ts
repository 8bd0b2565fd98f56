/** C's allocator, as glibc has it; where it cannot be reached, nothing is done and nothing known. */
export interface Allocator {
  /** What it has got back, the system gets back. */
  trim(): void;
  /** Bytes that it has given out and not got back: array buffers, the QUIC engine, but not V8's heap. */
  bytesInUse(): number;
}

interface Mallinfo {
  uordblks: number;
  hblkhd: number;
}

export async function loadAllocator(): Promise<Allocator> {
  try {
    const { default: koffi } = await import("koffi");
    const libc = koffi.load(null);
    // See mallinfo(3).
    const fields = [
      "arena",
      "ordblks",
      "smblks",
      "hblks",
      "hblkhd",
      "usmblks",
      "fsmblks",
      "uordblks",
      "fordblks",
      "keepcost",
    ];
    const mallinfo = koffi.struct(Object.fromEntries(fields.map((field) => [field, "size_t"])));
    const trim = libc.func("malloc_trim", "int", ["size_t"]);
    const info = libc.func("mallinfo2", mallinfo, []) as () => Mallinfo;
    return {
      trim: () => void trim(0),
      bytesInUse: () => {
        const { uordblks, hblkhd } = info();
        return uordblks + hblkhd;
      },
    };
  } catch {
    return { trim: () => {}, bytesInUse: () => NaN };
  }
}
