/** Ways in which damage can come to light. Each works on objects of its own and throws what it finds. */
import { collect } from '../../../backup-format/collect.ts'
import { commitBackup } from '../../../backup-format/commit.ts'
import { damagedRoots } from '../../../backup-format/domain-root.ts'
import type { KeySecret } from '../../../backup-format/key-slot.ts'
import { createOrOpenRepository, type Repository } from '../../../backup-format/repository.ts'
import { readCommitted } from '../../../backup-format/record.ts'
import { createKeyring } from '../../../backup-format/unlock.ts'
import { uploadFrom } from '../../../backup-format/upload.ts'
import { DriverError } from '../../../domain/errors.ts'
import { listKeys } from '../../../workers/keys/list-keys.ts'
import { bufferReader, DOMAIN, KEY, keyring, restored, uploadRequest } from '../fixtures.ts'
import { MemoryTarget } from '../memory-target.ts'
import { OTHER_DOMAIN, type World } from './world.ts'

export type Probe = 'open' | 'restore' | 'backup' | 'collect' | 'fsck' | 'recovery'
type Objects = ReadonlyMap<string, Buffer>

export const PROBES: Record<Probe, (objects: Objects, world: World) => Promise<void>> = {
  open: async (objects) => void (await open(objects)),
  recovery: async (objects, { recoveryKey: key }) => {
    const secrets: KeySecret[] = [{ kind: 'recovery-key', key }]
    await createOrOpenRepository(
      copyOf(objects),
      createKeyring(async () => secrets),
    )
  },
  restore: (objects, world) => restoreOf(objects, world, 'victim'),
  backup: async (objects, { volumes }) => {
    const { repository } = await open(objects)
    const request = uploadRequest(
      { path: 'unused', bytes: volumes.open },
      { backupId: 'open', writerToken: 2 },
    )
    await uploadFrom(repository, request, bufferReader(volumes.open))
    await commitBackup(repository, request)
    await expectBytes(repository, 'open', volumes.open)
  },
  collect: async (objects, world) => {
    const { repository, target } = await open(objects)
    await collect(repository, { abortable: () => true })
    await restoreOf(target.objects, world, 'neighbour')
    await restoreOf(target.objects, world, 'stranger')
  },
  fsck: async (objects) => {
    const { repository, target } = await open(objects)
    const slots = await listKeys(target, [{ kind: 'key-file', key: KEY }])
    if (slots?.some(({ state }) => state === 'damaged') === true) throw new DriverError('corrupt', 'key slot')
    for (const domain of [DOMAIN, OTHER_DOMAIN]) {
      if ((await damagedRoots(repository, domain)).length > 0)
        throw new DriverError('corrupt', 'key of a project')
    }
  },
}

/** Restores one backup and compares it with its volume. Other bytes are never an answer. */
export async function restoreOf(
  objects: Objects,
  { volumes }: World,
  backupId: 'victim' | 'neighbour' | 'stranger',
) {
  const { repository } = await open(objects)
  await expectBytes(repository, backupId, volumes[backupId], backupId === 'stranger' ? OTHER_DOMAIN : DOMAIN)
}

async function open(objects: Objects): Promise<{ repository: Repository; target: MemoryTarget }> {
  const target = copyOf(objects)
  return { repository: await createOrOpenRepository(target, keyring()), target }
}

async function expectBytes(
  repository: Repository,
  backupId: string,
  bytes: Buffer,
  domain = DOMAIN,
): Promise<void> {
  await readCommitted(repository, domain, backupId)
  const found = await restored(repository, backupId, bytes.length, domain)
  if (!found.equals(bytes)) throw new Error(`Expected the bytes of ${backupId}, got others without an error`)
}

function copyOf(objects: Objects): MemoryTarget {
  return new MemoryTarget(new Map(objects))
}
