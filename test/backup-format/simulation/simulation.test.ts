import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { firstCaught } from './first-caught.ts'
import { mutated, MUTATIONS } from './mutations.ts'
import { runSeeds } from './run-seeds.ts'
import type { Courses } from './courses.ts'
import type { Outcome } from './simulate.ts'
import type { SeedRange } from './worker.ts'

const SEEDS = Number(process.env['VOLFLOW_SIMULATION_SEEDS'] ?? 2000)
const FROM = Number(process.env['VOLFLOW_SIMULATION_FROM'] ?? 1)
/** Beyond the usual ones. Both: a marker was taken away, and a damaged backup called good. */
const SEEDS_THAT_FOUND = [99_662, 147_395]
const MINUTES = 60_000

describe('writers, deleters, collectors, verifiers and a reaper that crash, sleep, lose answers and wake up', () => {
  it(
    `lose nothing and leak nothing in ${SEEDS} courses of events`,
    async () => {
      const totals: Record<string, number> = {}
      const violations = await violationsIn({ from: FROM, to: FROM + SEEDS }, ({ totals: more }) => {
        for (const [name, count] of Object.entries(more)) totals[name] = (totals[name] ?? 0) + count
      })
      expect(violations).toEqual([])
      // A simulation in which nothing happens proves nothing.
      for (const name of ['commits', 'deletes', 'collections', 'crashes', 'faults', 'verifications'])
        expect(totals[name], name).toBeGreaterThan(SEEDS)
      for (const name of ['damages', 'heals']) expect(totals[name], name).toBeGreaterThan(SEEDS / 4)
    },
    10 * MINUTES,
  )

  it.each(['damaged', 'discarding'] as const)(
    'do so where events are %s',
    async (courses) => {
      expect(await violationsIn({ from: FROM, to: FROM + SEEDS / 10, courses })).toEqual([])
    },
    5 * MINUTES,
  )

  it('do so where something was lost or leaked once', async () => {
    for (const seed of SEEDS_THAT_FOUND) expect(await violationsIn({ from: seed, to: seed + 1 })).toEqual([])
  })

  it(
    'do so with objects that are compressed and encrypted, too',
    async () => {
      expect(await violationsIn({ from: FROM, to: FROM + 50, sealed: true })).toEqual([])
    },
    5 * MINUTES,
  )

  it(
    'do the same again with the same seed',
    async () => {
      const first: Outcome[] = []
      const again: Outcome[] = []
      await violationsIn({ from: 1, to: 30 }, (outcome) => void first.push(outcome))
      // In another order, and beside other seeds.
      await violationsIn({ from: 10, to: 40, threads: 1 }, (outcome) => void again.push(outcome))
      const wanted = new Map(again.map((outcome) => [outcome.seed, outcome]))
      expect(first.filter(({ seed }) => seed >= 10).map(({ seed }) => wanted.get(seed))).toEqual(
        first.filter(({ seed }) => seed >= 10),
      )
    },
    5 * MINUTES,
  )

  it.each(MUTATIONS)('can be told to go without this rule: $rule', (mutation) => {
    for (const { file } of mutation.edits) {
      const source = readFileSync(join(import.meta.dirname, '../../../backup-format', file), 'utf8')
      expect(mutated(mutation, file, source)).not.toBe(source)
    }
  })

  // All of them, with more seeds: mutations.long.ts.
  const SOON = [
    'epoch-begins-early',
    'no-epoch-in-key',
    'commit-without-compare',
    'no-wait',
    'no-second-mark',
    'copy-trusted',
    'page-not-proven',
    'known-damage-continued',
  ]
  it.each(MUTATIONS.filter(({ name }) => SOON.includes(name)))(
    'are seen to do harm without this rule: $rule',
    async (mutation) => {
      expect(await firstCaught(mutation, 1000)).toBeLessThan(1000)
    },
    5 * MINUTES,
  )
})

async function violationsIn(
  range: SeedRange & { sealed?: boolean; courses?: Courses; threads?: number },
  onOutcome: (outcome: Outcome) => void = () => {},
): Promise<string[]> {
  const violations: string[] = []
  await runSeeds({
    ...{ threads: 2, sealed: false, courses: 'all' },
    ...range,
    onOutcome: (outcome) => {
      onOutcome(outcome)
      const { seed, violation } = outcome
      if (violation !== undefined) violations.push(`seed ${seed}: ${violation.message}\n${violation.trace}`)
    },
  })
  return violations
}
