import type { Database } from '../../database/open.ts'
import { setQuotas } from '../../database/quotas.ts'

const RESOURCES = ['volumes', 'gigabytes', 'snapshots', 'backups', 'backup_gigabytes']

/** For tests that are about other things. */
export async function liftQuotas(database: Database): Promise<void> {
  const none = Object.fromEntries(RESOURCES.map((resource) => [resource, -1]))
  await database.transaction().execute((tx) => setQuotas(tx, { scope: 'config', scopeId: 'default' }, none))
}
