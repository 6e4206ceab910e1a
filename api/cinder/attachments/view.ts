import type { ConnectionRow } from '../../../database/cinder/claims.ts'
import { cinderTime } from '../times.ts'

export function attachmentSummary({ id, status, instanceId, volumeId }: ConnectionRow) {
  return { id, status, instance: instanceId, volume_id: volumeId }
}

export function attachmentView(row: ConnectionRow) {
  return {
    ...attachmentSummary(row),
    attach_mode: row.mode,
    attached_at: cinderTime(row.attachedAt),
    detached_at: null,
    connection_info: connectionInfo(row),
  }
}

/** In this form, and not in that of os-initialize_connection, the kind of the connection stands among its data. */
function connectionInfo({ id, connectionInfo: text }: ConnectionRow): object {
  if (text === null) return {}
  const { driver_volume_type, data } = JSON.parse(text) as { driver_volume_type: string; data: object }
  return { driver_volume_type, attachment_id: id, ...data }
}
