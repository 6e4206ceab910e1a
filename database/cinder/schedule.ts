/** On which backend a new volume of a type is made: as Cinder's filters and weighers choose it. */
import { formatBytes } from '../../domain/sizes.ts'
import { meetsSpecs } from '../../domain/volume-type-specs.ts'
import type { PlaceNames } from '../requests/places.ts'
import type { Tx } from '../resources.ts'

export interface Candidate {
  readonly backend: string
  /** Null: no worker has measured it yet; it takes what no measured one can. */
  readonly roomBytes: number | null
}

/** No backend fits. The message is for the user. */
export class NoBackendError extends Error {
  override readonly name = 'NoBackendError'
  readonly sizeBytes: number

  constructor(message: string, sizeBytes: number) {
    super(message)
    this.sizeBytes = sizeBytes
  }
}

/**
 * The roomiest backend that has what the type asks for, and room. All that volumes have been promised counts, so that the row which the
 * caller inserts in the same transaction is the reservation. Throws NoBackendError.
 */
export async function scheduleVolume(
  tx: Tx,
  places: PlaceNames,
  wanted: {
    readonly extraSpecs: Readonly<Record<string, string>>
    readonly sizeBytes: number
    readonly only?: readonly string[]
  },
): Promise<string> {
  const { extraSpecs, sizeBytes } = wanted
  const disabled = await disabledBackends(tx)
  const allowed = places.backends
    .filter((backend) => !disabled.has(backend) && (wanted.only?.includes(backend) ?? true))
    .filter((backend) =>
      meetsSpecs(extraSpecs, { ...places.capabilities?.[backend], volume_backend_name: backend }),
    )
  if (allowed.length === 0)
    throw new NoBackendError('No valid backend was found: none has what the volume type asks for.', sizeBytes)
  const candidates = await Promise.all(allowed.map((backend) => roomOf(tx, places, backend)))
  const fitting = candidates.filter(({ roomBytes }) => roomBytes === null || roomBytes >= sizeBytes)
  const [roomiest] = fitting.toSorted((a, b) => (b.roomBytes ?? -1) - (a.roomBytes ?? -1))
  if (roomiest !== undefined) return roomiest.backend
  throw new NoBackendError(
    `No valid backend was found: none of ${allowed.join(', ')} has room for ${formatBytes(sizeBytes)}.`,
    sizeBytes,
  )
}

async function disabledBackends(tx: Tx): Promise<ReadonlySet<string>> {
  const rows = await tx.selectFrom('backendStates').select('backend').where('disabled', '=', 1).execute()
  return new Set(rows.map(({ backend }) => backend))
}

/** Thin volumes: as much may be promised as the backend's ratio allows, and never more at once than its free space times that. */
async function roomOf(tx: Tx, places: PlaceNames, backend: string): Promise<Candidate> {
  const state = await tx
    .selectFrom('backendStates')
    .select(['totalBytes', 'freeBytes'])
    .where('backend', '=', backend)
    .executeTakeFirst()
  if (state === undefined || state.totalBytes === null || state.freeBytes === null)
    return { backend, roomBytes: null }
  const ratio = places.overcommitRatios?.[backend] ?? 1
  const promised = await promisedBytes(tx, backend)
  const roomBytes = Math.min(state.totalBytes * ratio - promised, state.freeBytes * ratio)
  return { backend, roomBytes }
}

/** Of all volumes in the backend, made or being made. */
export async function promisedBytes(tx: Tx, backend: string): Promise<number> {
  const { bytes } = await tx
    .selectFrom('volumes')
    .select((eb) => eb.fn.coalesce(eb.fn.sum<number>('sizeBytes'), eb.lit(0)).as('bytes'))
    .where('backend', '=', backend)
    .executeTakeFirstOrThrow()
  return Number(bytes)
}
