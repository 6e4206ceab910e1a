/** A repository with one of everything: what is damaged in one place, and what must not suffer from it. */
import { randomBytes } from 'node:crypto'
import { collect } from '../../../backup-format/collect.ts'
import { commitBackup } from '../../../backup-format/commit.ts'
import { deleteBackup } from '../../../backup-format/delete.ts'
import { addSlot, removeSlot } from '../../../backup-format/key-slots.ts'
import { newRecoveryKey } from '../../../backup-format/recovery-key.ts'
import { parseBlobName } from '../../../backup-format/names.ts'
import { putMarker, removeMarker } from '../../../backup-format/quarantine.ts'
import { readCommitted } from '../../../backup-format/record.ts'
import { createOrOpenRepository, type Repository } from '../../../backup-format/repository.ts'
import { unlock } from '../../../backup-format/unlock.ts'
import { uploadFrom } from '../../../backup-format/upload.ts'
import { bufferReader, DOMAIN, keyring, uploadRequest } from '../fixtures.ts'
import { MemoryTarget } from '../memory-target.ts'
import { keysOfRecord } from '../reachable.ts'

export const OTHER_DOMAIN = 'other'
export const CHUNK_BYTES = 512

export interface World {
  readonly objects: ReadonlyMap<string, Buffer>
  /** What they were before, and objects that are gone. */
  readonly earlier: ReadonlyMap<string, Buffer>
  /** By backup id. `victim` and `neighbour` are in one domain, `stranger` in the other; `open` is half uploaded. */
  readonly volumes: Readonly<Record<'victim' | 'neighbour' | 'stranger' | 'open', Buffer>>
  readonly recoveryKey: Uint8Array
  /** The objects of another repository that the same key opens. */
  readonly elsewhere: ReadonlyMap<string, Buffer>
}

export async function makeWorld(): Promise<World> {
  const target = new MemoryTarget()
  const earlier = new Map<string, Buffer>()
  const remember = () => {
    for (const [key, bytes] of target.objects) if (!earlier.has(key)) earlier.set(key, bytes)
  }
  const repository = await createOrOpenRepository(target, keyring(), {
    chunkBytes: CHUNK_BYTES,
    pageEntries: 4,
  })
  const volume = () => randomBytes(CHUNK_BYTES * 9 + 100)
  const volumes = { victim: volume(), neighbour: volume(), stranger: volume(), open: volume() }
  const recoveryKey = await makeSlots(target, remember)

  // A collection that is over, with everything that it deleted.
  await backUp(repository, 'old', volume())
  const waiting = uploadRequest({ path: 'unused', bytes: volumes.open }, { backupId: 'blocker' })
  await uploadFrom(repository, waiting, bufferReader(volumes.open))
  await deleteBackup(repository, { domain: DOMAIN, backupId: 'old' })
  remember()
  await collect(repository)
  remember()
  await collect(repository, { abortable: () => true })

  await backUp(repository, 'victim', volumes.victim, { beforeCommit: remember })
  await backUp(repository, 'neighbour', volumes.neighbour)
  await backUp(repository, 'gone', volume())
  await backUp(repository, 'stranger', volumes.stranger, { domain: OTHER_DOMAIN })
  for (const domain of [DOMAIN, OTHER_DOMAIN]) {
    await backUp(repository, 'deleted', volume(), { domain })
    await deleteBackup(repository, { domain, backupId: 'deleted' })
  }
  await halfUpload(repository, volumes.open)
  // Waits for the open upload: its lists are there.
  await collect(repository)
  await markSome(repository, remember)
  return {
    objects: new Map(target.objects),
    earlier,
    volumes,
    recoveryKey,
    elsewhere: await anotherRepository(),
  }
}

/** Left by verifications, of objects that are good again; one was taken away. */
async function markSome(repository: Repository, remember: () => void): Promise<void> {
  const mark = async (backupId: string, finding: 'missing' | 'damaged') => {
    const keys = await keysOfRecord(repository, await readCommitted(repository, DOMAIN, backupId))
    const key = keys.findLast((name) => name.includes('/c/')) ?? ''
    const ref = parseBlobName(key.slice(key.lastIndexOf('/') + 1))
    if (ref === undefined) throw new Error(`Expected ${backupId} to have a chunk`)
    const blob = { kind: 'chunk', ref } as const
    await putMarker(repository, DOMAIN, blob, finding)
    return blob
  }
  await mark('victim', 'damaged')
  await mark('neighbour', 'missing')
  const taken = await mark('gone', 'damaged')
  remember()
  await removeMarker(repository, DOMAIN, taken)
}

async function makeSlots(target: MemoryTarget, remember: () => void): Promise<Uint8Array> {
  const unlocked = await unlock(target, keyring())
  if (unlocked === undefined) throw new Error('Expected a repository')
  const recoveryKey = newRecoveryKey()
  await addSlot(unlocked, { kind: 'recovery-key', key: recoveryKey })
  const removed = await addSlot(unlocked, { kind: 'recovery-key', key: newRecoveryKey() }, 'removed')
  remember()
  await removeSlot(unlocked, removed.id)
  return recoveryKey
}

async function backUp(
  repository: Repository,
  backupId: string,
  bytes: Buffer,
  { domain = DOMAIN, beforeCommit = () => {} }: { domain?: string; beforeCommit?: () => void } = {},
): Promise<void> {
  const request = uploadRequest({ path: 'unused', bytes }, { domain, backupId })
  await uploadFrom(repository, request, bufferReader(bytes))
  beforeCommit()
  await commitBackup(repository, request)
}

/** Its source fails after some chunks; every chunk has a journal page of its own. */
async function halfUpload(repository: Repository, bytes: Buffer): Promise<void> {
  let reads = 0
  const reader = bufferReader(bytes, async () => {
    reads += 1
    if (reads > 6) throw new Error('killed')
  })
  const request = uploadRequest({ path: 'unused', bytes }, { backupId: 'open', journalChunks: 1 })
  await uploadFrom(repository, request, reader).catch(() => undefined)
}

async function anotherRepository(): Promise<Map<string, Buffer>> {
  const target = new MemoryTarget()
  const repository = await createOrOpenRepository(target, keyring(), {
    chunkBytes: CHUNK_BYTES,
    pageEntries: 4,
  })
  await backUp(repository, 'victim', randomBytes(1000))
  return target.objects
}
