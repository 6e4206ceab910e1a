import { expect, it } from 'vitest'
import { simulate } from './simulation.ts'

const SEEDS = Number(process.env['VOLFLOW_SIMULATION_SEEDS'] ?? 100)
const FIRST_SEED = Number(process.env['VOLFLOW_SIMULATION_FIRST_SEED'] ?? 1)

it(
  `loses nothing and leaks nothing in ${SEEDS} interleavings of writers, deleters and collectors that crash and wake up`,
  async () => {
    const totals = { commits: 0, deletes: 0, collections: 0, crashes: 0 }
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
      const result = await simulate(seed).catch((cause: unknown) => {
        throw new Error(`Seed ${seed} failed`, { cause })
      })
      totals.commits += result.commits
      totals.deletes += result.deletes
      totals.collections += result.collections
      totals.crashes += result.crashes
    }
    // A simulation in which nothing happens proves nothing.
    expect(totals.commits).toBeGreaterThan(SEEDS * 3)
    expect(totals.deletes).toBeGreaterThan(SEEDS)
    expect(totals.collections).toBeGreaterThan(SEEDS)
    expect(totals.crashes).toBeGreaterThan(SEEDS)
  },
  SEEDS * 5_000,
)
