/** A real Cinder's backup service: its own driver classes over its own database (an SQLite file), in one Python process. */
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { dieWithUs } from '../../../block-io/process.ts'
import { cinderPython } from '../../../scripts/setup/cinder.ts'
import type { S3Server } from '../s3-servers.ts'
import { tempDir } from '../temp-dir.ts'

const PROGRAM = fileURLToPath(new URL('service.py', import.meta.url))
/** Cinder's own defaults would make a test of a few MiB one object. */
export const SMALL_CHUNK_BYTES = 1024 * 1024

export type CinderPlace =
  | {
      readonly driver: 'posix'
      readonly path: string
      readonly chunkBytes?: number
      readonly container?: string
    }
  | {
      readonly driver: 's3'
      readonly server: S3Server
      readonly bucket: string
      readonly chunkBytes?: number
    }
  | {
      /** Its volumes are in the pool `volumes`, its backups in `backups`. */
      readonly driver: 'ceph'
      readonly user: string
      /** Names the user's keyring. */
      readonly confFile: string
    }

export interface CinderBackupRow {
  readonly backupId: string
  readonly prefix: string
  readonly container: string
  readonly objectCount: number
  readonly parentId: string | null
  readonly status: string
  readonly name: string | null
  readonly sizeGiB: number
}

export interface ExportedRecord {
  readonly backup_service: string
  readonly backup_url: string
}

type Compression = 'none' | 'zlib' | 'gzip' | 'bz2' | 'zstd'

export interface CinderService extends AsyncDisposable {
  createVolume(name: string): Promise<string>
  /** Full, or with `parentId` what differs from that. Without a path, of the volume's image in its cluster. */
  backup(request: {
    volumeId: string
    path?: string
    parentId?: string
    name?: string
    compression?: Compression
  }): Promise<CinderBackupRow>
  /** Into a file. */
  restore(backupId: string, path: string): Promise<{ volumeId: string; name: string }>
  delete(backupId: string): Promise<void>
  /** Removes its row alone. */
  forget(backupId: string): Promise<void>
  exportRecord(backupId: string): Promise<ExportedRecord>
  importRecord(record: ExportedRecord): Promise<CinderBackupRow>
  stop(): Promise<void>
}

/** Takes about 4 s. */
export async function startCinder(place: CinderPlace): Promise<CinderService> {
  const setup = { ...driverOf(place), database: join(await tempDir(), 'cinder.db') }
  const [file, ...args] = [...dieWithUs(), cinderPython.command, PROGRAM]
  const child = execa(file, args, {
    env: cinderPython.env,
    stdin: 'pipe',
    buffer: { stdout: false },
    reject: false,
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<{ error?: string; result?: unknown }> => {
    const line = await lines.next()
    if (line.done !== true) return JSON.parse(line.value)
    throw new Error(`Cinder ended: ${String((await child).stderr).slice(-2000)}`)
  }
  // Not as an argument: it has credentials.
  child.stdin.write(`${JSON.stringify(setup)}\n`)
  await answer()
  let turn: Promise<unknown> = Promise.resolve()
  const ask = <T>(request: object): Promise<T> => {
    const asked = turn.then(async () => {
      child.stdin.write(`${JSON.stringify(request)}\n`)
      const { error, result } = await answer()
      if (error !== undefined) throw new Error(error)
      return result as T
    })
    turn = asked.catch(() => undefined)
    return asked
  }
  const stop = async () => {
    child.stdin.end()
    await child
  }
  return {
    createVolume: async (name) =>
      (await ask<{ volumeId: string }>({ do: 'create_volume', sizeGiB: 1, name })).volumeId,
    backup: (request) => ask({ do: 'backup', ...request }),
    restore: (backupId, path) => ask({ do: 'restore', backupId, path }),
    delete: (backupId) => ask({ do: 'delete', backupId }),
    forget: (backupId) => ask({ do: 'forget', backupId }),
    exportRecord: (backupId) => ask({ do: 'export_record', backupId }),
    importRecord: (record) => ask({ do: 'import_record', ...record }),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function driverOf(place: CinderPlace): {
  driver: string
  options: Record<string, string | number | boolean>
} {
  if (place.driver === 'ceph') {
    return {
      driver: 'cinder.backup.drivers.ceph.CephBackupDriver',
      options: {
        backup_ceph_user: place.user,
        backup_ceph_conf: place.confFile,
        backup_ceph_pool: 'backups',
      },
    }
  }
  const chunkBytes = place.chunkBytes ?? SMALL_CHUNK_BYTES
  if (place.driver === 'posix') {
    return {
      driver: 'cinder.backup.drivers.posix.PosixBackupDriver',
      options: {
        backup_posix_path: place.path,
        backup_file_size: chunkBytes,
        ...(place.container === undefined ? {} : { backup_container: place.container }),
      },
    }
  }
  const { server, bucket } = place
  return {
    driver: 'cinder.backup.drivers.s3.S3BackupDriver',
    options: {
      backup_s3_endpoint_url: server.endpoint,
      backup_s3_store_access_key: server.accessKeyId,
      backup_s3_store_secret_key: server.secretAccessKey,
      backup_s3_store_bucket: bucket,
      backup_s3_object_size: chunkBytes,
    },
  }
}
