/** What goes on in the world: each actor stands for a workflow, which starts processes until the work is done or given up. */
import type { Extent } from '../../../block-io/device.ts'
import { abortBackup } from '../../../backup-format/abort.ts'
import { collect } from '../../../backup-format/collect.ts'
import { commitBackup } from '../../../backup-format/commit.ts'
import { deleteBackup } from '../../../backup-format/delete.ts'
import { uploadFrom } from '../../../backup-format/upload.ts'
import { DriverError } from '../../../domain/errors.ts'
import { bufferReader, DOMAIN, uploadRequest } from '../fixtures.ts'
import type { Process } from './scheduler.ts'
import type { World } from './world.ts'

export const SHAPE = { chunkBytes: 16, pageEntries: 2 }
const BACKUPS_PER_WRITER = 2
const ATTEMPTS_MAX = 4
const VOLUME_CHUNKS_MAX = 5
/** Few different chunks, so that backups share most of them. */
const CHUNK_KINDS = 6

/** Makes incremental backups of a volume that changes. */
export async function writer(world: World, name: string): Promise<void> {
  const { random, oracle } = world
  const self = world.reliableProcess(name)
  let volume = newVolume(world)
  for (let count = 0; count < BACKUPS_PER_WRITER; count += 1) {
    await self.step()
    const backupId = `${name}-${count}`
    const parentBackupId = random.pick(oracle.committedBackups())
    volume = changed(world, volume)
    oracle.contents.set(backupId, volume)
    const overtaken: Promise<boolean>[] = []
    for (let token = 1, done = false; token <= ATTEMPTS_MAX && !done; token += 1) {
      const attempt = backUp(world, { backupId, volume, writerToken: token }, parentBackupId)
      if (random.chance(0.2)) {
        // It is thought to be dead and a successor starts, but it goes on.
        overtaken.push(attempt)
        self.sleep(60)
        await self.step()
      } else done = await attempt
    }
    // Some are given up while an attempt is still alive.
    if (random.chance(0.5)) await Promise.all(overtaken)
    world.ended.add(backupId)
    await Promise.all(overtaken)
  }
  world.writersLeft -= 1
}

/** True when nothing is left to do for this backup. */
async function backUp(
  world: World,
  { backupId, volume, writerToken }: { backupId: string; volume: Buffer; writerToken: number },
  parentBackupId: string | undefined,
): Promise<boolean> {
  const { oracle } = world
  const request = uploadRequest(
    { path: 'unused', bytes: volume },
    {
      backupId,
      writerToken,
      journalChunks: 5,
      changedRanges: changesSince(world, parentBackupId, volume),
      ...(parentBackupId !== undefined && { parentBackupId }),
    },
  )
  const uploader = world.process(`${backupId}#${writerToken}`, 40)
  oracle.begin(backupId, writerToken)
  const isOurs = () => {
    const record = oracle.records.get(backupId)
    return record?.state === 'open' && record.writerToken === writerToken
  }
  const upload = () =>
    uploadFrom(
      world.repositoryOf(uploader),
      request,
      bufferReader(volume, () => uploader.step()),
    )
  if ((await survived(world, uploader, upload, isOurs)) !== 'done') return false
  const committer = world.random.chance(0.5)
    ? uploader
    : world.process(`${backupId}#${writerToken} commit`, 10)
  const commit = () => commitBackup(world.repositoryOf(committer), request)
  if ((await survived(world, committer, commit, isOurs)) !== 'done') return false
  if (!oracle.committed.has(backupId)) oracle.violated(`${backupId} is said to be committed, it is not`)
  world.totals.commits += 1
  return true
}

/** Preferably deletes the parent of a backup that is being made. */
export async function deleter(world: World, name: string): Promise<void> {
  const { random, oracle } = world
  const self = world.reliableProcess(name)
  while (world.writersLeft > 0) {
    self.sleep(80)
    await self.step()
    const open = [...oracle.records.values()].filter(({ state }) => state === 'open')
    const parents = new Set(open.map(({ parentBackupId }) => parentBackupId))
    // The lock of an operation that is under way keeps its backup.
    const committed = oracle.committedBackups().filter((backupId) => world.ended.has(backupId))
    const victim =
      random.pick(committed.filter((backupId) => parents.has(backupId))) ?? random.pick(committed)
    if (victim === undefined) continue
    oracle.unwanted.add(victim)
    const process = world.process(`${name} of ${victim}`, 4)
    const request = { domain: DOMAIN, backupId: victim }
    const outcome = await survived(world, process, () => deleteBackup(world.repositoryOf(process), request))
    if (outcome !== 'done') continue
    if (oracle.records.get(victim)?.state === 'committed')
      oracle.violated(`${victim} is said to be deleted, it is not`)
    world.totals.deletes += 1
  }
}

/** Gives up what nobody will go on with. */
export async function reaper(world: World): Promise<void> {
  const { random, oracle, ended } = world
  const self = world.reliableProcess('reaper')
  while (world.writersLeft > 0) {
    self.sleep(40)
    await self.step()
    const open = [...oracle.records.values()].filter(
      ({ state, backupId }) => state === 'open' && ended.has(backupId),
    )
    const backupId = random.pick(open)?.backupId
    if (backupId === undefined) continue
    oracle.unwanted.add(backupId)
    const process = world.process(`reaper of ${backupId}`, 4)
    const abort = () => abortBackup(world.repositoryOf(process), { domain: DOMAIN, backupId })
    if ((await survived(world, process, abort)) === 'done') world.totals.abandoned += 1
  }
}

export async function collector(world: World, name: string): Promise<void> {
  const { oracle } = world
  const self = world.reliableProcess(name)
  for (let run = 1; world.writersLeft > 0; run += 1) {
    self.sleep(40)
    await self.step()
    const process = world.process(`${name}#${run}`, 120)
    const abortable = ({ backupId }: { backupId: string }) => {
      if (world.ended.has(backupId)) oracle.unwanted.add(backupId)
      return world.ended.has(backupId)
    }
    await survived(world, process, async () => {
      const { outcome } = await collect(world.repositoryOf(process), { abortable })
      if (outcome === 'done') world.totals.collections += 1
    })
  }
}

/** Death, lost answers and being overtaken are part of the game; a repository that looks damaged and was not is not. */
export async function survived(
  { totals, oracle }: World,
  process: Process,
  work: () => Promise<unknown>,
  mustBeIntact: () => boolean = () => true,
): Promise<'done' | 'failed' | 'died'> {
  try {
    const ended = await Promise.race([work().then(() => 'done' as const), process.died])
    if (ended === 'died') totals.crashes += 1
    return ended
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    if (error.kind === 'transient') totals.faults += 1
    if (error.kind === 'corrupt' && mustBeIntact() && !oracle.damages.explain(error.message))
      oracle.violated(`${process.name} found damage: ${error.message}`)
    return 'failed'
  }
}

function newVolume({ random }: World): Buffer {
  const chunks = 1 + random.below(VOLUME_CHUNKS_MAX)
  return Buffer.concat(
    Array.from({ length: chunks }, () => Buffer.alloc(SHAPE.chunkBytes, random.below(CHUNK_KINDS))),
  )
}

/** Some chunks have other bytes, and now and then it has grown. */
function changed({ random, isDiscarding }: World, volume: Buffer): Buffer {
  const grown = random.chance(0.2) ? [volume, Buffer.alloc(SHAPE.chunkBytes)] : [volume]
  const next = Buffer.concat(grown)
  for (let at = 0; at < next.length; at += SHAPE.chunkBytes)
    if (random.chance(0.3)) {
      const kind = isDiscarding && random.chance(0.7) ? 0 : random.below(CHUNK_KINDS)
      next.fill(kind, at, at + SHAPE.chunkBytes)
    }
  return next
}

function changesSince(
  { random, oracle }: World,
  parentBackupId: string | undefined,
  volume: Buffer,
): Extent[] | 'unknown' {
  const old = parentBackupId === undefined ? undefined : oracle.contents.get(parentBackupId)
  if (old === undefined || random.chance(0.5)) return 'unknown'
  const { chunkBytes } = SHAPE
  const bytesAt = (bytes: Buffer, at: number) => bytes.subarray(at, at + chunkBytes)
  return Array.from({ length: volume.length / chunkBytes }, (_, chunk) => chunk * chunkBytes)
    .filter((at) => !bytesAt(old, at).equals(bytesAt(volume, at)))
    .map((offset) => ({ offset, length: 1, kind: 'data' }))
}
