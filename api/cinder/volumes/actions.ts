import { z } from 'zod'
import { changeEntries, setColumns } from '../../../database/cinder/volumes.ts'
import { requestVolumeExtension } from '../../../database/requests/extend-volume.ts'
import { requestReimage } from '../../../database/requests/replace-volume.ts'
import { requestRevert } from '../../../database/requests/revert-volume.ts'
import { RequestError } from '../../../domain/errors.ts'
import { claimedStatus } from '../../../domain/volume-claims.ts'
import { GiB } from '../../../domain/sizes.ts'
import type { ApiContext, App } from '../../context.ts'
import { type Action, action, actionRoute, NOTHING } from '../actions.ts'
import { Fault } from '../fault.ts'
import { BOOLEAN, booleanOf, METADATA, REFERENCE, SIZE_GIB } from '../fields.ts'
import { bounded, without } from '../metadata.ts'
import { minorOf } from '../microversion.ts'
import { owned } from '../owned.ts'
import { start } from '../start.ts'
import { ADMIN_ACTIONS } from './admin-actions.ts'
import { ATTACH_ACTIONS } from './attach-actions.ts'
import { retype } from './retype.ts'
import { uploadImage } from './upload-image.ts'
import { gibOf } from './view.ts'

type Strings = Record<string, string>

/** Since when a volume may be extended that somebody has. */
const EXTEND_IN_USE = 42

const ACTIONS: Readonly<Record<string, Action>> = {
  'os-extend': action(z.strictObject({ new_size: SIZE_GIB }), async (call, { new_size }) => {
    const { row, actor } = await owned(call.context, call.request, 'volume', call.id)
    const sizeGib = Number(new_size)
    if (sizeGib <= gibOf(row.sizeBytes))
      throw new Fault(
        400,
        `New size for extend must be greater than current size. (current: ${gibOf(row.sizeBytes)}, extended: ${sizeGib}).`,
      )
    if (row.status === 'in-use' && minorOf(call.request) < EXTEND_IN_USE)
      throw new Fault(400, `Volume ${row.id} status must be available to extend, it is in-use.`)
    const accepted = await requestVolumeExtension(call.context.database, actor, row.id, {
      sizeBytes: sizeGib * GiB,
    })
    start(call.context, call.reply, accepted)
    return call.reply.code(202).send()
  }),
  revert: action(
    z.strictObject({ snapshot_id: REFERENCE }),
    async (call, { snapshot_id: snapshotId }) => {
      const { row, actor } = await owned(call.context, call.request, 'volume', call.id)
      const snapshot = await owned(call.context, call.request, 'snapshot', snapshotId)
      // The native API gives it zeroes at its end.
      if (snapshot.row.volumeId === row.id && snapshot.row.sizeBytes !== row.sizeBytes)
        throw new Fault(400, `Volume ${row.id} was extended since snapshot ${snapshotId} was taken.`)
      try {
        start(
          call.context,
          call.reply,
          await requestRevert(call.context.database, actor, row.id, { snapshotId }),
        )
      } catch (error) {
        // Here a wrong status is a conflict, in Cinder too.
        if (error instanceof RequestError && error.status === 409) throw new Fault(409, error.message)
        throw error
      }
      return call.reply.code(202).send()
    },
    { since: 40 },
  ),
  'os-reimage': action(
    z.strictObject({ image_id: REFERENCE, reimage_reserved: BOOLEAN.exactOptional() }),
    async (call, { image_id: imageId }) => {
      const { row, actor } = await owned(call.context, call.request, 'volume', call.id)
      const accepted = await requestReimage(call.context.database, actor, { volumeId: row.id, imageId })
      start(call.context, call.reply, accepted)
      return call.reply.code(202).send()
    },
    { since: 68 },
  ),
  'os-volume_upload_image': uploadImage,
  'os-retype': retype,
  'os-set_bootable': action(z.strictObject({ bootable: BOOLEAN }), async (call, { bootable }) => {
    const { row } = await owned(call.context, call.request, 'volume', call.id)
    const isBootable = booleanOf('bootable', bootable) ? 1 : 0
    await setColumns(call.context.database, 'volume', row.id, { bootable: isBootable })
    return call.reply.code(200).send()
  }),
  'os-update_readonly_flag': action(z.strictObject({ readonly: BOOLEAN }), async (call, { readonly }) => {
    const { row } = await owned(call.context, call.request, 'volume', call.id)
    const status = claimedStatus(row)
    if (status !== 'available')
      throw new Fault(
        400,
        `Invalid volume: Volume ${row.id} must be available to change it, but is ${status}.`,
      )
    await setColumns(call.context.database, 'volume', row.id, {
      readOnly: booleanOf('readonly', readonly) ? 1 : 0,
    })
    return call.reply.code(202).send()
  }),
  ...imageMetadataActions(),
  ...ATTACH_ACTIONS,
  ...ADMIN_ACTIONS,
}

export function volumeActionRoute(app: App, context: ApiContext): void {
  actionRoute(app, context, 'volumes', ACTIONS)
}

/** What is told of the image whose bytes a volume has. */
function imageMetadataActions(): Record<string, Action> {
  const change = async (context: ApiContext, id: string, work: (entries: Strings) => Strings) =>
    changeEntries(context.database, { type: 'volume', id, column: 'volumeImageMetadata' }, work)
  return {
    'os-set_image_metadata': action(z.strictObject({ metadata: METADATA }), async (call, { metadata }) => {
      const { row } = await owned(call.context, call.request, 'volume', call.id)
      const changed = await change(call.context, row.id, (entries) => bounded({ ...entries, ...metadata }))
      return call.reply.code(200).send({ metadata: changed })
    }),
    'os-unset_image_metadata': action(z.strictObject({ key: REFERENCE }), async (call, { key }) => {
      const { row } = await owned(call.context, call.request, 'volume', call.id)
      await change(call.context, row.id, (entries) => without(entries, key, row.id))
      return call.reply.code(200).send()
    }),
    'os-show_image_metadata': action(NOTHING, async (call) => {
      const { row } = await owned(call.context, call.request, 'volume', call.id)
      return call.reply.code(200).send({ metadata: JSON.parse(row.volumeImageMetadata ?? '{}') as Strings })
    }),
  }
}
