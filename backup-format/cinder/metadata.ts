/** A backup's `_metadata` object. It comes from a bucket that others write to: nothing in it is believed before it was checked. */
import { z } from 'zod'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { type BackupLocation, chunkNumber } from '../../domain/cinder-names.ts'

export type Compression = 'none' | 'zlib' | 'bz2' | 'zstd'

/** The spellings of the configuration: `gzip` means a zlib stream. */
const COMPRESSIONS: Readonly<Record<string, Compression>> = {
  none: 'none',
  off: 'none',
  no: 'none',
  zlib: 'zlib',
  gzip: 'zlib',
  bz2: 'bz2',
  bzip2: 'bz2',
  zstd: 'zstd',
}

/** One object with bytes of the volume. */
export interface ChunkObject {
  readonly name: string
  readonly offset: number
  /** Of the volume's bytes, before compression. */
  readonly length: number
  readonly compression: Compression
  /** Of the volume's bytes. */
  readonly md5: string
}

export interface CinderMetadata {
  readonly backupId: string
  readonly volumeId: string
  readonly name: string | null
  readonly description: string | null
  /** ISO 8601, UTC. */
  readonly createdAt: string
  readonly parentId: string | null
  /** In the order in which Cinder writes them: a later one covers an earlier one. */
  readonly objects: readonly ChunkObject[]
  /** As it was stored, without the objects, so that what we do not know is written back unchanged. */
  readonly raw: Readonly<Record<string, unknown>>
}

const text = z.string().max(LIMITS.cinderTextMaxLength).nullable()
const chunk = z.object({
  offset: z.int().min(0).max(LIMITS.volumeSizeMaxBytes),
  length: z.int().min(1).max(LIMITS.cinderObjectMaxBytes),
  compression: z.string(),
  md5: z.string().regex(/^[0-9a-f]{32}$/),
})
const schema = z.looseObject({
  version: z.literal('1.0.0'),
  backup_id: z.string(),
  volume_id: z.string(),
  backup_name: text,
  backup_description: text,
  created_at: z.string().max(64),
  parent_id: z.string().max(64).nullish(),
  objects: z.array(z.record(z.string(), chunk)),
})

/** Throws DriverError `corrupt` that says what is wrong with it. */
export function parseMetadata(location: BackupLocation, bytes: Buffer): CinderMetadata {
  const parsed = schema.safeParse(parseJson(location, bytes))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw broken(location, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as Cinder writes it'}`)
  }
  const { data } = parsed
  if (data.backup_id !== location.backupId || data.volume_id !== location.volumeId) {
    throw broken(location, `it is about backup ${data.backup_id} of volume ${data.volume_id}`)
  }
  return {
    backupId: data.backup_id,
    volumeId: data.volume_id,
    name: data.backup_name,
    description: data.backup_description,
    createdAt: parseTime(data.created_at) ?? '1970-01-01T00:00:00.000Z',
    parentId: data.parent_id ?? null,
    objects: data.objects.map((entry) => toObject(location, entry)),
    raw: { ...data, objects: [] },
  }
}

/** As Python's `json.dumps(…, sort_keys=True, indent=2)` writes it. */
export function serializeMetadata(
  raw: Readonly<Record<string, unknown>>,
  change: { parentId: string | null; objects: readonly ChunkObject[] },
): Buffer {
  const objects = change.objects.map(({ name, offset, length, compression, md5 }) => ({
    [name]: { compression, length, md5, offset },
  }))
  const all: Record<string, unknown> = { ...raw, objects, parent_id: change.parentId }
  const sorted = Object.fromEntries(
    Object.keys(all)
      .toSorted()
      .map((key) => [key, all[key]]),
  )
  return Buffer.from(JSON.stringify(sorted, undefined, 2))
}

function parseJson(location: BackupLocation, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    throw broken(location, 'it is no JSON')
  }
}

function toObject(location: BackupLocation, entry: Record<string, z.infer<typeof chunk>>): ChunkObject {
  const [named, ...others] = Object.entries(entry)
  if (named === undefined || others.length > 0) throw broken(location, 'an entry has not exactly one name')
  const [name, { compression: spelling, ...rest }] = named
  const compression = COMPRESSIONS[spelling.toLowerCase()]
  if (compression === undefined) throw broken(location, `an object has the compression ${cut(spelling)}`)
  // Whatever it names is read from the store: only its own objects.
  if (chunkNumber(location, name) === undefined) throw broken(location, `it names the object ${cut(name)}`)
  return { name, compression, ...rest }
}

/** Python's `str(datetime)`, which is UTC with or without saying so. */
function parseTime(written: string): string | undefined {
  const iso = written.trim().replace(' ', 'T')
  const ms = Date.parse(/[+-]\d\d:\d\d$|Z$/.test(iso) ? iso : `${iso}Z`)
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString()
}

function broken({ prefix }: BackupLocation, found: string): DriverError {
  return new DriverError('corrupt', `Expected ${prefix}_metadata to be as Cinder writes it, but ${found}`)
}

function cut(text: string): string {
  return JSON.stringify(text.slice(0, 80))
}
