import { runProcess } from '../block-io/process.ts'
import { median } from './statistics.ts'

/** Does the job once and answers what it measured, by name. Receives the number of the run, from 0. */
export type Contender = (run: number) => Promise<Readonly<Record<string, number>>>

/**
 * Lets all contenders do their job `runs` times, in turns and each time in the opposite order, so that what else goes on on the
 * machine hits them alike; nothing of one is left to be written when the next begins. Answers the median of each measurement.
 */
export async function takeTurns(
  runs: number,
  contenders: readonly Contender[],
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const measured: Record<string, number[]> = {}
  for (let run = 0; run < runs; run++) {
    for (const contender of run % 2 === 0 ? contenders : contenders.toReversed()) {
      await runProcess('sync', [], { signal })
      for (const [name, value] of Object.entries(await contender(run))) (measured[name] ??= []).push(value)
    }
  }
  return Object.fromEntries(Object.entries(measured).map(([name, values]) => [name, median(values)]))
}

export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return (performance.now() - startedMs) / 1000
}
