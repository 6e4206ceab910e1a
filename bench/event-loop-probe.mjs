/**
 * Loaded into the data worker (NODE_OPTIONS=--import): answers SIGUSR2 by writing how late its main thread was since the last time,
 * and begins anew. Plain JavaScript, because the worker is.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

if (isMainThread && process.argv.includes('data-worker')) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const file = `${process.env.VOLFLOW_BENCH_LOOP_FILE}.${process.pid}`
  process.on('SIGUSR2', () => {
    writeFileSync(`${file}.new`, String(delay.percentile(99) / 1e6))
    renameSync(`${file}.new`, file)
    delay.reset()
  })
}
