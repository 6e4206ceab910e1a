/**
 * The qemu of a guest, asked over QMP. Its socket is `<guest>.sock` in a folder that the operator configured: nobody who asks for an
 * operation names a path. A guest is matched with a volume by what it says it has open.
 */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { QmpClient, QmpRefusal } from '../../block-io/qmp/client.ts'
import { DriverError } from '../../domain/errors.ts'
import { isGuestName } from '../../domain/guests.ts'
import { LIMITS } from '../../domain/limits.ts'

/** Guests that have a monitor for us; `socketFolder` undefined: none has. */
export interface GuestPlace {
  readonly socketFolder: string | undefined
}

export interface GuestNode {
  readonly name: string
  readonly readOnly: boolean
  /** Name of qemu's driver. */
  readonly driver: string
  /** What it has open: a path, or `json:` and its options. */
  readonly file: string
}

const NODES = z.array(
  z.object({ 'node-name': z.string(), drv: z.string(), ro: z.boolean(), file: z.string() }),
)

/**
 * Runs `work` alone with the guest's monitor, or with undefined when the guest does not run. Throws `inUse` when it runs and cannot
 * be asked, or refuses.
 */
export async function withGuest<T>(
  place: GuestPlace,
  guest: string,
  work: (monitor: QmpClient | undefined) => Promise<T>,
): Promise<T> {
  const monitor = await connectMonitor(place, guest)
  try {
    return await work(monitor)
  } catch (error) {
    if (!(error instanceof QmpRefusal) || error.kind === 'full') throw error
    throw new DriverError('inUse', `Guest ${guest}: ${error.message}`, { cause: error })
  } finally {
    await monitor?.[Symbol.asyncDispose]()
  }
}

/** All that it has open, each node once. */
export async function guestNodes(monitor: QmpClient): Promise<GuestNode[]> {
  const nodes = await monitor.execute('query-named-block-nodes', { flat: true }, NODES)
  return nodes.map(({ 'node-name': name, drv: driver, ro: readOnly, file }) => ({
    ...{ name, driver, readOnly, file },
  }))
}

/** By which a guest is to name its node of the volume: at most 31 characters, of which 22 are the volume's id. */
export function nodeNameOf(volumeId: string): string {
  return `v${Buffer.from(volumeId.replaceAll('-', ''), 'hex').toString('base64url')}`
}

async function connectMonitor(place: GuestPlace, guest: string): Promise<QmpClient | undefined> {
  const socketPath = socketOf(place, guest)
  const isThere = await access(socketPath).then(
    () => true,
    () => false,
  )
  if (!isThere) return undefined
  try {
    return await QmpClient.connect({ socketPath })
  } catch (error) {
    // Of a qemu that has ended.
    if (error instanceof DriverError && error.message.includes('ECONNREFUSED')) return undefined
    const reason = error instanceof Error ? error.message : String(error)
    throw new DriverError(
      'inUse',
      `Expected guest ${guest} to answer on its QMP socket, got: ${reason}. Give it a monitor that no other program holds, or detach the volume.`,
      { cause: error },
    )
  }
}

function socketOf({ socketFolder }: GuestPlace, guest: string): string {
  if (socketFolder === undefined) {
    throw new DriverError(
      'unsupported',
      'Expected a backend whose guests can be asked, this one has none: set guestSockets in its configuration.',
    )
  }
  if (!isGuestName(guest))
    throw new DriverError('invalid', `Expected the name of a guest, got ${JSON.stringify(guest)}`)
  const path = join(socketFolder, `${guest}.sock`)
  if (Buffer.byteLength(path) <= LIMITS.socketPathBytes) return path
  throw new DriverError(
    'invalid',
    `Expected the path of guest ${guest}'s socket to have at most ${LIMITS.socketPathBytes} bytes. Shorten guestSockets or the guest's name.`,
  )
}
