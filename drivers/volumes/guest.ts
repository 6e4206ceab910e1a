/**
 * The qemu of a guest, asked over QMP. Its socket is `<guest>.sock` in a folder that the operator configured: nobody who asks for an
 * operation names a path. A guest is matched with a volume by the files that it says it has open.
 */
import { access } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { QmpClient, QmpRefusal } from '../../../block-io/qmp/client.ts'
import { DriverError } from '../../../domain/errors.ts'
import { isGuestName } from '../../../domain/guests.ts'
import { LIMITS } from '../../../domain/limits.ts'

export interface GuestNode {
  readonly name: string
  readonly readOnly: boolean
}

/** Guests that have a monitor for us; `socketFolder` undefined: none has. */
export interface GuestPlace {
  readonly socketFolder: string | undefined
}

const NODES = z.array(
  z.object({ 'node-name': z.string(), drv: z.string(), ro: z.boolean(), file: z.string() }),
)
const OWN_FILE = z.object({ file: z.object({ filename: z.string() }) })

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

/** The guest's nodes of the layers in a volume's directory, by the layers' paths: also of layers that are no longer there. */
export async function nodesOf(monitor: QmpClient, directory: string): Promise<Map<string, GuestNode>> {
  const found = new Map<string, GuestNode>()
  for (const node of await monitor.execute('query-named-block-nodes', { flat: true }, NODES)) {
    const path = fileOf(node.file) ?? ''
    // Not the nodes of the files themselves, which have the same name.
    if (dirname(path) !== directory || !path.endsWith(`.${node.drv}`)) continue
    found.set(path, { name: node['node-name'], readOnly: node.ro })
  }
  return found
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

/** qemu names a node by its file, or, where that does not say all, by its options. */
function fileOf(name: string): string | undefined {
  if (!name.startsWith('json:')) return name
  try {
    return OWN_FILE.safeParse(JSON.parse(name.slice('json:'.length))).data?.file.filename
  } catch {
    return undefined
  }
}
