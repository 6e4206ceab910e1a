import type { Mutation } from './mutations.ts'
import { runSeeds } from './run-seeds.ts'

/** The first seed, from 1 and below `limit`, that sees harm done when this rule is taken out; else `limit`. */
export async function firstCaught(mutation: Mutation, limit: number): Promise<number> {
  let first = limit
  await runSeeds({
    from: 1,
    to: limit,
    threads: 1,
    sealed: false,
    courses: mutation.courses ?? 'all',
    mutation,
    onOutcome: ({ seed, violation }) => {
      if (violation !== undefined) first = Math.min(first, seed)
      return first === limit
    },
  })
  return first
}
