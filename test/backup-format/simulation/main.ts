/** `npm run simulate -- --seeds N [--from SEED] [--threads N] [--sealed] [--courses all|damaged|discarding] [--mutation NAME] [--json]`: exit code 1 for a violation. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { MUTATIONS } from './mutations.ts'
import { runSeeds } from './run-seeds.ts'
import type { Outcome } from './simulate.ts'
import { COURSES } from './courses.ts'

const REPORT_MS = 5_000

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    threads: { type: 'string', default: `${availableParallelism()}` },
    sealed: { type: 'boolean', default: false },
    courses: { type: 'string' },
    mutation: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
process.exitCode = (await main()) === 0 ? 0 : 1

async function main(): Promise<number> {
  const from = wholeNumber('from', values.from)
  const seeds = wholeNumber('seeds', values.seeds)
  const threads = Math.max(1, Math.min(wholeNumber('threads', values.threads), seeds))
  const mutation = MUTATIONS.find(({ name }) => name === values.mutation)
  if (values.mutation !== undefined && mutation === undefined)
    throw new Error(
      `Expected a mutation (${MUTATIONS.map(({ name }) => name).join(', ')}), got ${values.mutation}`,
    )
  const wanted = values.courses ?? mutation?.courses ?? 'all'
  const courses = COURSES.find((name) => name === wanted)
  if (courses === undefined)
    throw new Error(`Expected --courses to be one of ${COURSES.join(', ')}, got ${wanted}`)
  const startedAtMs = performance.now()
  const totals: Record<string, number> = {}
  let done = 0
  let violations = 0
  const rate = () => Math.round((done * 1000) / (performance.now() - startedAtMs))
  const timer = setInterval(() => console.error(`${done} of ${seeds} seeds, ${rate()} a second`), REPORT_MS)
  const onOutcome = (outcome: Outcome) => {
    done += 1
    for (const [name, count] of Object.entries(outcome.totals)) totals[name] = (totals[name] ?? 0) + count
    if (outcome.violation === undefined) return
    violations += 1
    report(outcome.seed, outcome.violation)
  }
  try {
    await runSeeds({ from, to: from + seeds, threads, sealed: values.sealed, courses, mutation, onOutcome })
  } finally {
    clearInterval(timer)
  }
  const result = { seeds: done, violations }
  if (values.json) console.log(JSON.stringify({ from, seedsPerSecond: rate(), totals }))
  console.log(values.json ? JSON.stringify(result) : describe(result, totals, rate()))
  return violations
}

function report(seed: number, { message, trace }: { message: string; trace: string }): void {
  const again = `npm run simulate -- --from ${seed} --seeds 1${values.sealed ? ' --sealed' : ''}`
  if (values.json) console.log(JSON.stringify({ seed, message }))
  else console.log(`Seed ${seed}: ${message}\nThe last steps:\n${trace}\nAgain: ${again}\n`)
}

function describe(
  { seeds, violations }: { seeds: number; violations: number },
  totals: Record<string, number>,
  rate: number,
): string {
  const counts = Object.entries(totals).map(([name, count]) => `${count} ${name}`)
  return `${seeds} seeds, ${violations} violations (${counts.join(', ')}; ${rate} seeds a second)`
}

function wholeNumber(option: string, text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text)
  throw new Error(`Expected --${option} to be a whole number, got ${text}`)
}
