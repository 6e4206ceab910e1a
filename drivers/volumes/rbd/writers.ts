/**
 * Who writes an image. The cluster's own lock is handed from one writer to the next who asks: it fences nobody. So whoever opens an image
 * to write it records the address of its client on the image, and removes it when it closes. A record that is found was left by one who
 * died, or was cut off: its client is refused by the whole cluster, for a while, before anything else is done with the image.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'
import { ceph, ifThere, rbd, rbdJson } from './commands.ts'
import { markOf, removeMark, setMark } from './images.ts'
import { type RbdPlace, specOf } from './place.ts'

const WRITER = 'volflow.writer'
/** Recorded while the address is not known yet: whoever has the image open then is the writer. */
const OPENING = 'opening'

interface Lock {
  readonly id: string
  readonly locker: string
  readonly address: string
}

/**
 * Nobody writes the image when this returns. Somebody does whom we may not stop: `inUse`. A command that was killed counts until the
 * cluster has noticed.
 */
export async function claimImage(place: RbdPlace, image: string): Promise<void> {
  const [writer, locks] = await Promise.all([markOf(place, image, WRITER), locksOf(place, image)])
  if (writer === undefined && locks.length === 0) return
  await fenceWriter(place, image)
  await waitUntilNone(image, async () => lockersOf(place, image))
}

/** ... and nobody has it open who might write it later. */
export async function claimAlone(place: RbdPlace, image: string): Promise<void> {
  await claimImage(place, image)
  await waitUntilNone(image, async () => watchersOf(place, image))
}

/** Whoever we left behind does not write any more; others may. */
export async function fenceWriter(place: RbdPlace, image: string): Promise<void> {
  const writer = await markOf(place, image, WRITER)
  if (writer === undefined) return
  const addresses = writer === OPENING ? await watchersOf(place, image) : writer.split(',')
  await refuse(place, image, addresses)
  await removeMark(place, image, WRITER)
}

/** Of an image that nobody but one attempt of ours writes, which has been given up: whoever has it open cannot go on. */
export async function fenceAll(place: RbdPlace, image: string): Promise<void> {
  const watchers = await ifThere(watchersOf(place, image))
  if (watchers !== undefined && watchers.size > 0) await refuse(place, image, watchers)
}

async function refuse(place: RbdPlace, image: string, addresses: Iterable<string>): Promise<void> {
  const locks = (await ifThere(locksOf(place, image))) ?? []
  for (const address of addresses) {
    const lock = locks.find((one) => one.address === address)
    // Breaking the lock adds its owner to the list, in a tenth of the time.
    await (lock === undefined ? blocklist(place, address) : breakLock(place, image, lock))
  }
}

/**
 * Opens an image with a program that we start, and that may write it. The record is there before the program, and says which client it
 * is before anybody asks it to write.
 */
export async function openRecorded<T>(place: RbdPlace, image: string, open: () => Promise<T>): Promise<T> {
  const before = await watchersOf(place, image)
  await setMark(place, image, WRITER, OPENING)
  const opened = await open()
  const ours = (await watchersOf(place, image)).difference(before)
  if (ours.size === 0)
    throw new DriverError(
      'transient',
      `Expected the program that opened ${image} to have it open, nobody has`,
    )
  await setMark(place, image, WRITER, [...ours].join(','))
  return opened
}

/** While a program of ours runs that writes the image: whoever has it open then is the writer. Nobody else may have it open. */
export async function recordedWhile<T>(place: RbdPlace, image: string, run: () => Promise<T>): Promise<T> {
  await setMark(place, image, WRITER, OPENING)
  try {
    const result = await run()
    await forgetWriter(place, image)
    return result
  } catch (error) {
    // What cannot be done now is done by whoever comes next.
    await fenceWriter(place, image).catch(() => undefined)
    throw error
  }
}

/** For a program of ours that made the image and has it open: whoever has is the writer. */
export function markWriting(place: RbdPlace, image: string): Promise<void> {
  return setMark(place, image, WRITER, OPENING)
}

export function forgetWriter(place: RbdPlace, image: string): Promise<void> {
  return removeMark(place, image, WRITER)
}

async function blocklist(place: RbdPlace, address: string): Promise<void> {
  await ceph(place, ['osd', 'blocklist', 'add', address, String(RBD_LIMITS.rbdBlocklistSeconds)])
}

function locksOf(place: RbdPlace, image: string): Promise<Lock[]> {
  return rbdJson<Lock[]>(place, ['lock', 'ls', specOf(place, image)])
}

function breakLock(place: RbdPlace, image: string, { id, locker }: Lock): Promise<unknown> {
  return ifThere(rbd(place, ['lock', 'rm', specOf(place, image), id, locker]))
}

/**
 * Addresses of those who have written it since they opened it. The lock of one that does not have it open any more is broken, as
 * Ceph's own clients do: it died.
 */
async function lockersOf(place: RbdPlace, image: string): Promise<Set<string>> {
  const locks = await locksOf(place, image)
  if (locks.length === 0) return new Set()
  const watchers = await watchersOf(place, image)
  for (const lock of locks) if (!watchers.has(lock.address)) await breakLock(place, image, lock)
  return new Set(locks.map(({ address }) => address)).intersection(watchers)
}

/** Addresses of clients that have it open; qemu's readers are among them. */
export async function watchersOf(place: RbdPlace, image: string): Promise<Set<string>> {
  const status = await rbdJson<{ watchers: { address: string }[] }>(place, ['status', specOf(place, image)])
  return new Set(status.watchers.map(({ address }) => address))
}

/** Short commands have it open for a moment, too: those count who stay. */
async function waitUntilNone(image: string, addresses: () => Promise<ReadonlySet<string>>): Promise<void> {
  let staying = await addresses()
  const deadlineMs = Date.now() + RBD_LIMITS.rbdWatchMs
  while (staying.size > 0) {
    if (Date.now() > deadlineMs) throw inUse(image, staying)
    await sleep(LIMITS.volumeClosePollMs)
    const now = await addresses()
    staying = new Set([...staying].filter((address) => now.has(address)))
  }
}

function inUse(image: string, addresses: ReadonlySet<string>): DriverError {
  return new DriverError(
    'inUse',
    `Expected image ${image} to be closed, but a client at ${[...addresses].join(', ')} has it open for writing. ` +
      'Close it there (end the process, stop the guest), or attach the volume to that guest, and try again.',
  )
}
