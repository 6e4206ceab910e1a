/** What the model knows of damaged objects: what each was before, and so what must be found, healed, or refused. */
import { expect } from 'vitest'
import { contentId } from '../../backup-format/keys.ts'
import { blobKey, parseBlobName } from '../../backup-format/names.ts'
import { readQuarantined } from '../../backup-format/quarantine.ts'
import { readCommitted } from '../../backup-format/record.ts'
import type { Repository } from '../../backup-format/repository.ts'
import { verifyBackup } from '../../backup-format/verify.ts'
import type { VerifyFindings, VerifyRequest } from '../../backup-format/verify-request.ts'
import { DriverError } from '../../domain/errors.ts'
import { DOMAIN } from './fixtures.ts'
import { MemoryTarget } from './memory-target.ts'
import { keysOfRecord, reachableKeys } from './reachable.ts'

const DAMAGES_MAX = 2

export interface DamagedWorld {
  readonly repository: Repository
  readonly target: MemoryTarget
  /** What is damaged now -> its bytes before. */
  readonly damaged: Map<string, Buffer>
}

/** Loses or alters a chunk or, less often, an index page that a backup needs. False: none, or there is enough damage. */
export async function damage(
  world: DamagedWorld,
  choice: { x: number; y: number; z: number },
): Promise<boolean> {
  const { target, damaged } = world
  const folder = choice.y % 4 === 0 ? '/s/' : '/c/'
  const keys = [...(await neededKeys(world))].filter((key) => key.includes(folder) && !damaged.has(key))
  const key = keys[choice.x % Math.max(1, keys.length)]
  const bytes = key === undefined ? undefined : target.objects.get(key)
  if (key === undefined || bytes === undefined || damaged.size >= DAMAGES_MAX) return false
  damaged.set(key, bytes)
  if (choice.z % 2 === 0) target.objects.delete(key)
  else {
    const altered = Buffer.from(bytes)
    const at = choice.z % altered.length
    altered.writeUInt8(altered.readUInt8(at) ^ 1, at)
    target.objects.set(key, altered)
  }
  return true
}

/** A verification finds exactly what is damaged; of a damaged page the chunks cannot be seen. */
export async function verify(world: DamagedWorld, backupId: string): Promise<void> {
  const truth = await damageOf(world, backupId)
  expect(await look(world.repository, backupId)).toMatchObject({
    ...{ damagedChunks: truth.chunks.length, damagedPages: truth.pages.length },
    ...{ healedChunks: 0, healedPages: 0 },
  })
  const marked = await markedKeys(world.repository)
  for (const key of [...truth.chunks, ...truth.pages]) expect(marked, `${key} is marked`).toContain(key)
}

/** A copy heals everything but a page of which a chunk is lost, too. False: nothing was healed. */
export async function heal(world: DamagedWorld, backupId: string, bytes: Buffer): Promise<boolean> {
  const copy = {
    ...{ sizeBytes: bytes.length, extents: async () => [], close: async () => {} },
    read: async (buffer: Uint8Array, offset: number) =>
      void bytes.copy(buffer, 0, offset, offset + buffer.length),
  }
  const { hopelessPages } = await damageOf(world, backupId)
  const before = world.damaged.size
  const { healedChunks, healedPages } = await look(world.repository, backupId, { copy })
  await forgetHealed(world)
  const rest = await damageOf(world, backupId)
  expect(rest.chunks).toEqual([])
  for (const page of rest.pages) expect(hopelessPages).toContain(page)
  expect(healedChunks + healedPages > 0).toBe(world.damaged.size < before)
  return healedChunks + healedPages > 0
}

/** What is stored again must be what it was; anything else is still damaged. */
export async function forgetHealed({ repository, target, damaged }: DamagedWorld): Promise<void> {
  const { keys, sealer } = await repository.domain(DOMAIN)
  for (const key of damaged.keys()) {
    const stored = target.objects.get(key)
    const ref = parseBlobName(key.slice(key.lastIndexOf('/') + 1))
    try {
      const plain = stored && sealer.open('chunk', key, Buffer.from(stored))
      if (plain !== undefined && contentId(keys, plain) === ref?.id) damaged.delete(key)
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
    }
  }
}

/** Marked chunks with these bytes. */
export async function markedWith(
  { repository, damaged }: DamagedWorld,
  chunks: readonly Buffer[],
): Promise<string[]> {
  const { keys } = await repository.domain(DOMAIN)
  const ids = new Set(chunks.map((chunk) => contentId(keys, chunk)))
  const marked = await markedKeys(repository)
  return marked.filter((key) => {
    const ref = parseBlobName(key.slice(key.lastIndexOf('/') + 1))
    return key.includes('/c/') && damaged.has(key) && ids.has(ref?.id ?? '')
  })
}

/** The repository as if nothing was damaged. */
export function soundRepository({ repository, target, damaged }: DamagedWorld): Repository {
  return { ...repository, target: new MemoryTarget(new Map([...target.objects, ...damaged])) }
}

export function neededKeys(world: DamagedWorld): Promise<Set<string>> {
  return reachableKeys(soundRepository(world))
}

/** The error is about something that is damaged. */
export function explains({ damaged }: DamagedWorld, error: unknown): boolean {
  return (
    error instanceof DriverError &&
    error.kind === 'corrupt' &&
    [...damaged.keys()].some((key) => error.message.includes(key))
  )
}

export async function damageOf(
  world: DamagedWorld,
  backupId: string,
): Promise<{ chunks: string[]; pages: string[]; hopelessPages: string[] }> {
  const { target, damaged } = world
  const sound = soundRepository(world)
  const record = await readCommitted(sound, DOMAIN, backupId)
  const found = { chunks: [] as string[], pages: [] as string[], hopelessPages: [] as string[] }
  for (const name of record.pages) {
    const [page = '', ...chunks] = await keysOfRecord(sound, { ...record, pages: [name] })
    const isDamaged = damaged.has(page)
    if (isDamaged) found.pages.push(page)
    else found.chunks.push(...chunks.filter((key) => damaged.has(key)))
    if (isDamaged && chunks.some((key) => !target.objects.has(key))) found.hopelessPages.push(page)
  }
  return found
}

function look(
  repository: Repository,
  backupId: string,
  more: Partial<VerifyRequest> = {},
): Promise<VerifyFindings> {
  return verifyBackup(repository, {
    ...{ domain: DOMAIN, backupId, level: 'content', samplePercent: 100, seed: 'seed', resumeFromBytes: 0 },
    ...{ signal: new AbortController().signal, pace: async () => {}, onProgress: () => {} },
    onCheckpoint: async () => {},
    ...more,
  })
}

async function markedKeys(repository: Repository): Promise<string[]> {
  const quarantined = await readQuarantined(repository, DOMAIN)
  return (['chunk', 'page'] as const).flatMap((kind) =>
    [...quarantined[kind]].flatMap(([id, epochs]) =>
      epochs.map((epoch) => blobKey(kind, DOMAIN, { id, epoch })),
    ),
  )
}
