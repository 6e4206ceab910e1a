import { LIMITS } from '../../domain/limits.ts'

/** Items in arrays of `LIMITS.fsckBatch`: as many as are asked about in one query. */
export async function* inBatches<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < LIMITS.fsckBatch) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
