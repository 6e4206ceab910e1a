import { IDENTITY_LIMITS } from '../../domain/identity-limits.ts'
import type { Database } from '../open.ts'
import { passwordMatches } from './passwords.ts'

/**
 * Whether this is the subject's password. Wrong ones are counted: after the first few in a row each further one locks the subject for twice
 * as long, and a locked one answers no to everything. Restarts change nothing about that.
 */
export async function guess(
  database: Database,
  subject: string,
  { password, hash }: { password: string; hash: string | null },
): Promise<boolean> {
  let failures = 0
  let isLocked = false
  const isRight = await passwordMatches(password, hash, async () => {
    const row = await database
      .selectFrom('identityGuesses')
      .selectAll()
      .where('subject', '=', subject)
      .executeTakeFirst()
    failures = row?.failures ?? 0
    isLocked = row !== undefined && row.lockedUntilMs > Date.now()
    return !isLocked
  })
  // What nobody has is no row: else a guesser could fill the table.
  if (hash === null || isLocked) return false
  if (!isRight) await countFailure(database, subject)
  else if (failures > 0) await forgetGuesses(database, subject)
  return isRight
}

export async function forgetGuesses(database: Pick<Database, 'deleteFrom'>, subject: string): Promise<void> {
  await database.deleteFrom('identityGuesses').where('subject', '=', subject).execute()
}

async function countFailure(database: Database, subject: string): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const row = await tx
      .selectFrom('identityGuesses')
      .select('failures')
      .where('subject', '=', subject)
      .executeTakeFirst()
    const failures = (row?.failures ?? 0) + 1
    const values = { subject, failures, lockedUntilMs: Date.now() + lockMs(failures) }
    await tx
      .insertInto('identityGuesses')
      .values(values)
      .onConflict((conflict) => conflict.column('subject').doUpdateSet(values))
      .execute()
  })
}

function lockMs(failures: number): number {
  const { freeGuesses, lockFirstMs, lockMaxMs } = IDENTITY_LIMITS
  if (failures < freeGuesses) return 0
  return Math.min(lockMaxMs, lockFirstMs * 2 ** Math.min(failures - freeGuesses, 30))
}
