/** repo.json: what is fixed when a repository is created. It never changes, and names no secret. */
import { DriverError } from '../domain/errors.ts'
import { repositorySeal } from './keys.ts'

/** Of repositories that are made today. */
const VERSION = 2
const VERSIONS: readonly number[] = [1, VERSION]

export interface Description {
  readonly format: 'volflow-backup'
  readonly version: number
  readonly repoId: string
  readonly chunkBytes: number
  readonly pageEntries: number
  readonly seal: string
}

export function describe(
  masterKey: Uint8Array,
  fixed: Pick<Description, 'repoId' | 'chunkBytes' | 'pageEntries'>,
): Description {
  const { repoId, chunkBytes, pageEntries } = fixed
  const open = { format: 'volflow-backup' as const, version: VERSION, repoId, chunkBytes, pageEntries }
  return { ...open, seal: seal(masterKey, open) }
}

export function isSealedWith(masterKey: Uint8Array, description: Description): boolean {
  return seal(masterKey, description) === description.seal
}

export function encodeDescription(description: Description): Buffer {
  return Buffer.from(`${JSON.stringify(description, null, 2)}\n`)
}

/** Throws `corrupt` for anything that was not written by `encodeDescription`, `unsupported` for another version. */
export function parseDescription(bytes: Buffer): Description {
  const found = parseJson(bytes)
  if (
    found?.format === 'volflow-backup' &&
    typeof found.version === 'number' &&
    !VERSIONS.includes(found.version)
  ) {
    throw new DriverError(
      'unsupported',
      `Expected a repository of format ${VERSIONS.join(' or ')}, got ${found.version}`,
    )
  }
  const { format, version, repoId, chunkBytes, pageEntries, seal } = found ?? {}
  const description = { format, version, repoId, chunkBytes, pageEntries, seal } as Description
  if (
    format === 'volflow-backup' &&
    typeof repoId === 'string' &&
    encodeDescription(description).equals(bytes)
  ) {
    return description
  }
  throw new DriverError('corrupt', 'Expected repo.json to describe a volflow backup repository, it does not')
}

function seal(
  masterKey: Uint8Array,
  { version, repoId, chunkBytes, pageEntries }: Omit<Description, 'seal'>,
): string {
  const text = `volflow-backup|${version}|${repoId}|${chunkBytes}|${pageEntries}`
  return repositorySeal(masterKey, repoId, text).toString('hex')
}

function parseJson(bytes: Buffer): Partial<Description> | undefined {
  try {
    return JSON.parse(bytes.toString('utf8')) ?? undefined
  } catch {
    return undefined
  }
}
