/** Contenders at the same job, each measured in the same columns. */
import { runProcess } from '../block-io/process.ts'
import { median, rounded } from './statistics.ts'

/** One line of the table; a column that makes no sense for a contender is absent. */
export type Row = Readonly<Record<string, number>>

/** The column of which the best value is kept, too. */
const RATE = 'MiB/s'

/** Does the job once. Receives the number of the run, from 0. */
export type Contestant = (run: number) => Promise<Row>

/**
 * Lets all contestants do their job `runs` times, in turns and each time in the opposite order, so that what else goes on on the
 * machine hits them alike; nothing of one is left to be written when the next begins. Answers the medians.
 */
export async function contest(
  runs: number,
  contestants: Readonly<Record<string, Contestant>>,
  { signal, without }: { signal: AbortSignal; without: ReadonlySet<string> },
): Promise<Record<string, Row>> {
  const measured: Record<string, Row[]> = {}
  const entries = Object.entries(contestants).filter(([name]) => !without.has(name))
  for (let run = 0; run < runs; run++) {
    for (const [name, contestant] of run % 2 === 0 ? entries : entries.toReversed()) {
      await runProcess('sync', [], { signal })
      const row = await contestant(run)
      ;(measured[name] ??= []).push(row)
      console.error(`${name}, run ${run + 1}: ${describe(row)}`)
    }
  }
  return Object.fromEntries(entries.map(([name]) => [name, medians(measured[name] ?? [])]))
}

function describe(row: Row): string {
  return Object.entries(row)
    .map(([column, value]) => `${rounded(value)} ${column}`)
    .join(', ')
}

/** And the best rate: what a contestant can do where nothing disturbs it. */
function medians(rows: readonly Row[]): Row {
  const values = (column: string) => rows.flatMap((row) => row[column] ?? [])
  const columns = Object.keys(rows[0] ?? {}).map((column) => [column, median(values(column))])
  const rates = values(RATE)
  return { ...Object.fromEntries(columns), ...(rates.length > 0 && { [`best ${RATE}`]: Math.max(...rates) }) }
}

export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return (performance.now() - startedMs) / 1000
}
