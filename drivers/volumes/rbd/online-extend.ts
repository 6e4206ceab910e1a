/** A guest's qemu extends what it has open: nobody else can tell the guest. */
import { z } from 'zod'
import type { QmpClient } from '../../../block-io/qmp/client.ts'
import { type GuestPlace, guestNodes, withGuest } from '../guest.ts'
import { checkAtLeast, checkSize } from '../sizes.ts'
import { extendVolume } from './create.ts'
import { currentImage } from './images.ts'
import type { RbdPlace } from './place.ts'

/** Attached, but it does not have the volume open, or cannot be asked: as if it were attached to nobody, and refused if somebody writes it. */
export async function extendOnline(
  place: RbdPlace,
  guests: GuestPlace,
  { guest, ...volume }: { volumeId: string; sizeBytes: number; guest: string },
): Promise<void> {
  checkSize(volume.sizeBytes)
  const isDone = guests.socketFolder !== undefined && (await extendBy(place, guests, { guest, ...volume }))
  if (!isDone) await extendVolume(place, volume)
}

/** False: it does not have it open. */
async function extendBy(
  place: RbdPlace,
  guests: GuestPlace,
  { volumeId, sizeBytes, guest }: { volumeId: string; sizeBytes: number; guest: string },
): Promise<boolean> {
  const { name, size } = await currentImage(place, volumeId)
  return withGuest(guests, guest, async (monitor) => {
    const node = monitor && (await nodeOf(monitor, place, name))
    if (monitor === undefined || node === undefined) return false
    checkAtLeast(sizeBytes, { what: 'volume', sizeBytes: size })
    // Also when it has the size: an attempt that was killed may not have got so far as to tell the guest.
    await monitor.execute('block_resize', { 'node-name': node, size: sizeBytes }, z.unknown())
    return true
  })
}

/** Its name, whoever gave it: ours is in what `attachVolume` answers, and libvirt has its own. */
async function nodeOf(monitor: QmpClient, place: RbdPlace, image: string): Promise<string | undefined> {
  const nodes = (await guestNodes(monitor)).filter(
    ({ readOnly, file }) => !readOnly && isOf(file, place, image),
  )
  // The guest's disk is on the format, which passes a new size on to the image below it, and not the other way round.
  return (nodes.find(({ driver }) => driver !== 'rbd') ?? nodes[0])?.name
}

const IMAGE = z.object({
  driver: z.literal('rbd'),
  pool: z.string(),
  namespace: z.string().optional(),
  image: z.string(),
})
const FILE = z.union([IMAGE, z.object({ file: IMAGE }).transform(({ file }) => file)])

/** Of a cluster and a user nothing is said: one pool of one name is taken to be in one cluster. */
function isOf(file: string, { pool, namespace = '' }: RbdPlace, image: string): boolean {
  if (!file.startsWith('json:')) return false
  try {
    const { data } = FILE.safeParse(JSON.parse(file.slice('json:'.length)))
    return data?.image === image && data.pool === pool && (data.namespace ?? '') === namespace
  } catch {
    return false
  }
}
