/** Objects get damaged; verifications find it, mark it, and heal it from copies. (The next backups of the same bytes heal, too.) */
import { abortBackup } from '../../../backup-format/abort.ts'
import { collect } from '../../../backup-format/collect.ts'
import { deleteBackup } from '../../../backup-format/delete.ts'
import type { Repository } from '../../../backup-format/repository.ts'
import { verifyBackup } from '../../../backup-format/verify.ts'
import type { VerifyFindings, VerifyRequest } from '../../../backup-format/verify-request.ts'
import { bufferReader, DOMAIN } from '../fixtures.ts'
import { SHAPE, survived } from './actors.ts'
import type { World } from './world.ts'

const WAYS = ['lost', 'name altered', 'content altered'] as const
const ATTEMPTS_MAX = 2

/** Strikes what committed backups need. */
export async function damager(world: World): Promise<void> {
  const { random, oracle } = world
  const self = world.reliableProcess('damager')
  for (let left = world.damages; left > 0 && world.writersLeft > 0;) {
    self.sleep(100)
    await self.step()
    const folder = random.chance(0.8) ? '/c/' : '/s/'
    const needed = [...oracle.needed].filter(([key, count]) => count > 0 && key.includes(folder))
    const [key] = random.pick(needed) ?? []
    const how = random.pick(WAYS)
    if (key === undefined || how === undefined) continue
    if (!oracle.strike(key, how)) continue
    left -= 1
    world.totals.damages += 1
    world.trace.add('damager', how, key, 'done')
  }
}

/** Verifies one backup after the other; it goes on where a killed attempt ended. */
export async function verifier(world: World): Promise<void> {
  const { random, oracle } = world
  const self = world.reliableProcess('verifier')
  /** Backups found to be damaged -> when that verification began. */
  const damaged = new Map<string, number>()
  for (let run = 1; world.writersLeft > 0; run += 1) {
    self.sleep(60)
    await self.step()
    const known = oracle.committedBackups().filter((backupId) => damaged.has(backupId))
    const isAgain = known.length > 0 && random.chance(0.5)
    const backupId = random.pick(isAgain ? known : oracle.committedBackups())
    if (backupId === undefined) continue
    const level = isAgain ? 'quarantined' : random.chance(0.7) ? 'content' : 'presence'
    const begunAt = oracle.clock
    const findings = await verifyInAttempts(world, `verifier#${run}`, backupId, level)
    if (findings === undefined || oracle.records.get(backupId)?.state !== 'committed') continue
    const { damagedChunks, damagedPages } = findings
    if (damagedChunks + damagedPages > 0) {
      if (oracle.isSound(backupId)) oracle.violated(`Sound ${backupId} is said to be damaged`)
      if (level === 'content') damaged.set(backupId, begunAt)
    } else if (level !== 'presence') {
      // Again only what was found is looked at.
      const then = isAgain ? (damaged.get(backupId) ?? 0) : begunAt
      if (oracle.isDamagedSince(backupId, then)) oracle.violated(`Damaged ${backupId} is said to be good`)
      damaged.delete(backupId)
    }
  }
}

/** Undefined: it was given up. */
async function verifyInAttempts(
  world: World,
  name: string,
  backupId: string,
  level: VerifyRequest['level'],
): Promise<VerifyFindings | undefined> {
  const bytes = world.random.chance(0.4) ? copyOf(world, backupId) : undefined
  let resumeFromBytes = 0
  const onCheckpoint = async (bytes: number) => {
    resumeFromBytes = bytes
  }
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const process = world.process(`${name}.${attempt} of ${backupId}`, 40)
    const copy = bytes && bufferReader(bytes, () => process.step())
    let findings: VerifyFindings | undefined
    const work = async () => {
      const how = { level, resumeFromBytes, onCheckpoint, ...(copy && { copy }) }
      findings = await verify(world.repositoryOf(process), backupId, how)
    }
    if ((await survived(world, process, work)) !== 'done') continue
    world.totals.verifications += 1
    return findings
  }
  return undefined
}

/** Nothing fails any more: what is open is given up, what is damaged is found and healed, what is not needed is taken away. */
export async function comeToRest(world: World): Promise<void> {
  const { oracle } = world
  const repository = world.repositoryOf(world.reliableProcess('last'))
  for (const { backupId, state } of oracle.records.values())
    if (state === 'open') await abortBackup(repository, { domain: DOMAIN, backupId })
  if (oracle.damages.any) await makeGood(world, repository)
  await collect(repository)
}

async function makeGood({ oracle }: World, repository: Repository): Promise<void> {
  const expectTruth = async (backupId: string) => {
    const { damagedChunks, damagedPages } = await verify(repository, backupId)
    const truth = oracle.damageOf(backupId)
    if (damagedChunks !== truth.chunks || damagedPages !== truth.pages)
      oracle.violated(
        `${backupId} has ${truth.chunks} damaged chunks and ${truth.pages} damaged pages, found were ${damagedChunks} and ${damagedPages}`,
      )
  }
  for (const backupId of oracle.committedBackups()) await expectTruth(backupId)
  for (const backupId of [...oracle.committedBackups(), ...oracle.committedBackups()]) {
    const copy = bufferReader(oracle.contents.get(backupId) ?? Buffer.alloc(0))
    await verify(repository, backupId, { copy })
  }
  for (const backupId of oracle.committedBackups()) {
    await expectTruth(backupId)
    const { chunks, pages, couldBeHealed } = oracle.damageOf(backupId)
    if (chunks + pages === 0) continue
    if (couldBeHealed) oracle.violated(`${backupId} could have been healed from its copy, and was not`)
    oracle.unwanted.add(backupId)
    await deleteBackup(repository, { domain: DOMAIN, backupId })
  }
  oracle.checkContents()
}

function verify(
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

/** Now and then somebody gives us another one. */
function copyOf({ random, oracle }: World, backupId: string): Buffer {
  const bytes = Buffer.from(oracle.contents.get(backupId) ?? Buffer.alloc(0))
  return random.chance(0.2) ? bytes.fill(1, 0, SHAPE.chunkBytes) : bytes
}
