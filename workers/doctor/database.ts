import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../config/config.ts'
import { type DatabaseInspection, inspectDatabase } from '../../database/inspect.ts'
import type { Database } from '../../database/open.ts'
import { LIMITS } from '../../domain/limits.ts'
import { openConfiguredDatabase } from '../database-file.ts'
import { type Answer, type CheckResult, probe, warn } from './check.ts'

const COMMITS = 5

export async function* databaseChecks(config: Config): AsyncGenerator<CheckResult> {
  const where = 'database'
  let database: Database | undefined
  const restore = `Restore ${join(config.dataFolder, 'volflow.db')} from a copy.`
  const opened = await probe({ where, check: 'opens', next: 'volflow up makes it.' }, async () => {
    // Looking must not make one.
    if (config.database === undefined) await stat(join(config.dataFolder, 'volflow.db'))
    database = await openConfiguredDatabase(config)
    return 'yes'
  })
  yield opened
  if (database === undefined) return
  const open = database
  try {
    const inspection = inspectDatabase(open)
    yield await probe({ where, check: 'integrity', next: restore }, () => inspection.integrity())
    const own = 'Set it as expected: what was answered may be lost in a power cut.'
    yield await probe({ where, check: 'durability', next: own }, () => inspection.durability())
    yield await probe({ where, check: 'migrations', next: 'Run the newest volflow.' }, () =>
      inspection.migrations(),
    )
    yield await probe({ where, check: 'commit', next: 'Move the data folder to a faster disk.' }, () =>
      commitLatency(inspection),
    )
  } finally {
    await open.destroy()
  }
}

async function commitLatency(database: DatabaseInspection): Promise<Answer> {
  const startedMs = performance.now()
  for (let index = 0; index < COMMITS; index += 1) await database.commit()
  const meanMs = (performance.now() - startedMs) / COMMITS
  const value = `${meanMs.toFixed(1)} ms`
  return meanMs > LIMITS.flushWarnMs ? warn(value) : value
}
