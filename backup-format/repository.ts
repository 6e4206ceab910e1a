import { randomUUID } from 'node:crypto'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { createSealer, FORMAT_VERSION, type Sealer } from './envelope.ts'
import {
  checkMasterKey,
  domainKeys,
  repositoryKeys,
  repositorySeal,
  sameBytes,
  type SealingKeys,
} from './keys.ts'
import { checkName, DOMAINS_PREFIX, domainKey, REPOSITORY_KEY } from './names.ts'
import { createState, stateExists } from './state.ts'
import type { BackupTarget } from './target.ts'

export interface Repository {
  readonly target: BackupTarget
  readonly repoId: string
  readonly chunkBytes: number
  readonly pageEntries: number
  /** For what belongs to no domain. */
  readonly sealer: Sealer
  /** A domain is a project: it shares chunks with no other. */
  domain(name: string): Domain
}

export interface Domain {
  readonly name: string
  readonly keys: SealingKeys
  readonly sealer: Sealer
}

/** Fixed when the repository is created. Only tests want other values than the defaults. */
export interface RepositoryShape {
  readonly chunkBytes?: number
  readonly pageEntries?: number
}

/**
 * Opens the repository in this target; an empty target becomes one. Another key than the one it was created with: DriverError
 * `invalid`. The caller keeps the target and closes it.
 */
export async function createOrOpenRepository(
  target: BackupTarget,
  masterKey: Uint8Array,
  shape: RepositoryShape = {},
): Promise<Repository> {
  checkMasterKey(masterKey)
  const found = (await target.get(REPOSITORY_KEY)) ?? (await create(target, masterKey, shape))
  const description = parse(found.bytes)
  const expected = repositorySeal(masterKey, description.repoId, sealedText(description))
  if (!sameBytes(expected, Buffer.from(description.seal, 'hex'))) {
    throw new DriverError(
      'invalid',
      'Expected repo.json to be sealed with the configured key: the key is another one, or repo.json was altered',
    )
  }
  const repository = openWith(target, masterKey, description)
  if (!(await stateExists(repository))) await createMissingState(repository)
  return repository
}

/** Makes the domain known to the collector. Repeating it is harmless. */
export async function registerDomain(repository: Repository, domain: string): Promise<void> {
  await repository.target.putIfAbsent(domainKey(domain), Buffer.from(`${JSON.stringify({ domain })}\n`))
}

export async function listDomains(repository: Repository): Promise<string[]> {
  const domains: string[] = []
  for await (const { key } of repository.target.list(DOMAINS_PREFIX)) {
    domains.push(key.slice(DOMAINS_PREFIX.length))
  }
  return domains.toSorted()
}

interface Description {
  readonly format: 'volflow-backup'
  readonly version: number
  readonly repoId: string
  readonly chunkBytes: number
  readonly pageEntries: number
  readonly seal: string
}

async function create(target: BackupTarget, masterKey: Uint8Array, shape: RepositoryShape) {
  const open = {
    format: 'volflow-backup' as const,
    version: FORMAT_VERSION,
    repoId: randomUUID(),
    chunkBytes: shape.chunkBytes ?? LIMITS.chunkBytes,
    pageEntries: shape.pageEntries ?? LIMITS.indexPageEntries,
  }
  const seal = repositorySeal(masterKey, open.repoId, sealedText(open)).toString('hex')
  const bytes = Buffer.from(`${JSON.stringify({ ...open, seal }, null, 2)}\n`)
  await target.putIfAbsent(REPOSITORY_KEY, bytes)
  const stored = await target.get(REPOSITORY_KEY)
  if (stored !== undefined) return stored
  throw new DriverError(
    'transient',
    'Expected the target to show repo.json after it was written, it does not',
  )
}

/** What the seal covers. */
function sealedText({ version, repoId, chunkBytes, pageEntries }: Omit<Description, 'seal'>): string {
  return `volflow-backup|${version}|${repoId}|${chunkBytes}|${pageEntries}`
}

function parse(bytes: Buffer): Description {
  const description = parseJson(bytes)
  if (description?.format !== 'volflow-backup' || typeof description.repoId !== 'string') {
    throw new DriverError(
      'corrupt',
      'Expected repo.json to describe a volflow backup repository, it does not',
    )
  }
  if (description.version !== FORMAT_VERSION) {
    throw new DriverError(
      'unsupported',
      `Expected a repository of format ${FORMAT_VERSION}, got ${description.version}`,
    )
  }
  return { ...description, seal: String(description.seal) }
}

function parseJson(bytes: Buffer): Description | undefined {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

function openWith(target: BackupTarget, masterKey: Uint8Array, description: Description): Repository {
  const { repoId, chunkBytes, pageEntries } = description
  const domains = new Map<string, Domain>()
  const domain = (name: string): Domain => {
    checkName('domain', name)
    const known = domains.get(name)
    if (known !== undefined) return known
    const keys = domainKeys(masterKey, repoId, name)
    const opened = { name, keys, sealer: createSealer(keys) }
    domains.set(name, opened)
    return opened
  }
  return {
    target,
    repoId,
    chunkBytes,
    pageEntries,
    sealer: createSealer(repositoryKeys(masterKey, repoId)),
    domain,
  }
}

/** A creation that was interrupted has no state yet, and no domain either; otherwise somebody deleted it. */
async function createMissingState(repository: Repository): Promise<void> {
  const domains = await listDomains(repository)
  if (domains.length > 0 && !(await stateExists(repository))) {
    throw new DriverError('corrupt', 'Expected the repository to have its state object, it is missing')
  }
  await createState(repository)
}
