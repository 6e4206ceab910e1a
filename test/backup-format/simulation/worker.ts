/** A thread that runs seeds: everything under simulation is loaded here, and nowhere else. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Loading, loadUnderSimulation } from './hooks.ts'
import type { Outcome } from './simulate.ts'

/** Seeds `from` up to, not including, `to`. */
export interface SeedRange {
  readonly from: number
  readonly to: number
}

// Being overtaken is an error that happens thousands of times a second; nobody looks at its stack.
Error.stackTraceLimit = 0
const loading = workerData as Loading
loadUnderSimulation(loading)
const { createSimulation } = await import('./simulate.ts')
const simulation = await createSimulation(loading.courses)

parentPort?.on('message', ({ from, to }: SeedRange) => void run(from, to))

async function run(from: number, to: number): Promise<void> {
  const outcomes: Outcome[] = []
  for (let seed = from; seed < to; seed += 1) outcomes.push(await simulation.run(seed))
  parentPort?.postMessage(outcomes)
}
