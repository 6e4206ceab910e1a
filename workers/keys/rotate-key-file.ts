/**
 * Puts a new key in the place of the key file. May die at any step and be run again, while the service runs, which reads the file whenever
 * it opens a repository: at each moment the key in the file opens every repository.
 *
 *    backup.key                                 nothing is under way
 *    backup.key  backup.key.next                every repository gets a slot for the next one, and it is proved that it opens
 *    backup.key  …next  backup.key.previous     the previous one is kept, then the next one takes its place in one step
 *    backup.key  backup.key.previous            every repository loses the slots of the previous one, then that is removed
 */
import { link, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { KeySecret } from '../../backup-format/key-slot.ts'
import { addSlot, listSlots, proveSlot, removeSlot, type Unlocked } from '../../backup-format/key-slots.ts'
import { createKeyring, findOpening, unlock } from '../../backup-format/unlock.ts'
import type { Config } from '../../config/config.ts'
import { loadBackupKey, readBackupKey } from '../../config/secrets.ts'
import { lockFile } from '../folder-lock.ts'
import { withTarget } from './open-targets.ts'

export interface RotatedTarget {
  readonly target: string
  readonly addedSlot: string | null
  readonly removedSlots: readonly string[]
}

/** Every target must be reachable; those that have no repository yet are left out. */
export async function rotateKeyFile(config: Config): Promise<RotatedTarget[]> {
  const file = config.backupKeyFile
  if ((await readBackupKey(file)) === undefined)
    throw new Error(`Expected the key file ${file}, there is none.`)
  const lock = lockFile(`${file}.lock`, `Another rotation of ${file} is under way.`)
  try {
    await clearDrafts(file)
    const added = new Map<string, string>()
    const isSwapped = (await isThere(`${file}.previous`)) && !(await isThere(`${file}.next`))
    if (!isSwapped) {
      const keys = { first: keyFile(await key(file)), added: keyFile(await loadBackupKey(`${file}.next`)) }
      for (const name of Object.keys(config.targets)) await addTo(config, name, keys, added)
      await swap(file)
    }
    const keys = { first: keyFile(await key(`${file}.previous`)), added: keyFile(await key(file)) }
    const removed = new Map<string, string[]>()
    for (const name of Object.keys(config.targets)) {
      // One that was made meanwhile may not know the new key yet.
      await addTo(config, name, keys, added)
      await withRepository(config, name, [keys.added], async (unlocked) => {
        removed.set(name, await removeSlotsOf(unlocked, keys.first))
      })
    }
    await rm(`${file}.previous`)
    await syncFolder(file)
    return [...removed].map(([target, removedSlots]) => ({
      target,
      addedSlot: added.get(target) ?? null,
      removedSlots,
    }))
  } finally {
    lock.release()
  }
}

async function addTo(
  config: Config,
  name: string,
  keys: { first: KeySecret; added: KeySecret },
  added: Map<string, string>,
): Promise<void> {
  await withRepository(config, name, [keys.first, keys.added], async (unlocked) => {
    const slots = await listSlots(unlocked.target, unlocked.description.repoId)
    const known = await findOpening(slots, keys.added)
    if (known === undefined) added.set(name, (await addSlot(unlocked, keys.added)).id)
    else await proveSlot(unlocked, known.id, keys.added)
  })
}

async function removeSlotsOf(unlocked: Unlocked, secret: KeySecret): Promise<string[]> {
  const removed: string[] = []
  for (;;) {
    const slots = await listSlots(unlocked.target, unlocked.description.repoId)
    const found = await findOpening(slots, secret)
    if (found === undefined) return removed
    await removeSlot(unlocked, found.id)
    removed.push(found.id)
  }
}

async function withRepository(
  config: Config,
  name: string,
  secrets: readonly KeySecret[],
  work: (unlocked: Unlocked) => Promise<void>,
): Promise<void> {
  await withTarget(config, name, async (target) => {
    const unlocked = await unlock(
      target,
      createKeyring(async () => secrets),
    )
    if (unlocked !== undefined) await work(unlocked)
  })
}

/** Of a run that died while it made the next key: nothing was ever wrapped with them. */
async function clearDrafts(file: string): Promise<void> {
  const draft = `${basename(file)}.next.`
  for (const name of await readdir(dirname(file))) {
    if (name.startsWith(draft)) await rm(join(dirname(file), name))
  }
}

async function swap(file: string): Promise<void> {
  await link(file, `${file}.previous`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await syncFolder(file)
  await rename(`${file}.next`, file)
  await syncFolder(file)
}

async function syncFolder(file: string): Promise<void> {
  await using folder = await open(dirname(file), 'r')
  await folder.sync()
}

async function key(file: string): Promise<Uint8Array> {
  const found = await readBackupKey(file)
  if (found !== undefined) return found
  throw new Error(`Expected the key file ${file}, there is none.`)
}

function keyFile(bytes: Uint8Array): KeySecret {
  return { kind: 'key-file', key: bytes }
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}
