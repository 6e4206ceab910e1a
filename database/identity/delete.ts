import { RequestError } from '../../domain/errors.ts'
import type { Tx } from '../resources.ts'
import { forgetGuesses } from './guesses.ts'
import { listRecords, requireRecord, type RecordType, tableOf } from './records.ts'
import { revokeTokensOf } from './tokens.ts'

/** Removes it with everything that only made sense with it. Throws RequestError 404. What a project has stored stays. */
export async function deleteRecord(tx: Tx, type: RecordType, id: string): Promise<void> {
  const row = await requireRecord(tx, type, id)
  if (type === 'domain') await deleteDomainContents(tx, row)
  if (type === 'user') await deleteUserParts(tx, id)
  if (type === 'project' || type === 'domain') await deleteScope(tx, type, id)
  if (type === 'role') await tx.deleteFrom('identityAssignments').where('roleId', '=', id).execute()
  await tx.deleteFrom(tableOf(type)).where('id', '=', id).execute()
}

async function deleteUserParts(tx: Tx, userId: string): Promise<void> {
  await revokeTokensOf(tx, userId)
  await tx.deleteFrom('identityAssignments').where('userId', '=', userId).execute()
  await tx.deleteFrom('identityApplicationCredentials').where('userId', '=', userId).execute()
  await forgetGuesses(tx, `user:${userId}`)
}

async function deleteScope(tx: Tx, type: 'project' | 'domain', id: string): Promise<void> {
  for (const table of ['identityAssignments', 'identityTokens'] as const)
    await tx.deleteFrom(table).where('scopeType', '=', type).where('scopeId', '=', id).execute()
  if (type === 'project')
    await tx.deleteFrom('identityApplicationCredentials').where('projectId', '=', id).execute()
}

async function deleteDomainContents(tx: Tx, { id, enabled }: { id: string; enabled: number }): Promise<void> {
  if (enabled === 1)
    throw new RequestError(
      403,
      'domainEnabled',
      'Cannot delete a domain that is enabled, please disable it first.',
    )
  for (const type of ['user', 'project'] as const)
    for (const row of await listRecords(tx, type, { domainId: id })) await deleteRecord(tx, type, row.id)
}
