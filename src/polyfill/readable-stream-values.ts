// SPDX-License-Identifier: Apache-2.0
/** Installs asynchronous iteration of ReadableStream (WHATWG Streams, "Asynchronous iteration"). */
import { ReaderIterator } from "../streams/reader-iterator.ts";

install("values", true);
install(Symbol.asyncIterator, false);

function install(name: "values" | typeof Symbol.asyncIterator, enumerable: boolean): void {
  const { prototype } = ReadableStream;
  if (name in prototype) return;
  Object.defineProperty(prototype, name, { value: values, writable: true, configurable: true, enumerable });
}

function values<T>(this: ReadableStream<T>, options?: ReadableStreamIteratorOptions): ReaderIterator<T> {
  return new ReaderIterator(this.getReader(), options);
}
