/** The strings of `cinder backup-export` for a backup in our own format: its target has the rest. */
import { isUuid } from './identifiers.ts'
import { LIMITS } from './limits.ts'

/** Where Cinder has its class of driver. */
export const OWN_SERVICE = 'volflow'

export function encodeOwnRecord({ id, target }: { id: string; target: string }) {
  return { backupService: OWN_SERVICE, backupUrl: btoa(JSON.stringify({ id, target })) }
}

/** Undefined: no record of ours. */
export function decodeOwnRecord(backupUrl: string): { id: string; target: string } | undefined {
  if (backupUrl.length > LIMITS.cinderRecordMaxLength) return undefined
  try {
    const value = JSON.parse(atob(backupUrl)) as unknown
    if (typeof value !== 'object' || value === null || !('id' in value) || !('target' in value))
      return undefined
    const { id, target } = value
    return typeof id === 'string' && isUuid(id) && typeof target === 'string' ? { id, target } : undefined
  } catch {
    return undefined
  }
}
