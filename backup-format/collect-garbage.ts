import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { LIMITS } from '../domain/limits.ts'

/**
 * Returns a function to call after each chunk. V8 counts a buffer as a few bytes of heap and lets it lie; a collection of the young
 * generation, a fraction of a millisecond here, gives its megabytes back.
 */
export function createGarbageCollector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void
  let chunks = 0
  return () => {
    chunks += 1
    if (chunks % LIMITS.chunksPerCollection === 0) collect({ type: 'minor' })
  }
}
