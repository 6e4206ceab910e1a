import type { Config } from '../../config/config.ts'
import type { CheckResult } from './check.ts'
import { cinderTargetChecks } from './cinder-targets.ts'
import { databaseChecks } from './database.ts'
import { folderChecks } from './folders.ts'
import { hostChecks } from './host.ts'
import { rbdChecks } from './rbd.ts'
import { targetChecks } from './targets.ts'
import { temporalChecks } from './temporal.ts'

/** Tries out everything that the product relies on. Leaves nothing behind, and changes nothing. */
export async function* doctor(config: Config): AsyncGenerator<CheckResult> {
  yield* hostChecks(config)
  yield* databaseChecks(config)
  yield* temporalChecks(config)
  for (const [name, backend] of Object.entries(config.backends)) {
    const where = `backend ${name}`
    if (backend.driver === 'file') yield* folderChecks(where, backend.path, { volumes: true })
    else yield* rbdChecks(where, backend)
  }
  for (const [name, store] of Object.entries(config.stores)) {
    const where = `store ${name}`
    if (store.driver === 'file') yield* folderChecks(where, store.path, { volumes: false })
    else yield* rbdChecks(where, store)
  }
  for (const [name, place] of Object.entries(config.targets)) yield* targetChecks(config, name, place)
  for (const [name, place] of Object.entries(config.rbdTargets)) yield* rbdChecks(`target ${name}`, place)
  for (const [name, place] of Object.entries(config.cinderTargets)) yield* cinderTargetChecks(name, place)
}
