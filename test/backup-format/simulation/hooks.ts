/** Loads the code under simulation with seeded randomness, and with one rule of the protocol taken out where that is wanted. */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { type Mutation, mutated } from './mutations.ts'
import type { Courses } from './courses.ts'

const UNDER_SIMULATION = new URL('../../../backup-format/', import.meta.url).href
const SEEDED_CRYPTO = new URL('./seeded-crypto.ts', import.meta.url).href
const SMALL_LIMITS = new URL('./small-limits.ts', import.meta.url).href
const CLEAR_ENVELOPE = new URL('./clear-envelope.ts', import.meta.url).href

export interface Loading {
  /** With compression and encryption as they are; ten times slower. */
  readonly sealed: boolean
  readonly courses: Courses
  readonly mutation?: Mutation | undefined
}

/** Must be called before anything of backup-format is loaded in this thread. */
export function loadUnderSimulation({ sealed, mutation }: Omit<Loading, 'courses'>): void {
  const replacements = new Map([
    ['node:crypto', SEEDED_CRYPTO],
    ['../domain/limits.ts', SMALL_LIMITS],
  ])
  if (!sealed) replacements.set('./envelope.ts', CLEAR_ENVELOPE)
  registerHooks({
    resolve: (specifier, context, next) => {
      const isUnderSimulation = context.parentURL?.startsWith(UNDER_SIMULATION) === true
      const url = isUnderSimulation ? replacements.get(specifier) : undefined
      return url === undefined ? next(specifier, context) : { url, shortCircuit: true }
    },
    load: (url, context, next) => {
      const file = url.startsWith(UNDER_SIMULATION) ? url.slice(UNDER_SIMULATION.length) : ''
      if (mutation?.edits.some((edit) => edit.file === file) !== true) return next(url, context)
      const source = mutated(mutation, file, readFileSync(fileURLToPath(url), 'utf8'))
      return { format: 'module-typescript', source, shortCircuit: true }
    },
  })
}
