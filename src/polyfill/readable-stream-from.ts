// SPDX-License-Identifier: Apache-2.0
/** Installs `ReadableStream.from` (WHATWG Streams, "ReadableStreamFromIterable"). */

/** A stream of what an iterable gives, one step for each read. Cancelling it ends the iteration. */
function from<T>(source: AsyncIterable<T> | Iterable<T | PromiseLike<T>>): ReadableStream<T> {
  const iterator = iteratorOf(source);
  return new ReadableStream<T>(
    {
      pull: async (controller) => {
        const { value, done } = object(await iterator.next());
        if (done === true) controller.close();
        else controller.enqueue(await value);
      },
      cancel: async (reason) => {
        if (iterator.return !== undefined) object(await iterator.return(reason));
      },
    },
    { highWaterMark: 0 },
  );
}

type AnyIterator<T> = AsyncIterator<T> | Iterator<T | PromiseLike<T>>;

function iteratorOf<T>(source: AsyncIterable<T> | Iterable<T | PromiseLike<T>>): AnyIterator<T> {
  if (Symbol.asyncIterator in Object(source)) return object((source as AsyncIterable<T>)[Symbol.asyncIterator]());
  return object((source as Iterable<T>)[Symbol.iterator]());
}

function object<T>(value: T): T {
  if (typeof value === "object" && value !== null) return value;
  throw new TypeError("An iterator and its results must be objects");
}

if (!("from" in ReadableStream)) {
  Object.defineProperty(ReadableStream, "from", { value: from, writable: true, configurable: true, enumerable: true });
}
