import type { Config } from '../../config/config.ts'
import type { Database } from '../../database/open.ts'
import { clearQuotas, setQuotas } from '../../database/quotas.ts'

/** What the configuration says holds until somebody sets another limit, for a project or for all. */
export async function applyConfiguredQuotas({ quotas }: Config, database: Database): Promise<void> {
  const scope = { scope: 'config', scopeId: 'default' } as const
  const known = Object.entries(quotas).filter((entry): entry is [string, number] => entry[1] !== undefined)
  await database.transaction().execute(async (tx) => {
    await clearQuotas(tx, scope)
    await setQuotas(tx, scope, Object.fromEntries(known))
  })
}
