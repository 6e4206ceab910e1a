/**
 * A list for `pMap` that fails for everybody who asks for more after it has failed. A generator that has thrown looks as if it had ended
 * to whoever asks next, and pMap asks several times at once: it took the half list before a failure for the whole.
 */
export function keepFailing<T>(items: AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = items[Symbol.asyncIterator]()
      let last: Promise<unknown> = Promise.resolve()
      return {
        next: () => {
          const next = last.then(() => iterator.next())
          last = next
          return next
        },
      }
    },
  }
}
