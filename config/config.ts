import { z } from 'zod'
import { QUOTA_DEFAULTS, type QuotaName } from '../domain/quotas.ts'
import { rbdBackend, rbdBackupPool, rbdPool } from './rbd.ts'

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes')
const QUOTA_NAMES = Object.keys(QUOTA_DEFAULTS) as [QuotaName, ...QuotaName[]]
const port = z.int().min(1).max(65_535)

/** Of each volume, the snapshot of its newest backup in each target: it makes the next incremental one fast, and costs space. True unless told. */
const keepBackupSnapshots = z.boolean().optional()

/** How many times its size may be promised to volumes, which only take what is written to them. Cinder's default unless told. */
const overcommitRatio = z.number().min(1).max(1000).optional()

const fileBackend = z.strictObject({
  driver: z.literal('file'),
  path: z.string(),
  keepBackupSnapshots,
  /** A folder with the QMP socket of each guest that may use volumes of this backend: `<guest>.sock`. */
  guestSockets: z.string().optional(),
  overcommitRatio,
})

const backend = z.discriminatedUnion('driver', [
  fileBackend,
  z.strictObject({ ...rbdBackend, keepBackupSnapshots, overcommitRatio }),
])

const store = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('file'), path: z.string() }),
  z.strictObject(rbdPool),
])

/** Of zstd, for the chunks of backups; 0 stores them as they are. */
const compressionLevel = z.int().min(0).max(19).optional()

const s3Target = {
  driver: z.literal('s3'),
  endpoint: z.url(),
  region: z.string().default('us-east-1'),
  bucket: z.string(),
  prefix: z.string().default(''),
  /** JSON file `{accessKeyId, secretAccessKey}`, readable by its owner alone. */
  credentialsFile: z.string(),
}

const CINDER = {
  /** Of what we write; all are read. Cinder before 2019 does not know zstd. */
  compression: z.enum(['none', 'zlib', 'zstd']).default('zstd'),
}

const target = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('directory'), path: z.string(), compressionLevel }),
  z.strictObject({ ...s3Target, compressionLevel }),
  z.strictObject(rbdBackupPool),
])

/** Where a Cinder keeps its backups: a bucket, or the folder of its drivers for POSIX file systems and NFS. */
const cinderTarget = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('directory'), path: z.string(), ...CINDER }),
  z.strictObject({ ...s3Target, ...CINDER }),
])

/** PostgreSQL. The password has a file of its own, so that this one may be shown. */
const database = z.strictObject({
  url: z.string().refine(isPostgresUrl, 'a URL like postgresql://user@host:5432/name, without a password'),
  /** Holds the password and nothing else, readable by its owner alone. */
  passwordFile: z.string().optional(),
})

/** What `volflow.yaml` in the data folder may say. Relative paths are relative to the data folder. docs/deployment.md explains all of it. */
export const configSchema = z.strictObject({
  api: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: port.default(8780),
      /** Names besides the loopback ones under which the API may be addressed. */
      allowedHosts: z.array(z.string()).default([]),
      /** What links and the catalog begin with, where a proxy is in front; default: the host that a request names. */
      publicUrl: z.url({ protocol: /^https?$/ }).optional(),
    })
    .prefault({}),
  identity: z
    .strictObject({
      /** `own`: our own Keystone, below /identity. `none`: everybody is an administrator, so it listens on loopback alone. */
      authType: z.enum(['own', 'keystone', 'none']).default('own'),
      /** Elsewhere, for `keystone`: who asks it about the tokens of others. */
      keystone: z
        .strictObject({
          url: z.url({ protocol: /^https?$/ }),
          username: z.string(),
          /** Holds the password and nothing else, readable by its owner alone. */
          passwordFile: z.string(),
          userDomainName: z.string().default('Default'),
          projectName: z.string().default('service'),
          projectDomainName: z.string().default('Default'),
        })
        .optional(),
      /** `volflow prepare` makes the administrator with this password when there is nobody. It holds that and nothing else. */
      adminPasswordFile: z.string().optional(),
    })
    .refine(({ authType, keystone }) => (authType === 'keystone') === (keystone !== undefined), {
      error: 'authType keystone and the section keystone go together',
    })
    .prefault({}),
  /** What each project may have, unless told otherwise for all or for one; -1: no limit. Cinder's names and defaults (domain/quotas.ts). */
  quotas: z.partialRecord(z.enum(QUOTA_NAMES), z.int().min(-1)).default({}),
  temporal: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: port.default(7233),
      uiPort: port.default(8233),
      namespace: z.string().default('default'),
      /** TLS is used when this is there, be it empty; certificate and key prove to the server who we are. All are PEM files. */
      tls: z
        .strictObject({
          caFile: z.string().optional(),
          certFile: z.string().optional(),
          keyFile: z.string().optional(),
          /** The name in the server's certificate, where it is not the host. */
          serverName: z.string().optional(),
        })
        .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
          error: 'certFile and keyFile go together',
        })
        .optional(),
      /** Sent with each request, over TLS alone. */
      apiKeyFile: z.string().optional(),
    })
    .prefault({}),
  /** Left out: the SQLite file `volflow.db` in the data folder. */
  database: database.optional(),
  backends: z.record(name, backend).default({ files: { driver: 'file', path: 'volumes' } }),
  stores: z.record(name, store).default({ local: { driver: 'file', path: 'images' } }),
  targets: z.record(name, target).default({ local: { driver: 'directory', path: 'backups' } }),
  /** Targets in Cinder's format. No name is among the other targets. */
  cinderTargets: z.record(name, cinderTarget).default({}),
  /** 32 bytes as 64 hex digits; made on the first start. Opens the repositories of all targets (docs/backup-keys.md). */
  backupKeyFile: z.string().default('keys/backup.key'),
  /** Instead of the key file: holds a passphrase and nothing else, readable by its owner alone. */
  backupPassphraseFile: z.string().optional(),
  webhooks: z
    .strictObject({
      /** From this key the secrets of all webhooks are derived: the API and the control workers need the same one. As the one above. */
      keyFile: z.string().default('keys/webhook.key'),
      /** Also without TLS: whoever is on the way can read what is sent. */
      allowHttp: z.boolean().default(false),
      /** Networks that are not public and may be sent to all the same, such as 10.1.0.0/16. */
      allowedNetworks: z.array(z.union([z.cidrv4(), z.cidrv6()])).default([]),
    })
    .prefault({}),
  workers: z
    .strictObject({
      /** Movers of data at the same time, per backend. */
      dataConcurrency: z.int().min(1).max(64).default(2),
      /** Short calls at the same time, per place. */
      callConcurrency: z.int().min(1).max(256).default(8),
    })
    .prefault({}),
  /** Where each of our processes says whether it can work; `volflow health` asks there. Without a port it says nothing. */
  health: z.strictObject({ host: z.string().default('127.0.0.1'), port: port.optional() }).prefault({}),
})

export type ConfigFile = z.infer<typeof configSchema>
export type BackendConfig = z.infer<typeof backend>
export type StoreConfig = z.infer<typeof store>
/** With objects, in our own format. */
export type TargetConfig = Exclude<z.infer<typeof target>, { driver: 'rbd' }>
/** A Ceph pool, for backups of volumes in the same cluster. */
export type RbdTargetConfig = Extract<z.infer<typeof target>, { driver: 'rbd' }>
export type CinderTargetConfig = z.infer<typeof cinderTarget>

function isPostgresUrl(text: string): boolean {
  const url = URL.parse(text)
  return (
    url !== null &&
    /^postgres(?:ql)?:$/.test(url.protocol) &&
    url.password === '' &&
    !url.searchParams.has('password')
  )
}

/** `ownConfFile`: what is made of its settings for the programs that reach it. */
export type Openable<T extends BackendConfig | StoreConfig | RbdTargetConfig> = T extends { driver: 'rbd' }
  ? T & { readonly ownConfFile: string }
  : T

/** The configuration with absolute paths. */
export interface Config extends Omit<ConfigFile, 'backends' | 'stores' | 'targets'> {
  readonly dataFolder: string
  readonly backends: Readonly<Record<string, Openable<BackendConfig>>>
  readonly stores: Readonly<Record<string, Openable<StoreConfig>>>
  readonly targets: Readonly<Record<string, TargetConfig>>
  /** Those of `targets` that are pools. */
  readonly rbdTargets: Readonly<Record<string, Openable<RbdTargetConfig>>>
}
