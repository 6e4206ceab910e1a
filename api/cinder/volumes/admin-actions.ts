import { z } from 'zod'
import { resetVolume } from '../../../database/cinder/reset.ts'
import { requestVolumeDeletion } from '../../../database/requests/delete-volume.ts'
import { requestUnmanagement } from '../../../database/requests/manage-volume.ts'
import { requestMigration } from '../../../database/requests/migrate-volume.ts'
import { resettable } from '../../../domain/cinder-status.ts'
import { type Action, action, NOTHING } from '../actions.ts'
import { Fault } from '../fault.ts'
import { BOOLEAN, booleanOf, REFERENCE } from '../fields.ts'
import { backendOf } from '../hosts.ts'
import { forceDelete } from '../force-delete.ts'
import { owned } from '../owned.ts'
import { abandonHolders } from '../release-holders.ts'
import { start } from '../start.ts'
import { quoted } from '../../validation-message.ts'

const ADMIN = { rule: 'admin' } as const

const MIGRATION_STATUSES = ['migrating', 'error', 'success', 'completing', 'none', 'starting'] as const

const RESET = z.strictObject({
  status: z.string().max(255).nullish(),
  attach_status: z.string().max(255).nullish(),
  migration_status: z.string().max(255).nullish(),
})

const MIGRATE = z.strictObject({
  host: REFERENCE.nullish(),
  cluster: REFERENCE.nullish(),
  force_host_copy: BOOLEAN.nullish(),
  lock_volume: BOOLEAN.nullish(),
})

export const ADMIN_ACTIONS: Readonly<Record<string, Action>> = {
  'os-reset_status': action(
    RESET,
    async ({ context, request, reply, id }, params) => {
      const change = {
        status: oneOf('status', params.status, resettable('volume')),
        attachStatus: oneOf('attach_status', params.attach_status, ['attached', 'detached']),
        migrationStatus: oneOf('migration_status', params.migration_status, MIGRATION_STATUSES),
      }
      if (Object.values(change).every((value) => value === undefined))
        throw new Fault(400, 'Expected a status, an attach_status or a migration_status, got none.')
      if (change.status === 'deleting' || change.status === 'error_deleting' || change.status === 'detaching')
        throw new Fault(400, `Cannot reset-state to ${change.status}.`)
      const { row } = await owned(context, request, 'volume', id)
      if (change.status !== undefined) await abandonHolders(context, row.id)
      await resetVolume(context.database, row.id, change)
      return reply.code(202).send()
    },
    ADMIN,
  ),
  'os-force_delete': forceDelete('volume', requestVolumeDeletion),
  'os-migrate_volume': action(
    MIGRATE,
    async ({ context, request, reply, id }, { host, force_host_copy, lock_volume }) => {
      for (const [name, value] of Object.entries({ force_host_copy, lock_volume }))
        if (value != null) booleanOf(name, value)
      const { row, actor } = await owned(context, request, 'volume', id)
      const backend = backendOf(host ?? '')
      if (backend === undefined || !context.places.backends.includes(backend))
        throw new Fault(400, `No available service named ${quoted(host ?? null)}.`)
      const migration = { volumeId: row.id, backend }
      start(context, reply, await requestMigration(context.database, actor, context.places, migration))
      return reply.code(202).send()
    },
    ADMIN,
  ),
  'os-migrate_volume_completion': action(
    z.strictObject({ new_volume: REFERENCE, error: BOOLEAN.nullish() }),
    async ({ context, request, id }, { new_volume: newVolume }) => {
      await owned(context, request, 'volume', id)
      await owned(context, request, 'volume', newVolume)
      throw new Fault(
        400,
        `Volume ${id} is not being migrated by somebody else: migrations complete themselves.`,
      )
    },
    ADMIN,
  ),
  'os-extend_volume_completion': action(
    z.strictObject({ error: BOOLEAN.exactOptional() }),
    async ({ context, request, id }) => {
      await owned(context, request, 'volume', id)
      throw new Fault(
        400,
        `Volume ${id} is not being extended by somebody else: extensions complete themselves.`,
      )
    },
    { ...ADMIN, since: 71 },
  ),
  'os-unmanage': action(
    NOTHING,
    async ({ context, request, reply, id }) => {
      const { row, actor } = await owned(context, request, 'volume', id)
      start(context, reply, await requestUnmanagement(context.database, actor, row.id))
      return reply.code(202).send()
    },
    ADMIN,
  ),
}

function oneOf(name: string, value: string | null | undefined, words: readonly string[]): string | undefined {
  if (value === null || value === undefined) return undefined
  const word = value.toLowerCase()
  if (words.includes(word)) return word
  throw new Fault(400, `Expected ${name} to be one of ${words.join(', ')}, got ${quoted(value)}.`)
}
